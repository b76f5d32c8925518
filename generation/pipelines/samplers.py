"""Samplers as tables: each step of a scheduler is one affine update of a row.

``x' = a*x + b*eps + c*noise + d*x0_prev`` and ``x0 = p*x + q*eps``: DDIM (Song et al., ICLR 2021),
Euler and Euler ancestral (Karras et al., NeurIPS 2022), LCM (Luo et al., 2023) and DPM-Solver++ of
the second order (Lu et al., 2022) all have this form, and so have steps along a flow (Lipman et
al., ICLR 2023), Euler's ``x + (sigma' - sigma) * velocity`` and LCM's. The coefficients are not
derived again: they are read out of diffusers' own scheduler by feeding it unit tensors, and
believed only if random tensors, fed along with them at every step, come out as the table says.
Whatever is not of this form (clipping, Heun, PNDM, higher orders) keeps its scheduler object.
"""

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import diffusers
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from generation.errors import InvalidRequestError

SCHEDULERS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "ddim": ("DDIMScheduler", {"clip_sample": False}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler_ancestral": ("EulerAncestralDiscreteScheduler", {}),
    "lcm": ("LCMScheduler", {"clip_sample": False}),
    "dpmpp_2m": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
    "pndm": ("PNDMScheduler", {"skip_prk_steps": True}),
}
TOLERANCE = 1e-5

# What is fed to a scheduler, element by element: four units twice, in turns, and random values.
_UNITS, _RANDOM = 4, 8
_WIDTH = 2 * _UNITS + _RANDOM


class Coefficients(NamedTuple):
    """One step of one sampler, as floats.

    Args:
        scale: of the latents on their way into the denoiser.
        a, b, c, d: of the latents, the prediction, the noise and the previous estimate.
        p, q: of the latents and the prediction in the estimate of the noise-free latents.
    """

    scale: float
    a: float
    b: float
    c: float
    d: float
    p: float
    q: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The steps of a schedule.

    Args:
        draws: for every step, whether it draws noise; a draw counts even where ``c`` is 0, so
            that a seed means the same noise as in the scheduler itself.

    Shape:
        - coefficients: ``(steps, 7)``, float32, the columns of ``Coefficients``.
    """

    coefficients: Tensor
    draws: tuple[bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Timesteps to take, and how: by a table, or by a scheduler object where there is none.

    Args:
        timesteps: ``(steps,)``, in the scheduler's own type.
        table: None if the scheduler is not affine.
        signal, noise: how the first latents are mixed from the picture's and from noise.
        mixtures: the same before every step, for pictures of which a part stays; empty where
            that was not asked for.
        scheduler: set to begin; rows without a table take copies.
    """

    timesteps: Tensor
    table: Table | None
    signal: float
    noise: float
    scheduler: Any
    mixtures: tuple[tuple[float, float], ...] = ()

    def __len__(self) -> int:
        return len(self.timesteps)


def scheduler_like(scheduler: Any, name: str | None) -> Any:  # noqa: ANN401 - diffusers' own
    """Return the scheduler of a name with a checkpoint's noise schedule; None is its own.

    Raises:
        InvalidRequestError: there is no such scheduler, or it cannot run this checkpoint; the
            message lists those there are.
    """
    if name is None:
        return scheduler
    if _flows(scheduler):
        raise InvalidRequestError("a checkpoint made for flows runs with its own scheduler only")
    try:
        cls, changes = SCHEDULERS[name]
    except KeyError:
        known = ", ".join(SCHEDULERS)
        raise InvalidRequestError(f"there is no scheduler {name!r}; known: {known}") from None
    return getattr(diffusers, cls).from_config(scheduler.config, **changes)


