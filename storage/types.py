"""Column types that behave alike on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, String
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC moments; naive ones are refused, and SQLite's lost time zone comes back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC.

        Raises:
            ValueError: the moment has no time zone.
        """
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError("a naive datetime was about to be stored; only aware UTC is")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back the time zone that SQLite does not store."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class PlainText(TypeDecorator[str]):
    """Text that both databases take: no NUL, no half surrogate pair, no more than its length.

    PostgreSQL refuses all three and SQLite none of them, so they are refused here.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int | None = None) -> None:
        super().__init__(length)
        self.length = length

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Check the text.

        Raises:
            ValueError: it cannot be stored; ``storage.text.clean_text`` makes it so that it can.
        """
        if value is None:
            return None
        if "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
            raise ValueError("a text with a NUL or half a surrogate pair was about to be stored")
        if self.length is not None and len(value) > self.length:
            raise ValueError(f"a text of {len(value)} characters exceeds {self.length}")
        return value


def sequence_type() -> BigInteger:
    """Return the type of a counted key: 64 bits, and SQLite's own INTEGER so that it counts."""
    counted: Any = BigInteger().with_variant(Integer(), "sqlite")
    return counted  # type: ignore[no-any-return]
