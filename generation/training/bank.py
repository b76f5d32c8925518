"""The bank of textures and artworks that the style models are trained on, and crops of it."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from generation.errors import InvalidRequestError
from generation.replacing import replaced
from generation.training.artworks import RECIPES
from generation.training.artworks_tools import finish
from generation.training.digit_data import FEWEST, PICTURES
from generation.training.picture_data import square
from generation.training.scenes import paint_scene
from generation.training.textures import FAMILIES, paint_texture

Bytes = NDArray[np.uint8]
Told = tuple[Bytes, list[list[Any]]]
"""Pictures, and of each its family and what else is known."""
Painting = Callable[[], Iterator[tuple[Bytes, list[Any]]]]

SIDE = 192
"""Of every picture in the bank; scenes can be 240 at most."""
HELD_OUT = 8
"""Each so-manieth picture is not trained on."""
ZOOMS = (0.5, 1.0)
SEEDS = 2
"""Pictures that are painted of each artwork."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crops:
    """Crops of a bank with what is known of them.

    Shape:
        - pictures: ``(N, 3, side, side)``, in [0, 1].
        - families: ``(N,)``, numbers.
        - known: ``(N, 3)``, log2 of the grain in pixels less 3, then cosine and sine of twice the
          direction; NaN where it is not known.
    """

    pictures: Tensor
    families: Tensor
    known: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """Pictures of one size by family.

    Shape:
        - pictures: ``(N, SIDE, SIDE, 3)``.
        - labels: ``(N,)``, numbers of ``families``.
        - known: ``(N, 3)``, as of ``Crops``.
    """

    origin: str
    families: Sequence[str]
    pictures: Bytes
    labels: NDArray[np.int64]
    known: NDArray[np.float32]

    def crops(
        self,
        count: int,
        *,
        side: int,
        rng: torch.Generator,
        held_out: bool,
        evenly: bool = False,
    ) -> Crops:
        """Return random crops: zoomed, mirrored, turned by quarters, in changed colours.

        Args:
            count: how many.
            side: of a crop in pixels.
            rng: draws them.
            held_out: whether they are of the pictures that are not trained on.
            evenly: whether every family is drawn as often, however many pictures it has.
        """
        chosen = [number for number in range(len(self.pictures)) if self._out(number) == held_out]
        odds = torch.ones(len(chosen))
        if evenly:
            labels = torch.from_numpy(self.labels[chosen])
            odds = 1 / torch.bincount(labels)[labels]
        picks = torch.multinomial(odds, count, replacement=True, generator=rng).tolist()
        parts = [self._crop(chosen[pick], side=side, rng=rng) for pick in picks]
        return Crops(
            pictures=torch.stack([picture for picture, _ in parts]),
            families=torch.tensor([int(self.labels[chosen[pick]]) for pick in picks]),
            known=torch.stack([known for _, known in parts]),
        )

    def _out(self, number: int) -> bool:
        return number % HELD_OUT == HELD_OUT - 1

    def _crop(self, number: int, *, side: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        draws = torch.rand(8, generator=rng).tolist()
        wide = min(SIDE, round(side / (ZOOMS[0] + (ZOOMS[1] - ZOOMS[0]) * draws[0])))
        top, left = (int(draw * (SIDE - wide + 1)) for draw in draws[1:3])
        cut = self.pictures[number, top : top + wide, left : left + wide]
        picture = torch.from_numpy(cut.copy()).permute(2, 0, 1).float() / 255
        picture = functional.interpolate(
            picture[None], size=side, mode="bilinear", antialias=True, align_corners=False
        )[0]
        known = torch.from_numpy(self.known[number].copy())
        known[0] += math.log2(side / wide)
        if draws[3] < 0.5:
            picture, known[2] = picture.flip(2), -known[2]
        if draws[4] < 0.5:
            picture, known[1:] = picture.transpose(1, 2), torch.stack([-known[1], known[2]])
        if draws[5] < 0.5:
            picture = picture[torch.randperm(3, generator=rng)]
        return picture.clamp_min(1e-4) ** (0.7 + 0.7 * draws[6]), known


def texture_bank(folder: Path | None, *, kept: Path, per_family: int, seed: int) -> Bank:
    """Return the bank of a folder with a subfolder for each family, or a painted one.

    Raises:
        InvalidRequestError: the folder holds too few pictures, or one cannot be read.
    """
    if folder is not None:
        return _bank(f"the folder {folder.resolve().name}", _read(folder))
    return _bank(f"painted textures (seed {seed})", _kept_textures(kept, per_family, seed))


def artwork_bank(folder: Path | None, *, kept: Path, per_family: int, seed: int) -> Bank:
    """Return styles: pictures of a folder and its folders, or painted textures and artworks.

    Raises:
        InvalidRequestError: the folder holds too few pictures, or one cannot be read.
    """
    if folder is not None:
        return _bank(f"the folder {folder.resolve().name}", _read(folder, deep=False))
    pictures, told = _kept_textures(kept, per_family, seed)
    artworks, named = _kept(kept / f"artworks-{seed}", partial(_artworks, seed))
    both = np.concatenate([pictures, artworks]), [*told, *named]
    return _bank(f"painted textures and artworks (seed {seed})", both)


def scene_bank(folder: Path | None, *, kept: Path, count: int, seed: int) -> Bank:
    """Return contents: pictures of a folder and its folders, or painted scenes.

    Raises:
        InvalidRequestError: the folder holds too few pictures, or one cannot be read.
    """
    if folder is not None:
        return _bank(f"the folder {folder.resolve().name}", _read(folder, deep=False))
    place = kept / f"scenes-{count}-{seed}"
    return _bank(f"painted scenes (seed {seed})", _kept(place, partial(_scenes, count, seed)))


def _kept_textures(kept: Path, per_family: int, seed: int) -> Told:
    return _kept(kept / f"textures-{per_family}-{seed}", partial(_textures, per_family, seed))


def _bank(origin: str, found: Told) -> Bank:
    pictures, told = found
    if len(pictures) < FEWEST:
        raise InvalidRequestError(f"{len(pictures)} pictures are too few; {FEWEST} will do")
    families = sorted({str(family) for family, *_ in told})
    return Bank(
        origin=f"{len(pictures)} pictures of {origin}, SHA-256 {_sum(pictures)}",
        families=families,
        pictures=pictures,
        labels=np.array([families.index(str(family)) for family, *_ in told]),
        known=np.array([known for _, *known in told], np.float32),
    )


def _sum(pictures: Bytes) -> str:
    return sha256(np.ascontiguousarray(pictures).tobytes()).hexdigest()[:16]


def _kept(place: Path, paint: Painting) -> Told:
    """Paint pictures, or read them where they were kept."""
    pixels, labels = place.with_suffix(".npy"), place.with_suffix(".json")
    if not labels.is_file():
        painted = list(paint())
        place.parent.mkdir(parents=True, exist_ok=True)
        np.save(pixels, np.stack([picture for picture, _ in painted]))
        with replaced(labels) as file:
            file.write(json.dumps([told for _, told in painted]).encode())
    pictures: Bytes = np.load(pixels, mmap_mode="r")
    told = json.loads(labels.read_text("utf-8"))
    return pictures, [[math.nan if each is None else each for each in row] for row in told]


def _textures(per_family: int, seed: int) -> Iterator[tuple[Bytes, list[Any]]]:
    """Paint textures of all families in turn."""
    for number in range(per_family):
        for place, family in enumerate(FAMILIES):
            rng = np.random.default_rng((seed, number, place))
            texture = paint_texture(rng, family=family, size=SIDE)
            direction: tuple[float | None, ...] = (None, None)
            if texture.directed:
                direction = (math.cos(2 * texture.angle), math.sin(2 * texture.angle))
            yield _bytes(texture.colour), [family, math.log2(texture.grain) - 3, *direction]


def _artworks(seed: int) -> Iterator[tuple[Bytes, list[Any]]]:
    """Paint the artworks, from other seeds than those that ship; whole, and their quarters."""
    for number in range(SEEDS):
        for recipe in RECIPES:
            rng = np.random.default_rng((seed, number, recipe.seed))
            picture = finish(recipe.paint(rng))
            small = np.asarray(picture.resize((2 * SIDE, 2 * SIDE), Image.Resampling.LANCZOS))
            whole = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
            quarters = [small[y:, x:][:SIDE, :SIDE] for y in (0, SIDE) for x in (0, SIDE)]
            for part in (whole, *quarters):
                yield part, [recipe.name, None, None, None]


def _scenes(count: int, seed: int) -> Iterator[tuple[Bytes, list[Any]]]:
    """Paint scenes of all kinds."""
    for number in range(count):
        scene = paint_scene(np.random.default_rng((seed, number)), size=SIDE)
        yield _bytes(scene.rgb), [scene.kind, None, None, None]


def _bytes(colour: NDArray[np.float32]) -> Bytes:
    values: Bytes = np.round(colour * 255).astype(np.uint8)
    return values


def _read(folder: Path, *, deep: bool = True) -> Told:
    """Read the middle squares of the pictures of a folder's subfolders, or its own, too."""
    found = (*folder.glob("*/*"), *(() if deep else folder.glob("*")))
    places = sorted(it for it in found if it.suffix.lower() in PICTURES)
    if not places:
        what = "folders of pictures" if deep else "pictures"
        raise InvalidRequestError(f"{folder} holds no {what} ({', '.join(PICTURES)})")
    told = [[place.parent.name, math.nan, math.nan, math.nan] for place in places]
    return np.stack([square(place, SIDE) for place in places]), told
