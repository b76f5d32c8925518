"""Pictures of a seed alone: by a StyleGAN2, by the digits' GAN or VAE, or by the painter.

A request's strength is the truncation: 0 makes the usual picture whatever the seed, 1 leaves the
latents as they are. A second seed may be mixed in: of StyleGAN2 it gives the finer half of the
styles, of the painter colours and wear, of the digits half of the way between two latents.

A picture that a request brings is looked for among those that the model makes, one evaluation of
the loss a step (Karras et al., CVPR 2020, section 5, "projection"). Differs from the paper: the
loss is that of pixels at several sizes, for no network trained on faces is at hand; the noise
stays the layers' own.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from generation.cards import read_card
from generation.devices import move, torch_device, weight_bytes
from generation.errors import InvalidRequestError, ModelUnavailableError
from generation.heads import elements, read_head
from generation.imaging import to_pixels, to_tensor
from generation.pipelines.base import EngineConfig, Finished, OneByOne
from generation.pipelines.gan import LATENTS, DigitsGenerator
from generation.pipelines.img2img_finish import resized
from generation.pipelines.stylegan2 import StyleGan2, style_mixed
from generation.pipelines.vae import DigitsVae
from generation.portraits import WEIGHTS, Portraitist, portraitist_named
from generation.request import Canvas, ImageRequest, Pixels
from generation.sums import require_recorded
from generation.trained import load_trained
from generation.training.avatars import painted
from generation.training.avatars_traits import crossed, traits_of

PROJECTION_STEPS, MAX_STEPS = 100, 500
RATE, RISE, FALL = 0.1, 0.05, 0.25
"""Adam's rate in a projection, and the shares of the steps in which it rises and falls."""
STIRRED = 0.05
"""Of the spread of latents: noise that a projection has at first, and none at the end."""
AVERAGED, PREVIEW_SIDE = 2000, 256


class Making(Protocol):
    """A network that makes pictures of latents."""

    @property
    def network(self) -> nn.Module:
        """Its weights."""

    def latents(self, seed: int, *, truncation: float) -> Tensor:
        """Return the latents of a seed."""

    def mixed(self, first: Tensor, second: Tensor) -> Tensor:
        """Return latents with something of both."""

    def usual(self) -> tuple[Tensor, float]:
        """Return the latents that a projection starts from, and the spread of others."""

    def pictures(self, latents: Tensor) -> Tensor:
        """Return pictures.

        Shape:
            - returns: ``(1, 3, side, side)``, about [0, 1].
        """


