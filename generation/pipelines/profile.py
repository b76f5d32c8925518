"""How long calls take by the rows they hold, which shapes pay, and what was measured before.

It is measured once for each model, size, kind of numbers, device, number of threads and version of
the libraries, and kept: a picture's bytes depend on the shape of its calls, so that a shape once
chosen stays.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import diffusers
import torch

from generation.memory import SHAPES as SHAPES
from generation.settled import Settled

PARTS = ("denoiser", "codec")
EXACT_SHARE, THROUGHPUT_SHARE = 0.25, 0.75
WARM_CALLS, TIMED_CALLS = 2, 4
LONGEST_CALL_MS = 2000.0

Times = dict[int, float]
"""Milliseconds of a call by its rows."""


def largest_that_pays(times: Mapping[int, float], *, share: float) -> int:
    """Return the widest shape up to which an added row costs less than a share of those before.

    From B to B' rows: ``t(B') / t(B) - 1 < share * (B' / B - 1)``. A share of 1 would go on until
    wide calls are no faster than narrow ones one after another. Where every call has the one
    shape the share is small, for who comes alone waits for all of it.
    """
    shapes = sorted(times)
    for narrow, wide in pairwise(shapes):
        if times[wide] / times[narrow] - 1 >= share * (wide / narrow - 1):
            return narrow
    return shapes[-1]


def measured(
    call: Callable[[int], object], *, shapes: Iterable[int], device: torch.device
) -> Times:
    """Return how long calls of growing shapes take, until they stop paying or memory ends."""
    times: Times = {}
    for shape in shapes:
        try:
            times[shape] = _milliseconds(partial(call, shape), device=device)
        except torch.OutOfMemoryError:
            if not times:
                raise
            break
        widest = largest_that_pays(times, share=THROUGHPUT_SHARE)
        if widest != shape or times[shape] > LONGEST_CALL_MS:
            break
    return times


def _milliseconds(call: Callable[[], object], *, device: torch.device) -> float:
    """Return the shortest of a few calls, the first of which do not count."""
    taken = []
    for _ in range(WARM_CALLS + TIMED_CALLS):
        started = perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(1000 * (perf_counter() - started))
    return min(taken[WARM_CALLS:])


def circumstances(device: torch.device) -> str:
    """Return what else but the model decides how long calls take, and which bits they give."""
    place = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    versions = f"torch {torch.__version__}, diffusers {diffusers.__version__}"
    return f"{place}, {torch.get_num_threads()} threads, {versions}"


class Profiles(Settled[dict[str, Times]]):
    """What was measured, in a file that several engines share.

    Args:
        path: None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        super().__init__(path, parse=lambda told: {part: _times(told[part]) for part in PARTS})


def _times(told: Mapping[str, float]) -> Times:
    """Return what a file tells of one part of a model.

    Raises:
        ValueError: no times of calls are told, or impossible ones.
    """
    times = {int(rows): float(taken) for rows, taken in told.items()}
    if not times or min(times) < 1 or not all(0 < taken < float("inf") for taken in times.values()):
        raise ValueError("these are no times")
    return times
