"""What is evaluated, all of it by an engine: what members are served, and trainings' networks."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Self

from PIL import Image

from generation.devices import torch_device
from generation.executor.client import Executor, ExecutorConfig
from generation.pipelines.base import EngineConfig
from generation.registry import REPEATING, PipelineSpec, repeating
from generation.request import MAX_SEED, UNREAD, Canvas, ImageRequest, Pixels
from generation.trained import network_of
from generation.vaes import PICTURES_NETWORK
from generation.weights import STARTER

VAE_NETWORK, GAN_NETWORK = (
    "generation.pipelines.vae:DigitsVae",
    "generation.pipelines.gan:DigitsGenerator",
)
WEIGHTS, CONFIG = "model.safetensors", "config.json"
SIDE = 28
"""Of digits."""
TIMEOUT_S = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A picture that was made.

    Args:
        start: what it was made from, at the size at which the two are compared; None of samples.
        device_ms: of the device, for this picture alone.
        wall_s: from asking to having it.
        nats: of a VAE's picture, what the decoder missed and what the posterior says beyond the
            prior; their sum is the negative evidence lower bound.
        values: that these nats are of.
        parameters: what else was told of it.
    """

    start: Pixels | None
    result: Pixels
    wall_s: float
    device_ms: float
    nats: tuple[float, float] | None = None
    values: int = 1
    parameters: tuple[tuple[str, str], ...] = ()


class Maker:
    """Asks an engine of its own for pictures, one at a time, as the bot does.

    It is opened as an asynchronous context.

    Attributes:
        about: what it does, in words.
        device: what it runs on, in words.
        from_pictures: whether it starts from pictures; if not, its results are samples.

    Args:
        wish: what is asked for each picture, which only its picture, name and seed differ in.
        about: the wish in words, but for the seeds.
        config: the engine's.
        pipelines: that it serves.
    """

    from_pictures = True

    def __init__(
        self,
        wish: ImageRequest,
        *,
        about: str,
        config: EngineConfig,
        pipelines: dict[str, PipelineSpec],
    ) -> None:
        self.about = f"{about}, seeds from {wish.seed} on"
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
        """The engine's process; None while there is none."""
        return self._executor.engine_pid if self._executor is not None else None

    async def make(self, start: Pixels, number: int) -> Outcome:
        """Have the engine make the picture of a number; the seeds count up from the first.

        Raises:
            GenerationError: it cannot be made.
        """
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
            parameters=result.parameters,
        )

    def fitted(self, picture: Pixels) -> Pixels:
        """Return a picture of the data as results are compared with it."""
        return picture

    def _image(self, start: Pixels) -> Pixels | Canvas:
        """Return what a request is made from."""
        return start


class SeedMaker(Maker):
    """Asks an engine for pictures of seeds alone, at the sizes of the data's."""

    from_pictures = False

    async def make(self, start: Pixels, number: int) -> Outcome:
        """Have the engine make a picture; the one that is given has no part in it."""
        outcome = await super().make(start, number)
        return replace(outcome, start=None)

    def _image(self, start: Pixels) -> Pixels | Canvas:
        return Canvas(width=max(start.width, start.height), height=max(start.width, start.height))


class NetworkMaker(Maker):
    """Asks an engine for what a network of our trainings makes at its own size.

    Raises:
        ModelUnavailableError: the folder holds something else.
    """

    def __init__(self, folder: Path, *, config: EngineConfig, seed: int) -> None:
        network = network_of(folder, among=(VAE_NETWORK, PICTURES_NETWORK, GAN_NETWORK))
        self.from_pictures = network != GAN_NETWORK
        self._digits = network != PICTURES_NETWORK
        made = "Reconstructions by" if self.from_pictures else "Samples of"
        wish = ImageRequest(
            job_id="",
            pipeline=REPEATING,
            image=UNREAD,
            seed=seed,
            timeout_s=TIMEOUT_S,
            previews=False,
        )
        pipelines = {REPEATING: repeating(folder.resolve().name)}
        super().__init__(wish, about=f"{made} {folder.name}", config=config, pipelines=pipelines)

    async def make(self, start: Pixels, number: int) -> Outcome:
        """Have the engine repeat a picture, or make one; its parameters tell the bound."""
        outcome = await super().make(start, number)
        told = dict(outcome.parameters)
        if not told:
            return replace(outcome, start=None)
        nats = float(told["missed"]), float(told["beyond"])
        return replace(outcome, nats=nats, values=int(told["values"]))

    def fitted(self, picture: Pixels) -> Pixels:
        """Return a picture as the network takes it: as a digit, or its middle."""
        return as_digit(picture) if self._digits else middle(picture)


def as_digit(picture: Pixels) -> Pixels:
    """Return a picture in grey, at the size of digits."""
    image = Image.frombytes("RGB", (picture.width, picture.height), picture.data)
    grey = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX).convert("RGB")
    return Pixels(width=SIDE, height=SIDE, data=grey.tobytes())


def middle(picture: Pixels) -> Pixels:
    """Return the middle of a picture, with sides that are multiples of what latents stand for."""
    from generation.pipelines.picture_vae import FACTOR

    image = Image.frombytes("RGB", (picture.width, picture.height), picture.data)
    width, height = (max(FACTOR, side // FACTOR * FACTOR) for side in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    whole = image.crop((left, top, left + width, top + height))
    return Pixels(width=width, height=height, data=whole.tobytes())


def trained_folder(name: str, *, models_dir: Path) -> Path | None:
    """Return the folder of a network that one of our trainings has written.

    Args:
        name: a path, or a name among the operator's models or the starters.
        models_dir: the operator's.
    """
    known = (Path(name), models_dir / name, STARTER / name)
    found = (it for it in known if (it / WEIGHTS).is_file() and (it / CONFIG).is_file())
    return next(found, None)
