"""What is evaluated: whatever the engine serves, and the networks that our trainings write."""

from abc import ABC, abstractmethod
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Self

from PIL import Image

from generation.devices import torch_device
from generation.executor.client import Executor, ExecutorConfig
from generation.pipelines.base import EngineConfig
from generation.registry import PipelineSpec
from generation.request import MAX_SEED, Canvas, ImageRequest, Pixels
from generation.weights import STARTER

if TYPE_CHECKING:
    from torch import Tensor

    from generation.pipelines.gan import DigitsGenerator
    from generation.pipelines.picture_vae import PictureVae
    from generation.pipelines.vae import DigitsVae

WEIGHTS, CONFIG = "model.safetensors", "config.json"
SIDE = 28
"""Of digits."""
TIMEOUT_S = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A picture that was made.

    Args:
        start: what it was made from, at the size at which the two are compared; None of samples.
        device_ms: of the device, for this picture alone; None where no engine counts it.
        wall_s: from asking to having it.
        nats: of a VAE's picture, what the decoder missed and what the posterior says beyond the
            prior; their sum is the negative evidence lower bound.
        values: that these nats are of.
    """

    start: Pixels | None
    result: Pixels
    wall_s: float
    device_ms: float | None = None
    nats: tuple[float, float] | None = None
    values: int = 1


class Maker(ABC):
    """Makes pictures, one at a time; opened as an asynchronous context.

    Attributes:
        about: what it does, in words.
        device: what it runs on, in words.
        from_pictures: whether it starts from pictures; if not, its results are samples.
    """

    about: str
    device: str
    from_pictures = True

    @abstractmethod
    async def __aenter__(self) -> Self:
        """Get ready."""

    @abstractmethod
    async def __aexit__(self, *_: object) -> None:
        """Let go of everything."""

    @abstractmethod
    async def make(self, start: Pixels, number: int) -> Outcome:
        """Make the picture of a number from another one, or of chance alone.

        Raises:
            GenerationError: it cannot be made.
        """

    def fitted(self, picture: Pixels) -> Pixels:
        """Return a picture of the data as results are compared with it."""
        return picture

    @property
    def process(self) -> int | None:
        """The process that holds the model; None is this one."""
        return None


class EngineMaker(Maker):
    """Asks an engine of its own for pictures, as the bot does.

    Args:
        wish: what is asked for each picture, which only its picture, name and seed differ in.
        about: the wish in words.
        config: the engine's.
        pipelines: that it serves.
    """

    def __init__(
        self,
        wish: ImageRequest,
        *,
        about: str,
        config: EngineConfig,
        pipelines: dict[str, PipelineSpec],
    ) -> None:
        self.about = f"{about}, strength {wish.strength:g}, seeds from {wish.seed} on"
        device = torch_device(config.device)
        threads = f"the CPU with {config.threads} thread{'s' if config.threads > 1 else ''}"
        self.device = f"an engine on {threads if device.type == 'cpu' else device}"
        self._wish = wish
        self._config = config
        self._pipelines = pipelines
        self._stack = AsyncExitStack()
        self._executor: Executor | None = None

    async def __aenter__(self) -> Self:
        # A folder of its own keeps this engine's memory apart from that of a bot that runs here.
        folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="atelier-")))
        self._executor = Executor(
            ExecutorConfig(
                engine=self._config,
                data_dir=folder,
                nice=0,
                template_after_s=None,
                max_attempts=1,
                max_wait_s=inf,
                pipelines=self._pipelines,
            )
        )
        self._stack.push_async_callback(self._executor.close)
        async with AsyncExitStack() as undoing:
            undoing.push_async_callback(self._stack.aclose)
            await self._executor.start()
            undoing.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def process(self) -> int | None:
        """The engine's process."""
        return self._executor.engine_pid if self._executor is not None else None

    async def make(self, start: Pixels, number: int) -> Outcome:
        """Have the engine make a picture; the seeds count up from the first."""
        assert self._executor is not None, "it is used as a context"
        seed = (self._wish.seed + number) % (MAX_SEED + 1)
        image = self._image(start)
        request = replace(self._wish, job_id=f"picture-{number}", image=image, seed=seed)
        begun = perf_counter()
        result = await self._executor.submit(request).result()
        return Outcome(
            start=start,
            result=result.image,
            device_ms=result.device_ms,
            wall_s=perf_counter() - begun,
        )

    def _image(self, start: Pixels) -> Pixels | Canvas:
        """Return what a request is made from."""
        return start


