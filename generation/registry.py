"""The pipelines by name; importing this costs no torch."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

from generation.errors import InvalidRequestError
from generation.pipelines.base import Loader
from generation.request import Manner
from generation.weights import STARTER

VGG19_FILES = "vgg19-????????.pth"
"""torchvision's VGG19 weights, named after the beginning of their SHA-256."""
ENCODER_FILE = "style/encoder/model.safetensors"
"""The style encoder, ours or the operator's."""
ADAIN_FILE = "style/adain/model.safetensors"
"""AdaIN's network, likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSpec:
    """One line of the registry.

    Args:
        target: ``module:Class``, imported when first used.
        model: the checkpoint or method that is used when the request names none.
        takes_style_image: whether the request needs an artwork.
        mixes: whether it takes several artworks.
        weighs: whether it knows the weights of losses, and what an optimisation begins with.
        takes_words: whether prompts mean anything to it.
        weights: patterns of files in the operator's models folder or among our starters, without
            any of which it is not offered; none where nothing but checkpoints is needed.
        typical_device_ms: a first guess at the cost at 512 px, until it has been measured.
        typical_load_ms: a first guess at what loading its model takes, until it has been measured.
    """

    target: str
    model: str
    takes_style_image: bool = False
    mixes: bool = False
    weighs: bool = False
    takes_words: bool = True
    weights: tuple[str, ...] = ()
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
    "hybrid": PipelineSpec(
        target="generation.pipelines.hybrid:HybridPipeline",
        model="hybrid",
        takes_style_image=True,
        takes_words=False,
        typical_device_ms=2500,
        typical_load_ms=4000,
    ),
    "gatys": PipelineSpec(
        target="generation.pipelines.style_transfer:StyleTransferPipeline",
        model="gatys",
        takes_style_image=True,
        mixes=True,
        weighs=True,
        takes_words=False,
        weights=(VGG19_FILES, ENCODER_FILE),
        typical_device_ms=6000,
        typical_load_ms=4000,
    ),
    "adain": PipelineSpec(
        target="generation.pipelines.adain:AdainPipeline",
        model="adain",
        takes_style_image=True,
        mixes=True,
        takes_words=False,
        weights=(ADAIN_FILE,),
        typical_device_ms=500,
        typical_load_ms=4000,
    ),
    "portrait": PipelineSpec(
        target="generation.pipelines.portrait:PortraitPipeline",
        model="avatars",
        takes_words=False,
        typical_device_ms=300,
        typical_load_ms=500,
    ),
    "vae": PipelineSpec(
        target="generation.pipelines.vae_rows:VaePipeline",
        model="remix",
        typical_device_ms=400,
        typical_load_ms=2000,
    ),
    "design": PipelineSpec(
        target="generation.pipelines.design:DesignPipeline",
        model="rooms",
        typical_device_ms=400,
        typical_load_ms=1000,
    ),
}

VAE, DESIGN, PORTRAIT = "vae", "design", "portrait"
AUTO = "auto"
"""Stands for the method of style that the pictures' traits suggest."""

SAFETY, REPEATING = "safety", "repeating"
"""What a classifier of the operator's is called, and a network that is evaluated; members cannot
ask for either."""


def looking(folder: Path) -> PipelineSpec:
    """Return the line for looking at finished pictures with the classifier in a folder."""
    return PipelineSpec(
        target="generation.pipelines.safety:SafetyPipeline",
        model=str(folder.resolve()),
        typical_device_ms=150,
        typical_load_ms=5000,
    )


def repeating(model: str) -> PipelineSpec:
    """Return the line for repeating pictures by a network that a training wrote."""
    return PipelineSpec(
        target="generation.pipelines.repeating:RepeatingPipeline",
        model=model,
        takes_words=False,
        typical_device_ms=50,
        typical_load_ms=500,
    )


def offered(*, models_dir: Path) -> dict[str, PipelineSpec]:
    """Return the pipelines whose weights are there."""
    return {
        name: spec
        for name, spec in PIPELINES.items()
        if not spec.weights or any(there(each, models_dir=models_dir) for each in spec.weights)
    }


def methods(
    pipelines: Mapping[str, PipelineSpec], *, manner: Manner | None = None, several: bool = False
) -> tuple[str, ...]:
    """Return the methods of style that know what is asked of them.

    Args:
        pipelines: those that are offered.
        manner: how it is to be gone about; None is as they do by themselves.
        several: whether there is more than one artwork.
    """
    asked = manner or Manner()
    plain = Manner(keep_colours=asked.keep_colours, weight=asked.weight, others=asked.others)
    return tuple(
        name
        for name, spec in pipelines.items()
        if spec.takes_style_image
        and (spec.mixes or not (several or asked.others))
        and (spec.weighs or asked == plain)
    )


def there(pattern: str, *, models_dir: Path) -> bool:
    """Return whether such a file is in the operator's models folder or among our starters."""
    return any(any(base.glob(pattern)) for base in (models_dir, STARTER))


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
