"""What crosses the border between the bot's process and the engine.

Frozen values without torch: a request goes in, progress comes back, a result ends it.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Self

from generation.errors import InvalidRequestError

MAX_SEED = 2**32 - 1
MAX_BATCH_ROWS = 64
MIN_CANVAS_SIDE, MAX_CANVAS_SIDE = 64, 4096
MAX_WEIGHT = 2.0
"""Of whatever is weighed: LoRA, a control, a likeness, an artwork."""
MAX_LOSS_WEIGHT = 100.0
MAX_ARTWORKS = 4
"""Of one picture."""
BEGINNINGS = ("content", "noise")
MAX_FRAMES = 24
"""Of an animation."""
EDGES = "edges"
DRAWN = (EDGES, "depth", "pose")
"""The kinds of control whose picture is drawn from an ordinary one: edges by arithmetic, the others
by networks of the operator's."""


SCHEDULERS = ("ddim", "euler", "euler_ancestral", "lcm", "dpmpp_2m", "pndm")
"""What a request may be stepped by besides a checkpoint's own scheduler, where that is a UNet's."""


class Stage(StrEnum):
    """Where a request is."""

    QUEUED = "queued"
    LOADING = "loading"
    RUNNING = "running"
    FINISHING = "finishing"


class NoteCode(StrEnum):
    """What a pipeline tells the member about a result; the bot holds the sentence."""

    UNKNOWN_WORDS = "unknown_words"
    KNOWN_WORDS = "known_words"
    PROMPT_CUT = "prompt_cut"
    MORE_STEPS = "more_steps"
    NEGATIVE_UNREAD = "negative_unread"
    FITTED = "fitted"
    FIRST_FRAME = "first_frame"
    WORD_RULE = "word_rule"
    MASK_WHOLE = "mask_whole"
    MASK_STRETCHED = "mask_stretched"
    ENLARGED = "enlarged"
    PAINTED = "painted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One remark for the member: a code and the words that go into its sentence."""

    code: NoteCode
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """An RGB picture as plain bytes.

    Shape:
        - data: ``height * width * 3`` bytes, row-major, 8 bits a channel, sRGB.

    Raises:
        InvalidRequestError: the data do not have that length.
    """

    width: int
    height: int
    data: bytes

    def __post_init__(self) -> None:
        """Check that the data fill the picture exactly."""
        if self.width < 1 or self.height < 1 or len(self.data) != self.width * self.height * 3:
            raise InvalidRequestError(
                f"{len(self.data)} bytes are not {self.width} x {self.height} RGB pixels"
            )


