"""The picture codec's calls: several pictures at a time, at one padded shape.

Rows that are admitted together are encoded together, rows that retire together are decoded
together. As with the denoiser's calls, bits at a fixed shape do not depend on who shares the call,
which is measured before anyone does; so in exact mode every call of a size has the one shape.
"""

import logging
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from generation.checkpoints import Checkpoint
from generation.imaging import to_tensor
from generation.pipelines.img2img_finish import resized
from generation.pipelines.kept import Kept, digest
from generation.pipelines.masking import hidden
from generation.pipelines.profile import SHAPES
from generation.request import Canvas, Pixels

logger = logging.getLogger(__name__)


class Codec:
    """A checkpoint's codec, a few pictures a call.

    Args:
        rows: pictures of one call; in exact mode the shape that every call is padded to. Halved
            for good when memory does not suffice; results tell it by a parameter.
    """

    def __init__(self, checkpoint: Checkpoint, *, exact: bool, rows: int) -> None:
        self._checkpoint = checkpoint
        self._exact = exact
        self.rows = rows
        self._apart: dict[Hashable, bool] = {}
        self._calls = 0
        self._pictures = 0

    @property
    def counted(self) -> Mapping[str, int]:
        """The calls, and the pictures that went through them."""
        return {"codec_calls": self._calls, "codec_pictures": self._pictures}

    def encode(self, pictures: Sequence[Tensor]) -> list[Tensor]:
        """Return the modes of pictures' latents, each ``(1, C, H/f, W/f)``, unscaled."""
        return self._run("encode", self._checkpoint.encode, pictures)

    def decode(self, latents: Sequence[Tensor]) -> list[Tensor]:
        """Return the pictures of the denoiser's latents, each ``(1, 3, h*f, w*f)``."""
        unscaled = [self._checkpoint.unscaled(each) for each in latents]
        return self.decode_unscaled(unscaled)

    def decode_unscaled(self, latents: Sequence[Tensor]) -> list[Tensor]:
        """Return the pictures of latents as the encoder gave them."""
        return self._run("decode", self._checkpoint.decode, latents)

    def rows_of(self, kind: str, function: Callable[[Tensor], Tensor], like: Tensor) -> int:
        """Return how many pictures share a call at a size: or 1, if they change others."""
        if not self._exact or self.rows == 1:
            return self.rows
        key = (kind, self.rows, tuple(like.shape))
        if key not in self._apart:
            self._apart[key] = keeps_apart(function, like=like, shape=self.rows)
            if not self._apart[key]:
                logger.warning(
                    "%s: pictures that are %sd together change each other; they go one by one",
                    self._checkpoint.name, kind,
                )  # fmt: skip
        return self.rows if self._apart[key] else 1

    def _run(
        self, kind: str, function: Callable[[Tensor], Tensor], items: Sequence[Tensor]
    ) -> list[Tensor]:
        """Return the function of every item; items of one size share calls."""
        order = sorted(range(len(items)), key=lambda index: tuple(items[index].shape))
        answers = list(items)
        for _, same in groupby(order, key=lambda index: items[index].shape):
            indices = list(same)
            found = self._run_alike(kind, function, [items[index] for index in indices])
            for index, answer in zip(indices, found, strict=True):
                answers[index] = answer
        return answers

    def _run_alike(
        self, kind: str, function: Callable[[Tensor], Tensor], items: Sequence[Tensor]
    ) -> list[Tensor]:
        """Return the function of items of one size, in smaller calls if memory does not suffice."""
        try:
            rows = self.rows_of(kind, function, items[0])
            answers = []
            for start in range(0, len(items), rows):
                some = items[start : start + rows]
                answers += _call(function, some, shape=self._shape(len(some), rows))
                self._calls += 1
                self._pictures += len(some)
        except torch.OutOfMemoryError:
            if self.rows == 1:
                raise
            self.rows //= 2
            name = self._checkpoint.name
            logger.warning("%s: memory suffices to %s %d together", name, kind, self.rows)
            return self._run_alike(kind, function, items)
        return answers

    def _shape(self, taken: int, rows: int) -> int:
        if self._exact:
            return rows
        return next((shape for shape in SHAPES if shape >= taken), taken)


def _call(
    function: Callable[[Tensor], Tensor], items: Sequence[Tensor], *, shape: int
) -> list[Tensor]:
    """Call a function with items of one size, padded to a shape; what pads is thrown away."""
    if shape == 1:
        return [function(items[0])]
    padding = items[0].new_zeros(shape - len(items), *items[0].shape[1:])
    answers = function(torch.cat([*items, padding]))
    return [answers[index : index + 1].clone() for index in range(len(items))]


