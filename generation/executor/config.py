"""How an executor is set up, and what it says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from generation.executor.arena import Geometry
from generation.executor.figures import Counters
from generation.pipelines.base import EngineConfig
from generation.registry import PIPELINES, PipelineSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorConfig:
    """How an executor behaves.

    Args:
        engine: device, threads and checkpoints of the engine.
        data_dir: the installation; the arena is named after it and falls back into it.
        pipelines: what may be asked for, by name.
        hang_timeout_s: an engine without a sign of life for so long is killed and replaced.
        load_timeout_s: the same while it loads a model.
        start_timeout_s: for the start of the engine's process.
        deadline_grace_s: how far one step may overrun its request's deadline before the engine
            is killed for it; between steps the deadline holds exactly.
        max_attempts: a request during whose calls so many engines died fails.
        max_wait_s: a request that would wait longer is refused.
        max_rows: so many requests are under way at once, their steps interleaved.
        preview_interval_s: at least so long lies between two previews of one request.
        preload: pipelines whose default model an idle engine loads before it is asked for.
        nice: how far the engine steps back, so that the bot's loop stays quick.
        arena: how much shared memory there is, and in which portions.
        shm_dir: where shared memory lives.
    """

    engine: EngineConfig
    data_dir: Path
    pipelines: Mapping[str, PipelineSpec] = field(default_factory=lambda: PIPELINES)
    hang_timeout_s: float = 60.0
    load_timeout_s: float = 300.0
    start_timeout_s: float = 60.0
    deadline_grace_s: float = 2.0
    max_attempts: int = 2
    max_wait_s: float = 900.0
    max_rows: int = 2
    preview_interval_s: float = 1.0
    preload: tuple[str, ...] = ()
    nice: int = 5
    arena: Geometry = field(default_factory=Geometry)
    shm_dir: Path = Path("/dev/shm")  # noqa: S108 - shared memory has this one place


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorStats:
    """What an executor is doing.

    Args:
        running: requests that the engine has.
        restarts: engines that were replaced.
        counters: what all engines have counted, as far as they have told.
    """

    queued: int
    running: int
    restarts: int
    engine_up: bool
    counters: Counters
