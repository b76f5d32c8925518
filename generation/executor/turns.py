"""Turns inside an engine: which rows take the next step together, and what waits for them.

Members take turns by device time, with virtual token counters as in ``shares``, charged call by
call: who was charged least goes first. A member's own rows take turns in the same way.

Who goes first takes others along, because a call of eight rows takes little longer than a call of
one. That little adds up when one member's rows fill every call that somebody else's only row is
in, and when that member's pictures are encoded and decoded between the calls. So nobody holds up
those who have fewer requests for more than a share of their time.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field
from math import inf
from statistics import median
from typing import Protocol, TypeVar

LONGER = 1.25
"""So many times as long may a member's rows make a call for those who have fewer requests."""
BETWEEN = 0.1
"""Share of the time of their calls that pictures of those with more requests may take between."""
AHEAD_NS = 10**9
"""Whoever was charged so much more than somebody with more requests is no longer spared."""
SAMPLES, FEWEST = 5, 3
SHAPES_KEPT = 256


@dataclass(slots=True, kw_only=True, eq=False)
class Account:
    """What a member was charged since the engine was idle, and how many requests are there."""

    charged_ns: int = 0
    requests: int = 0


class Advancing(Protocol):
    """What the order looks at in a row."""

    @property
    def bucket(self) -> Hashable:
        """Rows of equal buckets may advance together."""

    @property
    def account(self) -> Account:
        """Its member's."""

    @property
    def virtual_ns(self) -> int:
        """Device time that went into it, counted from where it started level with the others."""

    @property
    def width(self) -> int:
        """Rows of the model's call that it takes: as many as its guidance needs."""


AdvancingT = TypeVar("AdvancingT", bound=Advancing)


def next_batch(
    rows: Collection[AdvancingT],
    *,
    capacity: Callable[[AdvancingT], int],
    longer: Callable[[Sequence[AdvancingT], Sequence[AdvancingT]], float] = lambda few, more: 1.0,
) -> Sequence[AdvancingT]:
    """Return the rows that take the next step together.

    Who is furthest behind goes first, or whoever is spared by them. Of the others in the bucket go,
    in their order, those whose widths still fit into what one call of the bucket holds, and who do
    not make it too long for those in it who have fewer requests.

    Args:
        rows: all that are ready.
        capacity: the rows that one call of a row's bucket holds.
        longer: how many times as long a call of the second rows takes as one of the first.
    """
    ordered = sorted(rows, key=lambda row: (row.account.charged_ns, row.virtual_ns))
    first = ordered[0]
    while before := spared(first.account, ordered):
        first = before[0]
    batch, room = [first], capacity(first) - first.width
    mates = [row for row in ordered if row is not first and row.bucket == first.bucket]
    for row in sorted(mates, key=lambda row: row.account.requests):
        if row.width <= room and not _holds_up(row, batch, longer=longer):
            batch.append(row)
            room -= row.width
    return batch


def _holds_up(
    row: AdvancingT,
    batch: Sequence[AdvancingT],
    *,
    longer: Callable[[Sequence[AdvancingT], Sequence[AdvancingT]], float],
) -> bool:
    """Return whether a member's rows would make the call too long for who has fewer requests."""
    if not spared(row.account, batch):
        return False
    others = [other for other in batch if other.account is not row.account]
    return longer(others, [*batch, row]) > LONGER


class CallTimes:
    """What calls take, by what they are calls of: the median of the last few."""

    def __init__(self) -> None:
        self._taken: OrderedDict[Hashable, deque[int]] = OrderedDict()

    def learn(self, call: Hashable, *, took_ns: int) -> None:
        """Take note of what a call took."""
        self._taken.setdefault(call, deque(maxlen=SAMPLES)).append(took_ns)
        self._taken.move_to_end(call)
        if len(self._taken) > SHAPES_KEPT:
            self._taken.popitem(last=False)

    def longer(self, short: Hashable, long: Hashable) -> float:
        """Return how many times as long the second call takes; 1 while that is not known."""
        taken = [self._taken.get(call, ()) for call in (short, long)]
        if short == long or min(map(len, taken)) < FEWEST:
            return 1.0
        return median(taken[1]) / max(1, median(taken[0]))


@dataclass(slots=True, kw_only=True)
class Turns:
    """The members who have requests in an engine, and how long each holds up the others.

    Args:
        accounts: by guild and member.
        granted_ns: what pictures of those with more requests may take now.
        work_ns: what such pictures took the last time.
    """

    accounts: dict[Hashable, Account] = field(default_factory=dict)
    granted_ns: float = 0.0
    work_ns: int = 0

    def arrived(self, member: Hashable) -> Account:
        """Return the account of a request's member; who had none starts level with the others."""
        account = self.accounts.setdefault(member, Account())
        if not account.requests:
            level = min((it.charged_ns for it in self.accounts.values() if it.requests), default=0)
            account.charged_ns = max(account.charged_ns, level)
        account.requests += 1
        return account

    def left(self, account: Account) -> None:
        """Take note that a request has left; forget who would begin like newcomers anyway."""
        account.requests -= 1
        if account.requests:
            return
        level = min((it.charged_ns for it in self.accounts.values() if it.requests), default=inf)
        self.accounts = {
            member: it
            for member, it in self.accounts.items()
            if it.requests or it.charged_ns > level
        }

    def held(self, account: Account, *, rows: Collection[Advancing]) -> bool:
        """Return whether a member's pictures wait, for rows of those who are spared."""
        return self.granted_ns < self.work_ns and bool(spared(account, rows))

    def worked(self, account: Account, *, rows: Collection[Advancing], took_ns: int) -> None:
        """Take note of work on a member's pictures, while these rows were ready."""
        self.work_ns = took_ns
        if spared(account, rows):
            self.granted_ns -= took_ns

    def stepped(self, rows: Collection[Advancing], *, took_ns: int) -> None:
        """Take note of a call, while these rows were ready."""
        if any(spared(account, rows) for account in self.accounts.values()):
            self.granted_ns = min(self.granted_ns + BETWEEN * took_ns, self.work_ns)
        else:
            self.granted_ns = 0.0


def spared(account: Account, rows: Collection[AdvancingT]) -> list[AdvancingT]:
    """Return the rows of those who have fewer requests than a member, and are not far ahead."""
    return [
        row
        for row in rows
        if row.account.requests < account.requests
        and row.account.charged_ns < account.charged_ns + AHEAD_NS
    ]
