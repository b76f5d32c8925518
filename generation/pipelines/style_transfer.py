"""Image style transfer by optimisation (Gatys, Ecker & Bethge, CVPR 2016).

A step is one evaluation of the loss and its gradient, and one movement of L-BFGS: so a picture can
be stopped, shown and interleaved with others at every step.

Differs from the paper: it begins with the picture, stirred by a little noise from the seed; pixels
are optimised in [0, 1]; the style's weights are those of the authors' published code, ``1000/N^2``
for a layer of N channels, scaled by the strength; the total variation is weighed in.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from generation.devices import move, torch_device, weight_bytes
from generation.errors import InvalidRequestError
from generation.imaging import to_pixels, to_tensor
from generation.pipelines.base import EngineConfig, Finished, OneByOne
from generation.pipelines.img2img_finish import resized
from generation.pipelines.kept import Kept, digest
from generation.pipelines.lbfgs import Lbfgs
from generation.pipelines.vgg import Vgg19, load_vgg19
from generation.request import ImageRequest, Pixels

CONTENT_LAYER = "conv4_2"
STYLE_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
CONTENT_WEIGHT, STYLE_WEIGHT, TV_WEIGHT = 1.0, 1000.0, 10.0
STIRRED = 0.02
NATIVE_SIDE, LEAST_SIDE, PREVIEW_SIDE = 512, 32, 256
DEFAULT_STEPS, MAX_STEPS = 150, 1000


@dataclass(slots=True, kw_only=True)
class StyleRow:
    """One picture being optimised.

    Args:
        loss: at the last evaluation.

    Shape:
        - canvas: ``(1, 3, h, w)``, about [0, 1].
        - content: ``(1, C, h', w')``, of the picture.
        - grams: each ``(1, C, C)``, of the artwork, by layer.
    """

    request: ImageRequest
    total_steps: int
    canvas: Tensor
    content: Tensor
    grams: Mapping[str, Tensor]
    memory: Lbfgs = field(default_factory=Lbfgs)
    loss: float = float("inf")
    step: int = 0
    width: int = 1
    bucket: Hashable = "style_transfer"


class StyleTransferPipeline(OneByOne):
    """Optimises pictures until a network sees their content and an artwork's style."""

    def __init__(self, vgg: Vgg19, *, device: torch.device, kept_bytes: int) -> None:
        self._vgg = vgg
        self._device = device
        self._grams: Kept[Mapping[str, Tensor]] = Kept(
            max_bytes=kept_bytes, size_of=lambda grams: sum(it.nbytes for it in grams.values())
        )

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        """Load torchvision's VGG19 from the operator's folder, whatever the name.

        Raises:
            ModelUnavailableError: it is not there or damaged.
        """
        del model
        device = torch_device(config.device)
        vgg = load_vgg19(models_dir=config.models_dir, device=device)
        return cls(vgg, device=device, kept_bytes=config.kept_bytes)

    @property
    def weight_bytes(self) -> int:
        """Bytes of the network."""
        return weight_bytes([self._vgg])

    @property
    def counted(self) -> Mapping[str, int]:
        """Artworks whose style was known, and artworks that were looked at."""
        return {"artwork_hits": self._grams.hits, "artwork_misses": self._grams.misses}

    def put_away(self) -> None:
        """Move the network to the host's memory."""
        self._grams.clear()
        move([self._vgg], "cpu")

    def bring(self) -> None:
        """Move the network back to the device."""
        move([self._vgg], self._device)

    @torch.no_grad()
    def admit(self, request: ImageRequest) -> StyleRow:
        """Look at the picture and the artwork, and stir the picture.

        Raises:
            InvalidRequestError: there is no artwork.
        """
        if request.style_image is None:
            raise InvalidRequestError("style transfer needs an artwork (style_image)")
        picture = self._fitted(request.picture)
        rng = torch.Generator().manual_seed(request.seed)
        noise = torch.randn(picture.shape, generator=rng).to(self._device)
        steps = min(request.num_inference_steps or DEFAULT_STEPS, MAX_STEPS)
        return StyleRow(
            request=request,
            total_steps=steps if request.strength > 0 else 0,
            canvas=picture + STIRRED * noise,
            content=self._vgg(picture)[CONTENT_LAYER],
            grams=self._style(request.style_image),
        )

    def _style(self, artwork: Pixels) -> Mapping[str, Tensor]:
        """Return the artwork's Gram matrices, by layer."""
        key = digest(artwork)
        grams = self._grams.get(key)
        if grams is None:
            seen = self._vgg(self._fitted(artwork))
            grams = {name: gram_matrix(seen[name]) for name in STYLE_LAYERS}
            self._grams.put(key, grams)
        return grams

    def _fitted(self, image: Pixels) -> Tensor:
        """Return a picture no larger than it is optimised at, and no smaller than VGG can see."""
        longer = max(image.width, image.height)
        scale = min(1.0, NATIVE_SIDE / longer)
        height, width = (
            max(LEAST_SIDE, round(side * scale)) for side in (image.height, image.width)
        )
        return resized(to_tensor(image, device=self._device), height=height, width=width)

    def advance(self, rows: Sequence[StyleRow]) -> None:
        """Evaluate the loss once for every row, and move its picture."""
        for row in rows:
            loss, gradient = self._evaluated(row)
            row.canvas = row.canvas + row.memory.movement(gradient)
            row.loss = loss
            row.step += 1

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
        seen = self._vgg(canvas)
        style = [
            functional.mse_loss(gram_matrix(seen[name]), gram) / gram.shape[-1] ** 2
            for name, gram in row.grams.items()
        ]
        return (
            CONTENT_WEIGHT * functional.mse_loss(seen[CONTENT_LAYER], row.content)
            + STYLE_WEIGHT * row.request.strength * torch.stack(style).sum()
            + TV_WEIGHT * total_variation(canvas)
        )

    @torch.no_grad()
    def preview(self, row: StyleRow) -> Pixels:
        """Return the picture as it is, at most 256 px a side."""
        image = row.request.picture
        scale = min(1.0, PREVIEW_SIDE / max(image.width, image.height))
        height, width = (max(1, round(side * scale)) for side in (image.height, image.width))
        return to_pixels(resized(row.canvas.clamp(0, 1), height=height, width=width))

    @torch.no_grad()
    def retire(self, row: StyleRow) -> Finished:
        """Return the finished picture at its request's size; at strength 0 the input itself."""
        image = row.request.picture
        if not row.total_steps:
            return Finished(image=image)
        result = resized(row.canvas.clamp(0, 1), height=image.height, width=image.width)
        height, width = row.canvas.shape[-2:]
        parameters = (("steps", str(row.total_steps)), ("native_size", f"{width}x{height}"))
        return Finished(image=to_pixels(result), parameters=parameters)


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
