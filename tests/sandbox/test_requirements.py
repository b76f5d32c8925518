"""A missing requirement skips, and fails where it was promised."""

import pytest

from tests.requirements import require


def test_what_is_there_passes() -> None:
    require("schema", available=True, cure="nothing")


def test_what_is_missing_skips_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATELIER_REQUIRE", raising=False)
    with pytest.raises(pytest.skip.Exception, match="install it"):
        require("chromium", available=False, cure="install it")


def test_what_is_missing_but_promised_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_REQUIRE", "postgres, chromium")
    with pytest.raises(pytest.fail.Exception, match="install it"):
        require("chromium", available=False, cure="install it")
