"""What the client has seen of requests, for who looks on."""

from heapq import nlargest

Account = tuple[int, int]
"""A guild and a member of it."""

MOST_ACCOUNTS = 512


class Records:
    """Sums since the start.

    Attributes:
        finished: requests that became pictures.
    """

    def __init__(self) -> None:
        self.finished = 0
        self._spent: dict[Account, float] = {}
        self._others_ms = 0.0

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
