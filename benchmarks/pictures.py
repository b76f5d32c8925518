"""B6: a phone photograph in, a PNG to keep out, held against the plain way to do it."""

import time
from collections.abc import Callable, Sequence
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

from benchmarks.figures import Figure, alternate, median
from generation import intake

SIDE = 512


def phone_photograph() -> bytes:
    """Return a JPEG of 12 megapixels with detail at every scale, turned as phones turn theirs."""
    rng = np.random.default_rng(0)
    picture = np.zeros((3024, 4032, 3), np.float32)
    for scale in (8, 32, 128, 512):
        layer = rng.random((3024 // scale + 2, 4032 // scale + 2, 3), np.float32) * 255
        grown = Image.fromarray(layer.astype(np.uint8)).resize(
            (4032, 3024), Image.Resampling.BICUBIC
        )
        picture += np.asarray(grown, np.float32) / 4
    exif = Image.Exif()
    exif[0x0112] = 6
    out = BytesIO()
    Image.fromarray(picture.astype(np.uint8)).save(out, "JPEG", quality=90, exif=exif)
    return out.getvalue()


def naive(photograph: bytes) -> bytes:
    """Decode everything, then turn, resize and keep: what a bot's first version does."""
    image = ImageOps.exif_transpose(Image.open(BytesIO(photograph))).convert("RGB")
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    kept = BytesIO()
    image.save(kept, "PNG")
    return kept.getvalue()


def seconds(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(*, rounds: int) -> Sequence[Figure]:
    """Compare intake with plain decoding; both end with a PNG to keep."""
    photograph = phone_photograph()
    plain, ours = alternate(
        [
            lambda: seconds(lambda: naive(photograph)),
            lambda: seconds(lambda: intake.prepare(photograph, SIDE)),
        ],
        rounds=rounds,
    )
    gains = tuple(slow / quick for slow, quick in zip(plain, ours, strict=True))
    return [
        Figure(
            id="B6",
            title="12 MP phone JPEG to 512 px",
            goal=">= 5 x faster than decoding it whole",
            value=median(gains),
            met=median(gains) >= 5,
            peers={
                "decode, turn, thumbnail, PNG (Pillow)": f"{median(plain) * 1000:.0f} ms",
                "ours, with its checks and sRGB": f"{median(ours) * 1000:.0f} ms",
            },
            runs=gains,
        ),
    ]
