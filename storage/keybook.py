"""Which keys what is kept is encrypted with, so that nobody starts without them.

Their fingerprints are in the database. One is written down before anything is encrypted with its
key, and taken off when everything has been encrypted anew with another.
"""

import json

from sqlalchemy.orm import Session

from storage.clock import Clock, utc_now
from storage.database import Database, reads, writes
from storage.errors import KeyMissingError
from storage.portable import upsert
from storage.sealing import KeyRing
from storage.tables import KeyValueRow

_KEY = "sealed_with"


class KeyBook:
    """The fingerprints of the keys that are needed."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    @reads
    def needed(self, session: Session) -> list[str]:
        """Return the fingerprints of the keys that something may be encrypted with."""
        return _needed(session)

    async def require(self, ring: KeyRing) -> None:
        """Make sure that all needed keys are there; nothing is written.

        Raises:
            KeyMissingError: one is not; the message says which.
        """
        require_keys(await self.needed(), ring)

    @writes
    def admit(self, session: Session, ring: KeyRing) -> None:
        """Make sure that all needed keys are there, and write the newest down before its use.

        Raises:
            KeyMissingError: one is not; nothing was written.
        """
        needed = _needed(session)
        require_keys(needed, ring)
        if ring and ring.fingerprints[0] not in needed:
            self._write(session, [*needed, ring.fingerprints[0]])

    @writes
    def keep_only(self, session: Session, fingerprint: str) -> None:
        """Take off all but one key: everything is encrypted with that one by now."""
        self._write(session, [fingerprint])

    def _write(self, session: Session, fingerprints: list[str]) -> None:
        values = {"value": json.dumps(fingerprints), "updated_at": self._clock()}
        upsert(session, KeyValueRow, key={"key": _KEY}, values=values)


def require_keys(needed: list[str], ring: KeyRing) -> None:
    """Make sure that a ring has the keys of these fingerprints.

    Raises:
        KeyMissingError: it lacks one.
    """
    missing = [each for each in needed if each not in ring.fingerprints]
    if missing:
        raise KeyMissingError(
            f"prompts and pictures are encrypted with the key {missing[0]}, which is not among "
            "ATELIER_KEYS; set it, behind a newer one if there is one"
        )


def _needed(session: Session) -> list[str]:
    row = session.get(KeyValueRow, _KEY, populate_existing=True)
    return list(json.loads(row.value)) if row is not None else []
