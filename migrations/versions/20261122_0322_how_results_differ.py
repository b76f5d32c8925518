"""Keep how much each result differs from the picture that it was made from.

Safety: an older program may still be running on this schema while the revision is applied, and
data that are dropped do not come back. Here columns are added that may be null, which is what an
older program leaves them and what results of before it keep. Undoing it loses the figures alone.

Revision: 8d2f60b7a913, after 3c5a9e71b204, made 2026-11-22 03:22:40.518302+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "8d2f60b7a913"
down_revision = "3c5a9e71b204"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("outputs") as batch_op:
        for name in ("mse", "psnr", "ssim"):
            batch_op.add_column(sa.Column(name, sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("compared", sa.String(length=64), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("outputs") as batch_op:
        for name in ("compared", "ssim", "psnr", "mse"):
            batch_op.drop_column(name)
