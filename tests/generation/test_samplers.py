"""The sampler tables do what diffusers' own scheduler objects do."""

import copy
import inspect
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from generation import request
from generation.errors import InvalidRequestError
from generation.pipelines.samplers import SCHEDULERS, Schedule, first_step, plan, scheduler_like
from tests.generation.checkpoints import real

# Diffusers hands tensors to numpy in a way that numpy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array_:DeprecationWarning",
    "ignore:`algorithm_types dpmsolver:FutureWarning",
)

FIVE = ("ddim", "euler", "euler_ancestral", "lcm", "dpmpp_2m")
SHAPE = (1, 4, 3, 5)


def _scheduler(name: str, **config: object) -> Any:  # noqa: ANN401
    base = real.DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, **config
    )
    return scheduler_like(base, name)


def _network(scaled: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
    """A made-up denoiser, not linear, and smooth, so that it does not blow differences up."""
    return torch.tanh(scaled) + 0.3 * torch.cos(time / 200) * scaled.roll(1, -1)


def _reference(scheduler: Any, *, steps: int, first: int, mixed: bool) -> torch.Tensor:  # noqa: ANN401
    """Diffusers' own loop, as its pipelines write it."""
    ready, rng = copy.deepcopy(scheduler), torch.Generator().manual_seed(4)
    ready.set_timesteps(steps)
    picture = torch.rand(SHAPE, generator=rng)
    latents: torch.Tensor = torch.randn(SHAPE, generator=rng) * ready.init_noise_sigma
    if mixed:
        if hasattr(ready, "set_begin_index"):
            ready.set_begin_index(first)
        noise = latents / ready.init_noise_sigma
        latents = ready.add_noise(picture, noise, ready.timesteps[first : first + 1])
    accepted = inspect.signature(ready.step).parameters
    extra = {"generator": rng} if "generator" in accepted else {}
    for time in ready.timesteps[first:]:
        prediction = _network(ready.scale_model_input(latents, time), time.float())
        latents = ready.step(prediction, time, latents, **extra).prev_sample
    return latents


def _by_table(scheduler: Any, *, steps: int, first: int, mixed: bool) -> torch.Tensor:  # noqa: ANN401
    return _along(plan(scheduler, steps=steps, first=first, mixed=mixed))


def _along(schedule: Schedule) -> torch.Tensor:
    assert schedule.table is not None
    rng = torch.Generator().manual_seed(4)
    picture, noise = torch.rand(SHAPE, generator=rng), torch.randn(SHAPE, generator=rng)
    latents = schedule.signal * picture + schedule.noise * noise
    clean = torch.zeros(SHAPE)
    for row, time, draws in zip(
        schedule.table.coefficients, schedule.timesteps, schedule.table.draws, strict=True
    ):
        scale, a, b, c, d, p, q = row
        eps = _network(scale * latents, time.float())
        drawn = torch.randn(SHAPE, generator=rng) if draws else torch.zeros(SHAPE)
        latents, clean = a * latents + b * eps + c * drawn + d * clean, p * latents + q * eps
    return latents


@pytest.mark.parametrize("name", FIVE)
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_b1_five_samplers_agree_with_diffusers(name: str, prediction: str) -> None:
    if (name, prediction) == ("euler_ancestral", "sample"):
        pytest.skip("diffusers' Euler ancestral does not take this prediction")
    scheduler = _scheduler(name, prediction_type=prediction)
    for steps, first, mixed in [(1, 0, False), (2, 1, True), (7, 0, False), (12, 5, True)]:
        expected = _reference(scheduler, steps=steps, first=first, mixed=mixed)
        found = _by_table(scheduler, steps=steps, first=first, mixed=mixed)
        assert float((found - expected).norm() / expected.norm()) <= 1e-5


@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
@pytest.mark.parametrize("name", FIVE)
def test_b1_every_spacing_of_timesteps_agrees_with_diffusers(name: str, spacing: str) -> None:
    scheduler = _scheduler(name, timestep_spacing=spacing)
    for strength in (0.3, 0.7, 1.0):
        first = first_step(scheduler, steps=20, strength=strength)
        assert first is not None
        expected = _reference(scheduler, steps=20, first=first, mixed=True)
        found = _by_table(scheduler, steps=20, first=first, mixed=True)
        assert float((found - expected).norm() / expected.norm()) <= 1e-5


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("DDIMScheduler", {"clip_sample": True}),
        ("DDIMScheduler", {"clip_sample": False, "thresholding": True}),
        ("PNDMScheduler", {"skip_prk_steps": True}),
        ("HeunDiscreteScheduler", {}),
        ("KDPM2DiscreteScheduler", {}),
        ("UniPCMultistepScheduler", {}),
        ("DPMSolverMultistepScheduler", {"solver_order": 3}),
        (
            "DPMSolverMultistepScheduler",
            {"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min"},
        ),
    ],
)
def test_what_is_not_affine_has_no_table(kind: str, config: dict[str, object]) -> None:
    assert plan(getattr(real, kind)(**config), steps=8).table is None


