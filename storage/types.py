"""Column types that behave alike on SQLite and PostgreSQL."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, LargeBinary, String
from sqlalchemy.types import TypeDecorator
from sqlalchemy.util import await_only

from storage.errors import KeyMissingError
from storage.sealing import KeyRing, Seals, is_sealed

P = ParamSpec("P")
R = TypeVar("R")


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


class SealedToken(TypeDecorator[str]):
    """A short-lived text that is encrypted; None is read where no key fits any more."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Encrypt it."""
        return None if value is None else away(seals_of(dialect).tokens.seal_text, value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Decrypt it."""
        return None if value is None else away(_opened, seals_of(dialect).tokens, value)


class SealedText(PlainText):
    """Text of a member that is encrypted where the database has keys for contents."""

    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Check the text and encrypt it.

        Raises:
            ValueError: it cannot be stored.
        """
        checked, ring = super().process_bind_param(value, dialect), seals_of(dialect).contents
        return away(ring.seal_text, checked) if checked is not None and ring else checked

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Decrypt it.

        Raises:
            KeyMissingError: no key fits.
        """
        return away(seals_of(dialect).contents.open_text, value) if is_sealed(value) else value


class SealedBytes(TypeDecorator[bytes]):
    """Bytes of a member's picture, encrypted where the database has keys for contents."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        """Encrypt them."""
        return None if value is None else away(seals_of(dialect).contents.seal_bytes, value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        """Decrypt them.

        Raises:
            KeyMissingError: no key fits.
        """
        return None if value is None else away(seals_of(dialect).contents.open_bytes, value)


class SealedJson(TypeDecorator[Any]):
    """JSON that is encrypted, as one text, where the database has keys for contents."""

    impl = JSON
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(none_as_null=True)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ANN401 - any JSON
        """Encrypt it."""
        ring = seals_of(dialect).contents
        return away(_sealed_json, ring, value) if value is not None and ring else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ANN401 - likewise
        """Decrypt it.

        Raises:
            KeyMissingError: no key fits.
        """
        ring = seals_of(dialect).contents
        return away(_opened_json, ring, value) if is_sealed(value) else value


def give_seals(dialect: Dialect, seals: Seals) -> None:
    """Let the columns of one database know its keys."""
    dialect.atelier_seals = seals  # type: ignore[attr-defined]


def seals_of(dialect: Dialect) -> Seals:
    """Return the keys of a database; without any nothing is encrypted."""
    found = getattr(dialect, "atelier_seals", None)
    return found if isinstance(found, Seals) else Seals()


def _opened(ring: KeyRing, text: str) -> str | None:
    try:
        return ring.open_text(text)
    except KeyMissingError:
        return None


def _sealed_json(ring: KeyRing, value: object) -> str:
    return ring.seal_text(json.dumps(value, allow_nan=False, separators=(",", ":")))


def _opened_json(ring: KeyRing, text: str) -> object:
    found: object = json.loads(ring.open_text(text))
    return found


def away(work: Callable[P, R], *values: P.args, **named: P.kwargs) -> R:
    """Compute in a thread, if this is an event loop's, as PostgreSQL's transactions are.

    Whoever calls it there has to be inside a transaction, which waits meanwhile.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return work(*values, **named)
    found: R = await_only(loop.run_in_executor(None, partial(work, *values, **named)))
    return found


def sequence_type() -> BigInteger:
    """Return the type of a counted key: 64 bits, and SQLite's own INTEGER so that it counts."""
    counted: Any = BigInteger().with_variant(Integer(), "sqlite")
    return counted  # type: ignore[no-any-return]
