"""Remixes by any checkpoint: by rows where its family has them, else whole."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generation.checkpoints import expected_bytes, runs_by_rows
from generation.pipelines.base import EngineConfig, Pipeline
from generation.pipelines.img2img import Img2ImgPipeline
from generation.pipelines.whole import WholePipeline
from generation.weights import checkpoint_folder, weight_files


class RemixPipeline:
    """Knows which pipeline runs a checkpoint."""

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Pipeline[Any]:
        """Load a checkpoint from the operator's folder or the starters.

        Raises:
            ModelUnavailableError: the checkpoint is missing, incomplete, not safetensors, or
                starts from no picture.
        """
        by_rows = runs_by_rows(checkpoint_folder(model, models_dir=config.models_dir))
        chosen = Img2ImgPipeline if by_rows else WholePipeline
        return chosen.load(model=model, config=config)

    @classmethod
    def weigh(cls, *, model: str, config: EngineConfig) -> int:
        """Return about how many bytes a checkpoint will take.

        Raises:
            ModelUnavailableError: the checkpoint is missing or damaged.
        """
        return expected_bytes(model, config=config)

    @classmethod
    def files(cls, *, model: str, config: EngineConfig) -> Sequence[Path]:
        """Return the files that a checkpoint is read from.

        Raises:
            ModelUnavailableError: the checkpoint is missing.
        """
        return weight_files(checkpoint_folder(model, models_dir=config.models_dir))
