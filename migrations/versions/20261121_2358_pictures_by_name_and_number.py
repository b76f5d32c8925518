"""Let a job have any pictures by name, or none, and several results by number.

Safety: an older program may still be running on this schema while the revision is applied, and
data that are dropped do not come back. Here only a check is dropped, and a column is added whose
default is what an older program means: results are number 0. Undoing it keeps each job's first
result, and no other inputs than those that an older program knows.

Revision: 3c5a9e71b204, after c1709ec42b0c, made 2026-11-21 23:58:02.114093+00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "3c5a9e71b204"
down_revision = "c1709ec42b0c"
branch_labels = None
depends_on = None

KNOWN = "role IN ('image', 'style_image')"
NUMBERS = "number BETWEEN 0 AND 1000"


def upgrade() -> None:
    with op.batch_alter_table("inputs") as batch_op:
        batch_op.drop_constraint(op.f("ck_inputs_role_known"), type_="check")
    with op.batch_alter_table("outputs") as batch_op:
        batch_op.drop_constraint(op.f("pk_outputs"), type_="primary")
        batch_op.add_column(
            sa.Column("number", sa.Integer(), server_default=sa.text("0"), nullable=False)
        )
        batch_op.create_primary_key(op.f("pk_outputs"), ["job_id", "number"])
        batch_op.create_check_constraint(op.f("ck_outputs_number_range"), NUMBERS)


def downgrade() -> None:
    op.execute(
        "DELETE FROM outputs WHERE EXISTS (SELECT 1 FROM outputs AS earlier WHERE"
        " earlier.job_id = outputs.job_id AND earlier.number < outputs.number)"
    )
    op.execute("DELETE FROM inputs WHERE role NOT IN ('image', 'style_image')")
    # What has no row is an orphan, which the purge removes from the disk.
    op.execute(
        "DELETE FROM files WHERE sha256 NOT IN (SELECT sha256 FROM inputs)"
        " AND sha256 NOT IN (SELECT sha256 FROM outputs)"
    )
    with op.batch_alter_table("outputs") as batch_op:
        batch_op.drop_constraint(op.f("ck_outputs_number_range"), type_="check")
        batch_op.drop_constraint(op.f("pk_outputs"), type_="primary")
        batch_op.create_primary_key(op.f("pk_outputs"), ["job_id"])
        batch_op.drop_column("number")
    with op.batch_alter_table("inputs") as batch_op:
        batch_op.create_check_constraint(op.f("ck_inputs_role_known"), KNOWN)
