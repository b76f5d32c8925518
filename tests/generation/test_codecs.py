"""The pools: limited children that are replaced when they die, and results that fit."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from generation.children import ChildPool, Limits
from generation.codecs import CodecPool, IntakePool
from generation.encoding import IMAGE_FORMATS
from generation.errors import (
    BrokenPictureError,
    IntakeLimitError,
    PictureTooLargeError,
    UnsupportedFormatError,
)
from generation.request import Pixels
from tests.generation import child_calls, pictures
from tests.photographs import photograph, photograph_path


@pytest.fixture
async def intake() -> AsyncIterator[IntakePool]:
    async with IntakePool(max_side=512) as pool:
        yield pool


@pytest.fixture
async def codecs() -> AsyncIterator[CodecPool]:
    async with CodecPool() as pool:
        yield pool


def pixels_of(image: Image.Image) -> Pixels:
    return Pixels(width=image.width, height=image.height, data=image.tobytes())


def noise(side: int = 512) -> Pixels:
    return Pixels(width=side, height=side, data=os.urandom(side * side * 3))


async def test_an_upload_is_prepared_in_a_child_that_never_imports_torch(
    intake: IntakePool,
) -> None:
    prepared = await intake.prepare(photograph_path("china").read_bytes())
    assert (prepared.width, prepared.height, prepared.source_format) == (512, 342, "JPEG")
    modules = await intake.call(child_calls.imported)
    assert "PIL" in modules
    assert modules.isdisjoint({"torch", "torchvision", "diffusers", "discord", "sqlalchemy"})


async def test_b4_a_refusal_crosses_the_process_border_with_its_type(intake: IntakePool) -> None:
    with pytest.raises(UnsupportedFormatError, match="not a picture"):
        await intake.prepare(b"<html></html>")
    with pytest.raises(BrokenPictureError):
        await intake.prepare(pictures.encoded(pictures.corners(), "PNG")[:60])


async def test_b2_the_pool_survives_a_crash_in_the_decoder(intake: IntakePool) -> None:
    for _ in range(3):
        with pytest.raises(IntakeLimitError):
            await intake.call(child_calls.crash)
        assert (await intake.prepare(pictures.encoded(pictures.corners(), "PNG"))).width == 96


@pytest.mark.timed
async def test_b2_processor_time_and_waiting_are_limited_for_each_call() -> None:
    async with ChildPool(limits=Limits(cpu_s=1, wall_s=2.5)) as pool:
        # Two calls below the limit outlive a limit that counts them together.
        for _ in range(3):
            assert await pool.call(child_calls.burn_for, 0.5) == 0.5
        first = await pool.call(os.getpid)
        with pytest.raises(IntakeLimitError):
            await pool.call(child_calls.burn)
        started = time.monotonic()
        with pytest.raises(IntakeLimitError):
            await pool.call(child_calls.doze)
        assert time.monotonic() - started < 6
        assert await pool.call(os.getpid) != first


def test_what_a_child_takes_to_start_is_no_call_s_time(tmp_path: Path) -> None:
    script = tmp_path / "slow_to_import.py"
    script.write_text(
        "import asyncio, os, time\n"
        "from generation.children import ChildPool, Limits\n"
        "from generation.errors import IntakeLimitError\n"
        "from tests.generation import child_calls\n"
        "async def main():\n"
        "    async with ChildPool(limits=Limits(wall_s=1.0)) as pool:\n"
        "        first = await pool.call(os.getpid)\n"
        "        try:\n"
        "            await pool.call(child_calls.crash)\n"
        "        except IntakeLimitError:\n"
        "            print(first != await pool.call(os.getpid))\n"
        "if __name__ == '__main__':\n"
        "    asyncio.run(main())\n"
        "else:\n"
        "    time.sleep(2.0)\n"
    )
    path = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run([sys.executable, script], capture_output=True, timeout=60, env=path)
    assert done.stdout == b"True\n", done.stderr.decode()


async def test_b2_memory_is_limited_and_running_out_of_it_costs_no_child(
    intake: IntakePool,
) -> None:
    first = await intake.call(os.getpid)
    with pytest.raises(IntakeLimitError, match="memory"):
        await intake.call(child_calls.hoard)
    assert await intake.call(os.getpid) == first


async def test_a_child_keeps_freed_memory_for_its_next_call(intake: IntakePool) -> None:
    pages = [await intake.call(child_calls.page_faults_of, 16 * 2**20) for _ in range(2)]
    assert pages[0] > 1000
    assert pages[1] < 100


async def test_a_child_steps_back_behind_the_loop_as_engines_do(intake: IntakePool) -> None:
    assert await intake.call(os.nice, 0) == min(19, os.nice(0) + Limits().nice)
    cores = os.sched_getaffinity(0)
    left = cores - {min(cores)} if len(cores) > 1 else cores
    assert await intake.call(os.sched_getaffinity, 0) == left


async def test_open_files_are_limited(intake: IntakePool) -> None:
    assert await intake.call(child_calls.open_files) < 32


async def test_drawing_layers_needs_no_threads_however_many_cores_there_are(
    codecs: CodecPool,
) -> None:
    assert await codecs.call(child_calls.threads_with_layers) == 1


async def test_a_child_is_replaced_after_its_calls() -> None:
    async with ChildPool(limits=Limits(max_calls=3)) as pool:
        pids = [await pool.call(os.getpid) for _ in range(7)]
    assert len(set(pids)) == 3


async def test_two_workers_work_at_once_and_a_cancelled_caller_hands_its_child_back() -> None:
    async with ChildPool(workers=2) as pool:
        pids = await asyncio.gather(*(pool.call(os.getpid) for _ in range(6)))
        assert len(set(pids)) <= 2
        waiting = asyncio.create_task(pool.call(child_calls.burn_for, 0.4))
        await asyncio.sleep(0.1)
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        assert len(await asyncio.gather(*(pool.call(os.getpid) for _ in range(4)))) == 4


async def test_closing_ends_the_children_even_while_one_is_busy() -> None:
    pool = ChildPool()
    await pool.start()
    pid = await pool.call(os.getpid)
    busy = asyncio.create_task(pool.call(child_calls.doze))
    await asyncio.sleep(0.1)
    started = time.monotonic()
    await pool.close()
    assert time.monotonic() - started < 3
    with pytest.raises(IntakeLimitError):
        await busy
    assert not is_running(pid)


def test_a_killed_parent_leaves_no_child() -> None:
    script = (
        "import asyncio, os, signal\n"
        "from generation.codecs import IntakePool\n"
        "async def main():\n"
        "    pool = IntakePool()\n"
        "    await pool.start()\n"
        "    print(await pool.call(os.getpid), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=30)
    pid = int(done.stdout)
    deadline = time.monotonic() + 5
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_stored_picture_comes_back_pixel_by_pixel(
    intake: IntakePool, codecs: CodecPool
) -> None:
    prepared = await intake.prepare(photograph_path("coffee").read_bytes())
    pixels = await codecs.decode(prepared.png)
    assert (pixels.width, pixels.height) == (prepared.width, prepared.height)
    encoded = await codecs.encode(pixels, max_bytes=10_000_000, metadata={})
    assert (encoded.media_type, encoded.extension) == ("image/png", "png")
    assert await codecs.decode(encoded.data) == pixels


async def test_a_damaged_stored_file_is_a_typed_error(codecs: CodecPool) -> None:
    png = pictures.encoded(photograph("coffee", max_side=64), "PNG")
    for damaged in (b"", png[:200], png[:100] + b"x" * 100):
        with pytest.raises(BrokenPictureError):
            await codecs.decode(damaged)


async def test_a_result_carries_our_own_metadata_in_any_language(codecs: CodecPool) -> None:
    prompt = "夜 naïve \U0001f303 \0\ud800"
    pixels = pixels_of(photograph("coffee", max_side=64))
    metadata = {"Prompt": prompt, "Seed": "7", "K" * 200: "long key"}
    png = await codecs.encode(pixels, max_bytes=10**6, metadata=metadata)
    with PngImageFile(BytesIO(png.data)) as image:
        assert image.text["Software"] == "Atelier"
        assert image.text["Prompt"].startswith("夜 naïve \U0001f303 ")
        assert image.text["Seed"] == "7"
    jpeg = await codecs.encode(pixels, max_bytes=10**6, metadata=metadata, image_format="jpeg")
    assert Image.open(BytesIO(jpeg.data)).getexif()[0x0131] == "Atelier"
    assert "Prompt: 夜".encode() in jpeg.data


async def test_a_result_that_is_too_heavy_as_png_becomes_a_jpeg_and_then_smaller(
    codecs: CodecPool,
) -> None:
    pixels = noise()
    as_jpeg = await codecs.encode(pixels, max_bytes=500_000, metadata={})
    assert (as_jpeg.media_type, as_jpeg.extension) == ("image/jpeg", "jpg")
    assert (as_jpeg.width, as_jpeg.height) == (512, 512)
    smaller = await codecs.encode(pixels, max_bytes=60_000, metadata={})
    assert smaller.width < 512
    for encoded, limit in ((as_jpeg, 500_000), (smaller, 60_000)):
        assert len(encoded.data) <= limit
        with Image.open(BytesIO(encoded.data)) as image:
            assert image.size == (encoded.width, encoded.height)


async def test_a_limit_that_nothing_meets_is_an_error(codecs: CodecPool) -> None:
    with pytest.raises(PictureTooLargeError):
        await codecs.encode(noise(64), max_bytes=100, metadata={})


@pytest.mark.parametrize("image_format", IMAGE_FORMATS)
async def test_a_format_can_be_insisted_on(codecs: CodecPool, image_format: str) -> None:
    formats = {name: name for name in IMAGE_FORMATS}
    encoded = await codecs.encode(
        pixels_of(photograph("coffee", max_side=200)),
        max_bytes=200_000,
        metadata={},
        image_format=formats[image_format],  # type: ignore[index]
    )
    with Image.open(BytesIO(encoded.data)) as image:
        assert (image.format or "").lower() == image_format


async def test_a_thumbnail_is_small_in_pixels_and_bytes(codecs: CodecPool) -> None:
    picture = await codecs.thumbnail(pixels_of(photograph("flower")), max_side=256)
    assert (picture.media_type, picture.width) == ("image/jpeg", 256)
    assert len(picture.data) < 30_000
