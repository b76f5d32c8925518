"""Let admins block members, switch things off, choose defaults, and warn so often.

Safety: an older program may still be running on this schema while the revision is applied, and
data that are dropped do not come back. Here tables and nullable columns are added; an older
program knows no blocks, switches and defaults. Undoing it forgets what admins chose there.

Revision: 7b1e50c92d3f, after 2e8f4c6d10ab, made 2026-11-22 07:19:03.118402+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "7b1e50c92d3f"
down_revision = "2e8f4c6d10ab"
branch_labels = None
depends_on = None

CHECKS = {
    "strength_range": "strength > 0 AND strength <= 1",
    "warnings_range": "warnings BETWEEN 1 AND 1000",
}
SETTINGS = {
    "language": sa.String(length=64),
    "model": sa.String(length=64),
    "preset": sa.String(length=64),
    "strength": sa.Double(),
    "warnings": sa.Integer(),
}


def upgrade() -> None:
    with op.batch_alter_table("guild_settings") as batch_op:
        for name, kind in SETTINGS.items():
            batch_op.add_column(sa.Column(name, kind, nullable=True))
        for name, rule in CHECKS.items():
            batch_op.create_check_constraint(op.f(f"ck_guild_settings_{name}"), rule)
    op.create_table(
        "switched_off",
        _snowflake("guild_id"),
        _snowflake("channel_id"),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.CheckConstraint(
            "kind IN ('pipeline', 'preset')", name=op.f("ck_switched_off_kind_known")
        ),
        _guild("switched_off"),
        sa.PrimaryKeyConstraint(
            "guild_id", "channel_id", "kind", "name", name=op.f("pk_switched_off")
        ),
    )
    op.create_table(
        "blocks",
        _snowflake("guild_id"),
        _snowflake("member_id"),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _guild("blocks"),
        sa.PrimaryKeyConstraint("guild_id", "member_id", name=op.f("pk_blocks")),
    )
    op.create_table(
        "word_warnings",
        _snowflake("interaction_id"),
        _snowflake("guild_id"),
        _snowflake("member_id"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _guild("word_warnings"),
        sa.PrimaryKeyConstraint("interaction_id", name=op.f("pk_word_warnings")),
    )
    op.create_index(
        op.f("ix_word_warnings_guild_id_member_id_created_at"),
        "word_warnings",
        ["guild_id", "member_id", "created_at"],
    )


def downgrade() -> None:
    for table in ("word_warnings", "blocks", "switched_off"):
        op.drop_table(table)
    with op.batch_alter_table("guild_settings") as batch_op:
        for name in CHECKS:
            batch_op.drop_constraint(op.f(f"ck_guild_settings_{name}"), type_="check")
        for name in SETTINGS:
            batch_op.drop_column(name)


def _snowflake(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)


def _guild(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_guild_id_guilds")
    return sa.ForeignKeyConstraint(["guild_id"], ["guilds.id"], name=name)
