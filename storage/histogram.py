"""Histograms of durations that can be added up, and the percentiles that they tell.

The bins are spaced evenly on a logarithmic scale, 24 to a factor of ten, so that one bin's longest
duration is about a tenth more than its shortest. Whatever is told of a bin lies in its middle, so a
percentile is off by at most ``MAX_ERROR`` of itself. Edges are whole milliseconds: what falls into
which bin is a comparison of whole numbers and the same everywhere.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, sqrt

BINS_A_DECADE, DECADES = 24, 9
EDGES = tuple(
    sorted({0, *(round(10 ** (n / BINS_A_DECADE)) for n in range(BINS_A_DECADE * DECADES + 1))})
)
"""The shortest duration of every bin in milliseconds; the last bin has no end."""
MAX_ERROR = max(sqrt((high - 1) / low) - 1 for low, high in pairwise(EDGES) if low)
"""The largest relative error of a percentile, about 0.05."""
_NAMES = tuple(map(str, range(len(EDGES))))

Histogram = Mapping[str, int]
"""How many durations fall into each bin; bins go by their numbers, written as JSON's keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What share of durations lies below which; in seconds, None where there are none.

    A percentile is the shortest duration that at least so many in a hundred do not exceed.
    """

    p50_s: float | None = None
    p90_s: float | None = None
    p95_s: float | None = None
    p99_s: float | None = None


def bin_of(duration_ms: int) -> str:
    """Return the bin that a duration falls into."""
    return _NAMES[max(0, bisect_right(EDGES, duration_ms) - 1)]


def value_of(name: str) -> float:
    """Return the duration in milliseconds that stands for a bin: its middle, on its scale."""
    number = int(name)
    low = EDGES[number]
    longest = EDGES[number + 1] - 1 if number + 1 < len(EDGES) else low
    return sqrt(low * longest)


def percentile(histogram: Histogram, share: float) -> float | None:
    """Return the duration in milliseconds that a share of all do not exceed; None of nothing."""
    wanted = max(1, ceil(share * sum(histogram.values())))
    seen = 0
    for name in sorted(histogram, key=int):
        seen += histogram[name]
        if seen >= wanted:
            return value_of(name)
    return None


def spread_of(histogram: Histogram) -> Spread:
    """Return the percentiles that people look at."""

    def seconds(share: float) -> float | None:
        found = percentile(histogram, share)
        return None if found is None else round(found / 1000, 4)

    return Spread(p50_s=seconds(0.5), p90_s=seconds(0.9), p95_s=seconds(0.95), p99_s=seconds(0.99))
