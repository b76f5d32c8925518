"""Files in an S3-compatible store, through obstore (the extra ``s3``).

obstore is one wheel without dependencies around Apache Arrow's object_store: its requests run on
threads of its own, it signs, retries and splits large uploads itself. The clients on botocore would
pin what else may be installed, and aioboto3 trails behind them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from storage.errors import FileMissingError, FileRefusedError, FilesAddressError

if TYPE_CHECKING:
    from obstore.store import S3Store

CURE = "install the extra: pip install -c constraints.txt -e '.[s3]'"
PATIENCE_S = 20
TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketConfig:
    """Which store, and who asks.

    Args:
        address: ``s3://BUCKET`` or ``s3://BUCKET/FOLDER``.
        endpoint: where the store is, such as ``https://minio.example.org:9000``; None is AWS.
        key_id: with ``secret`` what requests are signed with; None leaves them unsigned.
    """

    address: str
    endpoint: str | None
    region: str
    key_id: str | None
    secret: str | None = field(repr=False)


class Bucket:
    """A place of files; opening it connects to nothing.

    Raises:
        FilesAddressError: the address names no bucket, or the library is missing.
    """

    def __init__(self, config: BucketConfig) -> None:
        self._config = config
        self._store = _opened(config)

    def __str__(self) -> str:
        """Say which bucket it is."""
        return self._config.address

    async def size_of(self, name: str) -> int | None:
        """Return the length of a file in bytes, None when there is none."""
        try:
            with _refusing(name):
                return (await self._store.head_async(name))["size"]
        except FileMissingError:
            return None

    async def write(self, name: str, data: bytes) -> None:
        """Write a file; it is there whole, and for good, or not at all.

        Raises:
            FileRefusedError: the store refuses it, or does not answer.
        """
        with _refusing(name):
            await self._store.put_async(name, data)

    async def read(self, name: str) -> bytes:
        """Return the bytes of a file.

        Raises:
            FileMissingError: there is none.
            FileRefusedError: the store refuses it, or does not answer.
        """
        with _refusing(name):
            found = await self._store.get_async(name)
            return (await found.bytes_async()).to_bytes()

    async def remove(self, name: str) -> None:
        """Remove a file that is there.

        Raises:
            FileRefusedError: the store does not let it go, or does not answer.
        """
        with _refusing(name):
            await self._store.delete_async(name)

    async def older_than(self, age_s: float) -> list[str]:
        """Return the names, without folders, of the files that were written longer ago.

        Raises:
            FileRefusedError: the store does not list them, or does not answer.
        """
        limit = datetime.now(UTC) - timedelta(seconds=age_s)
        found: list[str] = []
        with _refusing("the list of files"):
            async for batch in self._store.list():
                found += [
                    PurePosixPath(each["path"]).name
                    for each in batch
                    if each["last_modified"] < limit
                ]
        return found


def _opened(config: BucketConfig) -> "S3Store":
    address = urlsplit(config.address)
    if address.scheme != "s3" or not address.hostname:
        raise FilesAddressError("a store of files has an address such as s3://bucket/folder")
    try:
        from obstore.store import S3Store
    except ImportError as err:
        raise FilesAddressError(f"files on S3 need obstore; {CURE}") from err
    return S3Store(
        address.netloc,
        prefix=address.path.strip("/") or None,
        config={
            "region": config.region,
            "virtual_hosted_style_request": False,
            "skip_signature": config.key_id is None,
            **({"endpoint": config.endpoint} if config.endpoint else {}),
            **({"access_key_id": config.key_id} if config.key_id else {}),
            **({"secret_access_key": config.secret} if config.secret else {}),
        },
        client_options={"timeout": timedelta(seconds=PATIENCE_S), "allow_http": True},
        retry_config={
            "max_retries": TRIES,
            "retry_timeout": timedelta(seconds=PATIENCE_S),
            "backoff": {
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=3),
                "base": 2,
            },
        },
    )


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """Say what the store refuses, without the addresses and keys of its own words."""
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError as err:
        raise FileMissingError(f"nothing is stored under {name}") from err
    except (BaseError, OSError) as err:
        kind = type(err).__name__
        raise FileRefusedError(f"the store of files refuses {name} ({kind})") from err
