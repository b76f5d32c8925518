"""Pictures without any chat: the same intake, engine and encoding as on Discord."""

import asyncio
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

from bot.commandline_orders import PictureOrder, checked, image_format_of
from bot.settings import Settings
from bot.texts import load_texts
from generation.codecs import CodecPool, IntakePool
from generation.errors import IntakeError
from generation.executor.client import Executor, ExecutorConfig, Ticket
from generation.outpainting import outpainted
from generation.registry import AUTO, methods
from generation.request import (
    MAX_SEED,
    UNREAD,
    Canvas,
    ImageRequest,
    Note,
    Pixels,
    Portrait,
    Result,
    Stage,
    Walk,
)

TIMEOUT_S, MOST_BYTES = 1800.0, 2**31
_SAID = {
    Stage.QUEUED: "Starting the engine",
    Stage.LOADING: "Loading the model",
    Stage.RUNNING: "Making the picture",
    Stage.FINISHING: "Finishing",
}


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


def make(order: PictureOrder, settings: Settings) -> list[Made]:
    """Make what was ordered, and write each picture as soon as it is finished.

    Raises:
        GenerationError: one cannot be made; the sentence says why. The others are written.
        OSError: a file cannot be read or written.
    """
    return asyncio.run(_make(checked(order, settings), settings))


async def _make(order: PictureOrder, settings: Settings) -> list[Made]:
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
            negative_prompt=order.negative,
            num_inference_steps=order.steps,
            guidance_scale=order.guidance,
            scheduler=order.scheduler,
            control=order.control and replace(order.control, picture=control_picture),
            like=order.like and replace(order.like, picture=like_picture or UNREAD),
            portrait=None if order.mix is None else Portrait(mix=order.mix),
            walk=_walk(order),
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
        write = partial(_write, order, codecs=codecs, notes=notes)
        return await _run(requests, settings, write=write)


def _walk(order: PictureOrder) -> Walk | None:
    moves = order.frames > 1 or order.direction
    return Walk(direction=order.direction, frames=order.frames) if moves else None


async def _write(
    order: PictureOrder, result: Result, target: Path, *, codecs: CodecPool, notes: tuple[Note, ...]
) -> Made:
    metadata = _metadata(order, result)
    if order.frames > 1:
        encoded = await codecs.encode_frames(
            result.image, frames=order.frames, max_bytes=MOST_BYTES, metadata=metadata
        )
    else:
        encoded = await codecs.encode(
            result.image,
            max_bytes=MOST_BYTES,
            metadata=metadata,
            image_format=image_format_of(target),
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
