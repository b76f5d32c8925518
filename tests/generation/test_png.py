"""PNG files of our own writing: what others read from them is what went in."""

import random
import zlib
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from generation.png import encode_png
from tests.photographs import photograph


def noise(width: int, height: int, seed: int) -> Image.Image:
    data = random.Random(seed).randbytes(width * height * 3)
    return Image.frombytes("RGB", (width, height), data)


def by_pillow(image: Image.Image, **options: int) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


@given(width=st.integers(1, 40), height=st.integers(1, 40), seed=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_pillow_reads_back_every_pixel(width: int, height: int, seed: int) -> None:
    image = noise(width, height, seed)
    with Image.open(BytesIO(encode_png(image)), formats=["PNG"]) as opened:
        assert (opened.mode, opened.size) == ("RGB", image.size)
        assert opened.tobytes() == image.tobytes()


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "flower"])
def test_a_photograph_is_no_larger_than_pillow_makes_it_when_it_hurries(name: str) -> None:
    image = photograph(name, max_side=512)
    assert len(encode_png(image)) <= len(by_pillow(image, compress_level=1))


def test_a_flat_picture_stays_small() -> None:
    assert len(encode_png(Image.new("RGB", (512, 512), (30, 60, 90)))) < 6000


def test_texts_in_any_language_come_back_and_long_keys_are_cut() -> None:
    texts = {"Prompt": "夜 naïve \U0001f303", "k" * 100: "long", "Empty": ""}
    with PngImageFile(BytesIO(encode_png(noise(3, 2, 0), texts=texts))) as image:
        assert image.text == {"Prompt": texts["Prompt"], "k" * 79: "long", "Empty": ""}


def test_every_chunk_carries_its_checksum() -> None:
    data, at = encode_png(noise(5, 5, 1), texts={"a": "b"}), 8
    kinds = []
    while at < len(data):
        length = int.from_bytes(data[at : at + 4])
        checked = data[at + 4 : at + 8 + length]
        assert zlib.crc32(checked) == int.from_bytes(data[at + 8 + length : at + 12 + length])
        kinds.append(checked[:4])
        at += 12 + length
    assert kinds == [b"IHDR", b"iTXt", b"IDAT", b"IEND"]


def test_other_modes_are_refused() -> None:
    with pytest.raises(ValueError, match="RGB"):
        encode_png(Image.new("L", (4, 4)))
