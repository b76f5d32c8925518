"""Who is in an engine: requests that wait for their admission, and rows under way."""

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter

from generation.executor.messages import Submit
from generation.executor.running import Running
from generation.executor.turns import Account, Turns
from generation.request import ImageRequest

Kind = tuple[str, str]
"""The names of a pipeline and of its model."""


class Roster:
    """The requests of an engine, and which of them something is to be done for next.

    Args:
        kind_of: tells what a request runs on.
    """

    def __init__(self, kind_of: Callable[[ImageRequest], Kind]) -> None:
        self.turns = Turns()
        self._kind_of = kind_of
        self._submitted: dict[int, Submit] = {}
        self._accounts: dict[int, Account] = {}
        self._running: dict[int, Running] = {}

    def __bool__(self) -> bool:
        return bool(self._accounts)

    def __contains__(self, running: Running) -> bool:
        return running.serial in self._running

    def __iter__(self) -> Iterator[Running]:
        return iter(list(self._running.values()))

    @property
    def youngest(self) -> int | None:
        """The number of the row that came last, None if there is none."""
        return max(self._running, default=None)

    @property
    def ready(self) -> list[Running]:
        """The rows that can take a step."""
        return [running for running in self._running.values() if running.ready]

    def kind(self, submit: Submit) -> Kind:
        """Return what a request runs on."""
        return self._kind_of(submit.request)

    def account(self, submit: Submit) -> Account:
        """Return the account of a request's member."""
        return self._accounts[submit.serial]

    def arrived(self, submit: Submit) -> None:
        """Let a request wait for its admission."""
        member = submit.request.guild, submit.request.member
        self._accounts[submit.serial] = self.turns.arrived(member)
        self._submitted[submit.serial] = submit

    def take(self, submit: Submit) -> None:
        """Take a request off those who wait: it is being admitted."""
        del self._submitted[submit.serial]

    def admitted(self, running: Running) -> None:
        """Let a row take steps; it starts level with the member's others."""
        own = [it.virtual_ns for it in self if it.account is running.account]
        running.virtual_ns = min(own, default=0)
        self._running[running.serial] = running

    def left(self, serial: int) -> bool:
        """Forget a request, if it is here, and let those who lacked memory try again."""
        account = self._accounts.pop(serial, None)
        if account is None:
            return False
        self.turns.left(account)
        self._submitted.pop(serial, None)
        self._running.pop(serial, None)
        for running in self:
            running.starved = False
        return True

    def next_submit(self) -> Submit | None:
        """Return the request that is to be admitted now, or None."""
        rows = self.ready
        due = [
            submit
            for submit in self._submitted.values()
            if not self.turns.held(self.account(submit), rows=rows)
        ]
        return min(due, key=lambda submit: self.account(submit).charged_ns, default=None)

    def alike(self, first: Submit) -> list[Submit]:
        """Return a request, and those that may be prepared with it: none of who has more here."""
        kind, most = self.kind(first), self.account(first).requests
        others = [
            submit
            for submit in self._submitted.values()
            if submit is not first
            and self.kind(submit) == kind
            and self.account(submit).requests <= most
        ]
        return [first, *others]

    def next_done(self) -> Sequence[Running]:
        """Return rows that are to be decoded together now, none if none is due."""
        rows = self.ready
        done = [it for it in self if it.done and not self.turns.held(it.account, rows=rows)]
        if not done:
            return ()
        first = min(done, key=attrgetter("account.charged_ns"))
        others = [
            running
            for running in done
            if running is not first
            and running.pipeline is first.pipeline
            and running.account.requests <= first.account.requests
        ]
        return [first, *others][: first.pipeline.together]
