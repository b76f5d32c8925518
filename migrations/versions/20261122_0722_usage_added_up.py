"""Add usage up by hour, day and month.

Safety: an older program may still be running on this schema while the revision is applied, and
data that are dropped do not come back. Here tables are added, and columns that may be null, which
is what an older program leaves them; that a day's sums are old is marked by triggers, so also when
an older program changes a job. Nothing is added up here: every day that has jobs is marked, and
the bot adds these up as it does all others; until then reports read the jobs themselves. Undoing
it loses the sums, which are made anew, and the roles of jobs.

Revision: 9e3b71c0d5f2, after 7b1e50c92d3f, made 2026-11-22 07:22:07.118240+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "9e3b71c0d5f2"
down_revision = "7b1e50c92d3f"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SUMS = (
    "jobs",
    "done",
    "failures",
    "cancelled",
    "pictures",
    "device_ms",
    "refunded_ms",
    "waited",
    "wait_ms",
    "run_ms",
    "stored_bytes",
    "kept_bytes",
)
DAYS = {
    "sqlite": "substr(created_at, 1, 10) || ' 00:00:00.000000'",
    "postgresql": "date_trunc('day', created_at, 'UTC')",
}


def upgrade() -> None:
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.add_column(sa.Column("role_ids", sa.JSON(none_as_null=True), nullable=True))
        batch_op.add_column(sa.Column("pictures", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("input_bytes", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("output_bytes", sa.BigInteger(), nullable=True))
    _count_what_is_there()
    op.create_table(
        "usage",
        sa.Column("cut", sa.String(length=64), nullable=False),
        sa.Column("grain", sa.String(length=64), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("start", MOMENT, nullable=False),
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("channel_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("role_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("pipeline", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in SUMS),
        sa.Column("details", sa.JSON(none_as_null=True), nullable=False),
        sa.CheckConstraint("grain IN ('hour', 'day', 'month')", name=op.f("ck_usage_grain_known")),
        sa.PrimaryKeyConstraint(
            *("cut", "grain", "guild_id", "start"),
            *("member_id", "channel_id", "role_id", "pipeline", "model"),
            name=op.f("pk_usage"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "usage_marks",
        sa.Column("id", COUNTED, nullable=False),
        sa.Column("grain", sa.String(length=64), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("start", MOMENT, nullable=False),
        sa.CheckConstraint("grain IN ('day', 'month')", name=op.f("ck_usage_marks_grain_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_marks")),
    )
    op.create_index(op.f("ix_usage_marks_guild_id_start"), "usage_marks", ["guild_id", "start"])
    day = DAYS[op.get_bind().dialect.name]
    op.execute(
        "INSERT INTO usage_marks (grain, guild_id, start)"  # noqa: S608 -- our own words
        f" SELECT DISTINCT 'day', guild_id, {day} FROM jobs"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in ("new", "old", "changed"):
            op.execute(f"DROP TRIGGER IF EXISTS usage_of_{name}_jobs")
    else:
        op.execute("DROP TRIGGER IF EXISTS usage_of_jobs ON jobs")
        op.execute("DROP FUNCTION IF EXISTS mark_usage()")
    op.drop_index(op.f("ix_usage_marks_guild_id_start"), table_name="usage_marks")
    op.drop_table("usage_marks")
    op.drop_table("usage")
    with op.batch_alter_table("jobs") as batch_op:
        for name in ("output_bytes", "input_bytes", "pictures", "role_ids"):
            batch_op.drop_column(name)


def _count_what_is_there() -> None:
    """Write down the pictures and bytes of those jobs whose files are still known."""
    for column, what, table in (
        ("pictures", "count(*)", "outputs"),
        ("output_bytes", "sum(size_bytes)", "outputs"),
        ("input_bytes", "sum(size_bytes)", "inputs"),
    ):
        op.execute(
            f"UPDATE jobs SET {column} = (SELECT {what} FROM {table}"  # noqa: S608 -- our own words
            f" JOIN files ON files.sha256 = {table}.sha256 WHERE {table}.job_id = jobs.id)"
            f" WHERE EXISTS (SELECT 1 FROM {table} WHERE {table}.job_id = jobs.id)"
        )
