"""Tiny real pipelines behind the bot's commands: no torch, and slow or broken on demand."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from PIL import Image

from generation.errors import InvalidRequestError, ModelUnavailableError
from generation.pipelines.base import EngineConfig, Finished, OneByOne
from generation.registry import PipelineSpec
from generation.request import ImageRequest, Note, NoteCode, Pixels

STEPS = 4


@dataclass(kw_only=True)
class ShadeRow:
    request: ImageRequest
    total_steps: int
    step_s: float
    bucket: str = "shade"
    step: int = 0
    width: int = 1


class ShadePipeline(OneByOne):
    """Fills the picture, or what its mask marks, with one colour that words and seed give.

    The word "slow" in the prompt takes a second and a half, "steady" five and "endless" a
    minute; "refuse" fails, "odd" does where the seed is odd, and "die" ends the engine.
    """

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        return cls()

    def admit(self, request: ImageRequest) -> ShadeRow:
        if "refuse" in request.prompt or ("odd" in request.prompt and request.seed % 2):
            raise InvalidRequestError("this prompt is refused")
        steps, step_s = STEPS, 0.0
        if "slow" in request.prompt:
            steps, step_s = 15, 0.1
        if "steady" in request.prompt:
            steps, step_s = 50, 0.1
        if "endless" in request.prompt:
            steps, step_s = 600, 0.1
        return ShadeRow(request=request, total_steps=steps, step_s=step_s)

    def advance(self, rows: Sequence[ShadeRow]) -> None:
        for row in rows:
            if "die" in row.request.prompt:
                os._exit(1)
            time.sleep(row.step_s)
            row.step += 1

    def preview(self, row: ShadeRow) -> Pixels | None:
        return Pixels(width=8, height=8, data=bytes((row.step % 256, 0, 0)) * 64)

    def retire(self, row: ShadeRow) -> Finished:
        request = row.request
        colour = bytes((request.seed % 256, len(request.prompt) % 256, int(request.strength * 255)))
        width, height = request.image.width, request.image.height
        notes: tuple[Note, ...] = ()
        if "zebra" in request.prompt:
            notes = (Note(code=NoteCode.UNKNOWN_WORDS, words=("zebra",)),)
        made = Image.new("RGB", (width, height), tuple(colour))
        if request.mask is not None:
            before, mask = (image_of(it) for it in (request.picture, request.mask))
            made = Image.composite(made, before, mask.convert("L").resize(made.size))
        return Finished(
            image=Pixels(width=width, height=height, data=made.tobytes()),
            notes=notes,
            parameters=(("steps", str(row.total_steps)),),
        )


class EyePipeline(OneByOne):
    """Finds a picture the more unsafe the redder its first pixel; the model "blind" is broken."""

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        if model == "blind":
            raise ModelUnavailableError("the classifier blind lacks weights")
        return cls()

    def admit(self, request: ImageRequest) -> ShadeRow:
        return ShadeRow(request=request, total_steps=1, step_s=0.0, bucket="eye")

    def advance(self, rows: Sequence[ShadeRow]) -> None:
        for row in rows:
            row.step += 1

    def preview(self, row: ShadeRow) -> Pixels | None:
        return None

    def retire(self, row: ShadeRow) -> Finished:
        red = row.request.picture.data[0] / 255
        told = (("normal", f"{1 - red:.6f}"), ("nsfw", f"{red:.6f}"))
        return Finished(image=row.request.picture, parameters=told)


def eye(model: str = "eye") -> PipelineSpec:
    return PipelineSpec(target=f"{__name__}:EyePipeline", model=model, typical_device_ms=50)


def image_of(pixels: Pixels) -> Image.Image:
    return Image.frombytes("RGB", (pixels.width, pixels.height), pixels.data)


PIPELINES = {
    "remix": PipelineSpec(target=f"{__name__}:ShadePipeline", model="shade", typical_device_ms=200),
    "collage": PipelineSpec(
        target=f"{__name__}:ShadePipeline",
        model="shade",
        takes_style_image=True,
        typical_device_ms=200,
    ),
}
