"""How Alembic reaches the database.

The program hands its own connection in (``storage.migrating``). By hand, name the database:
``alembic -x url=sqlite:///data/atelier.sqlite3 revision --autogenerate -m "a slug"``.
"""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, create_engine, inspect
from sqlalchemy.types import TypeDecorator

from storage.tables import TRIGGERS, Base, UsageMarkRow


def render_item(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:  # noqa: ANN401
    """Write our column types as the plain ones they stand for, so that revisions never change."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    return False


def migrate(connection: Connection) -> None:
    """Run the revisions that were asked for, all of them in one transaction."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transactional_ddl=True,
        render_as_batch=connection.dialect.name == "sqlite",
        render_item=render_item,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()
        make_triggers(connection)


def make_triggers(connection: Connection) -> None:
    """Make the triggers anew, where there is what they write to."""
    if inspect(connection).has_table(UsageMarkRow.__tablename__):
        for statement in TRIGGERS[connection.dialect.name]:
            connection.exec_driver_sql(statement)


def migrate_by_hand() -> None:
    """Connect to the SQLite file that was named on Alembic's command line."""
    url = context.get_x_argument(as_dictionary=True).get("url", "sqlite://")
    with create_engine(url).begin() as connection:
        migrate(connection)


handed_in: Connection | None = context.config.attributes.get("connection")
if handed_in is not None:
    migrate(handed_in)
else:
    migrate_by_hand()