FLOWS: dict[str, tuple[str, dict[str, Any]]] = {
    "shifted": ("FlowMatchEulerDiscreteScheduler", {"shift": 3.0}),
    "by size": ("FlowMatchEulerDiscreteScheduler", {"use_dynamic_shifting": True}),
    "to an end": (
        "FlowMatchEulerDiscreteScheduler",
        {"use_dynamic_shifting": True, "shift_terminal": 0.02},
    ),
    "with noise": ("FlowMatchEulerDiscreteScheduler", {"stochastic_sampling": True}),
    "consistent": ("FlowMatchLCMScheduler", {"shift": 3.0}),
}


def _flow_reference(scheduler: Any, *, steps: int, first: int, spacing: Any) -> torch.Tensor:  # noqa: ANN401
    """Diffusers' own loop, as its pipelines for flows write it."""
    ready, rng = copy.deepcopy(scheduler), torch.Generator().manual_seed(4)
    ready.set_timesteps(steps, **spacing)
    picture, latents = torch.rand(SHAPE, generator=rng), torch.randn(SHAPE, generator=rng)
    if first:
        ready.set_begin_index(first)
        latents = ready.scale_noise(picture, ready.timesteps[first : first + 1], latents)
    for time in ready.timesteps[first:]:
        latents = ready.step(_network(latents, time), time, latents, generator=rng).prev_sample
    return latents


@pytest.mark.parametrize("name", FLOWS)
def test_steps_along_a_flow_agree_with_diffusers(name: str) -> None:
    kind, config = FLOWS[name]
    scheduler = getattr(real, kind)(**config)
    even: dict[str, Any] = {"sigmas": (1.0, 0.75, 0.5, 0.25), "mu": 0.8}
    cases: list[tuple[int, int, dict[str, Any]]]
    cases = [(7, 0, {"mu": 0.6}), (12, 5, {"mu": 1.1}), (4, 1, even)]
    for steps, first, spacing in cases:
        expected = _flow_reference(scheduler, steps=steps, first=first, spacing=spacing)
        schedule = plan(
            scheduler, steps=steps, first=first, mixed=first > 0, keeps=True, spacing=spacing
        )
        assert schedule.table is not None
        found = _along(schedule)
        assert float((found - expected).norm() / expected.norm()) <= 1e-5
        assert schedule.mixtures[0] == pytest.approx((1 - schedule.noise, schedule.noise))


def test_a_flow_takes_a_step_of_which_a_part_is_wanted_as_diffusers_does() -> None:
    scheduler = real.FlowMatchEulerDiscreteScheduler()
    shares = {(4, 0.2): None, (4, 0.25): 3, (5, 0.5): 2, (28, 0.7): 8, (4, 1.0): 0}
    for (steps, strength), first in shares.items():
        assert first_step(scheduler, steps=steps, strength=strength) == first
        if first is not None:
            pipe = SimpleNamespace(scheduler=copy.deepcopy(scheduler))
            pipe.scheduler.set_timesteps(steps)
            timing = real.StableDiffusion3Img2ImgPipeline.get_timesteps
            assert timing(pipe, steps, strength, "cpu")[1] == steps - first


def test_planning_leaves_the_scheduler_as_it_was() -> None:
    scheduler = _scheduler("euler")
    before = scheduler.timesteps.clone()
    plan(scheduler, steps=3)
    assert torch.equal(scheduler.timesteps, before)


def test_what_may_be_asked_for_is_what_there_is() -> None:
    assert tuple(SCHEDULERS) == request.SCHEDULERS


def test_a_scheduler_of_no_known_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidRequestError, match="euler_ancestral"):
        scheduler_like(_scheduler("ddim"), "magic")
    assert set(FIVE) < set(SCHEDULERS)


def test_too_little_strength_takes_no_step() -> None:
    scheduler = _scheduler("ddim")
    assert first_step(scheduler, steps=4, strength=0.2) is None
    assert first_step(scheduler, steps=4, strength=0.5) == 2
    assert first_step(scheduler, steps=4, strength=1.0) == 0
