"""Keep the jobs of days that have many packed, for reports by several dimensions.

Safety: an older program may still be running on this schema while the revision is applied, and
data that are dropped do not come back. Here a table is added. An older program that adds a day up
leaves its packed jobs as they were, so such days have to be marked once it has ended: every day is
marked here, and older programs should be stopped first. Undoing it loses what is made anew anyhow.

Revision: 8c2f60d91ab7, after b7d03f5e81c6, made 2026-11-22 15:06:08.371204+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "8c2f60d91ab7"
down_revision = "b7d03f5e81c6"
branch_labels = None
depends_on = None

DAYS = {
    "sqlite": "substr(created_at, 1, 10) || ' 00:00:00.000000'",
    "postgresql": "date_trunc('day', created_at, 'UTC')",
}


def upgrade() -> None:
    op.create_table(
        "usage_days",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("guild_id", "start", name=op.f("pk_usage_days")),
    )
    day = DAYS[op.get_bind().dialect.name]
    op.execute(
        "INSERT INTO usage_marks (grain, guild_id, start)"  # noqa: S608 -- our own words
        f" SELECT DISTINCT 'day', guild_id, {day} FROM jobs"
    )


def downgrade() -> None:
    op.drop_table("usage_days")
