"""Pictures by a VAE's latents: varied, blended with another, or designed by its prior.

A picture is varied by noise that is smooth over its latents, and moved along the directions that
words have; two are blended on a great circle between their latents (Shoemake, SIGGRAPH 1985). Of a
codec whose checkpoint carries small results over to full-size pictures, latents are of small ones,
too: what they change is added to the full-size pictures, which keeps their details and is sooner
done. A design is noise of the seed that the prior carries to latents, led by words. An animation
goes the way in even steps: one step of the row is one picture.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from generation.devices import move, torch_device, weight_bytes
from generation.errors import InvalidRequestError
from generation.imaging import to_pixels, to_tensor
from generation.pipelines.base import EngineConfig, Finished, OneByOne
from generation.pipelines.enlarging import enlarged
from generation.pipelines.img2img_finish import resized
from generation.pipelines.latent_prior import GUIDANCE, LatentPrior, carried, slerp
from generation.pipelines.vae_codec import VaeCodec, load_vae
from generation.request import Canvas, ImageRequest, Note, NoteCode, Pixels, Walk
from generation.vaes import heard, vae_named

LONGEST_SIDE, LONGEST_FRAME, CARRIED_SIDE = 1024, 384, 128
PREVIEW_SIDE = 256
COARSE = 8
"""Places of the latents over which the noise of a variation stays about the same."""
VARIED = 0.8
"""Of the latents' own deviation, at full strength."""
STEPS, TURN = 10, 2
"""Steps of a design, and after how many of them a direction is taken."""
ALONG = 2.5
"""How often a direction's difference of means is gone at full strength."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The pictures at both ends of a way, between which the full-size ones lie.

    Args:
        factor: pixels of the small ones in each direction that share a place of the latents.

    Shape:
        - first, second: ``(1, 3, H, W)``, full-size.
        - small_first, small_second: ``(1, 3, h, w)``, as the codec returns them.
    """

    first: Tensor
    second: Tensor
    small_first: Tensor
    small_second: Tensor
    factor: int

    def carried(self, made: Tensor, share: float) -> Tensor:
        """Return the full-size picture of a small one: its differences, added to the ends' mix.

        Only their mean over a place of the latents is taken: within one a decoder that is led
        far from what it was trained on leaves a grid.
        """
        change = made - self.small_first.lerp(self.small_second, share)
        change = functional.avg_pool2d(change, self.factor)
        full = self.first.lerp(self.second, share)
        size = full.shape[-2:]
        return (full + functional.interpolate(change, size=size, mode="bicubic")).clamp(0, 1)


@dataclass(slots=True, kw_only=True)
class VaeRow:
    """One picture, or the frames of an animation, being made.

    Args:
        first, second: between what it goes; latents, or a design's noise.
        shares: of the way, one for each picture.
        size: height and width of the pictures.
        ends: of the way, where small pictures are carried over.
    """

    request: ImageRequest
    shares: Sequence[float]
    size: tuple[int, int]
    first: Tensor
    second: Tensor | None = None
    ends: Ends | None = None
    pictures: list[Tensor] = field(default_factory=list)
    notes: tuple[Note, ...] = ()
    words: tuple[str, ...] = ()
    step: int = 0
    width: int = 1
    bucket: Hashable = "vae"

    @property
    def total_steps(self) -> int:
        """Pictures to make; 0 when the input is the answer."""
        return len(self.shares)


