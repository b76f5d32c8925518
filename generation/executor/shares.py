"""Whose turn it is: virtual token counters for guilds, and within each for its members.

Fairness in Serving Large Language Models (Sheng et al., OSDI 2024): whatever is
charged raises a counter, and the lowest counter goes first. Who comes back after a pause is
lifted to the lowest of those who wait, so that a pause banks nothing; while nobody waits, to
the last who did.

Differs from the paper: device milliseconds are charged instead of tokens, the expected ones at
the start of a request and the difference at its end; who comes back is lifted to what is settled
of the lowest counter, for what is under way is served from now on too; the counters form a tree;
between equal counters decides who is next inside the account, which is mostly the shorter request.

A weight is a larger or smaller share, as the paper has it: what is charged is divided by it. A
request has one for its guild's account, and one more for its member's inside the guild.
"""

from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from math import prod
from typing import Generic, NamedTuple, Protocol, TypeVar

AGEING = 0.1
"""So many milliseconds of cost weigh as much as one of having waited."""
FEW_ACCOUNTS = 64


class Priced(Protocol):
    """What the counters look at in a request."""

    @property
    def serial(self) -> int:
        """A number that no other request has."""

    @property
    def guild(self) -> int:
        """Whose share of the device it takes."""

    @property
    def member(self) -> int:
        """Whose share of the guild's it takes."""

    @property
    def cost_ms(self) -> float:
        """What it is expected to cost, above 0; constant while it waits."""

    @property
    def arrival_ms(self) -> float:
        """When it came, on any clock that all requests share."""

    @property
    def weights(self) -> tuple[float, float]:
        """How many times a usual share its guild has for it, and its member of that; above 0."""


PricedT = TypeVar("PricedT", bound=Priced)
Place = tuple[float, int, PricedT]
Rank = tuple[float, float, int]


class Step(NamedTuple):
    """One account on a path, and by what its charge is divided."""

    number: int
    weight: float


Path = Sequence[Step]


def place_of(priced: PricedT) -> Place[PricedT]:
    """Return where a request stands inside its account: shortest first, with ageing.

    A key that never changes does both: all who wait age alike, so that only the moments of
    their arrival make a difference.
    """
    return priced.cost_ms + AGEING * priced.arrival_ms, priced.serial, priced


class Account(ABC, Generic[PricedT]):
    """What somebody was charged, and what waits in their name.

    A path leads to the accounts below: guild and member in the device's, nothing in a member's.

    Args:
        begun: requests that have started and are not settled yet.
        unsettled: what was charged for those.
        listed: the rank under which the account above knows it; None while nothing waits.
    """

    def __init__(self) -> None:
        self.counter = 0.0
        self.begun = 0
        self.unsettled = 0.0
        self.listed: Rank | None = None

    @abstractmethod
    def head(self) -> Place[PricedT] | None:
        """Return what starts next, or None."""

    @abstractmethod
    def places(self) -> Sequence[Place[PricedT]]:
        """Return what waits, in the order in which it starts if nothing else comes."""

    @abstractmethod
    def add(self, place: Place[PricedT], *, path: Path) -> None:
        """Let a request wait."""

    @abstractmethod
    def remove(self, place: Place[PricedT], *, path: Path) -> None:
        """Take out a request that waits."""

    def charge(self, cost_ms: float, *, path: Path) -> None:
        """Charge along the path what a request that starts is expected to cost."""
        del path
        self.counter += cost_ms
        self.begun += 1
        self.unsettled += cost_ms

    def settle(self, cost_ms: float, *, spent_ms: float, path: Path) -> None:
        """Charge along the path what a request did cost instead of what was expected."""
        del path
        self.counter += spent_ms - cost_ms
        self.begun -= 1
        self.unsettled = self.unsettled - cost_ms if self.begun else 0.0

    def rank(self) -> Rank | None:
        """Return what its turn depends on, or None while nothing waits."""
        head = self.head()
        return None if head is None else (self.counter, head[0], head[1])


class MemberAccount(Account[PricedT]):
    """A member's requests, the shortest first."""

    def __init__(self) -> None:
        super().__init__()
        self._places: list[Place[PricedT]] = []

    def head(self) -> Place[PricedT] | None:
        """Return what starts next, or None."""
        return self._places[0] if self._places else None

    def places(self) -> Sequence[Place[PricedT]]:
        """Return what waits, in order."""
        return self._places

    def add(self, place: Place[PricedT], *, path: Path) -> None:
        """Let a request wait."""
        del path
        insort(self._places, place)

    def remove(self, place: Place[PricedT], *, path: Path) -> None:
        """Take out a request that waits."""
        del path
        del self._places[bisect_left(self._places, place)]


