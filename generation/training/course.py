"""Any training: steps that may be stopped anywhere, even killed, and gone on with to the same end.

A step draws all that is random from its own number, so a training is a function of its
configuration: whoever goes on from a state has the weights of whoever was never stopped, to the
bit on one kind of CPU with one number of threads.
"""

import fcntl
import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal, Protocol

import torch
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from generation.errors import UNREADABLE, InvalidRequestError
from generation.replacing import replaced

logger = logging.getLogger(__name__)

Precision = Literal["float32", "bfloat16", "float16"]
Figures = Mapping[str, float]

MOST_SEED = 2**32
STATE, FIGURES = "state.pt", "figures.jsonl"


class Course(Protocol):
    """What is trained: it knows its data, networks and losses; all of it moves in ``step``."""

    @property
    def recipe(self) -> Mapping[str, Any]:
        """Return the whole configuration and the data's origin: what makes it this training."""

    @property
    def total_steps(self) -> int:
        """Steps of the whole training."""

    @property
    def report_every(self) -> int:
        """Steps after which it is examined, and its state kept; an epoch as a rule."""

    def step(self, number: int) -> Figures:
        """Take the step of a number, counted from 0, and return its losses."""

    def examine(self) -> Figures:
        """Return figures on data that are not trained on."""

    def sheets(self) -> Mapping[str, Image.Image]:
        """Return pictures by which a person judges it."""

    def state(self) -> dict[str, Any]:
        """Return all that steps change."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take a state over."""

    def export(self, folder: Path, *, history: list[dict[str, Any]]) -> None:
        """Write the model and its card."""


def rng_of(seed: int, number: int) -> torch.Generator:
    """Return the random numbers of a step."""
    return torch.Generator().manual_seed(seed * 1_000_003 + number)


@lru_cache(maxsize=4)
def order_of(count: int, *, seed: int, epoch: int) -> Tensor:
    """Return an epoch's order of the data.

    Shape:
        - returns: ``(count,)``, every index once.
    """
    return torch.randperm(count, generator=rng_of(seed + 1, epoch))


def require_batch(count: int, *, size: int) -> None:
    """Refuse data that fill no batch.

    Raises:
        InvalidRequestError: they are too few.
    """
    if count < size:
        raise InvalidRequestError(f"{count} pictures are too few for batches of {size}")


def require_positive(config: object, *names: str) -> None:
    """Refuse settings that are not above 0, and a seed below it.

    Raises:
        InvalidRequestError: one is not; the message names it.
    """
    for name in names:
        if not getattr(config, name) > 0:
            raise InvalidRequestError(f"{name} is above 0, not {getattr(config, name)}")
    if not 0 <= getattr(config, "seed", 0) < MOST_SEED:
        raise InvalidRequestError(f"seed is at least 0 and below {MOST_SEED}")


def batch_of(count: int, *, size: int, seed: int, number: int) -> Tensor:
    """Return which data a step sees; an epoch's last ones that fill no batch are left out.

    Shape:
        - returns: ``(size,)``.
    """
    batches = count // size
    epoch, place = divmod(number, batches)
    return order_of(count, seed=seed, epoch=epoch)[place * size : (place + 1) * size]


class Mixed:
    """Calculates in half precision where it was asked for; weights and losses stay float32.

    Micikevicius et al., "Mixed Precision Training" (ICLR 2018): with float16 the loss is scaled,
    so that small gradients do not vanish; bfloat16 needs no scale.
    """

    def __init__(self, *, device: torch.device, precision: Precision) -> None:
        self._device = device
        self._dtype = getattr(torch, precision)
        self._scaler = torch.amp.GradScaler(device.type, enabled=precision == "float16")

    def __call__(self) -> AbstractContextManager[Any]:
        """Return the context in which networks calculate."""
        if self._dtype is torch.float32:
            return nullcontext()
        return torch.autocast(self._device.type, dtype=self._dtype)

    def minimise(self, loss: Tensor, optimizer: Optimizer, *, longest: float | None = None) -> None:
        """Take one step of an optimiser down a loss, its gradient cut to a length if one is given.

        Pascanu, Mikolov & Bengio, "On the Difficulty of Training Recurrent Neural Networks" (ICML
        2013).
        """
        optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        if longest is not None:
            self._scaler.unscale_(optimizer)
            weights = [it for group in optimizer.param_groups for it in group["params"]]
            clip_grad_norm_(weights, longest)
        self._scaler.step(optimizer)
        self._scaler.update()

    def state(self) -> dict[str, Any]:
        """Return the scale."""
        return dict(self._scaler.state_dict())

    def restore(self, state: dict[str, Any]) -> None:
        """Take a scale over."""
        self._scaler.load_state_dict(state)


@dataclass(slots=True, kw_only=True)
class _Kept:
    """What is kept of a training under way; ``history`` is also in figures.jsonl, a line each."""

    step: int = 0
    seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)


def train(course: Course, *, out: Path, minutes: float | None = None, quiet: bool = False) -> bool:
    """Train, or go on where a training of this folder was left.

    The work folder beside ``out`` holds the state, figures.jsonl, sheets and TensorBoard's logs.

    Returns:
        Whether all steps are done; then the model is in ``out``.

    Raises:
        InvalidRequestError: the training that was left there is another, or goes on just now.
    """
    work = work_of(out)
    work.mkdir(parents=True, exist_ok=True)
    with _alone(work):
        return _train(course, out=out, minutes=minutes, quiet=quiet)


