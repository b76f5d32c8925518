"""How an executor is set up, and what it says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from generation.executor.arena import Geometry
from generation.executor.cluster.config import ClusterConfig
from generation.executor.figures import Counters
from generation.pipelines.base import EngineConfig
from generation.registry import PIPELINES, PipelineSpec

TEMPLATE_AFTER_S = 20.0
"""A start's rush is over by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorConfig:
    """How an executor behaves.

    Args:
        engine: threads and checkpoints of the engines, and the device if there is one.
        devices: one engine each; none is the engine's own.
        data_dir: the installation; arenas are named after it and fall back into it, and what was
            learned of costs is kept there.
        pipelines: what may be asked for, by name.
        hang_timeout_s: an engine without a sign of life for so long is killed and replaced.
        load_timeout_s: the same while it loads a model.
        start_timeout_s: for the start of the engine's process.
        template_after_s: so long after an engine has loaded a model, a template begins to import
            the same modules, from which the next engine is forked; None for no template. Where
            engines are is where templates are, one each.
        deadline_grace_s: how far one step may overrun its request's deadline before the engine
            is killed for it; between steps the deadline holds exactly.
        max_attempts: a request during whose calls so many engines died fails.
        max_wait_s: a request that would wait longer is refused.
        max_rows: so many requests an engine has at once, their steps interleaved; more if more
            share a call, and for members who would have none there.
        preview_interval_s: at least so long lies between two previews of one request.
        preload: pipelines whose default model an idle engine loads before it is asked for.
        nice: how far the engine steps back, so that the bot's loop stays quick.
        arena: how much shared memory there is, and in which portions.
        shm_dir: where shared memory lives.
        cluster: the engines run there instead of on this machine's devices.
    """

    engine: EngineConfig
    data_dir: Path
    devices: tuple[str, ...] = ()
    pipelines: Mapping[str, PipelineSpec] = field(default_factory=lambda: PIPELINES)
    hang_timeout_s: float = 60.0
    load_timeout_s: float = 300.0
    start_timeout_s: float = 60.0
    template_after_s: float | None = TEMPLATE_AFTER_S
    deadline_grace_s: float = 2.0
    max_attempts: int = 2
    max_wait_s: float = 900.0
    max_rows: int = 2
    preview_interval_s: float = 1.0
    preload: tuple[str, ...] = ()
    nice: int = 5
    arena: Geometry = field(default_factory=Geometry)
    shm_dir: Path = Path("/dev/shm")  # noqa: S108 - shared memory has this one place
    cluster: ClusterConfig | None = None

    @property
    def places(self) -> tuple[str, ...]:
        """What the engines run on: the devices, or the cluster."""
        if self.cluster is not None:
            return (self.cluster.address,)
        return self.devices or (self.engine.device,)


@dataclass(frozen=True, slots=True, kw_only=True)
class StationStats:
    """What one engine is doing.

    Args:
        device: its device, or its place in a cluster; no two have the same.
        running, capacity: requests that it has, and could have.
        ready, loading: models by pipeline and checkpoint.
        busy_ms: device time that what it has still needs.
        restarts: engines that were replaced here.
        template: whether the next would be forked; not known of a cluster's.
        counters: what this engine and those before it have counted.
    """

    device: str
    up: bool
    pid: int | None
    running: int
    capacity: int
    ready: tuple[tuple[str, str], ...]
    loading: tuple[str, str] | None
    busy_ms: float
    restarts: int
    template: bool
    counters: Counters


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorStats:
    """What an executor is doing, and sums since it was made.

    Args:
        queued_ms: device time that what is queued will need.
        finished: requests that became pictures.
        served_ms: device time that went into the most served members, by guild and member, the
            most served first; and what all others got.
    """

    stations: tuple[StationStats, ...]
    queued: int
    queued_ms: float
    finished: int
    served_ms: Mapping[tuple[int, int], float]
    served_others_ms: float

    @property
    def running(self) -> int:
        """Requests that the engines have."""
        return sum(station.running for station in self.stations)

    @property
    def restarts(self) -> int:
        """Engines that were replaced."""
        return sum(station.restarts for station in self.stations)

    @property
    def engine_up(self) -> bool:
        """Whether any engine is ready."""
        return any(station.up for station in self.stations)

    @property
    def counters(self) -> Counters:
        """What all engines have counted, as far as they have told."""
        return sum((station.counters for station in self.stations), start=Counters())
