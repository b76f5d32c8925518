"""The engine's loop: take messages, cancel and expire, admit, advance, report, retire.

A row advances step by step, so that a newcomer joins at the next step and a row can be stopped
between two. Between two steps at most one group of pictures is encoded or decoded. Every call into
a pipeline is announced on the control page, timed, and charged to the rows in it.
"""

import logging
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from math import ceil
from operator import attrgetter
from typing import Any, TypeVar

from generation.errors import (
    DeadlineExceededError,
    EngineError,
    GenerationError,
    OutOfMemoryError,
)
from generation.executor.calls import Calls
from generation.executor.control import ControlPage, Phase
from generation.executor.device import is_out_of_memory, release_memory
from generation.executor.edge import border_name, repeated_without_memory
from generation.executor.figures import Tally
from generation.executor.link import Link
from generation.executor.messages import (
    Cancel,
    Done,
    Failed,
    Figures,
    Gone,
    Hello,
    Imported,
    Message,
    Models,
    Moved,
    Preload,
    Ready,
    Stop,
    Submit,
)
from generation.executor.models import ModelCache
from generation.executor.reports import Reports, result_of
from generation.executor.roster import Kind, Roster
from generation.executor.running import Running, took_step
from generation.executor.turns import CallTimes, next_batch
from generation.pipelines.base import Pipeline, Row
from generation.registry import imported
from generation.request import ImageRequest, Stage

ResultT = TypeVar("ResultT")

logger = logging.getLogger(__name__)


