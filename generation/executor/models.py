"""The models that an engine holds: on the device, in the host's memory, or on disk.

Who was used last stays longest. What finds no room on the device goes to the host's memory, what
finds none there is dropped, for its checkpoint's file remains; rows under way keep theirs in place.
"""

import gc
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from threading import Thread
from time import monotonic
from typing import Any

from generation.cards import forget_refusal, note_damage, note_refusal
from generation.errors import ModelDamagedError, ModelTooLargeError, ModelUnavailableError
from generation.executor.device import release_memory, settle_threads
from generation.memory import Place
from generation.pipelines.base import EngineConfig, Loader, Pipeline, Row
from generation.planning import host_limit, place_of
from generation.registry import PipelineSpec, resolve

Kind = tuple[str, str]
"""The names of a pipeline and a checkpoint."""

READ_BYTES = 4 * 2**20
MENDED = "put the right files there, or fetch it anew, and then"
"""What an operator is told to do about a damaged checkpoint."""
REFUSED_S = 60.0
"""A model that found no room is not weighed anew for so long."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The bytes of a device that a model takes: all the time, and to work with."""

    size: int
    work: int = 0


@dataclass(slots=True, kw_only=True, eq=False)
class Held:
    """A model that is on the device or in the host's memory."""

    pipeline: Pipeline[Any]
    size: int
    work: int = 0
    on_device: bool = False
    counted: Mapping[str, int] = field(default_factory=dict)


