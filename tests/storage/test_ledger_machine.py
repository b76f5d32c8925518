"""Q4: whatever happens in whatever order, the ledger's sums are the balances."""

import asyncio
import random
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from storage.errors import QuotaExceededError
from storage.ledger import Scope
from storage.policies import Policy
from storage.records import JobState
from storage.windows import Period
from tests.storage.stores import GUILD, RESULT, Stores, open_stores

T = TypeVar("T")
LIMIT_MS, GUILD_LIMIT_MS = 1000, 1800
MEMBERS = (1, 2)


class Books:
    """The stores, and beside them a model of what they must say; days never overlap here."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.reserved: dict[str, tuple[int, int, int, int]] = {}
        self.used: dict[tuple[int, int], int] = {}
        self.granted: dict[tuple[int, int], int] = {}
        self.topped: dict[int, int] = dict.fromkeys(MEMBERS, 0)
        self.shared: dict[int, int] = {}
        self.owners: dict[str, tuple[str | None, int]] = {}
        self.ended: list[str] = []
        self.day = 0

    async def prepare(self) -> None:
        await self.stores.quotas.set_policy(
            Policy(
                scope=Scope.GUILD,
                guild_id=GUILD,
                subject_id=0,
                period=Period.DAY,
                limit_ms=GUILD_LIMIT_MS,
            )
        )

    def windows(self, member: int) -> tuple[int, int]:
        """Return what the model says is left of a member's day, and of the guild's."""
        spent = {each: self.used.get((each, self.day), 0) for each in MEMBERS}
        shared = self.shared.get(self.day, 0)
        for owner, day, window_ms, topped_ms in self.reserved.values():
            if day == self.day:
                spent[owner] += window_ms
                shared += window_ms + topped_ms
        own = LIMIT_MS + self.granted.get((member, self.day), 0) - spent[member]
        return max(0, own), max(0, GUILD_LIMIT_MS - shared)

    def left(self, member: int) -> int:
        """Return what the model says a member may still reserve now."""
        own, shared = self.windows(member)
        return min(own + max(0, self.topped[member]), shared)

    async def accept(self, member: int, amount_ms: int) -> None:
        fits = amount_ms <= self.left(member)
        try:
            job = await self.stores.accept(member_id=member, reserve_ms=amount_ms)
        except QuotaExceededError:
            assert not fits
            return
        assert fits
        topped_ms = max(0, amount_ms - self.windows(member)[0])
        self.topped[member] -= topped_ms
        self.reserved[job.id] = (member, self.day, amount_ms - topped_ms, topped_ms)
        self.owners[job.id] = (None, 0)

    async def claim(self) -> None:
        job = await self.stores.jobs.claim(owner="bot", lease_s=10**6)
        waiting = [job_id for job_id, (owner, _) in self.owners.items() if owner is None]
        assert (job is None) == (not waiting)
        if job is not None:
            assert job.attempt == self.owners[job.id][1] + 1
            self.owners[job.id] = ("bot", job.attempt)

    async def release(self) -> None:
        await self.stores.jobs.release("bot")
        for job_id, (_, attempt) in self.owners.items():
            self.owners[job_id] = (None, attempt)

    async def settle(self, index: int, device_ms: int) -> None:
        running = [job_id for job_id, (owner, _) in self.owners.items() if owner]
        if running:
            job_id = running[index % len(running)]
            assert await self._settle(job_id, self.owners[job_id][1], device_ms)
            member, day, window_ms, topped_ms = self._end(job_id)
            beyond_ms = max(0, device_ms - window_ms)
            of_top_up = min(beyond_ms, topped_ms) if window_ms else device_ms
            self.topped[member] += topped_ms - of_top_up
            self.used[member, day] = self.used.get((member, day), 0) + device_ms - of_top_up
            self.shared[day] = self.shared.get(day, 0) + device_ms

    async def fail(self, index: int, *, cancelled: bool) -> None:
        if self.owners:
            job_id = list(self.owners)[index % len(self.owners)]
            owner, attempt = self.owners[job_id]
            state = JobState.CANCELLED if cancelled else JobState.FAILED
            assert await self.stores.jobs.fail(
                job_id, owner=owner, attempt=attempt, error="x", state=state
            )
            member, _, _, topped_ms = self._end(job_id)
            self.topped[member] += topped_ms

    async def end_again(self, index: int) -> None:
        """Try to end a job that has ended: nothing may move."""
        if self.ended:
            job_id = self.ended[index % len(self.ended)]
            assert not await self._settle(job_id, 1, 77)
            assert not await self.stores.jobs.fail(job_id, owner="bot", attempt=1, error="x")
            assert not await self.stores.jobs.fail(job_id, owner=None, attempt=0, error="x")

    async def grant(self, member: int, amount_ms: int, *, lasting: bool) -> None:
        await self.stores.quotas.grant(
            guild_id=GUILD, member_id=member, amount_ms=amount_ms, lasting=lasting
        )
        if lasting:
            self.topped[member] += amount_ms
            return
        key = (member, self.day)
        self.granted[key] = self.granted.get(key, 0) + amount_ms

    async def reset(self, member: int | None) -> None:
        """Take what a member, or all together, used today for not used."""
        scope = Scope.GUILD if member is None else Scope.MEMBER
        given_ms = await self.stores.quotas.reset(
            scope=scope, guild_id=GUILD, subject_id=member or 0
        )
        if member is None:
            assert given_ms == self.shared.pop(self.day, 0)
        else:
            assert given_ms == self.used.pop((member, self.day), 0)

    def next_day(self) -> None:
        self.day += 1
        self.stores.clock.advance(days=1)

    async def check(self) -> None:
        assert await self.stores.quotas.audit() == []
        for member in MEMBERS:
            balance = await self.stores.quotas.balance(guild_id=GUILD, member_id=member)
            assert balance.remaining_ms == self.left(member)

    def _end(self, job_id: str) -> tuple[int, int, int, int]:
        self.owners.pop(job_id)
        self.ended.append(job_id)
        return self.reserved.pop(job_id)

    async def _settle(self, job_id: str, attempt: int, device_ms: int) -> bool:
        return await self.stores.jobs.settle(
            job_id, owner="bot", attempt=attempt, outputs={0: RESULT}, device_ms=device_ms
        )


members = st.sampled_from(MEMBERS)
amounts = st.integers(1, 700)
indexes = st.integers(0, 50)


class BooksMachine(RuleBasedStateMachine):
    """Hypothesis at the books, on an SQLite database of its own for every run."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="atelier-books-"))
        path = shutil.copy(self.template, self.folder / "books.sqlite3")
        self.books = Books(open_stores(f"sqlite:///{path}", self.folder))
        self.run(self.books.prepare())

    def run(self, step: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(step)

    @rule(member=members, amount_ms=amounts)
    def accept(self, member: int, amount_ms: int) -> None:
        self.run(self.books.accept(member, amount_ms))

    @rule()
    def claim(self) -> None:
        self.run(self.books.claim())

    @rule()
    def release(self) -> None:
        self.run(self.books.release())

    @rule(index=indexes, device_ms=st.integers(0, 900))
    def settle(self, index: int, device_ms: int) -> None:
        self.run(self.books.settle(index, device_ms))

    @rule(index=indexes, cancelled=st.booleans())
    def fail(self, index: int, cancelled: bool) -> None:
        self.run(self.books.fail(index, cancelled=cancelled))

    @rule(index=indexes)
    def end_again(self, index: int) -> None:
        self.run(self.books.end_again(index))

    @rule(member=members, amount_ms=amounts, lasting=st.booleans())
    def grant(self, member: int, amount_ms: int, lasting: bool) -> None:
        self.run(self.books.grant(member, amount_ms, lasting=lasting))

    @rule(member=st.sampled_from((*MEMBERS, None)))
    def reset(self, member: int | None) -> None:
        self.run(self.books.reset(member))

    @rule()
    def next_day(self) -> None:
        self.books.next_day()

    @invariant()
    def the_books_agree(self) -> None:
        self.run(self.books.check())

    def teardown(self) -> None:
        self.run(self.books.stores.database.close())
        self.runner.close()
        shutil.rmtree(self.folder)


def test_q4_the_ledger_equals_the_balance_whatever_happens(sqlite_template: Path) -> None:
    BooksMachine.template = sqlite_template
    run_state_machine_as_test(
        BooksMachine,
        settings=settings(
            max_examples=5,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def random_steps(books: Books, rng: random.Random) -> Iterator[Callable[[], Any]]:
    """Yield steps for ever, many of them at the edge of what is left."""
    while True:
        member, index = rng.choice(MEMBERS), rng.randrange(50)
        edge = books.left(member) + rng.choice((-1, 0, 1))
        amount_ms = max(1, rng.choice((rng.randint(1, 700), edge)))
        accept = partial(books.accept, member, amount_ms)
        steps: tuple[Callable[[], Any], ...] = (
            accept,
            accept,
            books.claim,
            books.claim,
            partial(books.settle, index, amount_ms),
            partial(books.fail, index, cancelled=bool(index % 2)),
            partial(books.end_again, index),
            books.release,
        )
        yield rng.choice(steps)
        if rng.random() < 0.02:
            books.next_day()
        if rng.random() < 0.03:
            yield partial(books.grant, member, amount_ms, lasting=bool(index % 2))
            yield partial(books.reset, rng.choice((member, None)))


@pytest.mark.parametrize(
    "steps", [150, pytest.param(5000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
async def test_q4_the_ledger_equals_the_balance_over_many_steps(stores: Stores, steps: int) -> None:
    books = Books(stores)
    await books.prepare()
    walk = random_steps(books, random.Random(steps))
    for number in range(steps):
        await next(walk)()
        if number % 10 == 0:
            await books.check()
    await books.check()
    assert len(books.ended) > steps / 20
