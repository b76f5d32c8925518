"""Encryption of what is kept: a ring of keys, of which the newest encrypts and all decrypt.

Fernet (AES in CBC mode with HMAC-SHA256, by the library ``cryptography``) does both, so that what
was changed is told from what was not. Encrypted text begins with a character that no text of a
member has once it is cleaned; encrypted bytes begin with a mark that no picture begins with.
"""

import base64
import hashlib
import hmac
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeGuard

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from storage.errors import KeyInvalidError, KeyMissingError

TEXT_MARK = "\N{WORD JOINER}"
"""``clean_text`` takes it out of whatever members write."""
BYTES_MARK = b"\x00atelier\x01"
FINGERPRINT_DIGITS = 16
BLOCK_BYTES = 16
OVERHEAD_BYTES = 1 + 8 + BLOCK_BYTES + 32
"""Of Fernet's own: version, time, initialisation vector and HMAC."""
_KEY = re.compile(r"[A-Za-z0-9_-]{43}=", re.ASCII)


class KeyRing:
    """Keys, the newest first; without any it leaves everything as it is.

    Raises:
        KeyInvalidError: one is not 32 bytes in the URL-safe base64 of 44 characters.
    """

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._keys = [_decoded(key) for key in keys]
        self._fernet = MultiFernet(map(Fernet, keys)) if keys else None

    def __bool__(self) -> bool:
        """Return whether there is a key."""
        return self._fernet is not None

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """What tells the keys from others and nothing about them, the newest first."""
        told = (_keyed(key, b"", purpose=b"fingerprint") for key in self._keys)
        return tuple(each[:FINGERPRINT_DIGITS] for each in told)

    def seal_text(self, text: str) -> str:
        """Return a text encrypted, or as it is without keys."""
        if self._fernet is None:
            return text
        return TEXT_MARK + self._fernet.encrypt(text.encode()).decode()

    def open_text(self, text: str) -> str:
        """Return what was encrypted; a text that is not encrypted as it is.

        Raises:
            KeyMissingError: none of the keys fits.
        """
        if not is_sealed(text):
            return text
        return self._decrypted(text.removeprefix(TEXT_MARK).encode()).decode()

    def seal_bytes(self, data: bytes) -> bytes:
        """Return bytes encrypted, or as they are without keys."""
        if self._fernet is None:
            return data
        return BYTES_MARK + base64.urlsafe_b64decode(self._fernet.encrypt(data))

    def open_bytes(self, data: bytes) -> bytes:
        """Return what was encrypted; bytes that are not encrypted as they are.

        Raises:
            KeyMissingError: none of the keys fits.
        """
        if not data.startswith(BYTES_MARK):
            return data
        return self._decrypted(base64.urlsafe_b64encode(data.removeprefix(BYTES_MARK)))

    def sealed_length(self, length: int) -> int:
        """Return how many bytes so many become."""
        if self._fernet is None:
            return length
        return len(BYTES_MARK) + OVERHEAD_BYTES + BLOCK_BYTES * (length // BLOCK_BYTES + 1)

    def digest_of(self, data: bytes) -> str:
        """Return what bytes are called: their hash, with keys one that nobody else can tell."""
        return next(self._digests_of(data))

    def knows(self, digest: str, data: bytes) -> bool:
        """Return whether bytes may be called so, by any of the keys or from before there were."""
        return any(digest == each for each in self._digests_of(data))

    def _digests_of(self, data: bytes) -> Iterator[str]:
        for key in self._keys:
            yield _keyed(key, data, purpose=b"name")
        yield hashlib.sha256(data).hexdigest()

    def _decrypted(self, token: bytes) -> bytes:
        if self._fernet is None:
            raise KeyMissingError("it is encrypted, and no key is set")
        try:
            return self._fernet.decrypt(token)
        except InvalidToken as err:
            raise KeyMissingError("none of the keys fits, or it was changed") from err


@dataclass(frozen=True, slots=True, kw_only=True)
class Seals:
    """The rings of a database: of members' words, and of what lets the bot answer them."""

    contents: KeyRing = field(default_factory=KeyRing)
    tokens: KeyRing = field(default_factory=KeyRing)


def is_sealed(text: object) -> TypeGuard[str]:
    """Return whether something is an encrypted text."""
    return isinstance(text, str) and text.startswith(TEXT_MARK)


def new_key() -> str:
    """Return a key that nobody has had before."""
    return Fernet.generate_key().decode()


def kept_key(path: Path) -> str:
    """Return the key in a file, which is made, for its owner alone, if there is none.

    Raises:
        OSError: the file can be neither read nor made.
    """
    with suppress(FileNotFoundError):
        return path.read_text(encoding="ascii").strip()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(new_key())
            file.flush()
            os.fsync(file.fileno())
        # Of two processes that make one at the same time, both get the first's.
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
    return path.read_text(encoding="ascii").strip()


def _decoded(key: str) -> bytes:
    if not _KEY.fullmatch(key):
        raise KeyInvalidError("a key has 44 characters, the last of them =, as Fernet makes them")
    return base64.urlsafe_b64decode(key)


def _keyed(key: bytes, data: bytes, *, purpose: bytes) -> str:
    """Return a keyed hash, of a key of its own for each purpose, in 64 hexadecimal digits."""
    own = hmac.digest(key, b"atelier " + purpose, hashlib.sha256)
    return hmac.digest(own, data, hashlib.sha256).hex()
