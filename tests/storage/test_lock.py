"""The database is held by one process at a time, and a killed one holds nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from storage.errors import DatabaseHeldError
from storage.lock import hold, holder

HOLD = (
    "import sys, time\n"
    "from storage.lock import hold\n"
    "with hold(sys.argv[1]):\n"
    "    print('held', flush=True)\n"
    "    time.sleep(60)\n"
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'data' / 'atelier.sqlite3'}"


def test_nobody_holds_a_database_at_first(url: str) -> None:
    assert holder(url) is None
    with hold(url):
        assert holder(url) == os.getpid()
    assert holder(url) is None


def test_a_second_holder_is_refused_and_told_who_has_it(url: str) -> None:
    with (
        hold(url),
        pytest.raises(DatabaseHeldError, match=f"process {os.getpid()}; stop the bot"),
        hold(url),
    ):
        pass
    with hold(url):
        pass


def test_a_killed_process_leaves_the_database_free(url: str) -> None:
    command = [sys.executable, "-c", HOLD, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert holder(url) == process.pid
        with pytest.raises(DatabaseHeldError), hold(url):
            pass
        process.send_signal(signal.SIGKILL)
    assert holder(url) is None
    with hold(url):
        pass


def test_postgresql_needs_no_holder() -> None:
    with hold("postgresql://somewhere/atelier"), hold("postgresql://somewhere/atelier"):
        assert holder("postgresql://somewhere/atelier") is None


def test_a_link_in_the_place_of_the_lock_is_not_followed(url: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "atelier.sqlite3.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"), hold(url):
        pass
    assert not (tmp_path / "elsewhere").exists()
