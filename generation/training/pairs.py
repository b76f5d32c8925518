"""Pairs to learn editing from, made and not found: a painted scene, a prompt, what it asks for."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from generation.postprocess.parametric import EDITS, apply_edits
from generation.postprocess.place import Place
from generation.training.canvas import noise
from generation.training.captions import GROUND_EDITS, LIGHT_EDITS, MEDIUM_EDITS, caption
from generation.training.scenes import Scene, paint_scene

CHUNK = 100
OFTEN: Mapping[str, float] = {
    **dict.fromkeys(("night", "sunset", "snow", "autumn", "fog", "rain"), 2.0),
    **dict.fromkeys(("winter", "spring", "golden", "storm", "watercolour", "clay"), 2.0),
    "sky_mask": 4.0,
}
"""Edits drawn more often than once each: common ones, hard ones, and what layers are kept to."""
SEVERAL_SHARE = 0.28
TOGETHER = ((1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1))
TOGETHER_SHARES = (0.5, 0.18, 0.18, 0.14)
"""Which of ground, light and medium go together in one prompt, and how often each of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairsConfig:
    """How many pairs to paint.

    Args:
        scenes: pictures to start from.
        edits_per_scene: targets for each of them.
        size: side in pixels.
        workers: processes that paint.
    """

    scenes: int = 8000
    edits_per_scene: int = 4
    size: int = 96
    workers: int = 2
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Painted pairs on disk, opened as memory maps.

    Shape:
        - sources: ``(scenes, size, size, 3)`` uint8.
        - targets: ``(scenes * edits_per_scene, size, size, 3)`` uint8.
    """

    sources: NDArray[np.uint8]
    targets: NDArray[np.uint8]
    captions: tuple[str, ...]

    @property
    def edits_per_scene(self) -> int:
        """Targets for each source."""
        return len(self.targets) // len(self.sources)


def paint_pairs(folder: Path, config: PairsConfig) -> Pairs:
    """Paint all pairs into a folder, or open them when they are there already."""
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "captions.json"
    if not done.exists():
        shape = (config.size, config.size, 3)
        targets = config.scenes * config.edits_per_scene
        for name, count in (("sources", config.scenes), ("targets", targets)):
            open_memmap(folder / f"{name}.npy", "w+", np.uint8, (count, *shape)).flush()
        starts = range(0, config.scenes, CHUNK)
        with ProcessPoolExecutor(config.workers, mp_context=get_context("spawn")) as pool:
            parts = pool.map(_paint_chunk, [(folder, config, start) for start in starts])
            captions = [text for part in parts for text in part]
        done.write_text(json.dumps(captions, ensure_ascii=False), "utf-8")
    return open_pairs(folder)


def open_pairs(folder: Path) -> Pairs:
    """Open pairs that were painted before."""
    captions = json.loads((folder / "captions.json").read_text("utf-8"))
    sources = np.load(folder / "sources.npy", mmap_mode="r")
    targets = np.load(folder / "targets.npy", mmap_mode="r")
    return Pairs(sources=sources, targets=targets, captions=tuple(captions))


def _paint_chunk(order: tuple[Path, PairsConfig, int]) -> list[str]:
    folder, config, start = order
    sources = np.load(folder / "sources.npy", mmap_mode="r+")
    targets = np.load(folder / "targets.npy", mmap_mode="r+")
    captions = []
    for index in range(start, min(start + CHUNK, config.scenes)):
        rng = np.random.default_rng((config.seed, index))
        scene = paint_scene(rng, size=config.size)
        sources[index] = np.round(scene.rgb * 255).astype(np.uint8)
        for offset, edits in enumerate(draw_edits(rng, config.edits_per_scene)):
            picture = apply_edits(edits, rgb=scene.rgb, place=place_of(scene, rng))
            row = index * config.edits_per_scene + offset
            targets[row] = np.round(picture * 255).astype(np.uint8)
            captions.append(caption(edits, rng))
    return captions


def draw_edits(rng: np.random.Generator, count: int) -> Iterator[list[str]]:
    """Yield edits for one scene: single ones, some more often, and two or three together."""
    names = list(EDITS)
    weights = np.array([OFTEN.get(name, 1.0) for name in names])
    for _ in range(count):
        if rng.random() < SEVERAL_SHARE:
            kinds = (GROUND_EDITS, LIGHT_EDITS, MEDIUM_EDITS)
            kept = np.array(TOGETHER[rng.choice(len(TOGETHER), p=TOGETHER_SHARES)])
            yield [str(rng.choice(kinds[kind])) for kind in np.flatnonzero(kept)]
        else:
            yield [str(rng.choice(names, p=weights / weights.sum()))]


def place_of(scene: Scene, rng: np.random.Generator) -> Place:
    """Return a scene's truth in the form the edits take."""
    size = scene.rgb.shape[0]
    sky, foliage, ground, upward, light, depth = np.split(scene.truth, 6, axis=2)
    return Place(
        sky=sky,
        foliage=foliage,
        ground=ground,
        upward=upward,
        light=light,
        depth=depth,
        mottle=noise(rng, size, grains=(1, 0.8, 0.3, 0))[..., None],
        amount=float(rng.uniform(0.9, 1.1)),
    )
