"""What an engine counts, and how the client hears of it."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from time import monotonic
from typing import Self

TOLD_EVERY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What an engine has counted since it started; every field only grows.

    Args:
        calls: calls of a model that advanced rows.
        rows_used: rows of those calls that were somebody's.
        rows_offered: rows that those calls could have held.
        rows_run: rows that those calls were padded to.
        encode_ms: device time that admitting requests took.
        step_ms: device time of the calls.
        preview_ms: device time that previews took.
        decode_ms: device time that finishing pictures took.
        memory_retries: what was tried again because memory had not sufficed.
        model_loads: models that were brought to the device, from the host's memory or from disk.
        model_evictions: models that were taken off it.
        prompt_hits, prompt_misses: prompts that had been read already, and that had not.
        picture_hits, picture_misses: pictures that had been encoded already, and that had not.
        artwork_hits, artwork_misses: artworks whose style was known, and that were new.
        codec_calls, codec_pictures: calls of models' codecs, and the pictures in them.
    """

    calls: int = 0
    rows_used: int = 0
    rows_offered: int = 0
    rows_run: int = 0
    encode_ms: float = 0.0
    step_ms: float = 0.0
    preview_ms: float = 0.0
    decode_ms: float = 0.0
    memory_retries: int = 0
    model_loads: int = 0
    model_evictions: int = 0
    prompt_hits: int = 0
    prompt_misses: int = 0
    picture_hits: int = 0
    picture_misses: int = 0
    artwork_hits: int = 0
    artwork_misses: int = 0
    codec_calls: int = 0
    codec_pictures: int = 0

    @property
    def occupancy(self) -> float:
        """The share of the rows on offer that was used; 0 before the first call."""
        return self.rows_used / self.rows_offered if self.rows_offered else 0.0

    @property
    def padding_waste(self) -> float:
        """The share of the rows that were run for nobody; 0 before the first call."""
        return 1 - self.rows_used / self.rows_run if self.rows_run else 0.0

    def plus(self, **more: float) -> Self:
        """Return these counters with some raised."""
        return replace(self, **{name: getattr(self, name) + by for name, by in more.items()})

    def __add__(self, other: "Counters") -> Self:
        """Return the sums of two engines."""
        return self.plus(**{each.name: getattr(other, each.name) for each in fields(other)})


class Tally:
    """The engine's counters, and when the client is to hear of them."""

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self.counters = Counters()
        self._told = self.counters
        self._told_at = float("-inf")
        self._clock = clock

    def add(self, **more: float) -> None:
        """Raise some counters."""
        self.counters = self.counters.plus(**more)

    def due_s(self) -> float | None:
        """Return in how many seconds the client is to be told; None if there is no news."""
        if self.counters == self._told:
            return None
        return max(0.0, self._told_at + TOLD_EVERY_S - self._clock())

    def news(self) -> Counters | None:
        """Return what the client is to be told now, or None."""
        if self.due_s() != 0:
            return None
        self._told, self._told_at = self.counters, self._clock()
        return self.counters
