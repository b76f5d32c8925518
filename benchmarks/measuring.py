"""What is measured, and where: each in a process of its own."""

import faulthandler
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module

from benchmarks.figures import Effort, Figure

MEASUREMENTS: dict[str, str] = {
    "B1": "benchmarks.exactness:measure",
    "B2": "benchmarks.crowd:measure",
    "B3": "benchmarks.burst:measure",
    "B4": "benchmarks.transport:measure",
    "B5": "benchmarks.loop_lag:measure",
    "B6": "benchmarks.pictures:measure",
    "B7": "benchmarks.fairness:measure",
    "B8": "benchmarks.faults:measure",
}
ON_A_GPU: dict[str, str] = {
    "G1": "benchmarks.gpu.limits:measure",
    "G2": "benchmarks.gpu.members:measure",
    "G3": "benchmarks.gpu.stream:measure",
    "G4": "benchmarks.gpu.latency:measure",
    "G5": "benchmarks.gpu.same_steps:measure",
}
KNOWN = MEASUREMENTS | ON_A_GPU
PATIENCE_S = 900
"""What measures longer than this hangs: the run ends, and says where."""

Measure = Callable[..., Sequence[Figure]]


def measure_of(target: str) -> Measure:
    """Import a measurement by its ``module:function``."""
    module, _, function = target.partition(":")
    measure: Measure = getattr(import_module(module), function)
    return measure


def measured(ids: Sequence[str], *, effort: Effort) -> list[Figure]:
    """Measure one after the other, each in a process of its own.

    None finds the memory, the caches and the threads that another has left behind.
    """
    figures: list[Figure] = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        for name in ids:
            figures += pool.submit(measured_here, name, effort).result()
    return figures


def measured_here(name: str, effort: Effort) -> list[Figure]:
    """Measure in this process, and say how long it took."""
    started = time.monotonic()
    faulthandler.dump_traceback_later(PATIENCE_S, exit=True)
    figures = list(measure_of(KNOWN[name])(effort))
    faulthandler.cancel_dump_traceback_later()
    print(f"{name} measured in {time.monotonic() - started:.0f} s", file=sys.stderr)
    return figures
