"""Empty canvases for pictures from words alone: how large, for a shape and a checkpoint."""

import re
from pathlib import Path

from generation.errors import InvalidRequestError
from generation.families import Family
from generation.outpainting import parsed_ratio
from generation.recognition import longer_side, read_config
from generation.request import MIN_CANVAS_SIDE, Canvas, Note, NoteCode
from generation.weights import Manifest

SHAPES = ("1:1", "3:2", "2:3", "4:3", "3:4", "16:9", "9:16")
"""What is offered; any other will do."""
TRANSFORMER_MULTIPLE = 16
NOTICED = 1.25
"""From how many times its size on a picture that is enlarged is plainly softer."""

_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})", re.ASCII)


def canvas_of(text: str, *, folder: Path, family: Family, manifest: Manifest) -> Canvas:
    """Return the canvas that a text asks for: a size like 768x512, or a shape like 3:2.

    A shape gets the size that the checkpoint is run at, so that nothing is enlarged.

    Raises:
        InvalidRequestError: it is neither, a side is too short or too long, or it is too narrow.
        ModelUnavailableError: the checkpoint's configuration is missing or damaged.
    """
    plain = "".join(text.lower().split()).replace("\u00d7", "x")
    if size := _SIZE.fullmatch(plain):
        return Canvas(width=int(size[1]), height=int(size[2]))
    if ":" not in plain:
        raise InvalidRequestError(f"{text!r} is no size; write 768x512, or a shape such as 3:2")
    ratio = parsed_ratio(plain)
    side, multiple = _native(folder, family=family, manifest=manifest)
    shape = (ratio, 1.0) if ratio > 1 else (1.0, 1 / ratio)
    width, height = family.fitted(*_whole(shape), side=side, multiple=multiple)
    enlarged = -(-MIN_CANVAS_SIDE // min(width, height))
    return Canvas(width=width * enlarged, height=height * enlarged)


def enlarged(
    canvas: Canvas, *, folder: Path, family: Family, manifest: Manifest
) -> tuple[Note, ...]:
    """Tell the member of a picture that a checkpoint paints smaller than it was asked for.

    Raises:
        ModelUnavailableError: the checkpoint's configuration is missing or damaged.
    """
    side, multiple = _native(folder, family=family, manifest=manifest)
    width, height = family.fitted(canvas.width, canvas.height, side=side, multiple=multiple)
    if max(canvas.width / width, canvas.height / height) < NOTICED:
        return ()
    return (Note(code=NoteCode.ENLARGED, words=(f"{width} x {height}",)),)


def _whole(shape: tuple[float, float]) -> tuple[int, int]:
    """Return a shape in whole numbers, large enough to keep it."""
    return round(shape[0] * 10_000), round(shape[1] * 10_000)


def _native(folder: Path, *, family: Family, manifest: Manifest) -> tuple[int, int]:
    """Return the side of the square that a checkpoint is run at, and what sides are multiples of.

    It is what the checkpoint says once it is loaded, told from its configuration.
    """
    if not (folder / "unet" / "config.json").is_file():
        return manifest.native_size or family.side, TRANSFORMER_MULTIPLE
    unet, vae = (read_config(folder, f"{part}/config.json") for part in ("unet", "vae"))
    factor, levels = (2 ** (len(it.get("block_out_channels", [0])) - 1) for it in (vae, unet))
    latents = unet.get("sample_size")
    trained = longer_side(latents) * factor if latents else family.side
    return manifest.native_size or trained, factor * levels