class ModelCache:
    """Loads models, and keeps as many as there are bytes for.

    Args:
        specs: the pipelines by name.
        config: with the bytes, and what models are loaded with.
        count: told what happened, by names of ``figures.Counters``.
        users: says which rows of a model are under way; what goes beside it stays for them.
            None does not know, so that all of it stays.
    """

    def __init__(
        self,
        specs: Mapping[str, PipelineSpec],
        *,
        config: EngineConfig,
        count: Callable[..., None],
        users: Callable[[Kind], Sequence[Row]] | None = None,
    ) -> None:
        self._specs = specs
        self._config = config
        self._count = count
        self._users = users
        self._held: OrderedDict[Kind, Held] = OrderedDict()
        self._sizes: dict[Kind, Taken] = {}
        self._refused: dict[Kind, tuple[float, ModelTooLargeError]] = {}
        self._found: Place | None = None
        self._fetched: Kind | None = None

    @property
    def ready(self) -> frozenset[Kind]:
        """The models on the device."""
        return frozenset(kind for kind, held in self._held.items() if held.on_device)

    def find(self, kind: Kind) -> Pipeline[Any] | None:
        """Return a model that is on the device, or None; it counts as used."""
        held = self._held.get(kind)
        if held is None or not held.on_device:
            return None
        self._held.move_to_end(kind)
        return held.pipeline

    def waits(self, kind: Kind, *, busy: Collection[Kind]) -> bool:
        """Return whether a model finds room only when others, now busy, are so no more.

        Raises:
            ModelUnavailableError: its checkpoint is missing or damaged.
        """
        if kind in self.ready or not busy:
            return False
        try:
            taken = self._taken(kind)
        except ModelTooLargeError:
            # It waits for nobody; loading it says why.
            return False
        pinned = [self._held[it] for it in busy if it in self._held]
        return taken.size > 0 and self._fits(taken) and not self._fits(taken, *pinned)

    def spacious(self, kind: Kind) -> bool:
        """Return whether a model finds room beside all that are on the device.

        Raises:
            ModelUnavailableError: its checkpoint is missing or damaged.
        """
        taken = self._taken(kind)
        return not taken.size or self._fits(taken, *self._on_device)

    def load(self, kind: Kind, *, busy: Collection[Kind] = ()) -> Pipeline[Any]:
        """Return a model, brought to the device; others make room, but not those that are busy.

        Raises:
            ModelUnavailableError: its checkpoint is missing or incomplete, or it is larger than
                what models may take of the device.
            ModelDamagedError: its files are damaged, or others than those that it came with.
            ModelTooLargeError: it finds no room there, whatever is done; this is written on its
                card, as is damage.
        """
        try:
            return self._brought(kind, busy=busy)
        except ModelDamagedError as err:
            why = f"{err}; {MENDED} `models verify {kind[1]}`"
            note_damage(kind[1], why, models_dir=self._config.models_dir)
            raise ModelDamagedError(why) from err

    def _brought(self, kind: Kind, *, busy: Collection[Kind]) -> Pipeline[Any]:
        taken = self._fitting(kind)
        # On its way back from the host's memory, it takes nothing there any more.
        held = self._held.pop(kind, None)
        with ExitStack() as undo:
            if held is not None:
                undo.callback(self._return, kind, held)
            self._make_room(taken, busy=busy)
            if held is None:
                held = self._loaded(kind)
            else:
                held.pipeline.bring()
            undo.pop_all()
        held.on_device = True
        self._held[kind] = held
        self._fetched = None
        forget_refusal(kind[1], models_dir=self._config.models_dir)
        self._count(model_loads=1)
        return held.pipeline

    def weigh(self, kind: Kind, *, busy: Collection[Kind] = ()) -> None:
        """Count what a model on the device has loaded besides: LoRA, and what goes beside it.

        If there is no room for it any more, others make some, but not those that are busy.
        """
        held = self._held.pop(kind)
        held.size = held.pipeline.weight_bytes
        self._sizes[kind] = taken = Taken(size=held.size, work=held.work)
        self._make_room(taken, busy=busy)
        self._held[kind] = held
        if not self._fits(*self._on_device):
            self._lighten(kind)

    def prefetch(self, kind: Kind) -> None:
        """Have a model's files read beside what goes on, so that they are in memory when needed."""
        if kind not in self._held and kind != self._fetched:
            self._fetched = kind
            Thread(target=self._read, args=(kind,), name="prefetch", daemon=True).start()

    def _read(self, kind: Kind) -> None:
        """Read a model's files, so that the system keeps them in memory that is free otherwise."""
        name, model = kind
        try:
            for path in self._loader(name).files(model=model, config=self._config):
                with path.open("rb", buffering=0) as file:
                    while file.read(READ_BYTES):
                        pass
        except Exception:
            logger.info("the files of %s are read when it is loaded", model, exc_info=True)

    def spare(self, *, busy: Collection[Kind]) -> None:
        """Take every model off the device that has weights and is not busy.

        What lies beside the others and no row uses is let go of.
        """
        for kind in self.ready - set(busy):
            if self._held[kind].size:
                self._remove(kind)
        for kind in self.ready:
            self._lighten(kind)

    def count(self, kind: Kind) -> None:
        """Pass on what a model on the device has counted since this was last asked of it."""
        held = self._held[kind]
        before, held.counted = held.counted, held.pipeline.counted
        self._count(**{name: now - before.get(name, 0) for name, now in held.counted.items()})

    def _loaded(self, kind: Kind) -> Held:
        name, model = kind
        settle_threads(self._config.threads)
        config = replace(self._config, place=self._place)
        pipeline = self._loader(name).load(model=model, config=config)
        settle_threads(self._config.threads)
        taken = replace(self._taken(kind), size=pipeline.weight_bytes)
        self._sizes[kind] = taken
        return Held(pipeline=pipeline, size=taken.size, work=taken.work)

    def _loader(self, name: str) -> type[Loader]:
        return resolve(self._specs[name].target)

    def _taken(self, kind: Kind) -> Taken:
        """Return what a model takes; before it was ever loaded, what its checkpoint says.

        Raises:
            ModelUnavailableError: its checkpoint is missing or damaged.
            ModelTooLargeError: there is no room for it, or was none a short while ago.
        """
        if kind not in self._sizes:
            since, refusal = self._refused.get(kind, (-REFUSED_S, None))
            if refusal is not None and monotonic() - since < REFUSED_S:
                raise ModelTooLargeError(str(refusal))
            try:
                self._sizes[kind] = self._weighed(*kind)
            except ModelTooLargeError as err:
                self._refused[kind] = monotonic(), err
                # Another look may find more that is free.
                self._found = None
                config = self._config
                note_refusal(
                    kind[1], str(err), models_dir=config.models_dir, device=config.station,
                    devices=config.stations,
                )  # fmt: skip
                raise
        return self._sizes[kind]

    def _weighed(self, name: str, model: str) -> Taken:
        config = replace(self._config, place=self._place)
        plan = self._loader(name).plan(model=model, config=config)
        if plan is None:
            return Taken(size=self._loader(name).weigh(model=model, config=config))
        return Taken(size=plan.resident, work=plan.work)

    def _fitting(self, kind: Kind) -> Taken:
        """Return what a model takes, if models may take so much of the device."""
        taken = self._taken(kind)
        if taken.size and taken.size > self._place.weights:
            needed, allowed = (-(-number // 2**20) for number in (taken.size, self._place.weights))
            raise ModelUnavailableError(
                f"{kind[1]} takes {needed} MiB; models may take {allowed} MiB of the device"
            )
        return taken

    @property
    def _place(self) -> Place:
        """What there is room for, asked of the device once; what models here take is free."""
        if self._found is None:
            own = self._used(on_device=True) if self._held else 0
            self._found = place_of(self._config, own=own)
        return self._found

    @property
    def _on_device(self) -> list[Held]:
        return [held for held in self._held.values() if held.on_device]

    def _fits(self, *models: Taken | Held) -> bool:
        """Return whether models find room together, while one of them works."""
        size, work = sum(it.size for it in models), max(it.work for it in models)
        return size <= self._place.weights and size + work <= self._place.memory

    def _used(self, *, on_device: bool) -> int:
        return sum(held.size for held in self._held.values() if held.on_device is on_device)

    def _make_room(self, taken: Taken, *, busy: Collection[Kind]) -> None:
        for kind, held in list(self._held.items()):
            if not taken.size or self._fits(taken, *self._on_device):
                return
            if held.on_device and held.size and kind not in busy:
                self._remove(kind)
        for kind in self.ready:
            if self._fits(taken, *self._on_device):
                return
            self._lighten(kind)

    def _lighten(self, kind: Kind) -> None:
        """Have a model let go of what lies beside it and no row uses."""
        if self._users is None:
            return
        held = self._held[kind]
        held.pipeline.lighten(self._users(kind))
        if (size := held.pipeline.weight_bytes) < held.size:
            held.size = size
            self._sizes[kind] = Taken(size=size, work=held.work)
            gc.collect()
            release_memory()
            logger.info("%s let go of what lay beside it", kind[1])

    def _remove(self, kind: Kind) -> None:
        """Take a model off the device: to the host's memory if it has room, else altogether.

        One that has outgrown the device by what it loaded besides would not come back from there.
        """
        held = self._held[kind]
        self._count(model_evictions=1)
        room = host_limit(self._config, place=self._place)
        if held.size > min(room, self._place.weights):
            self._drop(kind)
        else:
            for other, waiting in list(self._held.items()):
                if self._used(on_device=False) + held.size <= room:
                    break
                if not waiting.on_device:
                    self._drop(other)
            held.pipeline.put_away()
            held.on_device = False
            logger.info("%s waits in the host's memory", kind[1])
        release_memory()

    def _return(self, kind: Kind, held: Held) -> None:
        """Have a model wait in the host's memory again, of which some may be on the device."""
        held.pipeline.put_away()
        self._held[kind] = held

    def _drop(self, kind: Kind) -> None:
        """Let go of a model; if it is loaded again, it begins without what it had besides."""
        del self._held[kind]
        self._sizes.pop(kind, None)
        # Networks refer to each other in circles, and hold the memory that is wanted.
        gc.collect()
        logger.info("%s was dropped", kind[1])
