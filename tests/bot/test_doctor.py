"""The doctor tells what is fine, what is odd and what is broken, each with its cure."""

import asyncio
import base64
import hashlib
import json
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr
from safetensors.numpy import save_file
from sqlalchemy import Connection, create_engine, text

from bot import doctor
from bot.doctor import Finding, State
from bot.settings import Settings
from generation.wholeness import damage_of
from storage.database import connect_once
from storage.keybook import KeyBook
from storage.lock import hold
from storage.migrating import downgrade, upgrade
from storage.sealing import KeyRing, new_key
from tests.storage.stores import open_stores

APPLICATION = base64.urlsafe_b64encode(b"123456789012345678").decode().rstrip("=")
GOOD_TOKEN = f"{APPLICATION}.GabcDe.{'x' * 38}"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'atelier.sqlite3'}"


@pytest.fixture(params=["sqlite", "postgres"])
def either_url(request: pytest.FixtureRequest) -> str:
    """Return a database of each kind that has no tables yet."""
    names = {"sqlite": "url", "postgres": "empty_postgres_url"}
    return str(request.getfixturevalue(names[request.param]))


def settings(tmp_path: Path, **values: object) -> Settings:
    return Settings(_env_file=None, data_dir=tmp_path, **values)  # type: ignore[call-arg,arg-type]


@pytest.mark.slow
def test_everything_that_make_run_sets_up_is_found_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    findings = [*doctor.examine(settings(tmp_path))]
    broken = [finding for finding in findings if finding.state is State.BROKEN]
    assert broken == []
    assert {finding.name for finding in findings} == {
        "Python", "Disk", "Shared memory", "Database", "Ledger", "Usage", "Encryption", "SQLite",
        "Token", "HEIC", "Fonts", "Artworks", "Weights", "Safety", "Cluster", "Device",
        "Dead letters",
    }  # fmt: skip
    assert all(finding.cure for finding in findings if finding.state is not State.FINE)
    assert doctor.show(iter(findings)) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == len(findings) + 1
    assert out.endswith("Nothing is broken.\n")


def test_something_broken_is_said_by_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    finding = Finding(name="Disk", state=State.BROKEN, found="[0 GB]", cure="make room")
    assert doctor.show(iter([finding])) == 1
    assert capsys.readouterr().out.splitlines() == [
        "!! Disk           [0 GB] -> make room",
        "Broken: 1.",
    ]


def test_a_database_is_none_then_fine_then_in_use_then_behind(url: str) -> None:
    assert "none yet" in doctor.database(url).found
    upgrade(url)
    assert doctor.database(url).state is State.FINE
    with hold(url):
        assert "in use by process" in doctor.database(url).found


def test_a_database_without_its_tables_is_made_by_the_first_start(url: str) -> None:
    upgrade(url)
    downgrade(url, revision="base")
    finding = doctor.database(url)
    assert finding.state is State.FINE
    assert "none yet" in finding.found


def test_balances_that_are_not_what_was_booked_are_found_and_named(
    either_url: str, tmp_path: Path
) -> None:
    url = either_url

    async def spend() -> None:
        stores = open_stores(url, tmp_path)
        await stores.done(device_ms=60)
        await stores.database.close()

    assert doctor.ledger(url).found.startswith("not looked at")
    upgrade(url)
    asyncio.run(spend())
    assert doctor.ledger(url) == Finding(
        name="Ledger", state=State.FINE, found="every balance is the sum of its movements"
    )

    def by_hand(connection: Connection) -> None:
        connection.execute(text("UPDATE accounts SET used_ms = 70"))

    connect_once(url, by_hand, read_only=False)
    finding = doctor.ledger(url)
    assert finding.state is State.BROKEN
    assert "1 contradictions: account 1, used_ms: 70 ms, the ledger 60" in finding.found


