"""Remixes by any checkpoint: by rows where its family has them, else whole.

Only the pipeline that is needed is imported: the other would cost an engine's start 0.7 s.
"""

from typing import Any

from generation.loading import FromCheckpoint
from generation.pipelines.base import EngineConfig, Pipeline
from generation.recognition import family_of
from generation.registry import resolve
from generation.weights import checkpoint_folder

BY_ROWS = "generation.pipelines.img2img:Img2ImgPipeline"
WHOLE = "generation.pipelines.whole:WholePipeline"


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
        return resolve(BY_ROWS if family.by_rows else WHOLE).load(model=model, config=config)
