"""A row of img2img: one request under way, with the denoisings that it asks for."""

from collections.abc import Hashable
from dataclasses import dataclass

from torch import Tensor

from generation.loras import Lora
from generation.pipelines.conditioning import NOTHING, Beside
from generation.pipelines.denoising import Denoising
from generation.prompts import Reading
from generation.request import ImageRequest


@dataclass(slots=True, kw_only=True)
class Img2ImgRow:
    """One request under way.

    Args:
        text: what the prompt says, without the LoRA that it asks for.
        source: the picture at the size it is run at, ``(1, 3, h, w)`` in [0, 1].
        recoded: the same as the codec returns it, for finishes that compare with it.
        edit: the denoising of the picture; None when the input is the answer.
        masks: further denoisings, whose results say where layers may show.
        blend: share of the edit in the result, for families without a strength of their own.
        width: denoiser rows that it takes in one call.
        shape: what its calls are padded to, None for the smallest allowed.
        beside: the networks that go beside the denoiser for it.
        decoded: the results of its denoisings as pictures, once they have been decoded.
    """

    request: ImageRequest
    model: Hashable
    text: str
    loras: tuple[Lora, ...]
    width: int
    shape: int | None
    source: Tensor
    recoded: Tensor
    edit: Denoising | None
    masks: dict[str, Denoising]
    reading: Reading
    blend: float
    beside: Beside = NOTHING
    decoded: tuple[Tensor, ...] = ()

    @property
    def bucket(self) -> Hashable:
        """Rows of one model, what goes with it, size and dtype share calls, if exact of a shape."""
        return self.model, self.loras, self.beside, self.size, self.shape

    @property
    def size(self) -> Hashable:
        """The sides of the picture, and how long its prompt is for the denoiser."""
        length = 0 if self.edit is None else self.edit.words.shape[1]
        return (*self.source.shape[-2:], length)

    @property
    def step(self) -> int:
        """Steps done, those of masks included."""
        return sum(denoising.step for denoising in self.denoisings)

    @property
    def total_steps(self) -> int:
        """Steps to do; 0 when the input is the answer."""
        return sum(len(denoising.schedule) for denoising in self.denoisings)

    @property
    def denoisings(self) -> tuple[Denoising, ...]:
        """All denoisings, in the order they are done."""
        return () if self.edit is None else (self.edit, *self.masks.values())

    @property
    def current(self) -> Denoising:
        """The denoising that the next step belongs to."""
        return next(denoising for denoising in self.denoisings if not denoising.done)
