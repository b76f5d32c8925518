"""The nano pipeline with faults to order, and with its steps counted where others can see it.

A fault is ordered by a file ``fault`` beside the checkpoints: its name, and how many steps must
have been taken. The first call after those takes the file away and fails, so that it strikes once.
Every call adds a byte a row to a file ``steps``.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import torch

from generation.pipelines.base import EngineConfig
from generation.pipelines.img2img import Img2ImgPipeline, Img2ImgRow

FAULT, STEPS = "fault", "steps"
MEMORY, HANG = "memory", "hang"
FOREVER_S = 3600


class FaultyPipeline(Img2ImgPipeline):
    """Fails when it is told to."""

    folder: Path

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        """Load the checkpoint, and note where faults are ordered."""
        pipeline = super().load(model=model, config=config)
        pipeline.folder = config.models_dir
        return pipeline

    def advance(self, rows: Sequence[Img2ImgRow]) -> None:
        """Fail, or take a step and count it."""
        self._fail_if_told()
        super().advance(rows)
        with (self.folder / STEPS).open("ab") as counted:
            counted.write(b"." * len(rows))

    def _fail_if_told(self) -> None:
        order = self.folder / FAULT
        if not order.exists():
            return
        kind, after = order.read_text("utf-8").split()
        if (self.folder / STEPS).stat().st_size < int(after):
            return
        order.unlink()
        if kind == MEMORY:
            raise torch.OutOfMemoryError("out of memory, to order")
        if kind == HANG:
            time.sleep(FOREVER_S)
