"""What the client has seen of requests: for metrics, and for who looks on."""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import nlargest

Account = tuple[int, int]
"""A guild and a member of it."""

MOST_ACCOUNTS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A request that has become a picture, measured from its arrival.

    Args:
        queue_s: until an engine was given it.
        took_s: until the picture was there.
        promised_s: what was first told of ``took_s``; None if nobody asked.
        device_ms: what it cost.
    """

    guild: int
    member: int
    queue_s: float
    took_s: float
    promised_s: float | None
    device_ms: int


class Records:
    """Sums since the start.

    Attributes:
        finished: requests that became pictures.
        queue_s: seconds that those have waited for an engine.
    """

    def __init__(self) -> None:
        self.finished = 0
        self.queue_s = 0.0
        self._spent: dict[Account, float] = {}
        self._others_ms = 0.0
        self._followers: list[Callable[[Served], None]] = []

    def follow(self, follower: Callable[[Served], None]) -> None:
        """Have somebody told of every picture."""
        self._followers.append(follower)

    def finish(self, served: Served) -> None:
        """Take note of a picture."""
        self.finished += 1
        self.queue_s += served.queue_s
        for follower in self._followers:
            follower(served)

    def spend(self, account: Account, spent_ms: float) -> None:
        """Take note of device time that a member was served."""
        self._spent[account] = self._spent.get(account, 0.0) + spent_ms
        if len(self._spent) >= 2 * MOST_ACCOUNTS:
            kept = self._largest()
            self._others_ms += sum(self._spent.values()) - sum(kept.values())
            self._spent = kept

    def shares(self) -> tuple[dict[Account, float], float]:
        """Return what the most served members were served, most first, and the others together."""
        kept = self._largest()
        rest = sum(self._spent.values()) - sum(kept.values())
        return kept, self._others_ms + rest

    def _largest(self) -> dict[Account, float]:
        return dict(nlargest(MOST_ACCOUNTS, self._spent.items(), key=lambda item: item[1]))