def plan(
    scheduler: Any,  # noqa: ANN401 - diffusers' own
    *,
    steps: int,
    first: int = 0,
    mixed: bool = False,
    keeps: bool = False,
    spacing: Mapping[str, object] = MappingProxyType({}),
) -> Schedule:
    """Plan a schedule and read its table.

    Args:
        scheduler: a scheduler of diffusers; it is not changed.
        steps: of the whole schedule.
        first: the timestep, by its place, from which the steps are taken.
        mixed: whether it begins with a noisy picture (img2img) instead of with noise alone.
        keeps: whether a part of the picture is to stay, mixed with noise as far as the rest is.
        spacing: what else the scheduler is told of where its timesteps are to lie.

    Raises:
        InvalidRequestError: the scheduler refuses so many steps.
    """
    ready = copy.deepcopy(scheduler)
    try:
        ready.set_timesteps(steps, **spacing)
    except ValueError as err:
        raise InvalidRequestError(f"the scheduler cannot take {steps} steps: {err}") from err
    timesteps = ready.timesteps[first:]
    # Without a place to begin at, a scheduler finds its place by the timestep.
    mixtures = tuple(_mixture(ready, time[None]) for time in timesteps) if keeps else ()
    if mixed and len(timesteps) and hasattr(ready, "set_begin_index"):
        ready.set_begin_index(first)
    # Flows begin with plain noise, and do not say so.
    signal, noise = 0.0, float(getattr(ready, "init_noise_sigma", 1.0))
    if mixed and len(timesteps):
        signal, noise = _mixture(ready, timesteps[:1])
    return Schedule(
        timesteps=timesteps.cpu(),
        table=read_table(ready, timesteps),
        signal=signal,
        noise=noise,
        scheduler=ready,
        mixtures=mixtures,
    )


def _mixture(scheduler: Any, time: Tensor) -> tuple[float, float]:  # noqa: ANN401
    """Return how a noisy picture weighs the picture and the noise, rounded as the rows will be."""
    pictures = torch.tensor([[1.0, 0.0]])
    if _flows(scheduler):
        mixed = scheduler.scale_noise(pictures, time, 1 - pictures)
    else:
        mixed = scheduler.add_noise(pictures, 1 - pictures, time)
    signal, noise = mixed[0].tolist()
    return float(signal), float(noise)


def first_step(scheduler: Any, *, steps: int, strength: float) -> int | None:  # noqa: ANN401
    """Return the place of the first timestep of img2img, None if no step is taken.

    As in diffusers, ``strength`` is the share of the steps that are taken; some schedulers plan
    more timesteps than steps, so that the share is of the latter. Its pipelines for flows take a
    step of which a part is wanted, the others do not; less than one step is none with all.
    """
    taken = min(int(steps * strength), steps)
    if not taken:
        return None
    left = int(steps - min(steps * strength, steps)) if _flows(scheduler) else steps - taken
    return left * int(scheduler.order)


def _flows(scheduler: Any) -> bool:  # noqa: ANN401
    """Return whether a scheduler goes straight from noise to the picture (flow matching)."""
    return hasattr(scheduler, "scale_noise")


class _Draws(TorchFunctionMode):
    """Notes the noise that a scheduler draws."""

    def __init__(self) -> None:
        super().__init__()
        self.noise: list[Tensor] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        result = func(*args, **(kwargs or {}))
        if func is torch.randn:
            self.noise.append(result)
        return result


def read_table(scheduler: Any, timesteps: Tensor) -> Table | None:  # noqa: ANN401
    """Return the table of a scheduler that is about to take these timesteps, None if it has none.

    At every step half of the units are read, while the other half prepares the estimate that the
    next step remembers; random values, a hundred times larger than latents are, test the table.
    """
    if not str(getattr(scheduler.config, "algorithm_type", "++")).endswith("++"):
        return None
    probe, rng = copy.deepcopy(scheduler), torch.Generator().manual_seed(0)
    rows: list[Coefficients] = []
    draws: list[bool] = []
    clean = torch.zeros(1, 1, 1, _WIDTH, dtype=torch.float64)
    for index, time in enumerate(timesteps):
        sample, eps = _fed(index, rng)
        scale = _scaled(probe, torch.ones_like(sample), time).flatten()
        with _Draws() as drawn:
            moved, estimate = _stepped(probe, eps, time, sample, rng)
        if estimate is None or len(drawn.noise) > 1 or not bool((scale == scale[0]).all()):
            return None
        noise = drawn.noise[0].double() if drawn.noise else torch.zeros_like(eps)
        found = _read(index, moved, estimate, noise=noise, clean=clean, scale=float(scale[0]))
        if not _holds(found, sample, eps, noise, clean, moved, estimate):
            return None
        rows.append(found)
        draws.append(bool(drawn.noise))
        clean = estimate
    table = torch.tensor(rows, dtype=torch.float32).view(-1, len(Coefficients._fields))
    return Table(coefficients=table, draws=tuple(draws))


