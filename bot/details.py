"""How a job's pictures were made, and how much they differ from what they were made from."""

from collections.abc import Iterator, Sequence
from math import sqrt

from discord import ui

from bot.notices import ACCENT, notice
from bot.orders import Parameters, seed_of
from bot.texts import Voice
from generation.registry import PORTRAIT
from generation.request import Manner
from storage.records import Job, Likeness


def details(voice: Voice, job: Job) -> str:
    """Return the line about what a finished job's pictures were made with."""
    kept = Parameters.of_job(job)
    outcome = job.notes if isinstance(job.notes, dict) else {}
    seeds = [seed_of(job.seed, number=number) for number in job.outputs]
    given: dict[str, object] = {
        "seed" if len(seeds) == 1 else "seeds": _in_a_row(seeds),
        "strength": f"{kept.strength:g}" if job.image is not None else None,
        "truncation": f"{kept.strength:g}" if _is_of_a_seed(job) else None,
        "mix": kept.mix,
        "size": f"{kept.width} x {kept.height}" if job.image is None else None,
        "ratio": kept.ratio,
        "chosen": voice.say(f"chosen.{kept.chosen}") if kept.chosen else None,
        **_manner(kept),
        "steps": kept.num_inference_steps,
        "scheduler": None if kept.scheduler is None else voice.say(f"scheduler.{kept.scheduler}"),
        "guidance": None if kept.guidance_scale is None else f"{kept.guidance_scale:g}",
        "seconds": f"{(job.device_ms or 0) / 1000:.1f}",
    }
    said = (
        voice.say(f"detail.{name}", value=value)
        for name, value in given.items()
        if value is not None
    )
    return " · ".join((str(outcome.get("model", job.pipeline)), *said))


def _manner(kept: Parameters) -> dict[str, object]:
    """Return what of a manner of style is not as usual."""
    manner, usual = kept.manner or Manner(), Manner()
    return {
        "second": f"{1 - manner.weight:g}" if manner.weight != usual.weight else None,
        "style_weight": (
            f"{manner.style_weight:g}" if manner.style_weight != usual.style_weight else None
        ),
        "colours": "" if manner.keep_colours else None,
    }


def _is_of_a_seed(job: Job) -> bool:
    return job.pipeline == PORTRAIT and job.image is None


def details_page(voice: Voice, job: Job) -> ui.LayoutView:
    """Return the message about a job's pictures; its text fits into one for ten of them."""
    lines = [f"**{voice.say('details.title')}**", details(voice, job)]
    for number in job.outputs:
        found = job.likeness.get(number)
        if found is not None:
            lines += _likeness(voice, found, number=number + 1 if len(job.outputs) > 1 else None)
    return notice("\n".join((*lines, *_compared(voice, job))), colour=ACCENT)


def _likeness(voice: Voice, found: Likeness, *, number: int | None) -> Iterator[str]:
    """Yield a sentence about what differs, and the figures that it is made of."""
    before = "" if number is None else voice.say("details.picture", number=number)
    apart = 100 * sqrt(found.mse)
    values = {
        # What differs at all is not said to be wholly alike.
        "alike": min(99, round(100 * max(0.0, found.ssim or 0.0))),
        "apart": f"{apart:.0f}" if apart >= 10 else f"{max(0.1, apart):.1f}",
    }
    kind = "same" if found.mse == 0 else "apart" if found.ssim is None else "alike"
    yield before + voice.say(f"details.{kind}", **values)
    figures = (
        None if found.ssim is None else f"SSIM {found.ssim:.3f}",
        None if found.psnr is None else f"PSNR {found.psnr:.1f} dB",
        f"MSE {found.mse:.3g}",
    )
    yield f"-# {' · '.join(filter(None, figures))}"


def _compared(voice: Voice, job: Job) -> Iterator[str]:
    """Yield what the figures are about, or why there are none."""
    ways = dict.fromkeys(each.compared for each in job.likeness.values())
    for way in ways:
        yield f"-# {voice.say(f'details.compared.{way}')}"
    if not ways:
        why = "words" if job.image is None else "none"
        yield f"-# {voice.say(f'details.compared.{why}')}"


def _in_a_row(numbers: Sequence[int]) -> str:
    """Return numbers, of three and more that count up the first and the last alone."""
    first, last = numbers[0], numbers[-1]
    if len(numbers) > 2 and list(numbers) == list(range(first, last + 1)):
        return f"{first} \u2026 {last}"
    return ", ".join(map(str, numbers))
