"""${message[:1].upper() + message[1:]}.

Safety: an older program may still be running on this schema while the revision is applied, and
data that are dropped do not come back. What destroys or narrows takes three revisions:
expand (add the new, nullable, with both written), backfill (in batches), contract (drop the
old, one release later). Everything has to work on SQLite (batch mode) and on PostgreSQL.

Revision: ${up_revision}, after ${down_revision | comma,n}, made ${create_date}.
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
