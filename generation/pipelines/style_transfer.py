"""Image style transfer by optimisation (Gatys, Ecker & Bethge, CVPR 2016).

A step is one evaluation of the loss and its gradient, and one movement of L-BFGS: so a picture can
be stopped, shown and interleaved with others at every step.

Differs from the paper: sizes are passed from small to large (Gatys et al., "Controlling Perceptual
Factors in Neural Style Transfer", CVPR 2017, section 6; where colours are kept, brightness alone
is taken over, section 5); a movement that raises the loss is shortened and tried again; unless
noise is asked for it begins with the picture in the artwork's colours, stirred by a little noise
from the seed; pixels are optimised in [0, 1]; the total variation is weighed in; the network is
VGG19 or our own encoder.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from generation.devices import move, torch_device, weight_bytes
from generation.imaging import to_pixels, to_tensor
from generation.pipelines.base import EngineConfig, Finished, OneByOne
from generation.pipelines.collage_colours import match_colours, with_colours
from generation.pipelines.eyes import Eye, load_eye
from generation.pipelines.img2img_finish import resized
from generation.pipelines.kept import Kept, digest
from generation.pipelines.lbfgs import Lbfgs
from generation.request import ImageRequest, Manner, Pixels

STIRRED = 0.02
PREVIEW_SIDE = 256
MAX_STEPS = 1000
FULL_COLOURS = 0.6
"""The strength from which the content is all in the artworks' colours."""

Grams = Mapping[str, Tensor]


@dataclass(slots=True, kw_only=True)
class StyleRow:
    """One picture being optimised.

    Args:
        sides: the sizes it passes, small to large.
        ends: the step at which each ends.
        stage: which of them it is at.
        loss: of ``painted``, the lowest at this size.

    Shape:
        - canvas: ``(1, 3, h, w)``, about [0, 1], to be evaluated next.
        - painted: the same, the last one whose loss was no higher than before.
        - content: ``(1, C, h', w')``, of the picture.
        - grams: each ``(1, C, C)``, of the artworks, by layer.
    """

    request: ImageRequest
    manner: Manner
    total_steps: int
    sides: tuple[int, ...]
    ends: tuple[int, ...]
    canvas: Tensor
    painted: Tensor
    content: Tensor
    grams: Grams
    memory: Lbfgs = field(default_factory=Lbfgs)
    stage: int = 0
    loss: float = float("inf")
    step: int = 0
    width: int = 1
    bucket: Hashable = "style_transfer"


