"""Add usage up by fewer sums.

Safety: an older program may still be running on this schema while the revision is applied, and
data that are dropped do not come back. Here an index changes, the sums of usage are thrown away and
every day that has jobs is marked, so that the bot makes them anew, in the background; until then
reports read the jobs themselves. Undoing it does the same, for the older program's own sums.

Revision: c4a90e6b21d7, after 4d7c1e92ab35, made 2026-11-22 11:08:41.604133+00:00.
"""

from alembic import op

revision = "c4a90e6b21d7"
down_revision = "4d7c1e92ab35"
branch_labels = None
depends_on = None

DAYS = {
    "sqlite": "substr(created_at, 1, 10) || ' 00:00:00.000000'",
    "postgresql": "date_trunc('day', created_at, 'UTC')",
}


OLD, NEW = ("guild_id", "start"), ("grain", "start", "guild_id")


def upgrade() -> None:
    _index(OLD, becomes=NEW)
    _forget_sums()


def downgrade() -> None:
    _index(NEW, becomes=OLD)
    _forget_sums()


def _index(columns: tuple[str, ...], *, becomes: tuple[str, ...]) -> None:
    op.drop_index(op.f(f"ix_usage_marks_{'_'.join(columns)}"), table_name="usage_marks")
    op.create_index(op.f(f"ix_usage_marks_{'_'.join(becomes)}"), "usage_marks", list(becomes))


def _forget_sums() -> None:
    day = DAYS[op.get_bind().dialect.name]
    op.execute("DELETE FROM usage")
    op.execute("DELETE FROM usage_marks")
    op.execute(
        "INSERT INTO usage_marks (grain, guild_id, start)"  # noqa: S608 -- our own words
        f" SELECT DISTINCT 'day', guild_id, {day} FROM jobs"
    )