def test_encryption_is_said_to_be_on_or_off_and_a_missing_key_is_broken(
    url: str, tmp_path: Path
) -> None:
    old, new = new_key(), new_key()
    off, on = settings(tmp_path), settings(tmp_path, keys=SecretStr(f"{new},{old}"))
    assert doctor.encryption(on).found.startswith("not looked at")
    upgrade(url)
    assert doctor.encryption(off).found.startswith("off")

    async def encrypt() -> None:
        stores = open_stores(url, tmp_path)
        await KeyBook(stores.database).admit(KeyRing([old]))
        await stores.database.close()

    asyncio.run(encrypt())
    found = doctor.encryption(on)
    assert found.state is State.FINE
    assert found.found.endswith(f"with the key {KeyRing([new]).fingerprints[0]}; older keys: 1")
    for keys in (off, settings(tmp_path, keys=SecretStr(new))):
        missing = doctor.encryption(keys)
        assert missing.state is State.BROKEN
        assert KeyRing([old]).fingerprints[0] in missing.found


def test_a_newer_database_is_broken(url: str) -> None:
    upgrade(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'from_the_future'"))
    engine.dispose()
    finding = doctor.database(url)
    assert finding.state is State.BROKEN
    assert "newer version" in finding.found


@pytest.mark.parametrize("address", ["mysql://x", "postgresql://nobody@127.0.0.1:1/none"])
def test_a_database_that_cannot_be_opened_is_not_fine(address: str) -> None:
    assert doctor.database(address).state is not State.FINE


def test_a_file_that_is_no_database_is_broken(tmp_path: Path, url: str) -> None:
    (tmp_path / "atelier.sqlite3").write_bytes(b"this is no database at all" * 100)
    assert doctor.database(url).state is State.BROKEN


def test_sqlite_before_3_51_3_is_odd_and_says_why() -> None:
    old, new = doctor.sqlite_version((3, 51, 2)), doctor.sqlite_version((3, 51, 3))
    assert (old.state, new.state) == (State.ODD, State.FINE)
    assert "two writing processes" in old.found
    assert "PostgreSQL" in old.cure


@pytest.mark.parametrize(
    "wrong", ["hello", GOOD_TOKEN[5:], f"{'z' * 24}.GabcDe.{'x' * 38}", "x" * 32, f"{GOOD_TOKEN}!"]
)
def test_s7_a_misshapen_token_is_broken_and_never_shown(tmp_path: Path, wrong: str) -> None:
    finding = doctor.token(settings(tmp_path, discord_token=wrong))
    assert finding.state is State.BROKEN
    assert wrong not in repr(finding)


def test_s7_a_well_shaped_token_is_fine_and_only_its_public_part_is_shown(tmp_path: Path) -> None:
    finding = doctor.token(settings(tmp_path, discord_token=GOOD_TOKEN))
    assert finding.state is State.FINE
    assert "123456789012345678" in finding.found
    assert GOOD_TOKEN not in repr(finding)
    assert "x" * 38 not in repr(finding)


def test_little_shared_memory_is_odd(tmp_path: Path) -> None:
    assert doctor.shared_memory().name == "Shared memory"
    finding = doctor.shared_memory(tmp_path / "absent")
    assert finding.state is State.ODD
    assert "--shm-size" in finding.cure


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Return a checkpoint of one part, in an operator's folder."""
    folder = tmp_path / "models" / "mine"
    (folder / "unet").mkdir(parents=True)
    parts = {"_class_name": "Pipeline", "unet": ["diffusers", "UNet"], "safety": [None, None]}
    (folder / "model_index.json").write_text(json.dumps(parts))
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({"weight": np.zeros((4, 4), np.float32)}, weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{digest}  {weights.relative_to(folder)}\n")
    return folder


def test_s6_a_whole_checkpoint_has_no_damage(checkpoint: Path) -> None:
    assert damage_of(checkpoint) is None


def test_s6_a_checkpoint_that_is_cut_off_is_damaged(checkpoint: Path) -> None:
    (weights,) = checkpoint.rglob("*.safetensors")
    whole = weights.read_bytes()
    for cut in (0, 4, 20, len(whole) - 1):
        weights.write_bytes(whole[:cut])
        assert "cut off" in (damage_of(checkpoint) or "")


def test_s6_a_checkpoint_with_other_weights_than_shipped_is_damaged(checkpoint: Path) -> None:
    (weights,) = checkpoint.rglob("*.safetensors")
    save_file({"weight": np.ones((4, 4), np.float32)}, weights)
    assert "not the file that was shipped" in (damage_of(checkpoint) or "")


@pytest.mark.parametrize(
    ("sums", "damage"),
    [
        (b"\n", None),
        (b"0 /etc/hostname\n", "which is not in the checkpoint"),
        (b"0  ../other/x\n", "which is not in the checkpoint"),
        (b"0 nothing\n", "nothing is missing"),
        (b"\xff\xfe", "no text"),
    ],
)
def test_odd_sums_beside_a_checkpoint_are_said(
    checkpoint: Path, sums: bytes, damage: str | None
) -> None:
    (checkpoint / "SHA256SUMS").write_bytes(sums)
    found = damage_of(checkpoint)
    assert damage in found if damage and found else found is damage


def test_s6_a_checkpoint_without_a_part_is_damaged(checkpoint: Path) -> None:
    shutil.rmtree(checkpoint / "unet")
    assert damage_of(checkpoint) == "unet/ is missing"


def test_weights_that_are_pickles_are_broken(checkpoint: Path) -> None:
    (weights,) = checkpoint.rglob("*.safetensors")
    weights.rename(weights.with_suffix(".bin"))
    assert doctor.weights(checkpoint.parent).state is State.BROKEN


def told(name: str | None) -> str:
    count = int(name is not None)
    about = {"torch": "2.15.0", "built": "13.0", "name": name, "count": count, "gigabytes": 24}
    return json.dumps(about)


def test_a_gpu_is_named_and_a_missing_one_is_broken_only_when_it_is_asked_for() -> None:
    with_gpu = doctor.device("auto", ask=lambda: told("GPU of ours"))
    assert (with_gpu.state, "GPU of ours with 24 GB" in with_gpu.found) == (State.FINE, True)
    assert doctor.device("auto", ask=lambda: told(None)).state is State.FINE
    assert doctor.device("cuda:0", ask=lambda: told(None)).state is State.BROKEN
    assert doctor.device("cpu,cuda", ask=lambda: told(None)).state is State.BROKEN


def test_a_gpu_number_that_there_is_not_is_broken() -> None:
    assert doctor.device("cuda:0", ask=lambda: told("GPU")).state is State.FINE
    too_many = doctor.device("cuda:0,cuda:1", ask=lambda: told("GPU"))
    assert (too_many.state, "1 GPU, too few" in too_many.found) == (State.BROKEN, True)


def test_torch_that_does_not_start_is_broken() -> None:
    assert doctor.device("auto", ask=lambda: "no json").state is State.BROKEN


def test_a_cluster_is_none_then_missing_ray_then_silent_then_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert doctor.cluster(None).state is State.FINE
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        monkeypatch.setattr(doctor, "find_spec", lambda _: None)
        assert "pip install" in doctor.cluster(address).cure
        monkeypatch.setattr(doctor, "find_spec", lambda _: object())
        assert doctor.cluster(address).state is State.FINE
    finding = doctor.cluster(address)
    assert (finding.state, "Several machines" in finding.cure) == (State.BROKEN, True)
    assert doctor.cluster("127.0.0.1:99999").state is State.BROKEN


async def dead(url: str, folder: Path) -> None:
    stores = open_stores(url, folder)
    job = await stores.claimed()
    error = "EngineLostError"
    assert await stores.jobs.fail(job.id, owner="bot", attempt=1, error=error, dead=True)
    await stores.database.close()


def test_dead_letters_are_counted_by_their_reasons(url: str, tmp_path: Path) -> None:
    upgrade(url)
    assert doctor.dead_letters(url).found == "none"
    asyncio.run(dead(url, tmp_path))
    finding = doctor.dead_letters(url)
    assert (finding.state, finding.found) == (State.ODD, "1 EngineLostError")
    assert "/admin jobs state: dead" in finding.cure
