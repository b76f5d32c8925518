"""What a process could only write on its own disk is found by the next, and by none before."""

import asyncio
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from storage.acknowledgements import Acknowledgement
from storage.errors import DatabaseGoneError
from storage.sealing import KeyRing, new_key
from storage.unwritten import Unwritten
from tests.storage.stores import NOON

KEY = new_key()
DIES = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.storage.test_unwritten import command, over
async def main():
    kept = over(Path(sys.argv[1]), sys.argv[2])
    for number in (7, 8):
        await kept.keep(command(number))
    await kept.drop(8)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""

CRAMPED = """
import asyncio, os, resource, signal, sys
from pathlib import Path
from tests.storage.test_unwritten import command, files, over
async def main():
    folder = Path(sys.argv[1])
    kept = over(folder, sys.argv[2])
    await kept.keep(command(7))
    size = files(folder)[0].stat().st_size
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, hard))
    try:
        await kept.keep(command(8))
    except OSError:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        await kept.keep(command(9))
        os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


def command(interaction_id: int) -> Acknowledgement:
    return Acknowledgement(
        interaction_id=interaction_id,
        token=f"secret-{interaction_id}",
        token_expires_at=NOON + timedelta(minutes=15),
        locale="zh-CN",
    )


def over(folder: Path, key: str = KEY) -> Unwritten:
    return Unwritten(folder, ring=lambda: KeyRing([key]))


def files(folder: Path) -> list[Path]:
    return [*folder.iterdir()]


class Taker:
    """Takes what is handed over, or refuses it."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.taken: list[Acknowledgement] = []
        self._refuses = refuses

    async def __call__(self, found: list[Acknowledgement]) -> None:
        if self._refuses:
            raise DatabaseGoneError("it does not answer")
        self.taken += found


async def test_what_a_killed_process_has_left_is_handed_over_once(tmp_path: Path) -> None:
    folder = tmp_path / "acknowledged"
    words = [sys.executable, "-c", DIES, str(folder), KEY]
    await asyncio.to_thread(subprocess.run, words, check=False, timeout=60)
    [file] = files(folder)
    assert file.stat().st_mode & 0o777 == 0o600
    assert "secret" not in file.read_text()
    file.write_text(file.read_text() + json.dumps({"interaction_id": 9})[:-4])
    taker = Taker()
    for _ in range(2):
        await over(folder).hand_over(taker)
    # The file is emptied as a whole: whether 8 was answered, the database and Discord know.
    assert taker.taken == [command(7), command(8)]
    assert files(folder) == []


async def test_what_a_process_that_lives_keeps_is_its_own(tmp_path: Path) -> None:
    mine, others, taker = over(tmp_path), over(tmp_path), Taker()
    await mine.keep(command(7))
    await others.hand_over(taker)
    await mine.hand_over(taker)
    assert taker.taken == []
    await mine.close()
    await others.hand_over(taker)
    assert taker.taken == [command(7)]


async def test_what_was_dropped_is_handed_to_nobody_and_its_file_goes(tmp_path: Path) -> None:
    mine, taker = over(tmp_path), Taker()
    for number in (7, 8, 7):
        await mine.keep(command(number))
    await mine.drop(7)
    await mine.drop(8)
    [file] = files(tmp_path)
    assert file.stat().st_size == 0
    await mine.keep(command(9))
    await mine.drop(9)
    await mine.close()
    assert files(tmp_path) == []
    await over(tmp_path).hand_over(taker)
    assert taker.taken == []


async def test_what_cannot_be_written_elsewhere_stays_until_it_can(tmp_path: Path) -> None:
    mine, taker = over(tmp_path), Taker()
    await mine.keep(command(7))
    await mine.close()
    with pytest.raises(DatabaseGoneError):
        await over(tmp_path).hand_over(Taker(refuses=True))
    await over(tmp_path).hand_over(taker)
    assert taker.taken == [command(7)]


async def test_a_line_of_another_key_is_left_out(tmp_path: Path) -> None:
    mine, taker = over(tmp_path, new_key()), Taker()
    await mine.keep(command(7))
    await mine.close()
    await over(tmp_path).hand_over(taker)
    assert taker.taken == []


async def test_a_disk_that_takes_a_part_has_refused_it_and_what_follows_is_found(
    tmp_path: Path,
) -> None:
    arguments = [sys.executable, "-c", CRAMPED, str(tmp_path), KEY]
    ended = await asyncio.to_thread(subprocess.run, arguments, check=False)
    assert ended.returncode == -9
    taker = Taker()
    await over(tmp_path).hand_over(taker)
    assert taker.taken == [command(7), command(9)]