class StyleTransferPipeline(OneByOne):
    """Optimises pictures until a network sees their content and an artwork's style."""

    def __init__(self, eye: Eye, *, device: torch.device, kept_bytes: int) -> None:
        self._eye = eye
        self._device = device
        self._grams: Kept[Grams] = Kept(
            max_bytes=kept_bytes, size_of=lambda grams: sum(it.nbytes for it in grams.values())
        )

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        """Load VGG19 from the operator's folder or else our encoder, whatever the name.

        Raises:
            ModelUnavailableError: neither is there, or it is damaged.
        """
        del model
        device = torch_device(config.device)
        eye = load_eye(models_dir=config.models_dir, device=device)
        return cls(eye, device=device, kept_bytes=config.kept_bytes)

    @property
    def weight_bytes(self) -> int:
        """Bytes of the network."""
        return weight_bytes([self._eye.network])

    @property
    def counted(self) -> Mapping[str, int]:
        """Artworks whose style was known, and artworks that were looked at."""
        return {"artwork_hits": self._grams.hits, "artwork_misses": self._grams.misses}

    def put_away(self) -> None:
        """Move the network to the host's memory."""
        self._grams.clear()
        move([self._eye.network], "cpu")

    def bring(self) -> None:
        """Move the network back to the device."""
        move([self._eye.network], self._device)

    @torch.no_grad()
    def admit(self, request: ImageRequest) -> StyleRow:
        """Look at the picture and the artworks at the smallest size, and stir the picture.

        Raises:
            InvalidRequestError: there is no artwork.
        """
        steps = min(request.num_inference_steps or self._eye.steps, MAX_STEPS)
        sides, ends = _stages(self._eye, request.picture, steps=steps)
        manner = request.manner or Manner()
        picture = self._matched(request, side=sides[0])
        rng = torch.Generator().manual_seed(request.seed)
        noise = torch.randn(picture.shape, generator=rng).to(self._device)
        begun = picture + STIRRED * noise if manner.begin == "content" else 0.5 + 0.2 * noise
        return StyleRow(
            request=request,
            manner=manner,
            total_steps=steps if request.strength > 0 else 0,
            sides=sides,
            ends=ends,
            canvas=begun,
            painted=begun,
            content=self._eye.network(picture)[self._eye.content_layer],
            grams=self._styles(request, side=sides[0]),
        )

    def _styles(self, request: ImageRequest, *, side: int) -> Grams:
        """Return the weighed mean of the artworks' Gram matrices, by layer."""
        known = [(self._style(art, side=side), weight) for art, weight in request.artworks]
        if len(known) == 1:
            return known[0][0]
        return {
            layer: torch.stack([weight * grams[layer] for grams, weight in known]).sum(0)
            for layer in self._eye.style_layers
        }

    def _style(self, artwork: Pixels, *, side: int) -> Grams:
        """Return an artwork's Gram matrices at a size, by layer."""
        key = (digest(artwork), side)
        grams = self._grams.get(key)
        if grams is None:
            seen = self._eye.network(self._fitted(artwork, side=side))
            grams = {name: gram_matrix(seen[name]) for name in self._eye.style_layers}
            self._grams.put(key, grams)
        return grams

    def _matched(self, request: ImageRequest, *, side: int) -> Tensor:
        """Return the picture at a size, in the artworks' colours as far as the strength goes."""
        picture = self._fitted(request.picture, side=side)
        matched = [
            weight * match_colours(picture, self._fitted(artwork, side=side))
            for artwork, weight in request.artworks
        ]
        return picture.lerp(torch.stack(matched).sum(0), min(1.0, request.strength / FULL_COLOURS))

    def _fitted(self, image: Pixels, *, side: int) -> Tensor:
        """Return a picture no larger than a side, and no smaller than the network can see."""
        scale = min(1.0, side / max(image.width, image.height))
        height, width = (
            max(self._eye.least_side, round(edge * scale)) for edge in (image.height, image.width)
        )
        return resized(to_tensor(image, device=self._device), height=height, width=width)

    def advance(self, rows: Sequence[StyleRow]) -> None:
        """Evaluate the loss once for every row, and move its picture."""
        for row in rows:
            if row.step == row.ends[row.stage]:
                self._enlarge(row)
            loss, gradient = self._evaluated(row)
            if loss <= row.loss:
                movement = row.memory.movement(gradient)
                row.loss, row.painted = loss, row.canvas
            else:
                movement = row.memory.shortened()
            row.canvas = row.painted + movement
            row.step += 1

    @torch.no_grad()
    def _enlarge(self, row: StyleRow) -> None:
        """Go on at the next size."""
        side = row.sides[row.stage + 1]
        picture = self._matched(row.request, side=side)
        height, width = picture.shape[-2:]
        canvas = resized(row.painted, height=height, width=width)
        content = self._eye.network(picture)[self._eye.content_layer]
        grams = self._styles(row.request, side=side)
        # The loss is a mean over places: among more of them each one's share of it is less.
        more, reach = canvas.numel() / row.painted.numel(), row.memory.reach
        row.memory = Lbfgs(first=None if reach is None else more * reach)
        row.canvas, row.content, row.grams = canvas, content, grams
        row.loss, row.stage = float("inf"), row.stage + 1

    @torch.enable_grad()
    def _evaluated(self, row: StyleRow) -> tuple[float, Tensor]:
        canvas = row.canvas.detach().requires_grad_()
        # On a GPU the quickest gradients of convolutions differ from one time to the next.
        with torch.backends.cudnn.flags(deterministic=True, benchmark=False):
            loss = self._loss(row, canvas)
            (gradient,) = torch.autograd.grad(loss, canvas)
        return float(loss.detach()), gradient

    def _loss(self, row: StyleRow, canvas: Tensor) -> Tensor:
        """Return the weighed sum of what is lost of content, style and smoothness (equation 7)."""
        eye, manner = self._eye, row.manner
        seen = eye.network(canvas)
        style = [
            weight * functional.mse_loss(gram_matrix(seen[name]), row.grams[name])
            for name, weight in eye.style_layers.items()
        ]
        content = functional.mse_loss(seen[eye.content_layer], row.content)
        return (
            eye.content_weight * manner.content_weight * content
            + eye.style_weight * manner.style_weight * row.request.strength
            * torch.stack(style).sum()
            + eye.tv_weight * manner.tv_weight * total_variation(canvas)
        )  # fmt: skip

    @torch.no_grad()
    def preview(self, row: StyleRow) -> Pixels:
        """Return the picture as it is, at most 256 px a side."""
        image = row.request.picture
        scale = min(1.0, PREVIEW_SIDE / max(image.width, image.height))
        height, width = (max(1, round(side * scale)) for side in (image.height, image.width))
        return to_pixels(self._shown(row, height=height, width=width))

    @torch.no_grad()
    def retire(self, row: StyleRow) -> Finished:
        """Return the finished picture at its request's size; at strength 0 the input itself."""
        image = row.request.picture
        if not row.total_steps:
            return Finished(image=image)
        result = self._shown(row, height=image.height, width=image.width)
        height, width = row.canvas.shape[-2:]
        parameters = (
            ("network", self._eye.name),
            ("steps", str(row.total_steps)),
            ("native_size", f"{width}x{height}"),
        )
        return Finished(image=to_pixels(result), parameters=parameters)

    def _shown(self, row: StyleRow, *, height: int, width: int) -> Tensor:
        """Return the canvas at a size, with the picture's colours if they are kept."""
        canvas = resized(row.painted.clamp(0, 1), height=height, width=width)
        if not row.manner.keep_colours:
            return canvas
        picture = to_tensor(row.request.picture, device=self._device)
        return with_colours(canvas, resized(picture, height=height, width=width))


def _stages(eye: Eye, image: Pixels, *, steps: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the sizes that a picture passes, and the step at which each ends.

    Sizes beyond the picture's own are passed at that one; sizes that get no step are left out.
    """
    longer = max(image.width, image.height)
    ends: dict[int, int] = {}
    done = 0.0
    for scale in eye.scales:
        done += scale.share
        side, end = min(scale.side, longer), round(done * steps)
        if end > max(ends.values(), default=0) or side in ends:
            ends[side] = end
    *_, largest = ends
    ends[largest] = steps
    return tuple(ends), tuple(ends.values())


def gram_matrix(features: Tensor) -> Tensor:
    """Return the channel correlations of a feature map, divided by H*W (equation 3).

    Shape:
        - features: ``(N, C, H, W)``, any real values.
        - returns: ``(N, C, C)``, symmetric, positive semi-definite.
    """
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def total_variation(picture: Tensor) -> Tensor:
    """Return the mean squared difference of neighbours.

    Shape:
        - picture: ``(N, C, H, W)``; returns ``()``.
    """
    down = functional.mse_loss(picture[..., 1:, :], picture[..., :-1, :])
    return down + functional.mse_loss(picture[..., 1:], picture[..., :-1])