def _train(course: Course, *, out: Path, minutes: float | None, quiet: bool) -> bool:
    work = work_of(out)
    kept = _restored(course, work / STATE)
    ends = float("inf") if minutes is None else time.monotonic() + 60 * minutes
    with _written(work) as write, _shown(course.total_steps, kept.step, quiet=quiet) as show:
        began = time.monotonic() - kept.seconds
        while kept.step < course.total_steps and time.monotonic() < ends:
            for name, loss in course.step(kept.step).items():
                kept.sums[name] = kept.sums.get(name, 0.0) + loss
            kept.step += 1
            if kept.step % course.report_every == 0 or kept.step == course.total_steps:
                kept.seconds = time.monotonic() - began
                _report(course, kept)
                write(kept.history, course.sheets())
                _keep(course, kept, work / STATE)
            show(kept)
        kept.seconds = time.monotonic() - began
        _keep(course, kept, work / STATE)
    if kept.step < course.total_steps:
        return False
    out.mkdir(parents=True, exist_ok=True)
    for name, sheet in course.sheets().items():
        sheet.save(out / f"{name}.png")
    course.export(out, history=kept.history)
    return True


def work_of(out: Path) -> Path:
    """Return the folder of a training under way."""
    return out.with_name(out.name + ".work")


def read_state(place: Path) -> dict[str, Any]:
    """Return the state that a training left; nothing but tensors and plain values is read.

    Raises:
        InvalidRequestError: it holds something else, or is damaged.
    """
    try:
        return dict(torch.load(place, weights_only=True, map_location="cpu"))
    except (UnpicklingError, OSError, RuntimeError, EOFError, *UNREADABLE) as err:
        work = place.parent.name
        raise InvalidRequestError(
            f"{place} is damaged, or no training's state; without {work} it begins anew"
        ) from err


def is_under_way(out: Path) -> bool:
    """Return whether there is a training of this folder to go on with."""
    return (work_of(out) / STATE).exists()


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Keep other processes from this training.

    Raises:
        InvalidRequestError: one is at it.
    """
    with (work / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidRequestError(f"another process trains in {work}") from None
        yield


def _report(course: Course, kept: _Kept) -> None:
    """Add the means of the losses since the last report, with the examination's figures."""
    steps = (kept.step - 1) % course.report_every + 1
    means = {name: total / steps for name, total in kept.sums.items()}
    kept.sums = {}
    line = {"step": kept.step, **means, **course.examine()}
    kept.history.append({name: round(value, 6) for name, value in line.items()})


def _keep(course: Course, kept: _Kept, place: Path) -> None:
    """Write the state in place of the last one, which stays if this fails."""
    state = {"recipe": dict(course.recipe), "course": course.state(), "step": kept.step}
    state |= {"seconds": kept.seconds, "sums": kept.sums, "history": kept.history}
    with replaced(place) as file:
        torch.save(state, file)


def _restored(course: Course, place: Path) -> _Kept:
    if not place.exists():
        return _Kept()
    state = read_state(place)
    before, now = state.pop("recipe"), dict(course.recipe)
    if other := [name for name in now if before.get(name) != now[name]]:
        changes = ", ".join(f"{name} was {before.get(name)}, not {now[name]}" for name in other)
        raise InvalidRequestError(f"{place.parent} holds another training: {changes}")
    course.restore(state.pop("course"))
    return _Kept(**state)


@contextmanager
def _written(work: Path) -> Iterator[Any]:
    """Yield what writes a report: a line of figures.jsonl, TensorBoard's log, and the sheets."""
    board = _board(work)
    (work / "sheets").mkdir(exist_ok=True)

    def write(history: Sequence[dict[str, Any]], sheets: Mapping[str, Image.Image]) -> None:
        line = history[-1]
        step = line["step"]
        with replaced(work / FIGURES) as file:
            file.write("".join(f"{json.dumps(each)}\n" for each in history).encode())
        for name, sheet in sheets.items():
            sheet.save(work / "sheets" / f"{name}-{step:06}.png")
        for name, value in line.items():
            if board is not None and name != "step":
                board.add_scalar(name, value, step)
        logger.info("%s", json.dumps(line))

    try:
        yield write
    finally:
        if board is not None:
            board.close()


def _board(work: Path) -> Any:  # noqa: ANN401 - TensorBoard's writer, if it is installed
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        logger.warning("without the extra `train` no logs are written for TensorBoard")
        return None
    return SummaryWriter(log_dir=str(work / "tensorboard"))


@contextmanager
def _shown(total: int, begun: int, *, quiet: bool) -> Iterator[Any]:
    """Yield what shows how far a training is, with the time left."""
    columns = (BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, TextColumn("{task.description}"), console=console, disable=quiet) as it:
        task = it.add_task("", total=total, completed=begun)

        def show(kept: _Kept) -> None:
            last = kept.history[-1] if kept.history else {}
            said = ", ".join(f"{name} {value:.4g}" for name, value in last.items())
            it.update(task, completed=kept.step, description=said)

        yield show
