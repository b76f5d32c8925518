"""Remember who is left out of the gallery.

Safety: an older program may still be running on this schema while the revision is applied, and
data that are dropped do not come back. Here a table is added; an older program goes on to show
small versions of everybody's results. Undoing it forgets who did not wish that.

Revision: b7d03f5e81c6, after c4a90e6b21d7, made 2026-11-22 14:45:10.318402+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "b7d03f5e81c6"
down_revision = "c4a90e6b21d7"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "left_out",
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_left_out")),
    )


def downgrade() -> None:
    op.drop_table("left_out")