class VaePipeline(OneByOne):
    """Makes pictures from the latents of one VAE."""

    def __init__(self, codec: VaeCodec, *, device: torch.device) -> None:
        self._codec = codec
        self._device = device

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        """Load a VAE: of our own, of diffusers, or a checkpoint's.

        Raises:
            ModelUnavailableError: it is missing, damaged, or something else.
        """
        device = torch_device(config.device)
        return cls(
            load_vae(vae_named(model, models_dir=config.models_dir), device=device), device=device
        )

    @classmethod
    def weigh(cls, *, model: str, config: EngineConfig) -> int:
        """Return about how many bytes it will take.

        Raises:
            ModelUnavailableError: it is missing.
        """
        return 2 * sum(it.stat().st_size for it in cls.files(model=model, config=config))

    @classmethod
    def files(cls, *, model: str, config: EngineConfig) -> Sequence[Path]:
        """Return the files of its weights.

        Raises:
            ModelUnavailableError: it is missing.
        """
        folder = vae_named(model, models_dir=config.models_dir).folder
        return sorted(folder.rglob("*.safetensors"))

    @property
    def weight_bytes(self) -> int:
        """Bytes of the networks."""
        return weight_bytes(self._codec.networks)

    def put_away(self) -> None:
        """Move the networks to the host's memory."""
        move(self._codec.networks, "cpu")

    def bring(self) -> None:
        """Move the networks back to the device."""
        move(self._codec.networks, self._device)

    @torch.no_grad()
    def admit(self, request: ImageRequest) -> VaeRow:
        """Make a row: encode the pictures, or draw a design's noise.

        Raises:
            InvalidRequestError: there is no picture and no prior to design by, or something that
                a VAE does not know: a mask, a control, a likeness.
        """
        if request.mask or request.control or request.like:
            raise InvalidRequestError("a VAE takes no mask, no control and no likeness")
        if isinstance(request.image, Canvas):
            return self._design(request, request.image)
        if request.style_image is not None:
            return self._blend(request, request.image, request.style_image)
        return self._variation(request, request.image)

    def _design(self, request: ImageRequest, canvas: Canvas) -> VaeRow:
        prior, walk = self._prior, request.walk or Walk()
        words, unknown = heard(request.prompt, words=prior.words)
        if walk.direction and walk.direction not in prior.words:
            raise InvalidRequestError(f"no direction {walk.direction!r} is known here")
        first, second = (_noise(prior, seed=(request.seed + more) % 2**32) for more in (0, 1))
        return VaeRow(
            request=request,
            shares=shares_of(walk, end=request.strength if walk.direction else 1.0),
            size=_limited((canvas.height, canvas.width), frames=walk.frames),
            first=first.to(self._device),
            second=None if walk.direction or walk.frames == 1 else second.to(self._device),
            notes=notes_on(unknown, words=prior.words),
            words=words,
        )

    def _blend(self, request: ImageRequest, image: Pixels, other: Pixels) -> VaeRow:
        walk = request.walk or Walk()
        size = _limited((image.height, image.width), frames=walk.frames)
        first, second = (self._encoded(each, size) for each in (image, other))
        return VaeRow(
            request=request,
            shares=shares_of(walk, end=request.strength),
            size=size,
            first=first,
            second=second,
            ends=self._ends((image, other), (first, second), size=size),
        )

    def _variation(self, request: ImageRequest, image: Pixels) -> VaeRow:
        prior, walk = self._codec.prior, request.walk or Walk()
        size = _limited((image.height, image.width), frames=walk.frames)
        first = self._encoded(image, size)
        known = prior.words if prior else ()
        words, unknown = heard(request.prompt, words=known)
        second = first + VARIED * _smooth_noise(first, seed=request.seed)
        for word in words:
            second = second + self._codec.direction(word, like=first)
        return VaeRow(
            request=request,
            shares=shares_of(walk, end=request.strength),
            size=size,
            first=first,
            second=second,
            ends=self._ends((image, image), (first, first), size=size),
            notes=notes_on(unknown, words=known),
        )

    @property
    def _prior(self) -> LatentPrior:
        if self._codec.prior is None:
            name = self._codec.vae.name
            raise InvalidRequestError(f"{name} has no prior, and so designs nothing by itself")
        return self._codec.prior

    def _encoded(self, image: Pixels, size: tuple[int, int]) -> Tensor:
        """Return a picture's latents, cut to the shape of a size and fitted to the VAE's places."""
        factor, longest = self._codec.factor, CARRIED_SIDE if self._codec.vae.carried else max(size)
        shrink = min(1.0, longest / max(size))
        height, width = (max(1, round(side * shrink / factor)) * factor for side in size)
        return self._codec.encode(self._shaped(image, (height, width)))

    def _shaped(self, image: Pixels, size: tuple[int, int]) -> Tensor:
        """Return the middle of a picture at a size."""
        height, width = size
        picture = _cut(to_tensor(image, device=self._device), height / width)
        return resized(picture, height=height, width=width)

    def _ends(
        self,
        images: tuple[Pixels, Pixels],
        latents: tuple[Tensor, Tensor],
        *,
        size: tuple[int, int],
    ) -> Ends | None:
        """Return the ends of a way, None where pictures are decoded at their own size."""
        if not self._codec.vae.carried:
            return None
        first, second = (self._shaped(image, size) for image in images)
        small_first, small_second = (self._codec.decode(each) for each in latents)
        return Ends(
            first=first,
            second=second,
            small_first=small_first,
            small_second=small_second,
            factor=self._codec.factor,
        )

    @torch.no_grad()
    def advance(self, rows: Sequence[VaeRow]) -> None:
        """Make the next picture of every row, each by itself."""
        for row in rows:
            picture = self._picture(row, row.shares[row.step])
            row.pictures.append(picture)
            row.step += 1

    def _picture(self, row: VaeRow, share: float) -> Tensor:
        """Return the picture at a share of a row's way."""
        height, width = row.size
        if isinstance(row.request.image, Canvas):
            made = self._codec.decode(self._designed(row, share))
            return enlarged(made, height=height, width=width)
        assert row.second is not None, "pictures go towards another, or a variation of themselves"
        between = slerp if row.request.style_image is not None else torch.lerp
        made = self._codec.decode(between(row.first, row.second, share))
        if row.ends is not None:
            return row.ends.carried(made, share)
        return resized(made, height=height, width=width)

    def _designed(self, row: VaeRow, share: float) -> Tensor:
        """Return the latents of a design, ``share`` of the way to another or in a direction.

        The direction is taken after the first steps, when it is settled what stands where: its
        difference of means is added, and from then on its word is heard as much besides.
        """
        prior, walk = self._prior, row.request.walk or Walk()
        words = prior.said(row.words)[None].to(self._device)
        noise = row.first if row.second is None else slerp(row.first, row.second, share)
        turn = TURN / STEPS
        x = carried(prior.guided(words, guidance=GUIDANCE), noise, end=turn, steps=TURN)
        if walk.direction and share > 0:
            place = prior.words.index(walk.direction)
            x = x + share * ALONG * turn * prior.directions[place]
            words = words.clone()
            words[0, place] = max(float(words[0, place]), share)
        velocity = prior.guided(words, guidance=GUIDANCE)
        return prior.unscaled(carried(velocity, x, begin=turn, steps=STEPS - TURN))

    @torch.no_grad()
    def preview(self, row: VaeRow) -> Pixels | None:
        """Return the newest picture, at most 256 px a side."""
        if not row.pictures:
            return None
        shrink = min(1.0, PREVIEW_SIDE / max(row.size))
        height, width = (max(1, round(side * shrink)) for side in row.size)
        return to_pixels(resized(row.pictures[-1], height=height, width=width))

    @torch.no_grad()
    def retire(self, row: VaeRow) -> Finished:
        """Return the picture, or frames one below the other; at strength 0 the input itself."""
        if not row.total_steps:
            return Finished(image=row.request.picture, notes=row.notes)
        parameters = (("frames", str(len(row.pictures))),) if len(row.pictures) > 1 else ()
        strip = torch.cat(row.pictures, dim=2)
        height, width = row.request.image.height, row.request.image.width
        if len(row.pictures) == 1:
            strip = resized(strip, height=height, width=width)
        return Finished(image=to_pixels(strip), notes=row.notes, parameters=parameters)


