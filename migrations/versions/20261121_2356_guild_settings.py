"""Keep what the admins of a guild choose, and the log of their acts.

Safety: an older program may still be running on this schema while the revision is applied, and
data that are dropped do not come back. What destroys or narrows takes three revisions:
expand (add the new, nullable, with both written), backfill (in batches), contract (drop the
old, one release later). Everything has to work on SQLite (batch mode) and on PostgreSQL.

Revision: c1709ec42b0c, after f65dab0e01c9, made 2026-11-21 23:56:01.173785+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "c1709ec42b0c"
down_revision = "f65dab0e01c9"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("act", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("before", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("after", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["guild_id"], ["guilds.id"], name=op.f("fk_audit_guild_id_guilds")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_guild_id_id"), ["guild_id", "id"], unique=False)

    op.create_table(
        "guild_presets",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("fields", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["guild_id"], ["guilds.id"], name=op.f("fk_guild_presets_guild_id_guilds")
        ),
        sa.PrimaryKeyConstraint("guild_id", "name", name=op.f("pk_guild_presets")),
    )
    op.create_table(
        "guild_settings",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("safety", sa.String(length=64), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "safety IN ('off', 'spoiler', 'block')", name=op.f("ck_guild_settings_safety_known")
        ),
        sa.ForeignKeyConstraint(
            ["guild_id"], ["guilds.id"], name=op.f("fk_guild_settings_guild_id_guilds")
        ),
        sa.PrimaryKeyConstraint("guild_id", name=op.f("pk_guild_settings")),
    )
    op.create_table(
        "word_rules",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("plain", sa.String(length=64), nullable=False),
        sa.Column("word", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("action IN ('warn', 'block')", name=op.f("ck_word_rules_action_known")),
        sa.ForeignKeyConstraint(
            ["guild_id"], ["guilds.id"], name=op.f("fk_word_rules_guild_id_guilds")
        ),
        sa.PrimaryKeyConstraint("guild_id", "plain", name=op.f("pk_word_rules")),
    )


def downgrade() -> None:
    op.drop_table("word_rules")
    op.drop_table("guild_settings")
    op.drop_table("guild_presets")
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_guild_id_id"))

    op.drop_table("audit")
