"""Designs by any designer: a VAE with a prior over its latents, or the painter of rooms.

Only the pipeline that is needed is imported.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generation.designers import designer_named
from generation.memory import Plan
from generation.pipelines.base import EngineConfig, Loader, Pipeline
from generation.registry import resolve

BY_VAE = "generation.pipelines.vae_rows:VaePipeline"
PAINTED = "generation.pipelines.rooms:RoomsPipeline"


class DesignPipeline:
    """Knows which pipeline runs a designer."""

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Pipeline[Any]:
        """Load a designer.

        Raises:
            ModelUnavailableError: it is missing or damaged.
        """
        return _by(model, config).load(model=model, config=config)

    @classmethod
    def weigh(cls, *, model: str, config: EngineConfig) -> int:
        """Return about how many bytes its weights will take.

        Raises:
            ModelUnavailableError: it is missing.
        """
        return _by(model, config).weigh(model=model, config=config)

    @classmethod
    def plan(cls, *, model: str, config: EngineConfig) -> Plan | None:
        """Return how it will be held.

        Raises:
            ModelUnavailableError: it is missing.
        """
        return _by(model, config).plan(model=model, config=config)

    @classmethod
    def files(cls, *, model: str, config: EngineConfig) -> Sequence[Path]:
        """Return the files of its weights, none of the painter.

        Raises:
            ModelUnavailableError: it is missing.
        """
        return _by(model, config).files(model=model, config=config)


def _by(model: str, config: EngineConfig) -> type[Loader]:
    found = designer_named(model, models_dir=config.models_dir)
    return resolve(PAINTED if found.vae is None else BY_VAE)