class SeedMaker(EngineMaker):
    """Asks an engine for pictures of seeds alone, at the sizes of the data's."""

    from_pictures = False

    async def make(self, start: Pixels, number: int) -> Outcome:
        """Have the engine make a picture; the one that is given has no part in it."""
        outcome = await super().make(start, number)
        return replace(outcome, start=None)

    def _image(self, start: Pixels) -> Pixels | Canvas:
        return Canvas(width=max(start.width, start.height), height=max(start.width, start.height))


class NetworkMaker(Maker):
    """Calls a network in this process, for an engine gives neither nats nor digits of 28 px."""

    device = "this process on the CPU"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Do nothing: the network is let go of with this."""


class VaeMaker(NetworkMaker):
    """Repeats pictures, each by the middle of what its latents may be."""

    def __init__(self, network: "DigitsVae | PictureVae", *, name: str, seed: int) -> None:
        self.about = f"Reconstructions by {name}, a VAE of {network.latents} latents"
        self._network = network
        self._seed = seed

    @abstractmethod
    def shown(self, decoded: "Tensor") -> "Tensor":
        """Return what is decoded as a picture in [0, 1]."""

    @abstractmethod
    def missed(self, decoded: "Tensor", picture: "Tensor") -> "Tensor":
        """Return ``-log p(x|z)`` in nats, of pixels as the network was trained to take them."""

    async def make(self, start: Pixels, number: int) -> Outcome:
        """Encode and decode a picture, and measure its bound with one sample of the latents."""
        import torch

        from generation.pipelines.vae import kl_divergence

        network, picture, begun = self._network, self._tensor(start), perf_counter()
        rng = torch.Generator().manual_seed(self._seed + number)
        with torch.inference_mode():
            posterior = network.encode(picture)
            again = self.shown(network.decode(posterior.mu))
            wall_s = perf_counter() - begun
            z = posterior.sample(torch.randn(posterior.mu.shape, generator=rng))
            missed = self.missed(network.decode(z), picture).item()
            beyond = kl_divergence(posterior).item()
        return Outcome(
            start=start,
            result=_pixels(again),
            wall_s=wall_s,
            nats=(missed, beyond),
            values=picture.numel(),
        )

    def _tensor(self, picture: Pixels) -> "Tensor":
        """Return a picture as the network takes it."""
        return _tensor(picture)


class DigitsVaeMaker(VaeMaker):
    """Of digits, whose pixels are Bernoulli."""

    def fitted(self, picture: Pixels) -> Pixels:
        """Return a picture as a digit."""
        return as_digit(picture)

    def shown(self, decoded: "Tensor") -> "Tensor":
        """Return the pixels of logits."""
        return decoded.sigmoid()

    def missed(self, decoded: "Tensor", picture: "Tensor") -> "Tensor":
        """Return the cross-entropy."""
        from generation.pipelines.vae import reconstruction_error

        return reconstruction_error(decoded, picture)

    def _tensor(self, picture: Pixels) -> "Tensor":
        return _tensor(picture)[:, :1]


class PictureVaeMaker(VaeMaker):
    """Of colour pictures, whose pixels are Laplacian."""

    def fitted(self, picture: Pixels) -> Pixels:
        """Return the middle of a picture, whose sides are multiples of what latents stand for."""
        from generation.pipelines.picture_vae import FACTOR

        image = Image.frombytes("RGB", (picture.width, picture.height), picture.data)
        width, height = (max(FACTOR, side // FACTOR * FACTOR) for side in image.size)
        left, top = (image.width - width) // 2, (image.height - height) // 2
        whole = image.crop((left, top, left + width, top + height))
        return Pixels(width=width, height=height, data=whole.tobytes())

    def shown(self, decoded: "Tensor") -> "Tensor":
        """Return what is decoded, as far as it is in range."""
        return decoded.clamp(0, 1)

    def missed(self, decoded: "Tensor", picture: "Tensor") -> "Tensor":
        """Return the density's logarithm by the scale that was learned."""
        from generation.pipelines.picture_vae import PictureVae, laplace_error

        assert isinstance(self._network, PictureVae), "it is made for these"
        return laplace_error(decoded, picture, log_scale=self._network.log_scale)


