"""Shared memory in slots: what goes in comes out, where there is room for it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from generation.errors import EngineError
from generation.executor import arena as arenas
from generation.executor.arena import Arena, Geometry, Region, create_arena, installation_name

SMALL = Geometry(slots=4, slot_bytes=4096)


@pytest.fixture
def shm_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "shm"
    folder.mkdir()
    return folder


@pytest.fixture
def arena(tmp_path: Path, shm_dir: Path) -> Iterator[Arena]:
    made = create_arena(geometry=SMALL, data_dir=tmp_path / "data", shm_dir=shm_dir)
    yield made
    made.close()


def place_of(arena: Arena) -> Path:
    return Path(f"/proc/self/fd/{arena.fd}").readlink()


@pytest.mark.parametrize("length", [0, 1, 4095, 4096, 4097, 4 * 4096])
def test_bytes_of_any_length_come_out_as_they_went_in(arena: Arena, length: int) -> None:
    data = os.urandom(length)
    slots = arena.requests.put(data)
    assert len(slots) == -(-length // 4096)
    assert arena.requests.get(slots, length=length) == data


def test_a_second_mapping_sees_the_same_bytes(arena: Arena) -> None:
    data = os.urandom(9000)
    slots = arena.results.put(data)
    other = Arena(os.dup(arena.fd), SMALL)
    assert other.results.get(slots, length=9000) == data
    other.close()


def test_the_directions_do_not_overlap(arena: Arena) -> None:
    there = arena.requests.put(b"\x01" * SMALL.region_bytes)
    back = arena.results.put(b"\x02" * SMALL.region_bytes)
    arena.control[:] = b"\x03" * len(arena.control)
    assert set(arena.requests.get(there, length=SMALL.region_bytes)) == {1}
    assert set(arena.results.get(back, length=SMALL.region_bytes)) == {2}


def test_a_full_region_refuses_and_takes_nothing(arena: Arena) -> None:
    region: Region = arena.requests
    region.put(b"x" * 3 * 4096)
    with pytest.raises(BufferError, match="2 slots needed, 1 free"):
        region.put(b"x" * 5000)
    assert region.free == 1


def test_released_slots_serve_again_and_a_reset_frees_all(arena: Arena) -> None:
    region = arena.requests
    for _ in range(20):
        slots = region.put(b"x" * SMALL.region_bytes)
        region.release(slots)
    region.put(b"x" * 5000)
    region.reset()
    assert region.free == SMALL.slots


def test_the_arena_lies_in_shared_memory_and_its_name_is_gone_at_once(
    arena: Arena, shm_dir: Path
) -> None:
    assert place_of(arena).parent == shm_dir
    assert list(shm_dir.iterdir()) == []


def test_without_room_in_shared_memory_a_file_in_the_data_folder_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir = tmp_path / "data"
    made = create_arena(geometry=SMALL, data_dir=data_dir, shm_dir=tmp_path / "missing")
    assert place_of(made).parent == data_dir
    slots = made.requests.put(b"abc")
    assert made.requests.get(slots, length=3) == b"abc"
    made.close()
    assert list(data_dir.iterdir()) == []


def test_free_space_is_looked_at_before_memory_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shm_dir: Path
) -> None:
    monkeypatch.setattr(arenas, "SPARE_BYTES", 2**60)
    with pytest.raises(EngineError, match="no room"):
        create_arena(geometry=SMALL, data_dir=tmp_path / "data", shm_dir=shm_dir)
    assert list(shm_dir.iterdir()) == list((tmp_path / "data").iterdir()) == []


def test_the_memory_is_really_there_from_the_start(arena: Arena) -> None:
    assert os.fstat(arena.fd).st_blocks * 512 >= SMALL.total_bytes


def test_a_name_belongs_to_one_installation(tmp_path: Path) -> None:
    here = installation_name(tmp_path / "a")
    assert here == installation_name(tmp_path / "b" / ".." / "a")
    assert here != installation_name(tmp_path / "b")