UNREAD = Pixels(width=1, height=1, data=bytes(3))
"""Stands for a picture until it is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """An empty canvas, for pictures from words alone: its size in pixels.

    Raises:
        InvalidRequestError: a side is outside ``MIN_CANVAS_SIDE`` to ``MAX_CANVAS_SIDE``.
    """

    width: int
    height: int

    def __post_init__(self) -> None:
        """Refuse sizes that no picture should have."""
        sides = (self.width, self.height)
        if min(sides) < MIN_CANVAS_SIDE or max(sides) > MAX_CANVAS_SIDE:
            raise InvalidRequestError(
                f"a side must have {MIN_CANVAS_SIDE} to {MAX_CANVAS_SIDE} pixels"
            )


def weighed(text: str) -> tuple[str, float | None]:
    """Return what a text like edges:0.8 names, and its weight; None if it says none."""
    found = re.fullmatch(r"(.+):(\d+(?:\.\d*)?|\.\d+)", text)
    return (found[1], float(found[2])) if found else (text, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What of a picture's build is to be followed, by a ControlNet.

    Args:
        kind: what the picture shows: edges, depth, pose; a folder of the operator's ControlNets.
        network: which of those there; empty is the first that fits.
        weight: how strictly, 0 is not at all.
        picture: of any size and laid over the whole; None is the request's own, from which what is
            to be followed is drawn.
        ready: whether the picture shows edges, depths ... as they are to be followed; otherwise
            they are drawn from it.

    Raises:
        InvalidRequestError: the kind is no plain word, the weight beyond reason, or it is to be
            drawn and is none of ``DRAWN``.
    """

    kind: str
    weight: float = 1.0
    picture: Pixels | None = None
    network: str = ""
    ready: bool = True

    @classmethod
    def told(cls, text: str, *, picture: Pixels | None, ready: bool = True) -> Self:
        """Return the control that a text like edges, edges:0.6 or depth/small:0.6 asks for.

        Raises:
            InvalidRequestError: no ControlNet could follow it.
        """
        path, weight = weighed(text)
        kind, _, network = path.partition("/")
        more = {} if weight is None else {"weight": weight}
        return cls(kind=kind, network=network, picture=picture, ready=ready, **more)

    @property
    def drawn(self) -> bool:
        """Whether what is to be followed is drawn from an ordinary picture."""
        return self.picture is None or not self.ready

    def __post_init__(self) -> None:
        """Refuse what no ControlNet could follow."""
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", self.kind):
            raise InvalidRequestError(
                f"{self.kind!r} is no kind of control, such as {EDGES}",
                why="control_unknown",
                kind=self.kind,
                such=EDGES,
            )
        if not 0 <= self.weight <= MAX_WEIGHT:
            raise InvalidRequestError(
                f"the weight of a control is 0 to {MAX_WEIGHT:g}",
                why="control_weight",
                most=f"{MAX_WEIGHT:g}",
            )
        if self.drawn and self.kind not in DRAWN:
            raise InvalidRequestError(
                f"a control by {self.kind} needs a control picture that shows it; only"
                f" {', '.join(DRAWN)} are drawn from ordinary pictures",
                why="control_not_drawn",
                kind=self.kind,
                drawn=tuple(DRAWN),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Like:
    """A picture whose style and things are to be taken up, by an IP-Adapter.

    Args:
        weight: how much it counts beside the words, 0 is not at all.

    Raises:
        InvalidRequestError: the weight is beyond reason.
    """

    picture: Pixels
    weight: float = 0.6

    def __post_init__(self) -> None:
        """Refuse a weight that nothing could come of."""
        if not 0 <= self.weight <= MAX_WEIGHT:
            raise InvalidRequestError(f"the weight of a likeness is 0 to {MAX_WEIGHT:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    """What a picture of a seed is made of besides.

    Args:
        mix: a second seed, whose picture gives some of its traits.

    Raises:
        InvalidRequestError: it is no seed.
    """

    mix: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is no seed."""
        if self.mix is not None and not 0 <= self.mix <= MAX_SEED:
            raise InvalidRequestError(f"the seed to mix in is 0 to {MAX_SEED}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How style transfer goes about it; what a method does not know of it takes no notice.

    Args:
        content_weight: of the content's loss, times the method's own.
        style_weight: of the style's loss, times the method's own and the strength.
        tv_weight: of total variation, times the method's own.
        begin: what an optimisation begins with.
        keep_colours: whether the picture's colours stay, and its brightness alone is painted.
        weight: of the request's artwork beside the others.
        others: more artworks and their weights.

    Raises:
        InvalidRequestError: a weight is beyond reason, or there are too many artworks.
    """

    content_weight: float = 1.0
    style_weight: float = 1.0
    tv_weight: float = 1.0
    begin: Literal["content", "noise"] = "content"
    keep_colours: bool = False
    weight: float = 1.0
    others: tuple[tuple[Pixels, float], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no picture could come of."""
        losses = (self.content_weight, self.style_weight, self.tv_weight)
        if not all(0 <= weight <= MAX_LOSS_WEIGHT for weight in losses):
            raise InvalidRequestError(f"the weight of a loss is 0 to {MAX_LOSS_WEIGHT:g}")
        if len(self.others) >= MAX_ARTWORKS:
            raise InvalidRequestError(f"there may be {MAX_ARTWORKS} artworks at most")
        weights = (self.weight, *(weight for _, weight in self.others))
        if not all(0 < weight <= MAX_WEIGHT for weight in weights):
            raise InvalidRequestError(f"the weight of an artwork is above 0 to {MAX_WEIGHT:g}")
        if self.begin not in BEGINNINGS:
            raise InvalidRequestError(f"a picture is begun from one of {', '.join(BEGINNINGS)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A way through a VAE's latents.

    Args:
        direction: an attribute that the VAE's prior knows, to go towards as far as the strength
            says; empty is none.
        frames: pictures on the way, which come back one below the other and become an animation;
            1 is the end alone.

    Raises:
        InvalidRequestError: there are too many frames, or none.
    """

    direction: str = ""
    frames: int = 1

    def __post_init__(self) -> None:
        """Refuse ways that nobody goes."""
        if not 1 <= self.frames <= MAX_FRAMES:
            raise InvalidRequestError(f"an animation has 1 to {MAX_FRAMES} frames")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """One picture to make.

    Args:
        job_id: the caller's name for it, unique while it is under way.
        pipeline: a name of ``generation.registry.PIPELINES``.
        image: the picture to start from; an empty canvas for one from words alone, which
            ``strength`` means nothing to.
        mask: where to make the picture anew, of any size and laid over the whole of it: white is
            made anew, black stays to the byte, greys are blended. None is everywhere.
        style_image: the artwork, for pipelines that take one; for a VAE the second picture.
        manner: how such a pipeline goes about it; None is as it does by itself.
        control: what of a picture's build is to be followed.
        like: what the result is to be like.
        portrait: of pictures of a seed alone; their ``strength`` is the truncation.
        walk: the way through the latents, for VAEs.
        strength: how far to go from ``image``; 0 returns it, 1 goes all the way.
        guidance_scale: how strictly to follow the prompt; None leaves it to the model.
        num_inference_steps: None leaves it to the model.
        scheduler: one of ``SCHEDULERS``; None is the model's own.
        seed: of the noise, 0 to ``MAX_SEED``; same request and seed, same pixels.
        model: a checkpoint's name; None is the pipeline's default.
        timeout_s: seconds of running (waiting does not count) after which it is stopped.
        deadline_s: seconds after it was submitted when nobody wants it any more; None is never.
        previews: whether small previews are wanted while it forms.
        batch_rows: to repeat a picture to the byte, the parameter of that name that its result
            told; None takes the shape of calls that the model is run with now.
        guild: whose share of the device it takes, and ``member`` whose share of that; any
            numbers that tell them apart. No picture depends on them.
        weights: how many times a usual share the guild has for it, and the member of that.

    Raises:
        InvalidRequestError: strength, seed, deadline, batch_rows or a weight is outside its range,
            or there is no picture that a mask is laid over or that a control is drawn from.
    """

    job_id: str
    pipeline: str
    image: Pixels | Canvas
    mask: Pixels | None = None
    style_image: Pixels | None = None
    manner: Manner | None = None
    control: Control | None = None
    like: Like | None = None
    portrait: Portrait | None = None
    walk: Walk | None = None
    prompt: str = ""
    negative_prompt: str = ""
    strength: float = 0.7
    guidance_scale: float | None = None
    num_inference_steps: int | None = None
    scheduler: str | None = None
    seed: int = 0
    model: str | None = None
    timeout_s: float = 120.0
    deadline_s: float | None = None
    previews: bool = True
    batch_rows: int | None = None
    guild: int = 0
    member: int = 0
    weights: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        """Refuse what no pipeline could run."""
        if not 0.0 <= self.strength <= 1.0:
            raise InvalidRequestError("strength must be between 0 and 1")
        if not 0 <= self.seed <= MAX_SEED:
            raise InvalidRequestError(f"seed must be between 0 and {MAX_SEED}")
        if self.batch_rows is not None and not 1 <= self.batch_rows <= MAX_BATCH_ROWS:
            raise InvalidRequestError(f"batch_rows must be between 1 and {MAX_BATCH_ROWS}")
        if self.deadline_s is not None and self.deadline_s <= 0:
            raise InvalidRequestError("a deadline must lie ahead")
        if min(self.weights) <= 0:
            raise InvalidRequestError("a weight must be above 0")
        if self.mask is not None and isinstance(self.image, Canvas):
            raise InvalidRequestError("a mask needs a picture that it is laid over")
        control = self.control
        if control is not None and control.picture is None and isinstance(self.image, Canvas):
            raise InvalidRequestError(f"without a picture there are no {control.kind} to follow")

    @property
    def artworks(self) -> tuple[tuple[Pixels, float], ...]:
        """All artworks with their weights, which sum to 1.

        Raises:
            InvalidRequestError: there is none.
        """
        if self.style_image is None:
            raise InvalidRequestError(f"{self.pipeline} needs an artwork (style_image)")
        manner = self.manner or Manner()
        found = ((self.style_image, manner.weight), *manner.others)
        total = sum(weight for _, weight in found)
        return tuple((artwork, weight / total) for artwork, weight in found)

    @property
    def pictures(self) -> tuple[Pixels, ...]:
        """All pictures that it carries."""
        control, like = self.control, self.like
        carried = (
            self.image,
            self.mask,
            self.style_image,
            None if control is None else control.picture,
            None if like is None else like.picture,
            *(() if self.manner is None else (artwork for artwork, _ in self.manner.others)),
        )
        return tuple(each for each in carried if isinstance(each, Pixels))

    @property
    def picture(self) -> Pixels:
        """The picture to start from, for pipelines that need one.

        Raises:
            InvalidRequestError: there is an empty canvas only.
        """
        if isinstance(self.image, Canvas):
            raise InvalidRequestError("this needs a picture to start from")
        return self.image


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a request is.

    Args:
        step: steps done, of ``total_steps`` (0 while that is not known).
        position: requests ahead of this one, while it is queued.
        eta_s: estimated seconds until the result, None while nothing is known.
        preview: the picture as it forms, at most 256 px a side.
    """

    job_id: str
    stage: Stage
    step: int = 0
    total_steps: int = 0
    position: int = 0
    eta_s: float | None = None
    preview: Pixels | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A finished picture.

    Args:
        model: the checkpoint or method that made it.
        device_ms: milliseconds of the device spent on this request alone; what quotas charge.
        attempts: how many engines it took, 1 when nothing went wrong.
        parameters: what the pipeline settled on (steps, guidance, size), for the record.
    """

    job_id: str
    image: Pixels
    seed: int
    model: str
    device_ms: int
    attempts: int = 1
    notes: tuple[Note, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
