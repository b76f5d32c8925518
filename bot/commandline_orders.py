"""What is ordered on the command line, and what is refused before anything heavy is started."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bot.commandline import fail
from bot.errors import PromptTooLongError, sentence
from bot.prompts import clean_prompt
from bot.settings import Settings
from bot.texts import load_texts
from generation.abilities import (
    require_companions,
    require_painter,
    require_reader,
    require_scheduler,
)
from generation.codecs import ImageFormat
from generation.designers import designer_named
from generation.portraits import portraitist_named
from generation.registry import AUTO, DESIGN, PIPELINES, PORTRAIT, VAE, methods
from generation.request import UNREAD, Canvas, Control, Like, Manner, weighed
from generation.vaes import heard, vae_named
from generation.weights import checkpoint_folder

FORMATS: dict[str, ImageFormat] = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
}
MOVING = ".gif"
"""What the name of an animation ends in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureOrder:
    """A picture that was asked for on the command line, or several that differ by their seeds.

    Args:
        source: the picture to start from, or the canvas of one from words alone.
        mask: where to make it anew.
        ratio: the width by the height to extend it to.
        manner: how style transfer goes about it, with ``artwork2`` a second artwork.
        control: what of a picture's build is to be followed, with ``control_picture`` its own,
            ready or to be drawn from.
        like: how much the result is to be like ``like_picture``.
        artwork: its file, or that of the second picture of a blend.
        mix: a second seed, whose portrait gives some of its traits.
        direction, frames: of the way through a VAE's latents.
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
    negative: str = ""
    steps: int | None = None
    guidance: float | None = None
    scheduler: str | None = None
    manner: Manner | None = None
    control: Control | None = None
    control_picture: Path | None = None
    like: Like | None = None
    like_picture: Path | None = None
    mix: int | None = None
    direction: str = ""
    frames: int = 1
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


def chosen_control(
    control: str | None, *, picture: Path | None, source: Path | None
) -> Control | None:
    """Return the control that --control asks for, with a ready picture or one to be drawn from.

    Raises:
        InvalidRequestError: it is no kind of control, or one that needs a ready picture.
    """
    if picture is not None and source is not None:
        fail("give either --control-picture FILE or --control-from FILE")
    if control is None:
        if picture is not None or source is not None:
            option = "--control-from" if picture is None else "--control-picture"
            fail(f"{option} goes with --control KIND, such as edges")
        return None
    unread = None if picture is None and source is None else UNREAD
    return Control.told(control, picture=unread, ready=picture is not None)


def chosen_like(like: str | None) -> tuple[Like | None, Path | None]:
    """Return the likeness that --like asks for, and the file of its picture.

    Raises:
        InvalidRequestError: its weight is beyond reason.
    """
    if like is None:
        return None, None
    path, weight = (like, None) if Path(like).is_file() else weighed(like)
    return Like(picture=UNREAD, **({} if weight is None else {"weight": weight})), Path(path)


def checked(order: PictureOrder, settings: Settings) -> PictureOrder:
    """Return an order whose words are cleaned; what could not be finished ends the command.

    Raises:
        ModelUnavailableError: there is no such model, or it is damaged.
        InvalidRequestError: it cannot do what is asked for.
    """
    _check_files(order)
    order = replace(order, prompt=_cleaned(order.prompt), negative=_cleaned(order.negative))
    # Whether there is such a model shows without waiting for an engine.
    name, folder = order.model, settings.models_folder
    if order.pipeline == VAE and order.manner is None:
        vae_named(name or settings.pipelines[VAE].model, models_dir=folder)
    elif order.artwork is not None:
        _check_method(order, settings)
    elif order.pipeline == PORTRAIT:
        portraitist_named(name or settings.pipelines[PORTRAIT].model, models_dir=folder)
    elif order.pipeline == DESIGN:
        return _design(order, settings)
    else:
        _check_checkpoint(order, settings)
    return order


def image_format_of(target: Path) -> ImageFormat:
    """Return the format that a name's ending says; a still picture's."""
    return FORMATS[target.suffix.lower()]


def _check_files(order: PictureOrder) -> None:
    """Refuse before anything heavy is started what could not be read or written."""
    known = (*FORMATS,) if order.frames == 1 else (MOVING,)
    if order.target.suffix.lower() not in known:
        what = "a result" if order.frames == 1 else "an animation"
        ends = f"one of {', '.join(known)}" if order.frames == 1 else MOVING
        fail(f"{order.target}: the name of {what} ends in {ends}")
    if not order.target.parent.is_dir():
        fail(f"{order.target.parent}: there is no such folder")
    for path in order.sources:
        if not path.is_file():
            fail(f"{path}: there is no such file")
        if any(target.exists() and path.samefile(target) for target in order.targets):
            fail(f"{path}: the result would overwrite what it is made from")


def _design(order: PictureOrder, settings: Settings) -> PictureOrder:
    """Return a design's order, its direction as the model calls it."""
    name = order.model or settings.pipelines[DESIGN].model
    words = designer_named(name, models_dir=settings.models_folder).words
    known = ", ".join(words)
    if order.prompt and not heard(order.prompt, words=words)[0]:
        fail(f"{name} knows none of these words; it knows: {known}")
    if not order.direction:
        return order
    found, _ = heard(order.direction, words=words)
    if len(found) != 1:
        fail(f"{name} knows no direction {order.direction!r}; there are: {known}")
    return replace(order, direction=found[0])


def _check_checkpoint(order: PictureOrder, settings: Settings) -> None:
    """Refuse a checkpoint that is not there, or cannot do what is asked for."""
    name, folder = order.model or settings.pipelines[order.pipeline].model, settings.models_folder
    checkpoint_folder(name, models_dir=folder)
    if isinstance(order.source, Canvas) or order.ratio is not None:
        require_painter(name, models_dir=folder)
    require_reader(order.prompt, model=name, models_dir=folder, negative=order.negative)
    require_scheduler(order.scheduler, model=name, models_dir=folder)
    followed = order.control if order.control and order.control.weight else None
    liked = order.like is not None and order.like.weight > 0
    require_companions(control=followed, like=liked, model=name, models_dir=folder)


def _check_method(order: PictureOrder, settings: Settings) -> None:
    """Refuse a method of style that there is not, or whose weights there are not."""
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