class GanMaker(NetworkMaker):
    """Makes digits of chance alone."""

    from_pictures = False

    def __init__(self, network: "DigitsGenerator", *, name: str, seed: int) -> None:
        self.about = f"Samples of {name}, seeds from {seed} on"
        self._network = network
        self._seed = seed

    def fitted(self, picture: Pixels) -> Pixels:
        """Return a picture as a digit."""
        return as_digit(picture)

    async def make(self, start: Pixels, number: int) -> Outcome:
        """Make the digit of a number; the picture has no part in it."""
        import torch

        from generation.pipelines.gan import LATENTS

        del start
        begun = perf_counter()
        rng = torch.Generator().manual_seed(self._seed + number)
        with torch.inference_mode():
            made = self._network(torch.randn(1, LATENTS, generator=rng))
        wall_s = perf_counter() - begun
        return Outcome(start=None, result=_pixels(made), wall_s=wall_s)


def as_digit(picture: Pixels) -> Pixels:
    """Return a picture in grey, at the size of digits."""
    image = Image.frombytes("RGB", (picture.width, picture.height), picture.data)
    grey = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX).convert("RGB")
    return Pixels(width=SIDE, height=SIDE, data=grey.tobytes())


def trained_folder(name: str, *, models_dir: Path) -> Path | None:
    """Return the folder of a network that one of our trainings has written.

    Args:
        name: a path, or a name among the operator's models or the starters.
        models_dir: the operator's.
    """
    known = (Path(name), models_dir / name, STARTER / name)
    found = (it for it in known if (it / WEIGHTS).is_file() and (it / CONFIG).is_file())
    return next(found, None)


def load_network(folder: Path) -> "DigitsVae | PictureVae | DigitsGenerator":
    """Return a network that one of our trainings has written, for use alone.

    Raises:
        ModelUnavailableError: the files are damaged, or of a network that is not evaluated.
    """
    from generation.pipelines.gan import DigitsGenerator
    from generation.pipelines.picture_vae import PictureVae
    from generation.pipelines.vae import DigitsVae
    from generation.trained import load_trained

    return load_trained(folder, DigitsVae, PictureVae, DigitsGenerator)  # type: ignore[return-value]


def network_maker(folder: Path, *, seed: int) -> Maker:
    """Return what makes pictures with a network that one of our trainings has written.

    Raises:
        ModelUnavailableError: the files are damaged, or of a network that is not evaluated.
    """
    from generation.pipelines.gan import DigitsGenerator
    from generation.pipelines.vae import DigitsVae

    network = load_network(folder)
    if isinstance(network, DigitsGenerator):
        return GanMaker(network, name=folder.name, seed=seed)
    maker = DigitsVaeMaker if isinstance(network, DigitsVae) else PictureVaeMaker
    return maker(network, name=folder.name, seed=seed)


def _tensor(picture: Pixels) -> "Tensor":
    """Return a picture as networks take it."""
    from generation.imaging import to_tensor

    return to_tensor(picture)


def _pixels(made: "Tensor") -> Pixels:
    """Return a picture in colour or grey as plain bytes."""
    from generation.imaging import to_pixels

    return to_pixels(made.expand(-1, 3, -1, -1))
