"""The pipelines by name; importing this costs no torch."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

from generation.errors import InvalidRequestError
from generation.pipelines.base import Loader

VGG19_FILES = "vgg19-????????.pth"
"""torchvision's VGG19 weights, named after the beginning of their SHA-256."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSpec:
    """One line of the registry.

    Args:
        target: ``module:Class``, imported when first used.
        model: the checkpoint or method that is used when the request names none.
        takes_style_image: whether the request needs an artwork.
        takes_words: whether prompts mean anything to it.
        weights: a pattern of files in the operator's models folder, without which it is not
            offered; None where nothing but checkpoints is needed.
        typical_device_ms: a first guess at the cost at 512 px, until it has been measured.
        typical_load_ms: a first guess at what loading its model takes, until it has been measured.
    """

    target: str
    model: str
    takes_style_image: bool = False
    takes_words: bool = True
    weights: str | None = None
    typical_device_ms: int
    typical_load_ms: int = 0


PIPELINES: dict[str, PipelineSpec] = {
    "remix": PipelineSpec(
        target="generation.pipelines.remix:RemixPipeline",
        model="remix",
        typical_device_ms=3000,
        typical_load_ms=8000,
    ),
    "collage": PipelineSpec(
        target="generation.pipelines.collage:CollagePipeline",
        model="collage",
        takes_style_image=True,
        takes_words=False,
        typical_device_ms=1500,
        typical_load_ms=4000,
    ),
    "gatys": PipelineSpec(
        target="generation.pipelines.style_transfer:StyleTransferPipeline",
        model="vgg19",
        takes_style_image=True,
        takes_words=False,
        weights=VGG19_FILES,
        typical_device_ms=60_000,
    ),
    "portrait": PipelineSpec(
        target="generation.pipelines.portrait:PortraitPipeline",
        model="avatars",
        takes_words=False,
        typical_device_ms=300,
        typical_load_ms=500,
    ),
}

SAFETY = "safety"
"""What a classifier of the operator's is called; members cannot ask for it."""


def looking(folder: Path) -> PipelineSpec:
    """Return the line for looking at finished pictures with the classifier in a folder."""
    return PipelineSpec(
        target="generation.pipelines.safety:SafetyPipeline",
        model=str(folder.resolve()),
        typical_device_ms=150,
        typical_load_ms=5000,
    )


def offered(*, models_dir: Path) -> dict[str, PipelineSpec]:
    """Return the pipelines whose weights are there."""
    return {
        name: spec
        for name, spec in PIPELINES.items()
        if spec.weights is None or any(models_dir.glob(spec.weights))
    }


def pipeline_spec(name: str) -> PipelineSpec:
    """Return the registry's line for a name.

    Raises:
        InvalidRequestError: there is no such pipeline; the message lists those there are.
    """
    try:
        return PIPELINES[name]
    except KeyError:
        known = ", ".join(PIPELINES)
        raise InvalidRequestError(f"there is no pipeline {name!r}; known: {known}") from None


def resolve(target: str) -> type[Loader]:
    """Import the class that a registry target names."""
    module, _, name = target.partition(":")
    return cast("type[Loader]", getattr(import_module(module), name))


def imported(specs: Iterable[PipelineSpec]) -> tuple[str, ...]:
    """Return what this process has imported of our modules and of those pipelines' packages."""
    packages = {"generation", *(spec.target.partition(".")[0] for spec in specs)}
    return tuple(sorted(name for name in list(sys.modules) if name.partition(".")[0] in packages))