def _scaled(scheduler: Any, sample: Tensor, time: Tensor) -> Tensor:  # noqa: ANN401
    """Return latents as the denoiser is to see them."""
    if not hasattr(scheduler, "scale_model_input"):
        return sample
    scaled: Tensor = scheduler.scale_model_input(sample, time)
    return scaled


def _fed(index: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return latents and a prediction: units to read now, units for the next step, random."""
    sample, eps = (torch.zeros(1, 1, 1, _WIDTH, dtype=torch.float64) for _ in range(2))
    now, later = (index % 2) * _UNITS, (1 - index % 2) * _UNITS
    sample[..., now + 1] = 1
    eps[..., now + 2] = 1
    # An estimate that is not 0 for the next step to remember; both, for either may not count.
    sample[..., later + 3], eps[..., later + 3] = 1, -2
    for fed in (sample, eps):
        # Whole numbers, which no scheduler's own rounding to float32 changes.
        fed[..., 2 * _UNITS :] = torch.randint(-400, 400, (_RANDOM,), generator=rng).double()
    return sample, eps


def _stepped(
    probe: Any,  # noqa: ANN401
    eps: Tensor,
    time: Tensor,
    sample: Tensor,
    rng: torch.Generator,
) -> tuple[Tensor, Tensor | None]:
    """Take a step; return the new latents and the estimate of the noise-free ones."""
    moved = probe.step(eps, time, sample, **_generator(probe, rng))
    estimate = getattr(moved, "pred_original_sample", None)
    if estimate is None:
        estimate = getattr(moved, "denoised", None)
    if estimate is None and hasattr(probe, "model_outputs"):
        estimate = probe.model_outputs[-1]
    if estimate is None and _flows(probe):
        # The velocity is what lies between noise and picture: x = (1 - sigma) * x0 + sigma * noise.
        estimate = sample - probe.sigmas[probe.step_index - 1].double() * eps
    return moved.prev_sample.double(), None if estimate is None else estimate.double()


def _generator(scheduler: Any, rng: torch.Generator) -> dict[str, torch.Generator]:  # noqa: ANN401
    accepted = inspect.signature(scheduler.step).parameters
    return {"generator": rng} if "generator" in accepted else {}


def _read(
    index: int, moved: Tensor, estimate: Tensor, *, noise: Tensor, clean: Tensor, scale: float
) -> Coefficients:
    """Return the coefficients from what became of this step's units."""
    place = (index % 2) * _UNITS
    new, old, drawn, now = (it.flatten().tolist() for it in (moved, clean, noise, estimate))
    c = new[place] / drawn[place] if drawn[place] else 0.0
    a, b, d = (new[place + unit] - c * drawn[place + unit] for unit in (1, 2, 3))
    return Coefficients(
        scale=scale,
        a=a,
        b=b,
        c=c,
        d=d / old[place + 3] if old[place + 3] else 0.0,
        p=now[place + 1],
        q=now[place + 2],
    )


def _holds(
    row: Coefficients,
    sample: Tensor,
    eps: Tensor,
    noise: Tensor,
    clean: Tensor,
    moved: Tensor,
    estimate: Tensor,
) -> bool:
    """Return whether a step did to every value what its coefficients say."""
    parts = [row.a * sample, row.b * eps, row.c * noise, row.d * clean]
    shown = [row.p * sample, row.q * eps]
    return _equal(moved, parts) and _equal(estimate, shown)


def _equal(value: Tensor, parts: list[Tensor]) -> bool:
    size = torch.stack(parts).abs().sum(0) + 1e-3
    return bool(((value - torch.stack(parts).sum(0)).abs() <= TOLERANCE * size).all())


def step_by_object(
    scheduler: Any,  # noqa: ANN401
    prediction: Tensor,
    time: Tensor,
    latents: Tensor,
    rng: torch.Generator,
) -> tuple[Tensor, Tensor | None]:
    """Take a step with a scheduler that has no table; return latents and estimate, if it has one.

    The scheduler keeps state, so that a step cannot be repeated.
    """
    moved = scheduler.step(prediction, time, latents, **_generator(scheduler, rng))
    estimate = getattr(moved, "pred_original_sample", None)
    return moved.prev_sample, getattr(moved, "denoised", None) if estimate is None else estimate
