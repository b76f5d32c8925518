"""What the tests have children do; importable, so that a pool can send it."""

import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

import numpy as np

from generation.comparing import Pair, compare
from generation.errors import GenerationError
from generation.intake import prepare


def measured(data: bytes) -> tuple[str, float, int]:
    """Prepare an upload; return what became of it, the seconds, and the child's peak in MB."""
    started = time.perf_counter()
    try:
        outcome = prepare(data, 1024).source_format
    except GenerationError as error:
        outcome = type(error).__name__
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return outcome, time.perf_counter() - started, peak


def outcomes(uploads: Sequence[bytes]) -> Counter[str]:
    """Prepare many uploads; count the outcomes, and fail on a message that is not ours."""
    counts: Counter[str] = Counter()
    for upload in uploads:
        try:
            counts[prepare(upload, 64).source_format] += 1
        except GenerationError as error:
            sentence = str(error)
            assert sentence.isascii(), sentence
            assert sentence.isprintable(), sentence
            assert len(sentence) < 120, sentence
            counts[type(error).__name__] += 1
    return counts


def imported() -> set[str]:
    """Return the top-level modules that the child has imported."""
    return {name.partition(".")[0] for name in sys.modules}


def crash() -> None:
    """Die as a decoder's memory fault does."""
    os.kill(os.getpid(), signal.SIGSEGV)


def burn() -> None:
    """Use the processor for ever."""
    while True:
        pass


def burn_for(seconds: float) -> float:
    """Use the processor for a while."""
    started = time.process_time()
    while time.process_time() - started < seconds:
        pass
    return seconds


def hoard() -> int:
    """Ask for more memory than the child may have."""
    return len(bytearray(2**31))


def page_faults_of(size: int) -> int:
    """Use memory for a moment; return how many pages the system had to provide for it."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(size)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def doze() -> None:
    """Sleep longer than any test waits."""
    time.sleep(600)


def open_files() -> int:
    """Open files until the child's limit stops it; return how many there could be."""
    opened: list[BinaryIO] = []
    try:
        while len(opened) < 1_000:
            opened.append(Path(os.devnull).open("rb"))  # noqa: SIM115 -- closed below
    except OSError:
        return len(opened)
    finally:
        for file in opened:
            file.close()
    return len(opened)


def threads_with_layers() -> int:
    """Import what draws layers, and multiply; return how many threads the process has then."""
    import_module("generation.postprocess.finishing")
    ones = np.ones((500, 500))
    assert (ones @ ones).max() == 500
    return len([*Path("/proc/self/task").iterdir()])


def spent_s(pair: Pair, times: int) -> float:
    """Return the processor time of comparing two pictures, the median."""
    found = []
    for _ in range(times):
        begun = time.thread_time()
        compare(pair)
        found.append(time.thread_time() - begun)
    return sorted(found)[times // 2]
