"""What is encrypted is read with its keys, and with nothing else."""

import stat
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from storage.errors import KeyInvalidError, KeyMissingError
from storage.sealing import TEXT_MARK, KeyRing, Seals, kept_key, new_key
from storage.text import clean_text
from tests.storage.stores import Stores, open_stores

OLD, NEW = new_key(), new_key()


class Watched(KeyRing):
    """A ring that remembers the threads that it was used in."""

    def __init__(self, keys: list[str]) -> None:
        super().__init__(keys)
        self.threads = set[int]()

    def seal_text(self, text: str) -> str:
        self.threads.add(threading.get_ident())
        return super().seal_text(text)

    def open_text(self, text: str) -> str:
        self.threads.add(threading.get_ident())
        return super().open_text(text)

    def seal_bytes(self, data: bytes) -> bytes:
        self.threads.add(threading.get_ident())
        return super().seal_bytes(data)

    def open_bytes(self, data: bytes) -> bytes:
        self.threads.add(threading.get_ident())
        return super().open_bytes(data)

    def digest_of(self, data: bytes) -> str:
        self.threads.add(threading.get_ident())
        return super().digest_of(data)


async def column(stores: Stores, name: str) -> list[object]:
    """Return a column of the jobs as it stands in the database."""
    rows = text(f"SELECT {name} FROM jobs ORDER BY interaction_id")
    return list(await stores.database.read(lambda session: session.scalars(rows).all()))


def test_a_newer_key_encrypts_and_the_older_ones_still_decrypt() -> None:
    old, both, new = KeyRing([OLD]), KeyRing([NEW, OLD]), KeyRing([NEW])
    sealed = old.seal_text("夜晚")
    assert both.open_text(sealed) == "夜晚"
    assert new.open_text(both.seal_text("夜晚")) == "夜晚"
    with pytest.raises(KeyMissingError):
        new.open_text(sealed)
    with pytest.raises(KeyMissingError):
        KeyRing().open_text(sealed)
    assert sealed != old.seal_text("夜晚")
    assert "夜晚" not in sealed


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 1000])
def test_bytes_become_as_many_as_are_foretold(length: int) -> None:
    for ring in (KeyRing(), KeyRing([NEW, OLD])):
        sealed = ring.seal_bytes(bytes(length))
        assert len(sealed) == ring.sealed_length(length)
        assert ring.open_bytes(sealed) == bytes(length)


def test_what_was_changed_is_not_read() -> None:
    ring = KeyRing([NEW])
    sealed = ring.seal_text("night")
    for place in range(2, len(sealed), 7):
        other = "A" if sealed[place] != "A" else "B"
        with pytest.raises(KeyMissingError):
            ring.open_text(sealed[:place] + other + sealed[place + 1 :])


def test_nothing_that_a_member_writes_is_taken_for_encrypted() -> None:
    assert not clean_text(f"{TEXT_MARK}gAAAA").startswith(TEXT_MARK)
    assert KeyRing([NEW]).open_text("gAAAA") == "gAAAA"


@pytest.mark.parametrize("key", ["", "short", "ü" * 44, "A" * 44, "A" * 43 + "==", "A" * 87 + "="])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(KeyInvalidError):
        KeyRing([key])


def test_fingerprints_tell_keys_apart_and_do_not_tell_them() -> None:
    (told,) = KeyRing([OLD]).fingerprints
    assert KeyRing([NEW, OLD]).fingerprints[1] == told
    assert KeyRing([NEW]).fingerprints != (told,)
    assert told not in OLD


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    place = tmp_path / "data" / "token.key"
    found = list[str]()
    threads = [threading.Thread(target=lambda: found.append(kept_key(place))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert set(found) == {kept_key(place)}
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert [path.name for path in place.parent.iterdir()] == ["token.key"]
    assert KeyRing([found[0]])


async def test_s7_tokens_are_encrypted_where_they_lie_and_never_on_the_event_loop(
    database_url: str, tmp_path: Path
) -> None:
    tokens = Watched([OLD])
    stores = open_stores(database_url, tmp_path, seals=Seals(tokens=tokens))
    job = await stores.accept(interaction_token="very-secret")
    assert job.interaction_token == "very-secret"
    (kept,) = await column(stores, "interaction_token")
    assert isinstance(kept, str)
    assert kept.startswith(TEXT_MARK)
    assert "very-secret" not in kept
    assert len(tokens.threads - {threading.get_ident()}) == len(tokens.threads) > 0
    await stores.database.close()


async def test_a_token_of_another_key_counts_as_expired_and_one_of_before_is_read(
    database_url: str, tmp_path: Path
) -> None:
    plain = open_stores(database_url, tmp_path)
    await plain.accept(interaction_token="plain")
    await plain.database.close()
    stores = open_stores(database_url, tmp_path, seals=Seals(tokens=KeyRing([OLD])))
    await stores.accept(interaction_token="sealed")
    await stores.database.close()
    for keys, tokens in (([NEW, OLD], {"plain", "sealed"}), ([NEW], {"plain", None})):
        stores = open_stores(database_url, tmp_path, seals=Seals(tokens=KeyRing(keys)))
        assert {job.interaction_token for job in await stores.jobs.unfinished()} == tokens
        await stores.database.close()


async def test_tokens_that_have_just_expired_go_without_a_look_at_older_jobs(
    stores: Stores,
) -> None:
    job = await stores.accept()
    stores.clock.advance(minutes=15)
    assert await stores.retention.forget_recent_tokens() == 0
    stores.clock.advance(seconds=1)
    assert await stores.retention.forget_recent_tokens() == 1
    assert (await stores.jobs.get(job.id)).interaction_token is None