def shares_of(walk: Walk, *, end: float) -> tuple[float, ...]:
    """Return the shares of the way at which pictures are made; none where nobody goes."""
    if walk.frames > 1:
        whole = end or 1.0
        return tuple(whole * frame / (walk.frames - 1) for frame in range(walk.frames))
    return (end,) if end > 0 or walk.direction else ()


def _limited(size: tuple[int, int], *, frames: int) -> tuple[int, int]:
    """Return the height and width to work at; frames are smaller."""
    longest = LONGEST_SIDE if frames == 1 else LONGEST_FRAME
    scale = min(1.0, longest / max(size))
    height, width = (max(1, round(side * scale)) for side in size)
    return height, width


def _cut(picture: Tensor, shape: float) -> Tensor:
    """Return the middle of a picture in a shape, its height by its width."""
    height, width = picture.shape[-2:]
    tall, wide = min(height, round(width * shape)), min(width, round(height / shape))
    top, left = (height - tall) // 2, (width - wide) // 2
    return picture[..., top : top + max(1, tall), left : left + max(1, wide)]


def _noise(prior: LatentPrior, *, seed: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn((1, prior.latents, prior.size, prior.size), generator=rng)


def _smooth_noise(like: Tensor, *, seed: int) -> Tensor:
    """Return noise of the deviation that every channel has, smooth over the places."""
    rng = torch.Generator().manual_seed(seed)
    channels, height, width = like.shape[-3:]
    few = (1, channels, ceil(height / COARSE) + 1, ceil(width / COARSE) + 1)
    coarse = torch.randn(few, generator=rng).to(like)
    smooth = functional.interpolate(coarse, size=(height, width), mode="bicubic")
    return smooth * like.std(dim=(2, 3), keepdim=True, correction=0)


def notes_on(unknown: Sequence[str], *, words: Sequence[str]) -> tuple[Note, ...]:
    """Tell the member which words meant nothing, and which would."""
    if not unknown:
        return ()
    said = Note(code=NoteCode.UNKNOWN_WORDS, words=tuple(unknown))
    known = Note(code=NoteCode.KNOWN_WORDS, words=tuple(words))
    return (said, known) if words else (said,)