class SharedAccount(Account[PricedT]):
    """Accounts that share one, the lowest counter first.

    Args:
        open_account: makes an account below.
        depth: how many accounts are above it.
    """

    def __init__(self, open_account: Callable[[], Account[PricedT]], *, depth: int) -> None:
        super().__init__()
        self._open_account = open_account
        self._depth = depth
        self._accounts: dict[int, Account[PricedT]] = {}
        self._turns: list[tuple[Rank, int]] = []
        self._last: Account[PricedT] = open_account()
        self._many = FEW_ACCOUNTS

    def __len__(self) -> int:
        return len(self._accounts)

    def head(self) -> Place[PricedT] | None:
        """Return what starts next, or None."""
        first = self._first()
        return None if first is None else first.head()

    def places(self) -> Sequence[Place[PricedT]]:
        """Return what waits, in order: by what the counter of its account will be at its turn."""
        starts: list[tuple[float, Place[PricedT]]] = []
        for account in self._accounts.values():
            counter = account.counter
            for place in account.places():
                starts.append((counter, place))
                counter += self._charged_ms(place[2])
        return [place for _, place in sorted(starts)]

    def add(self, place: Place[PricedT], *, path: Path) -> None:
        """Let a request wait; lift its account if that had nothing waiting."""
        account = self._account(path[0].number)
        if account.head() is None:
            account.counter = max(account.counter, self._level())
        account.add(place, path=path[1:])
        self._list(path[0].number)

    def remove(self, place: Place[PricedT], *, path: Path) -> None:
        """Take out a request that waits."""
        self._accounts[path[0].number].remove(place, path=path[1:])
        self._list(path[0].number)

    def charge(self, cost_ms: float, *, path: Path) -> None:
        """Charge along the path what a request that starts is expected to cost."""
        super().charge(cost_ms, path=path)
        account, weight = self._accounts[path[0].number], path[0].weight
        account.charge(cost_ms / weight, path=path[1:])
        self._list(path[0].number)
        if account.listed is None:
            self._last = account

    def settle(self, cost_ms: float, *, spent_ms: float, path: Path) -> None:
        """Charge along the path what a request did cost instead of what was expected."""
        super().settle(cost_ms, spent_ms=spent_ms, path=path)
        account, weight = self._accounts[path[0].number], path[0].weight
        account.settle(cost_ms / weight, spent_ms=spent_ms / weight, path=path[1:])
        self._list(path[0].number)

    def _charged_ms(self, priced: PricedT) -> float:
        """Return what the account below is charged for a request."""
        return priced.cost_ms / prod(priced.weights[: self._depth + 1])

    def _first(self) -> Account[PricedT] | None:
        """Return the account whose turn it is; drop what is out of date before it."""
        while self._turns:
            rank, number = self._turns[0]
            account = self._accounts.get(number)
            if account is not None and account.listed == rank:
                return account
            heappop(self._turns)
        return None

    def _level(self) -> float:
        """Return where a newcomer begins."""
        lowest = self._first() or self._last
        return lowest.counter - lowest.unsettled

    def _list(self, number: int) -> None:
        """Take note of an account that has changed."""
        account = self._accounts[number]
        rank = account.rank()
        if rank is not None and rank != account.listed:
            heappush(self._turns, (rank, number))
        account.listed = rank

    def _account(self, number: int) -> Account[PricedT]:
        if number not in self._accounts:
            self._forget()
            self._accounts[number] = self._open_account()
        return self._accounts[number]

    def _forget(self) -> None:
        """Once there are many, drop the idle accounts that would begin like newcomers anyway."""
        if len(self._accounts) < self._many:
            return
        level = self._level()
        self._accounts = {
            number: account
            for number, account in self._accounts.items()
            if account.listed is not None or account.begun or account.counter > level
        }
        self._many = 2 * len(self._accounts) + FEW_ACCOUNTS


class Shares(Generic[PricedT]):
    """The requests that wait, and what guilds and members were charged."""

    def __init__(self) -> None:
        self._device: SharedAccount[PricedT] = SharedAccount(
            lambda: SharedAccount[PricedT](MemberAccount[PricedT], depth=1), depth=0
        )

    def head(self) -> PricedT | None:
        """Return whose turn it is, or None."""
        head = self._device.head()
        return None if head is None else head[2]

    def order(self) -> list[PricedT]:
        """Return all who wait, in the order in which they start if nobody else comes."""
        return [priced for _, _, priced in self._device.places()]

    def add(self, priced: PricedT) -> None:
        """Let a request wait."""
        self._device.add(place_of(priced), path=_path(priced))

    def remove(self, priced: PricedT) -> None:
        """Take out a request that waits."""
        self._device.remove(place_of(priced), path=_path(priced))

    def start(self, priced: PricedT) -> None:
        """Take out a request that starts, and charge what it is expected to cost."""
        self.remove(priced)
        self._device.charge(priced.cost_ms, path=_path(priced))

    def settle(self, priced: PricedT, *, spent_ms: float) -> None:
        """Charge what a request that had started cost instead of what was expected."""
        self._device.settle(priced.cost_ms, spent_ms=spent_ms, path=_path(priced))


def _path(priced: Priced) -> Path:
    numbers = priced.guild, priced.member
    return tuple(
        Step(number, weight) for number, weight in zip(numbers, priced.weights, strict=True)
    )
