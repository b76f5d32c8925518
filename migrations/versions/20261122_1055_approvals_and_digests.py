"""Let moderators approve pictures before they are shown, and tell usage every week.

Safety: an older program may still be running on this schema while the revision is applied, and
data that are dropped do not come back. Here tables and a column that may be null are added, and a
job may be held; an older program leaves held jobs alone, and shows what it makes unapproved.
Undoing it forgets what was chosen there, and has jobs that are held made again.

Revision: 4d7c1e92ab35, after c4f1d27a9e63, made 2026-11-22 10:55:20.401127+00:00.
"""

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "4d7c1e92ab35"
down_revision = "c4f1d27a9e63"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
OLD_STATES = "state IN ('queued', 'running', 'done', 'failed', 'cancelled')"
NEW_STATES = "state IN ('queued', 'running', 'held', 'done', 'failed', 'cancelled')"


def upgrade() -> None:
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.add_column(sa.Column("held_at", MOMENT, nullable=True))
        _states(batch_op, NEW_STATES)
    op.create_table(
        "approvals",
        _snowflake("guild_id"),
        _snowflake("channel_id"),
        sa.Column("review_channel_id", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("trouble", sa.String(length=64), nullable=True),
        _guild("approvals"),
        sa.PrimaryKeyConstraint("guild_id", "channel_id", name=op.f("pk_approvals")),
    )
    op.create_table(
        "reviews",
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("device_ms", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.BigInteger(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "device_ms BETWEEN 0 AND 1000000000000", name=op.f("ck_reviews_device_ms_range")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_reviews_job_id_jobs")),
        _guild("reviews"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_reviews")),
    )
    op.create_index(op.f("ix_reviews_guild_id_created_at"), "reviews", ["guild_id", "created_at"])
    op.create_table(
        "digests",
        _snowflake("guild_id"),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("week", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=True),
        sa.Column("lease_expires_at", MOMENT, nullable=True),
        sa.Column("trouble", sa.String(length=64), nullable=True),
        _guild("digests"),
        sa.PrimaryKeyConstraint("guild_id", name=op.f("pk_digests")),
    )


def downgrade() -> None:
    for table in ("digests", "reviews", "approvals"):
        op.drop_table(table)
    op.execute("DELETE FROM outputs WHERE job_id IN (SELECT id FROM jobs WHERE state = 'held')")
    op.execute(
        "UPDATE jobs SET state = 'queued', owner = NULL, lease_expires_at = NULL, notes = NULL"
        " WHERE state = 'held'"
    )
    with op.batch_alter_table("jobs") as batch_op:
        _states(batch_op, OLD_STATES)
        batch_op.drop_column("held_at")


def _states(batch_op: BatchOperations, rule: str) -> None:
    batch_op.drop_constraint(op.f("ck_jobs_state_known"), type_="check")
    batch_op.create_check_constraint(op.f("ck_jobs_state_known"), rule)


def _snowflake(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)


def _guild(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_guild_id_guilds")
    return sa.ForeignKeyConstraint(["guild_id"], ["guilds.id"], name=name)
