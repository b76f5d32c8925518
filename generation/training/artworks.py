"""Paint the built-in artworks: `python -m generation.training.artworks FOLDER`.

Every artwork is our own, computed from a seed: the same seed and library versions give the same
pixels. The folder receives a WebP picture and a JPEG thumbnail of each, and artworks.json.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from generation.training import (
    artworks_laid,
    artworks_painted,
    artworks_printed,
    artworks_wet,
)
from generation.training.artworks_tools import Array, finish

THUMBNAIL_SIZE = 192


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One artwork: what it is called, and the function that paints it from a seed."""

    name: str
    title: str
    description: str
    paint: Callable[[np.random.Generator], Array]
    seed: int = 7


RECIPES: tuple[Recipe, ...] = (
    Recipe(
        name="night",
        title="Windy Night",
        description="Whirling blue brush strokes around golden stars",
        paint=artworks_painted.night,
    ),
    Recipe(
        name="points",
        title="Evening in Points",
        description="A river at dusk, in thousands of coloured dots",
        paint=artworks_painted.points,
    ),
    Recipe(
        name="poppies",
        title="Poppies in Oil",
        description="Thick, bright oil paint, laid on with a broad brush",
        paint=artworks_painted.impasto,
    ),
    Recipe(
        name="pastel",
        title="Orchard in Pastel",
        description="Soft chalk on rough, dark paper",
        paint=artworks_painted.pastel,
    ),
    Recipe(
        name="watercolour",
        title="Harbour in Watercolour",
        description="Transparent washes with a pen line",
        paint=artworks_wet.watercolour,
    ),
    Recipe(
        name="ink",
        title="Mountains in Ink",
        description="Black ink in mist, with a red sun and a seal",
        paint=artworks_wet.ink,
    ),
    Recipe(
        name="woodcut",
        title="Pass in Woodcut",
        description="Carved black lines on cream under a red sun",
        paint=artworks_printed.woodcut,
    ),
    Recipe(
        name="wave",
        title="Great Waves",
        description="A print in blue on cream, foam and spray outlined",
        paint=artworks_printed.wave,
    ),
    Recipe(
        name="geometry",
        title="Circles and Squares",
        description="Discs, stripes and dots in flat, strong colours",
        paint=artworks_printed.geometry,
    ),
    Recipe(
        name="fans",
        title="Golden Fans",
        description="Gold and lacquer in the fans of the twenties",
        paint=artworks_printed.fans,
    ),
    Recipe(
        name="glass",
        title="Rose Window",
        description="Glowing coloured glass, set in lead",
        paint=artworks_laid.glass,
    ),
    Recipe(
        name="mosaic",
        title="Star Mosaic",
        description="A floor of small stones in rings and waves",
        paint=artworks_laid.mosaic,
    ),
)


def painted(recipe: Recipe) -> Image.Image:
    """Return the artwork of a recipe, in RGB."""
    return finish(recipe.paint(np.random.default_rng(recipe.seed)))


def write(recipe: Recipe, folder: Path) -> None:
    """Write one artwork and its thumbnail."""
    picture = painted(recipe)
    picture.save(folder / f"{recipe.name}.webp", quality=80, method=6)
    small = picture.resize((THUMBNAIL_SIZE, THUMBNAIL_SIZE), Image.Resampling.LANCZOS)
    small.save(folder / f"{recipe.name}.thumbnail.jpg", quality=85, optimize=True)


def write_index(folder: Path) -> None:
    """Write artworks.json: the name, title and description of every artwork, in their order."""
    rows = [
        {"name": recipe.name, "title": recipe.title, "description": recipe.description}
        for recipe in RECIPES
    ]
    text = json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
    (folder / "artworks.json").write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Paint all artworks, or those that are named, into a folder."""
    parser = argparse.ArgumentParser(description="Paint the built-in artworks.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="artworks to paint; all if none is named")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    for recipe in RECIPES:
        if not options.names or recipe.name in options.names:
            write(recipe, options.folder)
            sys.stdout.write(f"{recipe.name}\n")
    write_index(options.folder)


if __name__ == "__main__":
    main()