@dataclass(slots=True, kw_only=True)
class StyleMaking:
    """StyleGAN2; its latents are the styles of all layers."""

    network: StyleGan2

    def latents(self, seed: int, *, truncation: float) -> Tensor:
        """Return truncated styles."""
        z = _normal(seed, self.network.z_dim, like=self.network.mapping.w_avg)
        return self.network.styles(z, truncation_psi=truncation)

    def mixed(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the first's coarse styles with the second's fine ones."""
        return style_mixed(first, second, crossover=self.network.num_ws // 2)

    def usual(self) -> tuple[Tensor, float]:
        """Return ``w_avg`` for every layer, and the standard deviation of w."""
        z = torch.randn(AVERAGED, self.network.z_dim, generator=torch.Generator().manual_seed(0))
        average = self.network.mapping.w_avg
        w = self.network.mapping(z.to(average))
        spread = float((w - average).square().sum(dim=1).mean().div(w.shape[1]).sqrt())
        return average.expand(1, self.network.num_ws, -1), spread

    def pictures(self, latents: Tensor) -> Tensor:
        """Return pictures in [0, 1]."""
        pictures: Tensor = self.network.synthesis(latents)
        return (pictures + 1) / 2


@dataclass(slots=True, kw_only=True)
class DigitMaking:
    """The digits' GAN, or VAE; truncation brings latents nearer to 0."""

    network: nn.Module
    size: int
    decode: Callable[[Tensor], Tensor]

    def latents(self, seed: int, *, truncation: float) -> Tensor:
        """Return latents of N(0, 1), scaled."""
        return truncation * _normal(seed, self.size, like=next(self.network.parameters()))

    def mixed(self, first: Tensor, second: Tensor) -> Tensor:
        """Return latents half of the way, as far from 0 as either."""
        return (first + second) / math.sqrt(2)

    def usual(self) -> tuple[Tensor, float]:
        """Return 0, and 1."""
        return torch.zeros(1, self.size, device=next(self.network.parameters()).device), 1.0

    def pictures(self, latents: Tensor) -> Tensor:
        """Return grey pictures in [0, 1]."""
        return self.decode(latents).expand(-1, 3, -1, -1)


@dataclass(slots=True, kw_only=True)
class PortraitRow:
    """A picture to be made in one step, or one that is looked for.

    Args:
        search: what a projection keeps; None where a picture is made of a seed.
        loss: at the last evaluation.
    """

    request: ImageRequest
    total_steps: int
    search: "Search | None" = None
    made: Pixels | None = None
    loss: float = math.inf
    step: int = 0
    width: int = 1
    bucket: Hashable = "portrait"


@dataclass(slots=True, kw_only=True)
class Search:
    """Where a projection is, with what Adam remembers (Kingma & Ba, ICLR 2015).

    Shape:
        - target: ``(1, 3, side, side)``, in [0, 1].
        - latents, first, second: of the network's latents.
    """

    target: Tensor
    latents: Tensor
    spread: float
    first: Tensor
    second: Tensor
    rng: torch.Generator


class PortraitPipeline(OneByOne):
    """Makes pictures of seeds, and looks for given ones among them."""

    def __init__(self, making: Making | None, *, device: torch.device) -> None:
        self._making = making
        self._device = device

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        """Load a model by name; the painter has nothing to load.

        Raises:
            ModelUnavailableError: it is not there, damaged, or of another network.
        """
        device = torch_device(config.device)
        found = portraitist_named(model, models_dir=config.models_dir)
        if found.folder is None:
            return cls(None, device=device)
        if wrong := read_card(model, models_dir=config.models_dir).unusable:
            raise ModelUnavailableError(f"{model} is not used: {wrong}")
        require_recorded(model, found.folder, models_dir=config.models_dir)
        return cls(_making(found, device=device), device=device)

    @classmethod
    def weigh(cls, *, model: str, config: EngineConfig) -> int:
        """Return the bytes of the weights in float32, whatever they are in the file."""
        return 4 * sum(elements(read_head(it)) for it in cls.files(model=model, config=config))

    @classmethod
    def files(cls, *, model: str, config: EngineConfig) -> Sequence[Path]:
        """Return the file of the weights, none of the painter."""
        folder = portraitist_named(model, models_dir=config.models_dir).folder
        return () if folder is None else (folder / WEIGHTS,)

    @property
    def weight_bytes(self) -> int:
        """Bytes of the network."""
        return weight_bytes(self._networks())

    @property
    def counted(self) -> Mapping[str, int]:
        """Nothing."""
        return {}

    def put_away(self) -> None:
        """Move the network to the host's memory."""
        move(self._networks(), "cpu")

    def bring(self) -> None:
        """Move the network back to the device."""
        move(self._networks(), self._device)

    def _networks(self) -> list[nn.Module]:
        return [] if self._making is None else [self._making.network]

    @torch.no_grad()
    def admit(self, request: ImageRequest) -> PortraitRow:
        """Take a seed, or a picture to look for.

        Raises:
            InvalidRequestError: there is a picture, and the painter cannot look for any.
        """
        if isinstance(request.image, Canvas):
            return PortraitRow(request=request, total_steps=1)
        if self._making is None:
            raise InvalidRequestError("the painter of avatars cannot look for a picture")
        steps = min(request.num_inference_steps or PROJECTION_STEPS, MAX_STEPS)
        search = self._search(self._making, request)
        return PortraitRow(request=request, total_steps=steps, search=search)

    def _search(self, making: Making, request: ImageRequest) -> Search:
        start, spread = making.usual()
        side = making.pictures(start).shape[-1]
        target = resized(
            _square(to_tensor(request.picture, device=self._device)), height=side, width=side
        )
        return Search(
            target=target,
            latents=start.clone(),
            spread=spread,
            first=torch.zeros_like(start),
            second=torch.zeros_like(start),
            rng=torch.Generator().manual_seed(request.seed),
        )

    def advance(self, rows: Sequence[PortraitRow]) -> None:
        """Make the pictures of rows with a seed, and move the others' latents once."""
        for row in rows:
            if row.search is None:
                row.made = self._made(row.request)
            else:
                self._moved(row, row.search)
            row.step += 1

    @torch.no_grad()
    def _made(self, request: ImageRequest) -> Pixels:
        mix = None if request.portrait is None else request.portrait.mix
        if self._making is None:
            traits = traits_of(request.seed, truncation=request.strength)
            if mix is not None:
                traits = crossed(traits, traits_of(mix, truncation=request.strength))
            return to_pixels(painted(traits, side=max(request.image.width, request.image.height)))
        latents = self._making.latents(request.seed, truncation=request.strength)
        if mix is not None:
            other = self._making.latents(mix, truncation=request.strength)
            latents = self._making.mixed(latents, other)
        return self._shown(self._making, latents, side=request.image.width)

    @torch.enable_grad()
    def _moved(self, row: PortraitRow, search: Search) -> None:
        """Evaluate the loss once, and take a step of Adam down it."""
        assert self._making is not None
        share = row.step / row.total_steps
        stir = STIRRED * search.spread * max(0.0, 1 - share / 0.75) ** 2
        noise = torch.randn(search.latents.shape, generator=search.rng).to(search.latents)
        latents = search.latents.detach().requires_grad_()
        with torch.backends.cudnn.flags(deterministic=True, benchmark=False):
            made = self._making.pictures(latents + stir * noise)
            loss = pyramid_loss(made, search.target)
            (slope,) = torch.autograd.grad(loss, latents)
        count = row.step + 1
        search.first = search.first.lerp(slope, 0.1)
        search.second = search.second.lerp(slope.square(), 0.001)
        up, down = search.first / (1 - 0.9**count), search.second / (1 - 0.999**count)
        rate = RATE * search.spread * _ramp(share)
        search.latents = search.latents - rate * up / (down.sqrt() + 1e-8)
        row.loss = float(loss.detach())

    @torch.no_grad()
    def preview(self, row: PortraitRow) -> Pixels | None:
        """Return the nearest picture so far; None where one is made at once."""
        if row.search is None or self._making is None:
            return None
        return self._shown(self._making, row.search.latents, side=PREVIEW_SIDE)

    @torch.no_grad()
    def retire(self, row: PortraitRow) -> Finished:
        """Return the finished picture."""
        if row.search is None or self._making is None:
            assert row.made is not None
            return Finished(image=row.made)
        side = max(row.request.image.width, row.request.image.height)
        parameters = (("steps", str(row.total_steps)), ("loss", f"{row.loss:.4f}"))
        image = self._shown(self._making, row.search.latents, side=side)
        return Finished(image=image, parameters=parameters)

    def _shown(self, making: Making, latents: Tensor, *, side: int) -> Pixels:
        return to_pixels(resized(making.pictures(latents).clamp(0, 1), height=side, width=side))


def pyramid_loss(made: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared difference of pixels, added up over halved sizes down to 8 px.

    Shape:
        - made, target: ``(1, 3, side, side)``; returns ``()``.
    """
    loss = functional.mse_loss(made, target)
    while made.shape[-1] >= 16:
        made, target = (functional.avg_pool2d(each, 2) for each in (made, target))
        loss = loss + functional.mse_loss(made, target)
    return loss


def _ramp(share: float) -> float:
    """Return the rate at a share of the steps: it rises at first and falls like a cosine at last.

    Karras et al., CVPR 2020, appendix D.
    """
    fall = min(1.0, (1.0 - share) / FALL)
    return (0.5 - 0.5 * math.cos(math.pi * fall)) * min(1.0, (share + 0.01) / RISE)


def _square(picture: Tensor) -> Tensor:
    """Return the middle of a picture, as wide as it is high."""
    height, width = picture.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[..., top : top + side, left : left + side]


def _normal(seed: int, size: int, *, like: Tensor) -> Tensor:
    return torch.randn(1, size, generator=torch.Generator().manual_seed(seed)).to(like)


def _making(found: Portraitist, *, device: torch.device) -> Making:
    assert found.folder is not None
    network = load_trained(found.folder, StyleGan2, DigitsGenerator, DigitsVae).to(device)
    if isinstance(network, StyleGan2):
        return StyleMaking(network=network)
    if isinstance(network, DigitsGenerator):
        return DigitMaking(network=network, size=LATENTS, decode=network)
    assert isinstance(network, DigitsVae)
    vae = network
    return DigitMaking(network=vae, size=vae.latents, decode=lambda z: torch.sigmoid(vae.decode(z)))
