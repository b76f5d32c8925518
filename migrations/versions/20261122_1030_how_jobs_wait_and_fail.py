"""Let jobs rest, end at a deadline, lie as dead letters and have weights; know what is unanswered.

Safety: an older program may still be running on this schema while the revision is applied, and
data that are dropped do not come back. Here columns that may be null, an index and tables are
added; an older program leaves them null and claims a job that rests at once. On SQLite columns are
dropped in place, for building the table anew would lose the triggers that mark usage. Undoing it
forgets deadlines, dead letters and priorities; the jobs stay.

Revision: c4f1d27a9e63, after 9e3b71c0d5f2, made 2026-11-22 10:30:12.402117+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "c4f1d27a9e63"
down_revision = "9e3b71c0d5f2"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
COLUMNS = {
    "not_before": MOMENT,
    "deadline_at": MOMENT,
    "dead_at": MOMENT,
    "guild_weight": sa.Double(),
    "member_weight": sa.Double(),
}


def upgrade() -> None:
    for name, kind in COLUMNS.items():
        op.add_column("jobs", sa.Column(name, kind, nullable=True))
    op.create_index(
        "ix_jobs_dead",
        "jobs",
        ["guild_id", "dead_at"],
        sqlite_where=sa.text("dead_at IS NOT NULL"),
        postgresql_where=sa.text("dead_at IS NOT NULL"),
    )
    op.create_table(
        "priorities",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.CheckConstraint("scope IN ('member', 'role')", name=op.f("ck_priorities_scope_known")),
        sa.CheckConstraint(
            "weight >= 0.1 AND weight <= 10", name=op.f("ck_priorities_weight_range")
        ),
        sa.ForeignKeyConstraint(
            ["guild_id"], ["guilds.id"], name=op.f("fk_priorities_guild_id_guilds")
        ),
        sa.PrimaryKeyConstraint("guild_id", "scope", "subject_id", name=op.f("pk_priorities")),
    )

    op.create_table(
        "acknowledgements",
        sa.Column("interaction_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("token_expires_at", MOMENT, nullable=False),
        sa.Column("locale", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("lease_expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("interaction_id", name=op.f("pk_acknowledgements")),
    )

    op.create_table(
        "previews",
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_previews_job_id_jobs")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_previews")),
    )


def downgrade() -> None:
    op.drop_table("previews")
    op.drop_table("acknowledgements")
    op.drop_table("priorities")
    op.drop_index("ix_jobs_dead", table_name="jobs")
    for name in COLUMNS:
        op.drop_column("jobs", name)
