"""Let limits be about channels and roles, top-ups last, and quotas renew by a guild's clocks.

Safety: an older program may still be running on this schema while the revision is applied, and
data that are dropped do not come back. Here checks are widened and a nullable column is added; an
older program writes and reads what it did before, for the new rows are about other subjects.
Undoing it removes the accounts that an older program has no word for, with their movements; what
was reset counts as used again.

Revision: 5d20b7e4a911, after 8d2f60b7a913, made 2026-11-22 03:30:11.402137+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "5d20b7e4a911"
down_revision = "8d2f60b7a913"
branch_labels = None
depends_on = None

OLD = {
    "quota_policies": {"scope_known": "scope IN ('member', 'guild', 'global')"},
    "accounts": {
        "scope_known": "scope IN ('member', 'guild', 'global')",
        "period_known": "period IN ('hour', 'day', 'month')",
    },
    "ledger": {
        "kind_known": "kind IN ('grant', 'reserve', 'settle', 'overrun', 'refund')",
        "job_id_given": "(kind = 'grant') = (job_id IS NULL)",
    },
}
NEW = {
    "quota_policies": {"scope_known": "scope IN ('member', 'guild', 'global', 'role', 'channel')"},
    "accounts": {
        "scope_known": "scope IN ('member', 'guild', 'global', 'channel', 'share')",
        "period_known": "period IN ('hour', 'day', 'month', 'ever')",
    },
    "ledger": {
        "kind_known": "kind IN ('grant', 'reserve', 'settle', 'overrun', 'refund', 'reset')",
        "job_id_given": "(kind IN ('grant', 'reset')) = (job_id IS NULL)",
    },
}


def upgrade() -> None:
    with op.batch_alter_table("guild_settings") as batch_op:
        batch_op.add_column(sa.Column("time_zone", sa.String(length=64), nullable=True))
    _check(NEW)


def downgrade() -> None:
    op.execute(
        "DELETE FROM ledger WHERE account_id IN (SELECT id FROM accounts"
        " WHERE scope IN ('channel', 'share') OR period = 'ever')"
    )
    op.execute("DELETE FROM accounts WHERE scope IN ('channel', 'share') OR period = 'ever'")
    op.execute(
        "UPDATE accounts SET used_ms = used_ms + (SELECT coalesce(sum(amount_ms), 0) FROM ledger"
        " WHERE ledger.account_id = accounts.id AND ledger.kind = 'reset')"
    )
    op.execute("DELETE FROM ledger WHERE kind = 'reset'")
    op.execute("DELETE FROM quota_policies WHERE scope IN ('role', 'channel')")
    _check(OLD)
    with op.batch_alter_table("guild_settings") as batch_op:
        batch_op.drop_column("time_zone")


def _check(rules: dict[str, dict[str, str]]) -> None:
    for table, checks in rules.items():
        with op.batch_alter_table(table) as batch_op:
            for name, rule in checks.items():
                batch_op.drop_constraint(op.f(f"ck_{table}_{name}"), type_="check")
                batch_op.create_check_constraint(op.f(f"ck_{table}_{name}"), rule)
