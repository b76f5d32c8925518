"""Lay the first tables.

Safety: an older program may still be running on this schema while the revision is applied, and
data that are dropped do not come back. What destroys or narrows takes three revisions:
expand (add the new, nullable, with both written), backfill (in batches), contract (drop the
old, one release later). Everything has to work on SQLite (batch mode) and on PostgreSQL.

Revision: f65dab0e01c9, the first, made 2026-11-20 13:47:14.282621+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "f65dab0e01c9"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("period", sa.String(length=64), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("granted_ms", sa.BigInteger(), nullable=False),
        sa.Column("reserved_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "period IN ('hour', 'day', 'month')", name=op.f("ck_accounts_period_known")
        ),
        sa.CheckConstraint(
            "scope IN ('member', 'guild', 'global')", name=op.f("ck_accounts_scope_known")
        ),
        sa.CheckConstraint(
            "granted_ms BETWEEN 0 AND 1000000000000000", name=op.f("ck_accounts_granted_ms_range")
        ),
        sa.CheckConstraint(
            "reserved_ms BETWEEN 0 AND 1000000000000000", name=op.f("ck_accounts_reserved_ms_range")
        ),
        sa.CheckConstraint(
            "used_ms BETWEEN 0 AND 1000000000000000", name=op.f("ck_accounts_used_ms_range")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint(
            "scope",
            "guild_id",
            "member_id",
            "period",
            "window_start",
            name=op.f("uq_accounts_scope_guild_id_member_id_period_window_start"),
        ),
    )
    op.create_table(
        "files",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("media_type", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "size_bytes BETWEEN 0 AND 1099511627776", name=op.f("ck_files_size_bytes_range")
        ),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_files")),
    )
    op.create_table(
        "guilds",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id >= 0", name=op.f("ck_guilds_id_range")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guilds")),
    )
    op.create_table(
        "key_values",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_key_values")),
    )
    op.create_table(
        "quota_policies",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("period", sa.String(length=64), nullable=False),
        sa.Column("limit_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "period IN ('hour', 'day', 'month')", name=op.f("ck_quota_policies_period_known")
        ),
        sa.CheckConstraint(
            "scope IN ('member', 'guild', 'global')", name=op.f("ck_quota_policies_scope_known")
        ),
        sa.CheckConstraint(
            "limit_ms BETWEEN 0 AND 1000000000000", name=op.f("ck_quota_policies_limit_ms_range")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quota_policies")),
        sa.UniqueConstraint(
            "scope",
            "guild_id",
            "member_id",
            "period",
            name=op.f("uq_quota_policies_scope_guild_id_member_id_period"),
        ),
    )
    op.create_table(
        "members",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("member_id >= 0", name=op.f("ck_members_member_id_range")),
        sa.ForeignKeyConstraint(
            ["guild_id"], ["guilds.id"], name=op.f("fk_members_guild_id_guilds")
        ),
        sa.PrimaryKeyConstraint("guild_id", "member_id", name=op.f("pk_members")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("interaction_id", sa.BigInteger(), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("command", sa.String(length=64), nullable=False),
        sa.Column("pipeline", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=True),
        sa.Column("prompt", sa.String(), nullable=True),
        sa.Column("parameters", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("locale", sa.String(length=64), nullable=False),
        sa.Column("parent_id", sa.String(length=32), nullable=True),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("interaction_token", sa.String(), nullable=True),
        sa.Column("token_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reserve_ms", sa.BigInteger(), nullable=False),
        sa.Column("device_ms", sa.BigInteger(), nullable=True),
        sa.Column("wait_ms", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("notes", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("purged_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'done', 'failed', 'cancelled')",
            name=op.f("ck_jobs_state_known"),
        ),
        sa.CheckConstraint("attempt BETWEEN 0 AND 1000", name=op.f("ck_jobs_attempt_range")),
        sa.CheckConstraint(
            "device_ms BETWEEN 0 AND 1000000000000", name=op.f("ck_jobs_device_ms_range")
        ),
        sa.CheckConstraint(
            "reserve_ms BETWEEN 1 AND 1000000000000", name=op.f("ck_jobs_reserve_ms_range")
        ),
        sa.CheckConstraint("seed BETWEEN 0 AND 4294967295", name=op.f("ck_jobs_seed_range")),
        sa.CheckConstraint(
            "wait_ms BETWEEN 0 AND 1000000000000", name=op.f("ck_jobs_wait_ms_range")
        ),
        sa.ForeignKeyConstraint(
            ["guild_id", "member_id"],
            ["members.guild_id", "members.member_id"],
            name=op.f("fk_jobs_guild_id_member_id_members"),
        ),
        sa.ForeignKeyConstraint(["parent_id"], ["jobs.id"], name=op.f("fk_jobs_parent_id_jobs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("interaction_id", name=op.f("uq_jobs_interaction_id")),
        sa.UniqueConstraint("nonce", name=op.f("uq_jobs_nonce")),
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_jobs_guild_id_created_at"), ["guild_id", "created_at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_jobs_guild_id_member_id_created_at"),
            ["guild_id", "member_id", "created_at"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_jobs_parent_id"), ["parent_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_jobs_state_created_at"), ["state", "created_at"], unique=False
        )
        batch_op.create_index(
            "ix_jobs_undelivered",
            ["finished_at"],
            unique=False,
            sqlite_where=sa.text("delivered_at IS NULL"),
            postgresql_where=sa.text("delivered_at IS NULL"),
        )

    op.create_table(
        "inputs",
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.CheckConstraint("role IN ('image', 'style_image')", name=op.f("ck_inputs_role_known")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_inputs_job_id_jobs")),
        sa.ForeignKeyConstraint(["sha256"], ["files.sha256"], name=op.f("fk_inputs_sha256_files")),
        sa.PrimaryKeyConstraint("job_id", "role", name=op.f("pk_inputs")),
    )
    with op.batch_alter_table("inputs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_inputs_sha256"), ["sha256"], unique=False)

    op.create_table(
        "ledger",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=True),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("amount_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(kind = 'grant') = (job_id IS NULL)", name=op.f("ck_ledger_job_id_given")
        ),
        sa.CheckConstraint(
            "kind IN ('grant', 'reserve', 'settle', 'overrun', 'refund')",
            name=op.f("ck_ledger_kind_known"),
        ),
        sa.CheckConstraint(
            "amount_ms BETWEEN 1 AND 1000000000000", name=op.f("ck_ledger_amount_ms_range")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_ledger_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_ledger_job_id_jobs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger")),
        sa.UniqueConstraint(
            "account_id", "job_id", "kind", name=op.f("uq_ledger_account_id_job_id_kind")
        ),
    )
    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ledger_job_id"), ["job_id"], unique=False)

    op.create_table(
        "outputs",
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_outputs_job_id_jobs")),
        sa.ForeignKeyConstraint(["sha256"], ["files.sha256"], name=op.f("fk_outputs_sha256_files")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_outputs")),
    )
    with op.batch_alter_table("outputs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outputs_sha256"), ["sha256"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("outputs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outputs_sha256"))

    op.drop_table("outputs")
    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ledger_job_id"))

    op.drop_table("ledger")
    with op.batch_alter_table("inputs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_inputs_sha256"))

    op.drop_table("inputs")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_jobs_undelivered",
            sqlite_where=sa.text("delivered_at IS NULL"),
            postgresql_where=sa.text("delivered_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_jobs_state_created_at"))
        batch_op.drop_index(batch_op.f("ix_jobs_parent_id"))
        batch_op.drop_index(batch_op.f("ix_jobs_guild_id_member_id_created_at"))
        batch_op.drop_index(batch_op.f("ix_jobs_guild_id_created_at"))

    op.drop_table("jobs")
    op.drop_table("members")
    op.drop_table("quota_policies")
    op.drop_table("key_values")
    op.drop_table("guilds")
    op.drop_table("files")
    op.drop_table("accounts")
