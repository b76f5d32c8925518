"""Let guilds keep prompts and pictures for less time, and know when the bot was last in one.

Safety: an older program may still be running on this schema while the revision is applied, and
data that are dropped do not come back. Here two nullable columns are added; an older program keeps
everything for as long as the installation does, in guilds that it has left, too.

Revision: 2e8f4c6d10ab, after 5d20b7e4a911, made 2026-11-22 07:15:22.640217+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "2e8f4c6d10ab"
down_revision = "5d20b7e4a911"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("guilds") as batch_op:
        batch_op.add_column(sa.Column("present_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("guild_settings") as batch_op:
        batch_op.add_column(sa.Column("retention_days", sa.Integer(), nullable=True))
        batch_op.create_check_constraint(
            op.f("ck_guild_settings_retention_days_range"), "retention_days BETWEEN 1 AND 36500"
        )


def downgrade() -> None:
    with op.batch_alter_table("guild_settings") as batch_op:
        batch_op.drop_constraint(op.f("ck_guild_settings_retention_days_range"), type_="check")
        batch_op.drop_column("retention_days")
    with op.batch_alter_table("guilds") as batch_op:
        batch_op.drop_column("present_at")
