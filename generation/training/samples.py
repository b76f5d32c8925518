"""Paint the sample pictures: `python -m generation.training.samples FOLDER`.

They are what a newcomer drops into the demo: a lake, a street, a forest path, a still life, a room,
a portrait and a sketch, computed from seeds, with sky, leaves, water and lamps for edits to change.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from generation.training.artworks_tools import Array, finish
from generation.training.samples_inside import portrait, room, sketch
from generation.training.samples_nature import forest, lake
from generation.training.samples_street import street
from generation.training.samples_table import still_life

MAX_BYTES = 200_000

SAMPLES: dict[str, Callable[[np.random.Generator], Array]] = {
    "lake": lake,
    "street": street,
    "forest": forest,
    "still-life": still_life,
    "room": room,
    "portrait": portrait,
    "sketch": sketch,
}


def write(name: str, folder: Path) -> None:
    """Paint one sample as a JPEG of the highest quality that stays below 200 kB."""
    picture = finish(SAMPLES[name](np.random.default_rng(11)))
    place = folder / f"{name}.jpg"
    for quality in range(92, 40, -4):
        picture.save(place, quality=quality, optimize=True, progressive=True)
        if place.stat().st_size < MAX_BYTES:
            return


def main(arguments: Sequence[str] | None = None) -> None:
    """Paint all samples, or those that are named, into a folder."""
    parser = argparse.ArgumentParser(description="Paint the sample pictures.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="samples to paint; all if none is named")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.names or SAMPLES:
        write(name, options.folder)
        sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main()
