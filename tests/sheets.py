"""Make the README's sheets with the program: `python -m tests.sheets docs/images [NAME ...]`."""

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image

from generation.artworks import artworks
from generation.imaging import to_pixels
from generation.pipelines.base import EngineConfig
from generation.registry import pipeline_spec, resolve
from generation.request import Canvas, ImageRequest, Pixels, Walk
from generation.weights import STARTER

GAP = 4
EDITS = ("snowy night", "golden hour", "storm", "neon", "watercolour", "clay", "水墨")
ROOMS = (
    ("living room with blue walls", "", 2),
    ("bedroom", "evening", 5),
    ("kitchen", "sunset", 4),
    ("industrial study", "", 7),
)
"""Words, direction and seed."""


def made(pipeline: str, wishes: Sequence[Mapping[str, Any]]) -> list[Image.Image]:
    """Return pictures that one pipeline makes, one after another."""
    spec = pipeline_spec(pipeline)
    model = wishes[0].get("model", spec.model)
    loaded = resolve(spec.target).load(model=model, config=EngineConfig(device="cpu", threads=2))
    return [image_of(finished(loaded, pipeline, wish)) for wish in wishes]


def finished(loaded: Any, pipeline: str, wish: Mapping[str, Any]) -> Pixels:  # noqa: ANN401
    """Return the picture of a wish."""
    row = loaded.admit(ImageRequest(job_id="sheet", pipeline=pipeline, **wish))
    while row.step < row.total_steps:
        loaded.advance([row])
    image: Pixels = loaded.retire(row).image
    return image


def image_of(pixels: Pixels) -> Image.Image:
    """Return a picture that Pillow can lay out."""
    return Image.frombytes("RGB", (pixels.width, pixels.height), pixels.data)


def edits() -> Image.Image:
    """Return a sample and seven edits of it, in two rows."""
    with Image.open(STARTER / "samples" / "lake.jpg") as opened:
        lake = opened.convert("RGB")
    wishes = [{"image": to_pixels(lake), "prompt": words, "seed": 1} for words in EDITS]
    return laid([lake, *made("remix", wishes)], columns=4, size=(240, 180))


def rooms() -> Image.Image:
    """Return rooms of the painter, in a row."""
    canvas = Canvas(width=480, height=480)
    wishes = [
        {
            "image": canvas,
            "prompt": words,
            "strength": 0.8,
            "seed": seed,
            "walk": Walk(direction=way),
        }
        for words, way, seed in ROOMS
    ]
    return laid(made("design", wishes), columns=4, size=(240, 240))


def portraits() -> Image.Image:
    """Return painted avatars in two rows, and below them digits of two networks."""
    canvas = Canvas(width=256, height=256)
    avatars = [{"image": canvas, "strength": 1.0, "seed": seed} for seed in range(101, 117)]
    digits = [
        picture
        for model in ("digits-gan", "digits-vae")
        for picture in made("portrait", [
            {"image": canvas, "strength": 0.9, "seed": seed, "model": model} for seed in range(1, 9)
        ])
    ]  # fmt: skip
    above = laid(made("portrait", avatars), columns=8, size=(150, 150))
    # Two digits are as wide as an avatar, but for the gap.
    below = laid(digits, columns=16, size=(75, 75), gap=1.87)
    return laid_below(above, below)


def thumbnails() -> Image.Image:
    """Return the thumbnails of the built-in artworks, in two rows."""
    found = [Image.open(artwork.thumbnail).convert("RGB") for artwork in artworks().values()]
    return laid(found, columns=(len(found) + 1) // 2, size=(160, 160), gap=8)


SHEETS: Mapping[str, Callable[[], Image.Image]] = {
    "remix-edits": edits,
    "rooms": rooms,
    "portraits": portraits,
    "artworks": thumbnails,
}


def laid(
    pictures: Sequence[Image.Image], *, columns: int, size: tuple[int, int], gap: float = GAP
) -> Image.Image:
    """Return pictures of one size laid out in rows, on white."""
    rows = -(-len(pictures) // columns)
    across, down = size[0] + gap, size[1] + gap
    whole = (round(columns * across - gap), round(rows * down - gap))
    sheet = Image.new("RGB", whole, "white")
    for number, picture in enumerate(pictures):
        place = (round(number % columns * across), round(number // columns * down))
        sheet.paste(picture.resize(size, Image.Resampling.LANCZOS), place)
    return sheet


def laid_below(above: Image.Image, below: Image.Image) -> Image.Image:
    """Return two sheets, one below the other."""
    sheet = Image.new(
        "RGB", (max(above.width, below.width), above.height + GAP + below.height), "white"
    )
    sheet.paste(above, (0, 0))
    sheet.paste(below, (0, above.height + GAP))
    return sheet


def file_of(sheet: Image.Image) -> bytes:
    """Return a sheet as a JPEG file, kept small."""
    held = BytesIO()
    sheet.save(held, "JPEG", quality=88, optimize=True)
    return held.getvalue()


def main(
    folder: Annotated[Path, typer.Argument(help="Where they go.")],
    names: Annotated[list[str] | None, typer.Argument(help="Only these; all by default.")] = None,
) -> None:
    """Make the sheets."""
    if unknown := sorted(set(names or ()) - SHEETS.keys()):
        raise typer.BadParameter(f"{', '.join(unknown)}: known are {', '.join(SHEETS)}")
    for name in names or SHEETS:
        (folder / f"{name}.jpg").write_bytes(file_of(SHEETS[name]()))


if __name__ == "__main__":
    typer.run(main)