class Engine:
    """The loop and its rows."""

    def __init__(self, *, link: Link, page: ControlPage, hello: Hello) -> None:
        self._link = link
        self._page = page
        self._hello = hello
        self._roster = Roster(self._kind)
        self._preloads: deque[Kind] = deque()
        self._admitted = False
        self._times = CallTimes()
        self._tally = Tally()
        self._models = ModelCache(
            hello.pipelines, config=hello.config, count=self._tally.add, users=self._rows_of
        )
        self._calls = Calls(page, count=self._tally.add)
        self._reports = Reports(link, self._calls, preview_interval_s=hello.preview_interval_s)
        self._arriving: Kind | None = None
        self._stopped = False

    def run(self) -> None:
        """Work until the client says stop.

        Raises:
            ClientGoneError: the client has ended.
        """
        self._link.send(Ready())
        while not self._stopped:
            idle = not (self._roster or self._preloads)
            for message in self._link.messages(wait=idle, timeout_s=self._tally.due_s()):
                self._hear(message)
            self._turn()
            if (counters := self._tally.news()) is not None:
                self._link.send(Figures(counters=counters))

    def _turn(self) -> None:
        """Do one piece of work: decode what is done, encode what has come, or take a step.

        Pictures come first, those of whoever was charged least; after an admission comes a step.
        """
        self._expire()
        roster = self._roster
        ready, done, submit = roster.ready, roster.next_done(), roster.next_submit()
        if submit and ((ready and self._admitted) or self._waits(roster.kind(submit))):
            submit = None
        self._admitted = False
        if done and not (submit and roster.account(submit).charged_ns < done[0].account.charged_ns):
            self._retire_some(done)
        elif submit:
            self._admit_some(submit)
            self._admitted = True
        elif ready:
            self._step(ready)
        elif (youngest := roster.youngest) is not None:
            message = "the device's memory does not suffice for this picture"
            self._fail(youngest, OutOfMemoryError(message))
        elif self._preloads:
            self._preload(self._preloads.popleft())

    def _step(self, ready: Sequence[Running]) -> None:
        """Have the rows whose turn it is take a step."""
        before_ns = self._calls.passed_ns
        self._advance(next_batch(ready, capacity=attrgetter("capacity"), longer=self._longer))
        self._roster.turns.stepped(ready, took_ns=self._calls.passed_ns - before_ns)

    def _hear(self, message: Message) -> None:
        match message:
            case Submit():
                self._roster.arrived(message)
            case Preload():
                self._foresee(message)
            case Cancel(serial=serial) if self._roster.left(serial):
                self._link.send(Gone(serial=serial))
            case Stop():
                self._stopped = True

    def _expire(self) -> None:
        for running in self._roster:
            if running.left_ns <= 0:
                seconds = running.request.timeout_s
                self._fail(
                    running.serial, DeadlineExceededError(f"not finished within {seconds:g} s")
                )

    def _kind(self, request: ImageRequest) -> Kind:
        return request.pipeline, request.model or self._hello.pipelines[request.pipeline].model

    def _waits(self, kind: Kind) -> bool:
        """Return whether the models of rows under way leave no room for this one."""
        try:
            waits = self._models.waits(kind, busy=self._busy())
        except Exception:
            logger.debug("loading it will say what is wrong", exc_info=True)
            return False
        if waits:
            self._models.prefetch(kind)
        return waits

    def _busy(self) -> set[Kind]:
        """Return the models whose rows are under way or on their way in; they stay in place."""
        busy = {running.kind for running in self._roster}
        return busy if self._arriving is None else {*busy, self._arriving}

    def _rows_of(self, kind: Kind) -> list[Row]:
        """Return a model's rows under way."""
        return [it.row for it in self._roster if it.kind == kind and it.row is not None]

    def _admit_some(self, first: Submit) -> None:
        """Admit a request, with others that are worth preparing together."""
        roster, before_ns = self._roster, self._calls.passed_ns
        kind = self._arriving = roster.kind(first)
        ready, account, group = roster.ready, roster.account(first), list[Running]()
        try:
            for submit in roster.alike(first):
                if running := self._arrived(submit, kind):
                    group.append(running)
                if not group or len(group) == group[0].pipeline.together:
                    break
            self._together(group, partial(self._prepare, group), into="encode_ms")
            for running in group:
                self._admit(running)
            self._weigh(kind)
        finally:
            self._arriving = None
        took_ns = self._calls.passed_ns - before_ns
        roster.turns.worked(account, rows=ready, took_ns=took_ns)

    def _arrived(self, submit: Submit, kind: Kind) -> Running | None:
        """Return a request beside its loaded pipeline, or None if that failed."""
        account = self._roster.account(submit)
        self._roster.take(submit)
        pipeline = self._guarded(submit.serial, lambda: self._fetched(kind, submit))
        if pipeline is None:
            return None
        self._link.send(Moved(serial=submit.serial, stage=Stage.RUNNING))
        return Running(
            serial=submit.serial,
            request=submit.request,
            model=kind[1],
            pipeline=pipeline,
            account=account,
        )

    def _fetched(self, kind: Kind, submit: Submit) -> Pipeline[Any]:
        """Return a request's pipeline with its model, and with what it needs beside that."""
        pipeline = self._loaded(kind, serial=submit.serial)
        if submit.request.control or submit.request.like:
            self._link.send(Moved(serial=submit.serial, stage=Stage.LOADING))
            self._page.enter(Phase.LOAD, [submit.serial])
            try:
                pipeline.fetch(submit.request)
            finally:
                self._page.leave()
        return pipeline

    def _admit(self, running: Running) -> None:
        pipeline, request = running.pipeline, running.request
        running.row = self._charged_alone(
            running, lambda: pipeline.admit(request), into="encode_ms"
        )
        if running.row is not None:
            self._reports.begin(running)
            self._roster.admitted(running)
            self._reports.capacity(running)

    def _weigh(self, kind: Kind) -> None:
        """Count what admissions made a model load besides; others may have to make room for it."""
        before = self._models.ready
        if kind in before:
            self._models.weigh(kind, busy=self._busy())
        if self._models.ready != before:
            self._tell_models()

    def _prepare(self, group: Sequence[Running]) -> None:
        group[0].pipeline.prepare([running.request for running in group])

    def _together(self, group: Sequence[Running], work: Callable[[], None], *, into: str) -> None:
        """Do what several have in common; if it fails, each does it by itself afterwards."""
        if len(group) < 2:
            return
        try:
            with self._calls.charged(group, into=into):
                work()
        except Exception as err:
            logger.warning("%d requests go on one by one", len(group), exc_info=True)
            release_memory()
            if is_out_of_memory(err):
                self._lacked_memory()

    def _loaded(self, kind: Kind, *, serial: int = 0) -> Pipeline[Any]:
        """Return a pipeline with its model, brought to the device when it is not there."""
        if (found := self._models.find(kind)) is not None:
            return found
        if serial:
            self._link.send(Moved(serial=serial, stage=Stage.LOADING))
        self._tell_models(loading=kind)
        self._page.enter(Phase.LOAD, [serial] if serial else [])
        try:
            pipeline = self._models.load(kind, busy=self._busy())
        finally:
            self._page.leave()
            self._tell_models()
        self._link.send(Imported(modules=imported(self._hello.pipelines.values())))
        return pipeline

    def _tell_models(self, *, loading: Kind | None = None) -> None:
        self._link.send(Models(ready=self._models.ready, loading=loading))

    def _foresee(self, message: Preload) -> None:
        """Load a model as soon as nothing else is to be done; till then have its files read."""
        name = message.pipeline
        kind = name, message.model or self._hello.pipelines[name].model
        if kind not in self._preloads:
            self._preloads.append(kind)
        if self._roster:
            self._models.prefetch(kind)

    def _preload(self, kind: Kind) -> None:
        """Load a model in advance, unless that would push another out."""
        try:
            if self._models.spacious(kind):
                self._loaded(kind)
        except Exception:
            logger.exception("%s could not be loaded in advance", kind)

    def _lacked_memory(self) -> None:
        """Count that memory did not suffice, and have models that nobody runs on make room."""
        self._tally.add(memory_retries=1)
        before = self._models.ready
        self._models.spare(busy=self._busy())
        if self._models.ready != before:
            self._tell_models()

    def _advance(self, batch: Sequence[Running]) -> None:
        """Take one step with rows of one bucket.

        What fails together is repeated: in halves if memory did not suffice, else one by one,
        so that it hits only who is to blame.
        """
        if len(batch) == 1:
            self._advance_alone(batch[0])
            return
        steps = [running.row.step for running in batch if running.row is not None]
        before_ns = self._calls.passed_ns
        try:
            with self._calls.charged(batch, into="step_ms"):
                batch[0].pipeline.advance([running.row for running in batch])
        except Exception as err:
            logger.warning("a step of %d rows failed", len(batch), exc_info=True)
            release_memory()
            if is_out_of_memory(err):
                self._lacked_memory()
            half = ceil(len(batch) / 2) if is_out_of_memory(err) else 1
            left = [it for it, step in zip(batch, steps, strict=True) if not self._moved(it, step)]
            for start in range(0, len(left), half):
                # Whoever was failed to make room is no longer there.
                together = [it for it in left[start : start + half] if it in self._roster]
                if together:
                    self._advance(together)
        else:
            self._count_call(batch, took_ns=self._calls.passed_ns - before_ns)
            self._stepped(batch)

    def _longer(self, base: Sequence[Running], batch: Sequence[Running]) -> float:
        """Return how many times as long a call takes with more rows."""
        return self._times.longer(_call(base), _call(batch))

    def _count_call(self, batch: Sequence[Running], *, took_ns: int) -> None:
        """Count a call that has advanced these rows."""
        if batch[0].capacity > batch[0].width:
            self._times.learn(_call(batch), took_ns=took_ns)
        self._tally.add(
            calls=1,
            rows_used=sum(running.width for running in batch),
            rows_offered=batch[0].capacity,
            rows_run=_padded(batch),
        )

    def _moved(self, running: Running, step: int) -> bool:
        """Return whether a row has left a step behind, in a call that failed after that."""
        assert running.row is not None
        if running.row.step == step:
            return False
        self._stepped([running])
        return True

    def _advance_alone(self, running: Running) -> None:
        """Take one step with a row; if memory does not suffice, with a smaller call.

        Where no call is smaller the row waits until another leaves, which frees memory.
        """
        row, before_ns = running.row, self._calls.passed_ns
        assert row is not None
        try:
            moved = self._guarded(
                running.serial, partial(self._took_step, running, row.step), starving=True
            )
        except OutOfMemoryError:
            running.starved = not running.pipeline.shrink(row)
            self._lacked_memory()
            logger.warning("memory does not suffice for a row; it waits: %s", running.starved)
        else:
            if moved:
                self._count_call([running], took_ns=self._calls.passed_ns - before_ns)
                self._stepped([running])

    def _took_step(self, running: Running, step: int) -> bool:
        with self._calls.charged([running], into="step_ms"):
            return took_step(running, step)

    def _stepped(self, batch: Sequence[Running]) -> None:
        for running in batch:
            self._reports.report(running)

    def _retire_some(self, done: Sequence[Running]) -> None:
        """Retire rows of one pipeline whose steps are done, decoded together where that pays."""
        before_ns = self._calls.passed_ns
        self._together(done, partial(self._decode, done), into="decode_ms")
        for running in done:
            self._retire(running)
        took_ns = self._calls.passed_ns - before_ns
        self._roster.turns.worked(done[0].account, rows=self._roster.ready, took_ns=took_ns)

    def _decode(self, batch: Sequence[Running]) -> None:
        batch[0].pipeline.decode([running.row for running in batch])

    def _retire(self, running: Running) -> None:
        finished = self._charged_alone(
            running, lambda: running.pipeline.retire(running.row), into="decode_ms"
        )
        self._models.count(running.kind)
        if finished is None:
            return
        if not self._link.holds(finished.image.data):
            self._fail(running.serial, EngineError("the picture is too large to be handed over"))
            return
        self._roster.left(running.serial)
        self._link.send(Done(serial=running.serial, result=result_of(running, finished)))

    def _charged_alone(
        self, running: Running, work: Callable[[], ResultT], *, into: str
    ) -> ResultT | None:
        def charged() -> ResultT:
            with self._calls.charged([running], into=into):
                return work()

        return self._guarded(running.serial, charged)

    def _guarded(
        self, serial: int, work: Callable[[], ResultT], *, starving: bool = False
    ) -> ResultT | None:
        """Do one row's work at the engine's edge: whatever it raises fails this row alone.

        Raises:
            OutOfMemoryError: memory does not suffice, and the caller knows what to do.
        """
        try:
            return repeated_without_memory(work, on_retry=self._lacked_memory)
        except GenerationError as err:
            if starving and isinstance(err, OutOfMemoryError):
                raise
            self._fail(serial, err)
        except Exception as err:
            logger.exception("a pipeline failed")
            self._fail(serial, EngineError(f"the pipeline failed: {type(err).__name__}"))
        return None

    def _fail(self, serial: int, error: GenerationError) -> None:
        self._roster.left(serial)
        self._link.send(Failed(serial=serial, error=border_name(error), message=str(error)))


def _padded(batch: Sequence[Running]) -> int:
    return batch[0].pipeline.padded([running.row for running in batch])


def _call(batch: Sequence[Running]) -> Hashable:
    """Return what tells calls apart that take different times."""
    assert batch[0].row is not None
    return batch[0].kind, batch[0].row.bucket, _padded(batch)
