"""The messages between the executor's client and an engine.

``serial`` numbers the requests of one client; it is what an engine knows a request by.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from generation.executor.figures import Counters
from generation.pipelines.base import EngineConfig
from generation.registry import PipelineSpec
from generation.request import ImageRequest, Pixels, Result, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """The first message to an engine: all that it has to know.

    Args:
        preview_interval_s: between two previews of one row.
        nice: how far the engine steps back behind the bot's process.
        log_level: of the engine's log, which goes to standard error.
    """

    config: EngineConfig
    pipelines: Mapping[str, PipelineSpec]
    preview_interval_s: float
    nice: int
    log_level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """Make this picture."""

    serial: int
    request: ImageRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Preload:
    """Load a pipeline's model, its default one if none is named, while nothing else is to be done.

    Until then its files are read, so that loading takes less.
    """

    pipeline: str
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Drop a row before its next step; answered by ``Gone``, unless it has ended already."""

    serial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """These slots of yours have been copied out."""

    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """End now; rows under way are given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The engine has started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A row has come further; ``spent_ms`` of the device went into it so far."""

    serial: int
    stage: Stage
    step: int = 0
    total_steps: int = 0
    spent_ms: float = 0.0
    preview: Pixels | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """So many requests like one that has just been admitted fit into one call."""

    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """Which models the engine holds ready and which one it is loading; said when that changes.

    Both are named by the pipeline and the checkpoint.
    """

    ready: frozenset[tuple[str, str]]
    loading: tuple[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The modules of ours that the engine has imported; said when it has loaded a model."""

    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the engine has counted since it started; said at most once a second, when it is news."""

    counters: Counters


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A picture is finished."""

    serial: int
    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A request failed with a class of ``generation.errors``, by its name."""

    serial: int
    error: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """A cancelled row has left the engine."""

    serial: int


ToEngine = Hello | Submit | Preload | Cancel | Release | Stop
ToClient = Ready | Release | Moved | Capacity | Models | Imported | Figures | Done | Failed | Gone
Message = ToEngine | ToClient
