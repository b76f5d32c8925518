"""How much memory is free, as the system and its containers say."""

from pathlib import Path

import pytest

from generation.device_memory import device_of, host_free, host_memory

GB = 10**9


def _container(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"memory.{name}").write_text(text)
    return folder


def test_without_a_container_it_is_the_machine_s(tmp_path: Path) -> None:
    assert 0 < host_free(cgroup=tmp_path) <= host_memory(cgroup=tmp_path)


def test_a_container_s_limit_counts_and_files_in_memory_are_free(tmp_path: Path) -> None:
    group = _container(
        tmp_path, max="100000000\n", current="90000000\n", stat="anon 5\ninactive_file 30000000\n"
    )
    assert host_memory(cgroup=group) == 100_000_000
    assert host_free(cgroup=group) == 40_000_000
    _container(group, current="200000000", stat="anon 5")
    assert host_free(cgroup=group) == 0


@pytest.mark.parametrize("limit", ["max\n", ""])
def test_a_container_without_a_limit_is_none(tmp_path: Path, limit: str) -> None:
    group = _container(tmp_path, max=limit, current="5")
    assert host_memory(cgroup=group) == host_memory(cgroup=tmp_path / "absent")


def test_on_a_cpu_the_memory_is_the_host_s() -> None:
    device = device_of("cpu")
    assert (device.name, device.gpu, device.fused) == ("cpu", False, True)
    assert 0 < device.free <= device.total


@pytest.mark.gpu
def test_a_gpu_says_what_is_free_on_it() -> None:
    device = device_of("cuda")
    assert device.gpu
    assert GB < device.free <= device.total
    assert str(device.total) in device.title
