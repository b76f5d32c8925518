"""The watchdog: decides from the control page when an engine has to be killed."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, monotonic_ns

from generation.executor.control import Phase, Sight


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Why an engine has to be killed; ``overdue`` is the row that used up its seconds, or 0."""

    reason: str
    overdue: int = 0


class Watchdog:
    """Looks at one engine's control page again and again.

    Args:
        hang_timeout_s: of silence in a call, or of the whole process.
        load_timeout_s: of silence while a model is loaded.
        grace_s: how far a row may overrun its deadline within one step.
        glance_s: the longest time that one glance may count for, so that a pause of this very
            process (a suspended machine, a stopped container) is not taken for the engine's.
    """

    def __init__(
        self,
        *,
        hang_timeout_s: float,
        load_timeout_s: float,
        grace_s: float,
        glance_s: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._limits = {Phase.CALL: hang_timeout_s, Phase.LOAD: load_timeout_s}
        self._hang_timeout_s = hang_timeout_s
        self._grace_ns = int(grace_s * 1e9)
        self._glance_s = glance_s
        self._clock = clock
        self._last: Sight | None = None
        self._looked_at = clock()
        self._without_beat_s = 0.0
        self._without_turn_s = 0.0

    def look(self, sight: Sight) -> Verdict | None:
        """Take in what the page says now; return a verdict when the engine is beyond hope."""
        now = self._clock()
        passed_s = min(now - self._looked_at, self._glance_s)
        self._looked_at = now
        last, self._last = self._last, sight
        moved = last is None or last.turn != sight.turn
        self._without_turn_s = 0.0 if moved else self._without_turn_s + passed_s
        beats = last is None or last.beat != sight.beat
        self._without_beat_s = 0.0 if beats else self._without_beat_s + passed_s
        return self._judge(sight)

    def _judge(self, sight: Sight) -> Verdict | None:
        limit_s = self._limits.get(sight.phase, self._hang_timeout_s)
        if self._without_beat_s > limit_s:
            return Verdict(reason=f"no heartbeat for {limit_s:.1f} s")
        if sight.phase is Phase.BETWEEN:
            return None
        if self._without_turn_s > limit_s:
            return Verdict(reason=f"no progress for {limit_s:.1f} s")
        if sight.deadline_ns and monotonic_ns() > sight.deadline_ns + self._grace_ns:
            return Verdict(reason="a step did not end at its deadline", overdue=sight.overdue)
        return None