def keeps_apart(function: Callable[[Tensor], Tensor], *, like: Tensor, shape: int) -> bool:
    """Return whether a row's answer has the same bits at every place, beside any rows.

    Shape:
        - like: ``(1, ...)``, what one row looks like.
    """
    rng = torch.Generator().manual_seed(0)
    one = torch.rand(like.shape, generator=rng).to(like)
    expected = function(one.repeat(shape, *[1] * (one.dim() - 1)))
    if not bool((expected == expected[:1]).all()):
        return False
    for place in {0, shape // 2, shape - 1}:
        crowd = torch.rand((shape, *like.shape[1:]), generator=rng).to(like)
        crowd[place] = one[0]
        if not torch.equal(function(crowd)[place], expected[0]):
            return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is encoded: a picture or an empty canvas, grey where a mask hides it."""

    image: Pixels | Canvas
    mask: Pixels | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """A picture as a checkpoint sees it.

    Args:
        recoded: what the codec makes of the latents, for finishes that compare with it.

    Shape:
        - source, recoded: ``(1, 3, h, w)`` in [0, 1], at the size that the picture is run at.
        - latents: ``(1, C, h/f, w/f)``, unscaled.
    """

    source: Tensor
    latents: Tensor
    recoded: Tensor

    @property
    def bytes(self) -> int:
        """The memory that it takes."""
        return sum(it.nbytes for it in {id(it): it for it in self._parts}.values())

    @property
    def _parts(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.source, self.latents, self.recoded


class Encoder:
    """Fits and encodes pictures, and keeps what it made of them by their bytes."""

    def __init__(self, checkpoint: Checkpoint, codec: Codec, *, max_bytes: int) -> None:
        self._checkpoint = checkpoint
        self._codec = codec
        self._kept: Kept[Encoded] = Kept(max_bytes=max_bytes, size_of=lambda it: it.bytes)

    def encode(self, views: Sequence[View]) -> list[Encoded]:
        """Return the pictures encoded; those that are not kept, in as few calls as pays."""
        keys = [_key(view) for view in views]
        found = {key: self._kept.get((self._codec.rows, key)) for key in dict.fromkeys(keys)}
        new = {key: view for key, view in zip(keys, views, strict=True) if found[key] is None}
        for key, encoded in zip(new, self._fresh(list(new.values())), strict=True):
            self._kept.put((self._codec.rows, key), encoded)
            found[key] = encoded
        answers = [found[key] for key in keys]
        return [answer for answer in answers if answer is not None]

    def blank(self, canvas: Canvas) -> Encoded:
        """Return an empty canvas as a checkpoint sees it; its latents say nothing."""
        source, factor = self._fitted(View(image=canvas)), self._checkpoint.vae_factor
        height, width = (side // factor for side in source.shape[-2:])
        channels = int(self._checkpoint.vae.config.latent_channels)
        latents = source.new_zeros(1, channels, height, width)
        return Encoded(source=source, latents=latents, recoded=source)

    @property
    def counted(self) -> Mapping[str, int]:
        """Pictures that were kept encoded, and pictures that were not."""
        return {"picture_hits": self._kept.hits, "picture_misses": self._kept.misses}

    def clear(self) -> None:
        """Keep nothing of what was encoded."""
        self._kept.clear()

    def _fresh(self, views: Sequence[View]) -> list[Encoded]:
        sources = [self._fitted(view) for view in views]
        latents = self._codec.encode(sources)
        compared = self._checkpoint.manifest.finish is not None
        recoded = self._codec.decode_unscaled(latents) if compared else sources
        return [
            Encoded(source=source, latents=latent, recoded=again)
            for source, latent, again in zip(sources, latents, recoded, strict=True)
        ]

    def _fitted(self, view: View) -> Tensor:
        """Return the picture at the checkpoint's size, sides a multiple of its levels."""
        image, device, model = view.image, self._checkpoint.device, self._checkpoint
        width, height = model.family.fitted(
            image.width, image.height, side=model.native_size, multiple=model.multiple
        )
        if isinstance(image, Canvas):
            return torch.full((1, 3, height, width), 0.5, device=device)
        picture = resized(to_tensor(image, device=device), height=height, width=width)
        return picture if view.mask is None else hidden(picture, mask=view.mask)


def _key(view: View) -> Hashable:
    """Return what tells a view from every other."""
    image, mask = view.image, view.mask
    shown: Hashable = image if isinstance(image, Canvas) else digest(image)
    return shown if mask is None else (shown, digest(mask))
