"""Remixes by any checkpoint: by rows where its family has them, else whole."""

from typing import Any

from generation.checkpoints import FromCheckpoint
from generation.pipelines.base import EngineConfig, Pipeline
from generation.pipelines.img2img import Img2ImgPipeline
from generation.pipelines.whole import WholePipeline
from generation.recognition import family_of
from generation.weights import checkpoint_folder


class RemixPipeline(FromCheckpoint):
    """Knows which pipeline runs a checkpoint."""

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Pipeline[Any]:
        """Load a checkpoint from the operator's folder or the starters.

        Raises:
            ModelUnavailableError: the checkpoint is missing, incomplete, not safetensors, or
                starts from no picture.
        """
        family = family_of(checkpoint_folder(model, models_dir=config.models_dir))
        chosen = Img2ImgPipeline if family.by_rows else WholePipeline
        return chosen.load(model=model, config=config)
