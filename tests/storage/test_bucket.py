"""Files in an S3-compatible store: a real client over HTTP, and moto's server."""

import asyncio
import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from storage.backup import back_up, restore
from storage.bucket import Bucket, BucketConfig
from storage.errors import (
    FileDamagedError,
    FileMissingError,
    FileRefusedError,
    FilesAddressError,
)
from storage.files import FileStore, place_of
from tests.storage.stores import Stores, open_stores
from tests.storage.test_backup import all_jobs, count, work

DATA = b"the bytes of a picture" * 1000
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(scope="module")
def server() -> Iterator[BaseWSGIServer]:
    """Run moto's S3 on a port of its own."""
    app = DomainDispatcherApplication(create_backend_app)
    running = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture
def config(server: BaseWSGIServer, request: pytest.FixtureRequest) -> BucketConfig:
    """Return an empty bucket of the test's own."""
    import urllib.request

    endpoint = f"http://127.0.0.1:{server.server_port}"
    name = f"b{hashlib.sha256(request.node.name.encode()).hexdigest()[:12]}"
    made = urllib.request.Request(f"{endpoint}/{name}", method="PUT")
    urllib.request.urlopen(made, timeout=20).close()
    return BucketConfig(
        address=f"s3://{name}/pictures",
        endpoint=endpoint,
        region="us-east-1",
        key_id="key",
        secret="secret",
    )


@pytest.fixture
def files(config: BucketConfig) -> FileStore:
    return FileStore(Bucket(config))


async def test_what_was_put_is_read_back_and_removed_once(files: FileStore) -> None:
    stored = await files.put(DATA, media_type="image/png")
    assert (stored.sha256, stored.place) == (DIGEST, place_of(DIGEST))
    assert await files.read(DIGEST) == DATA
    assert await files.older_than(-60) == [DIGEST]
    assert await files.older_than(3600) == []
    assert await files.remove(DIGEST) == len(DATA)
    assert await files.remove(DIGEST) == 0
    with pytest.raises(FileMissingError):
        await files.read(DIGEST)


async def test_what_came_again_at_once_is_one_file_that_stays_for_its_finder(
    files: FileStore,
) -> None:
    await files.put(DATA, media_type="image/png")
    await asyncio.gather(*(files.put(DATA, media_type="image/png") for _ in range(5)))
    assert await files.older_than(-60) == [DIGEST]
    assert await files.remove(DIGEST) == 0


async def test_a_file_that_was_changed_is_not_handed_out(
    files: FileStore, config: BucketConfig
) -> None:
    await files.put(DATA, media_type="image/png")
    await Bucket(config).write(place_of(DIGEST), DATA[::-1])
    with pytest.raises(FileDamagedError):
        await files.read(DIGEST)


async def test_a_store_that_does_not_answer_or_refuses_says_so_without_its_keys(
    config: BucketConfig,
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    for changed in (
        {"endpoint": f"http://127.0.0.1:{port}"},
        {"address": "s3://absent-bucket"},
    ):
        values = {name: getattr(config, name) for name in config.__dataclass_fields__} | changed
        away = FileStore(Bucket(BucketConfig(**values)))
        with pytest.raises((FileRefusedError, FileMissingError)) as caught:
            await away.put(DATA, media_type="image/png")
        assert "secret" not in str(caught.value)
    assert "secret'" not in repr(config)


@pytest.mark.parametrize("address", ["", "folder", "https://x/y", "s3://", "file:///tmp"])
def test_an_address_that_names_no_bucket_is_refused(address: str) -> None:
    with pytest.raises(FilesAddressError, match="s3://bucket"):
        Bucket(BucketConfig(address=address, endpoint=None, region="x", key_id=None, secret=None))


async def test_jobs_orphans_and_backups_work_as_in_a_folder(
    files: FileStore, sqlite_url: str, tmp_path: Path
) -> None:
    first = open_stores(sqlite_url, tmp_path)
    stores = Stores(database=first.database, files=files)
    image = await files.put(b"photo", media_type="image/png")
    job = await stores.done(inputs={"image": image})
    archive = tmp_path / "b.tar"
    made = await back_up(sqlite_url, files=files, beside={}, to=archive)
    assert (len(made.snapshot.files), made.lost) == (2, [])
    for sha256 in made.snapshot.files:
        await files.remove(sha256)
    target = f"sqlite:///{tmp_path / 'new' / 'atelier.sqlite3'}"
    done = await restore(target, files=files, beside={}, archive=archive)
    assert done.discrepancies == 0
    assert set(await files.older_than(-60)) == set(made.snapshot.files)
    assert job.output is not None
    assert await files.read(job.output.sha256) == f"output of {job.id}".encode()
    await stores.database.close()


async def test_orphans_are_removed_from_the_store_after_an_hour_and_what_is_known_stays(
    files: FileStore, config: BucketConfig, database_url: str, tmp_path: Path
) -> None:
    first = open_stores(database_url, tmp_path)
    stores = Stores(database=first.database, files=files)
    job = await stores.done(inputs={"image": await files.put(b"photo", media_type="image/png")})
    orphan = await files.put(b"orphan", media_type="image/png")
    await Bucket(config).write("notes of somebody else.txt", b"mine")
    month = timedelta(days=30)
    assert (await stores.retention.purge(older_than=month)).files == 0
    an_hour_on = datetime.now(UTC) + timedelta(hours=1, minutes=1)
    with time_machine.travel(an_hour_on):
        report = await stores.retention.purge(older_than=month)
    assert (report.files, report.size_bytes) == (1, orphan.size_bytes)
    assert await Bucket(config).read("notes of somebody else.txt") == b"mine"
    with pytest.raises(FileMissingError):
        await files.read(orphan.sha256)
    assert job.output is not None
    assert await files.read(job.output.sha256) == f"output of {job.id}".encode()
    await stores.database.close()


@pytest.mark.slow
async def test_r23_a_backup_of_postgresql_and_a_store_under_writes_is_restored_whole(
    config: BucketConfig, postgres_url: str, empty_postgres_url: str, tmp_path: Path
) -> None:
    database = open_stores(postgres_url, tmp_path).database
    stores = Stores(database=database, files=FileStore(Bucket(config)), default_ms=10**9)
    ended = asyncio.Event()
    workers = [asyncio.create_task(work(stores, ended=ended)) for _ in range(4)]
    while (before := await count(stores)) < 25:
        pass
    archive, other = tmp_path / "b.tar", replace(config, address=f"{config.address}/again")
    made = await asyncio.to_thread(in_a_loop, back_up, postgres_url, config, to=archive)
    while (after := await count(stores)) == before:
        pass
    ended.set()
    await asyncio.gather(*workers)
    await database.close()
    assert made.lost == []
    done = await asyncio.to_thread(in_a_loop, restore, empty_postgres_url, other, archive=archive)
    assert done.discrepancies == 0
    database = open_stores(empty_postgres_url, tmp_path).database
    again = Stores(database=database, files=FileStore(Bucket(other)))
    assert before <= await count(again) <= after
    for job in await all_jobs(again):
        for file in [*job.inputs.values(), *job.outputs.values()]:
            assert len(await again.files.read(file.sha256)) == file.size_bytes
    assert set(await again.files.older_than(-60)) == made.snapshot.files.keys()
    await database.close()


def in_a_loop(act: Any, url: str, place: BucketConfig, **values: object) -> Any:  # noqa: ANN401
    """Back up or restore in a loop of its own, as the commands do."""
    return asyncio.run(act(url, files=FileStore(Bucket(place)), beside={}, **values))
