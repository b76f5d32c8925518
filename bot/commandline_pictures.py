"""Pictures without any chat: the same intake, engine and encoding as on Discord."""

import asyncio
import re
import secrets
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from pathlib import Path
from uuid import uuid4

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bot.commandline import fail
from bot.errors import PromptTooLongError, sentence
from bot.prompts import clean_prompt
from bot.settings import Settings
from bot.texts import load_texts
from generation.abilities import require_companions, require_painter, require_reader
from generation.codecs import CodecPool, ImageFormat, IntakePool
from generation.errors import IntakeError
from generation.executor.client import Executor, ExecutorConfig, Ticket
from generation.outpainting import outpainted
from generation.registry import AUTO, PIPELINES, methods
from generation.request import (
    MAX_SEED,
    UNREAD,
    Canvas,
    Control,
    ImageRequest,
    Like,
    Manner,
    Note,
    Pixels,
    Result,
    Stage,
    weighed,
)
from generation.weights import checkpoint_folder

FORMATS: dict[str, ImageFormat] = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
}
TIMEOUT_S = 1800.0
_SAID = {
    Stage.QUEUED: "Starting the engine",
    Stage.LOADING: "Loading the model",
    Stage.RUNNING: "Making the picture",
    Stage.FINISHING: "Finishing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureOrder:
    """A picture that was asked for on the command line, or several that differ by their seeds.

    Args:
        source: the picture to start from, or the canvas of one from words alone.
        mask: where to make it anew.
        ratio: the width by the height to extend it to.
        manner: how style transfer goes about it, with ``artwork2`` a second artwork.
        control: what of a picture's build is to be followed, with ``control_picture`` its own.
        like: how much the result is to be like ``like_picture``.
        count: how many; the seeds count up from the first.
    """

    pipeline: str
    source: Path | Canvas
    target: Path
    strength: float = 1.0
    mask: Path | None = None
    ratio: float | None = None
    prompt: str = ""
    artwork: Path | None = None
    artwork2: Path | None = None
    steps: int | None = None
    manner: Manner | None = None
    control: Control | None = None
    control_picture: Path | None = None
    like: Like | None = None
    like_picture: Path | None = None
    seed: int | None = None
    model: str | None = None
    count: int = 1

    @property
    def sources(self) -> tuple[Path, ...]:
        """The files that it is made from."""
        given = (self.source, self.mask, self.artwork, self.artwork2)
        more = (self.control_picture, self.like_picture)
        return tuple(path for path in (*given, *more) if isinstance(path, Path))

    @property
    def targets(self) -> tuple[Path, ...]:
        """Where the results go: beside one another, numbered, if there are several."""
        if self.count == 1:
            return (self.target,)
        stem = self.target.stem
        return tuple(self.target.with_stem(f"{stem}-{each + 1}") for each in range(self.count))


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A picture that lies at its place, and what is said about it."""

    target: Path
    width: int
    height: int
    model: str
    seed: int
    device_s: float
    notes: tuple[str, ...]


def chosen_artwork(*, artwork: Path | None, preset: str | None) -> Path:
    """Return the artwork's file; exactly one of the two must be given."""
    from generation.artworks import artworks

    if (artwork is None) == (preset is None):
        fail("give either --artwork FILE or --preset NAME")
    if artwork is not None:
        return artwork
    assert preset is not None, "exactly one of the two is given"
    known = artworks()
    if preset not in known:
        fail(f"there is no preset {preset!r}; there are: {', '.join(known)}")
    return known[preset].path


def chosen_manner(
    mix: float | None,
    *,
    artwork2: Path | None,
    weights: Mapping[str, float],
    noise: bool,
    keep: bool,
) -> Manner:
    """Return how style transfer is told to go about it.

    Raises:
        InvalidRequestError: a weight is beyond reason.
    """
    if artwork2 is None and mix is not None:
        fail("--mix goes with --artwork2 FILE")
    first = 0.5 if mix is None else 1 - mix
    return Manner(
        **weights,
        begin="noise" if noise else "content",
        keep_colours=keep,
        weight=1.0 if artwork2 is None else first,
        others=() if artwork2 is None else ((UNREAD, 1 - first),),
    )


def chosen_canvas(text: str) -> Canvas:
    """Return the canvas whose size a text like 768x512 says.

    Raises:
        InvalidRequestError: a side is too short or too long.
    """
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(re.fullmatch("[0-9]{1,9}", side) for side in sides):
        fail(f"{text!r} is no size; write WIDTHxHEIGHT, such as 768x512")
    return Canvas(width=int(sides[0]), height=int(sides[1]))


def chosen_control(control: str | None, *, picture: Path | None) -> Control | None:
    """Return the control that --control and --control-picture ask for.

    Raises:
        InvalidRequestError: it is no kind of control, or one that needs a picture.
    """
    if control is None:
        if picture is not None:
            fail("--control-picture goes with --control KIND, such as edges")
        return None
    return Control.told(control, picture=None if picture is None else UNREAD)


def chosen_like(like: str | None) -> tuple[Like | None, Path | None]:
    """Return the likeness that --like asks for, and the file of its picture.

    Raises:
        InvalidRequestError: its weight is beyond reason.
    """
    if like is None:
        return None, None
    path, weight = (like, None) if Path(like).is_file() else weighed(like)
    return Like(picture=UNREAD, **({} if weight is None else {"weight": weight})), Path(path)


def make(order: PictureOrder, settings: Settings) -> list[Made]:
    """Make what was ordered, and write each picture as soon as it is finished.

    Raises:
        GenerationError: one cannot be made; the sentence says why. The others are written.
        OSError: a file cannot be read or written.
    """
    image_format = _check(order)
    _check_method(order, settings)
    order = replace(order, prompt=_cleaned(order.prompt))
    if order.artwork is None:
        # Whether there is such a checkpoint shows without waiting for an engine.
        name = order.model or settings.pipelines[order.pipeline].model
        checkpoint_folder(name, models_dir=settings.models_folder)
        if isinstance(order.source, Canvas) or order.ratio is not None:
            require_painter(name, models_dir=settings.models_folder)
        require_reader(order.prompt, model=name, models_dir=settings.models_folder)
        followed = order.control if order.control and order.control.weight else None
        liked = order.like is not None and order.like.weight > 0
        require_companions(
            control=followed, like=liked, model=name, models_dir=settings.models_folder
        )
    return asyncio.run(_make(order, settings, image_format=image_format))


def _check(order: PictureOrder) -> ImageFormat:
    """Refuse before anything heavy is started what could not be finished."""
    image_format = FORMATS.get(order.target.suffix.lower())
    if image_format is None:
        fail(f"{order.target}: the name of a result ends in one of {', '.join(FORMATS)}")
    if not order.target.parent.is_dir():
        fail(f"{order.target.parent}: there is no such folder")
    for path in order.sources:
        if not path.is_file():
            fail(f"{path}: there is no such file")
        if any(target.exists() and path.samefile(target) for target in order.targets):
            fail(f"{path}: the result would overwrite what it is made from")
    return image_format


def _check_method(order: PictureOrder, settings: Settings) -> None:
    """Refuse a method of style that there is not, or whose weights there are not."""
    if order.artwork is None:
        return
    name, styles = order.pipeline, methods(settings.pipelines)
    able = methods(settings.pipelines, manner=order.manner)
    if name in able or (name == AUTO and able):
        return
    if name in (AUTO, *styles):
        fail(f"{name} cannot do all of this; these can: {', '.join(able) or 'none'}")
    if name in methods(PIPELINES):
        fail(f"{name} needs {' or '.join(PIPELINES[name].weights)} in {settings.models_folder}")
    fail(f"there is no method {name!r}; there are: {', '.join((AUTO, *styles))}")


def _cleaned(prompt: str) -> str:
    """Return the prompt as the bot would take it."""
    try:
        cleaned = clean_prompt(prompt)
    except PromptTooLongError as error:
        fail(sentence(error, load_texts()))
    if prompt and not cleaned:
        fail("a prompt needs words that can be read")
    return cleaned


async def _make(
    order: PictureOrder, settings: Settings, *, image_format: ImageFormat
) -> list[Made]:
    async with IntakePool(max_side=settings.max_side) as intake, CodecPool() as codecs:
        read = partial(_read, intake=intake, codecs=codecs)
        notes: tuple[Note, ...] = ()
        image: Pixels | Canvas
        if isinstance(order.source, Canvas):
            image = order.source
        else:
            image, notes = await read(order.source)
        mask, style_image, second, control_picture, like_picture = [
            (await read(path))[0] if path else None
            for path in (
                order.mask,
                order.artwork,
                order.artwork2,
                order.control_picture,
                order.like_picture,
            )
        ]
        manner = order.manner
        if manner is not None and second is not None:
            manner = replace(manner, others=((second, manner.others[0][1]),))
        if order.pipeline == AUTO and isinstance(image, Pixels) and style_image is not None:
            able = methods(settings.pipelines, manner=manner)
            choice = await codecs.style_choice(image, style_image, able=able)
            order = replace(order, pipeline=choice.method)
        if isinstance(image, Pixels) and order.ratio is not None:
            image, mask = await asyncio.to_thread(outpainted, image, ratio=order.ratio)
        first = secrets.randbelow(MAX_SEED + 1) if order.seed is None else order.seed
        request = ImageRequest(
            job_id="",
            pipeline=order.pipeline,
            image=image,
            mask=mask,
            style_image=style_image,
            manner=manner,
            num_inference_steps=order.steps,
            control=order.control and replace(order.control, picture=control_picture),
            like=order.like and replace(order.like, picture=like_picture or UNREAD),
            prompt=order.prompt,
            strength=order.strength,
            model=order.model,
            timeout_s=TIMEOUT_S,
            previews=False,
        )
        requests = {
            target: replace(request, job_id=uuid4().hex, seed=(first + each) % (MAX_SEED + 1))
            for each, target in enumerate(order.targets)
        }
        write = partial(_write, order, codecs=codecs, image_format=image_format, notes=notes)
        return await _run(requests, settings, write=write)


async def _write(
    order: PictureOrder,
    result: Result,
    target: Path,
    *,
    codecs: CodecPool,
    image_format: ImageFormat,
    notes: tuple[Note, ...],
) -> Made:
    encoded = await codecs.encode(
        result.image,
        max_bytes=2**31,
        metadata=_metadata(order, result),
        image_format=image_format,
    )
    await asyncio.to_thread(target.write_bytes, encoded.data)
    return Made(
        target=target,
        width=encoded.width,
        height=encoded.height,
        model=result.model,
        seed=result.seed,
        device_s=result.device_ms / 1000,
        notes=tuple(_sentences([*notes, *result.notes])),
    )


async def _read(
    path: Path, *, intake: IntakePool, codecs: CodecPool
) -> tuple[Pixels, tuple[Note, ...]]:
    """Make a file safe as if it came from a stranger; the sentence of a refusal names it."""
    data = await asyncio.to_thread(path.read_bytes)
    try:
        prepared = await intake.prepare(data)
    except IntakeError as err:
        raise type(err)(f"{path}: {err}") from err
    return await codecs.decode(prepared.png), prepared.notes


async def _run(
    requests: Mapping[Path, ImageRequest],
    settings: Settings,
    *,
    write: Callable[[Result, Path], Awaitable[Made]],
) -> list[Made]:
    """Run requests together in an engine of their own, with a progress bar for each.

    Raises:
        GenerationError: that of the first that failed, once all others are written.
    """
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    # A folder of its own keeps this engine's memory apart from that of a bot that runs here.
    with tempfile.TemporaryDirectory(prefix="atelier-") as folder, bar:
        config = ExecutorConfig(
            engine=settings.engine,
            data_dir=Path(folder),
            nice=0,
            template_after_s=None,
            max_attempts=1,
            max_wait_s=inf,
            pipelines=settings.pipelines,
        )
        executor = Executor(config)
        await executor.start()
        try:
            tickets = {target: executor.submit(it) for target, it in requests.items()}

            async def finish(ticket: Ticket, target: Path) -> Made:
                return await write(await _follow(ticket, bar=bar), target)

            ends = await asyncio.gather(
                *(finish(ticket, target) for target, ticket in tickets.items()),
                return_exceptions=True,
            )
        finally:
            await executor.close()
    for end in ends:
        if isinstance(end, BaseException):
            raise end
    return [end for end in ends if isinstance(end, Made)]


async def _follow(ticket: Ticket, *, bar: Progress) -> Result:
    task = bar.add_task(_SAID[Stage.QUEUED], total=1)
    async for event in ticket.events():
        bar.update(
            task,
            description=_SAID[event.stage],
            completed=event.step,
            total=event.total_steps or 1,
        )
    return await ticket.result()


def _metadata(order: PictureOrder, result: Result) -> dict[str, str]:
    known = {"Model": result.model, "Seed": str(result.seed), "Prompt": order.prompt}
    return {key: value for key, value in known.items() if value}


def _sentences(notes: Iterable[Note]) -> Iterable[str]:
    """Say the remarks in the words of the bot."""
    texts = load_texts()
    for note in dict.fromkeys(notes):
        plain = f"note.{note.code}.plain"
        key = f"note.{note.code}" if note.words or plain not in texts else plain
        yield texts.say(key, words=", ".join(note.words))
