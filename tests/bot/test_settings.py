"""The settings read the environment, and nothing else does."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.settings import Settings
from storage.sealing import KeyRing, new_key


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISCORD_TOKEN", raising=False)


def test_nothing_needs_to_be_set() -> None:
    settings = Settings()
    assert settings.discord_token is None
    assert settings.pipelines["remix"].model == "remix"


def test_an_installation_chooses_the_checkpoint_of_remix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_REMIX_MODEL", "sd-turbo")
    pipelines = Settings().pipelines
    assert pipelines["remix"].model == "sd-turbo"
    assert pipelines["collage"].model == "collage"


def test_a_file_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("ATELIER_THREADS=3\nATELIER_MAX_SIDE=512\n")
    monkeypatch.setenv("ATELIER_MAX_SIDE", "768")
    settings = Settings()
    assert (settings.threads, settings.max_side) == (3, 768)


def test_several_devices_are_named_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().devices == ("auto",)
    monkeypatch.setenv("ATELIER_DEVICE", "cuda:0,cuda:1")
    assert Settings().devices == ("cuda:0", "cuda:1")
    assert Settings().engine.device == "cuda:0"


@pytest.mark.parametrize("device", ["cuda:", "cpu,", ",cpu", "cuda 0", "cuda:0;cuda:1"])
def test_a_device_that_cannot_be_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    monkeypatch.setenv("ATELIER_DEVICE", device)
    with pytest.raises(ValidationError, match="device"):
        Settings()


def test_a_clusters_address_has_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().cluster is None
    monkeypatch.setenv("ATELIER_CLUSTER_ADDRESS", "head.example:6379")
    cluster = Settings().cluster
    assert cluster is not None
    assert cluster.address == "head.example:6379"
    monkeypatch.setenv("ATELIER_CLUSTER_ADDRESS", "head.example")
    with pytest.raises(ValidationError, match="cluster_address"):
        Settings()


def test_a_blank_token_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "  ")
    assert Settings().discord_token is None


def test_s7_the_token_is_in_no_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "abc.secret.xyz")
    settings = Settings()
    assert "secret.xyz" not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    ("name", "value"),
    [("THREADS", "0"), ("WEB_PORT", "70000"), ("QUOTA_DEVICE_S", "-1"), ("LOG_FORMAT", "xml")],
)
def test_values_out_of_range_are_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"ATELIER_{name}", value)
    with pytest.raises(ValidationError):
        Settings()


def test_keys_are_checked_and_never_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first, second = new_key(), new_key()
    monkeypatch.setenv("ATELIER_KEYS", f" {first}, {second} ")
    settings = Settings()
    assert settings.listed_keys == [first, second]
    assert first not in repr(settings)
    assert settings.seals().tokens.fingerprints[:2] == KeyRing([first, second]).fingerprints
    assert (tmp_path / "data" / "token.key").exists()
    monkeypatch.setenv("ATELIER_KEYS", f"{first},secret-but-short")
    with pytest.raises(ValidationError, match="44 characters") as refused:
        Settings()
    assert "secret-but-short" not in str(refused.value)
