"""Rows of pipelines that were loaded from saved checkpoints, run without an engine."""

from collections.abc import Mapping
from pathlib import Path

from generation.pipelines.base import EngineConfig
from generation.pipelines.img2img import Img2ImgPipeline
from generation.pipelines.img2img_row import Img2ImgRow
from generation.request import ImageRequest


def loaded_from(base: Path, *, batch_rows: int) -> Mapping[str, Img2ImgPipeline]:
    """Load every checkpoint of a folder, by its name."""
    config = EngineConfig(device="cpu", models_dir=base, batch_rows=batch_rows)
    return {
        folder.name: Img2ImgPipeline.load(model=folder.name, config=config)
        for folder in base.iterdir()
    }


def row_beside(
    pipeline: Img2ImgPipeline, request: ImageRequest, *others: ImageRequest
) -> Img2ImgRow:
    """Take all steps of a request, in calls that it shares with others."""
    rows = [pipeline.admit(each) for each in (*others, request)]
    while rows[-1].step < rows[-1].total_steps:
        pipeline.advance([row for row in rows if row.step < row.total_steps])
    return rows[-1]
