"""What every process that serves a database has, whatever its role: stores, a line, its name."""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bot.deadlines import Deadlines
from bot.guilds import Guilds
from bot.job_pictures import JobPictures
from bot.limits import arena_for
from bot.line import Line
from bot.making import Maker
from bot.metrics import Metrics
from bot.presets import Preset
from bot.previews import PreviewPost
from bot.runner import Pace, Runner
from bot.safety import Guard
from bot.settings import Settings
from bot.wakes import Wakes
from generation.codecs import CodecPool
from generation.executor.client import Executor, ExecutorConfig
from generation.executor.config import TEMPLATE_AFTER_S
from generation.registry import SAFETY, PipelineSpec, looking
from storage.acknowledgements import Acknowledgements
from storage.blocks import BlockStore
from storage.database import Database, sqlite_path
from storage.digests import DigestStore
from storage.files import FileStore
from storage.finds import FindsEverywhere
from storage.guilds import GuildStore
from storage.jobs import JobStore
from storage.keybook import KeyBook
from storage.places import PlaceStore
from storage.policies import Ceilings
from storage.previews import Previews
from storage.priorities import Priorities
from storage.privacy import Privacy
from storage.quotas import Quotas
from storage.reports import Reports
from storage.retention import Retention
from storage.reviews import ReviewStore
from storage.settings import KeyValues
from storage.unwritten import Unwritten
from storage.usage import UsageSums


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Everything that is remembered."""

    files: FileStore
    quotas: Quotas
    priorities: Priorities
    jobs: JobStore
    reviews: ReviewStore
    digests: DigestStore
    reports: Reports
    sums: UsageSums
    retention: Retention
    privacy: Privacy
    kept: KeyValues
    acknowledgements: Acknowledgements
    unwritten: Unwritten
    previews: Previews


class Common:
    """What this process knows of all jobs, and how it hears of the others.

    Attributes:
        owner: this process, as its claims name it.
    """

    def __init__(self, settings: Settings, *, stores: Stores) -> None:
        self._settings = settings
        self._stores = stores
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.metrics = Metrics()
        self.wakes = Wakes(
            owner=self.owner,
            database=settings.database,
            interval_s=settings.progress_interval_s,
        )
        self.line = Line(
            owner=self.owner,
            jobs=stores.jobs,
            wakes=self.wakes,
            metrics=self.metrics,
            every_s=settings.lease_s / 2,
        )
        self.deadlines = Deadlines(
            jobs=stores.jobs,
            metrics=self.metrics,
            wakes=self.wakes,
            every_s=settings.lease_s / 2,
        )

    def runner(
        self, executor: Executor, *, codecs: CodecPool, guard: Guard, shares: bool = False
    ) -> Runner:
        """Return what has jobs made by engines of this process's own.

        With ``shares`` others get all jobs while no engine is up here.
        """
        settings, stores = self._settings, self._stores
        return Runner(
            pace=Pace(
                parallel_jobs=settings.parallel_jobs,
                shares=shares,
                lease_s=settings.lease_s,
                shutdown_s=settings.shutdown_s,
            ),
            line=self.line,
            jobs=stores.jobs,
            maker=Maker(
                owner=self.owner,
                lease_s=settings.lease_s,
                retry_s=settings.retry_s,
                jobs=stores.jobs,
                pictures=JobPictures(files=stores.files, codecs=codecs, metrics=self.metrics),
                executor=executor,
                guard=guard,
                metrics=self.metrics,
            ),
            executor=executor,
            wakes=self.wakes,
        )

    def preview_post(self, codecs: CodecPool) -> PreviewPost | None:
        """Return what sends previews to others, None where there are none or none are wanted."""
        settings = self._settings
        if sqlite_path(settings.database) is not None or not settings.worker_previews:
            return None
        return PreviewPost(
            line=self.line,
            kept=self._stores.previews,
            codecs=codecs,
            wakes=self.wakes,
            interval_s=settings.progress_interval_s,
        )

    def measure(self) -> None:
        """Add what the line has to the metrics."""
        gauge, line = self.metrics.gauge, self.line
        gauge("jobs_waiting", "Jobs that wait", lambda: len(line.room))
        gauge("jobs_running", "Jobs that are under way", lambda: len(line.running))
        gauge("disk_free_bytes", "Free on the fullest disk", self._settings.room.free_bytes)


@asynccontextmanager
async def database_of(settings: Settings) -> AsyncIterator[Database]:
    """Open the database with its keys, and close it when the block ends.

    Raises:
        KeyMissingError: something in it is encrypted with a key that is not there.
    """
    seals = await asyncio.to_thread(settings.seals)
    database = Database.open(settings.database, seals=seals)
    try:
        await KeyBook(database).admit(seals.contents)
        yield database
    finally:
        await database.close()


def stores_of(settings: Settings, database: Database) -> Stores:
    """Return the stores over a database."""
    files = settings.files
    if sqlite_path(settings.database) is None:
        files.shared(FindsEverywhere(database))
    ceilings = Ceilings(
        member_ms=round(settings.quota_device_s * 1000),
        guild_ms=_milliseconds(settings.quota_guild_device_s),
        total_ms=_milliseconds(settings.quota_total_device_s),
        further=settings.windows_ms,
    )
    quotas = Quotas(database, ceilings=ceilings)
    return Stores(
        files=files,
        quotas=quotas,
        priorities=Priorities(database),
        jobs=JobStore(database, quotas=quotas, files=files, room=settings.room),
        reviews=ReviewStore(database, files=files),
        digests=DigestStore(database),
        reports=Reports(database),
        sums=UsageSums(database),
        retention=Retention(database, files=files),
        privacy=Privacy(database, files=files),
        kept=KeyValues(database),
        acknowledgements=Acknowledgements(database),
        unwritten=Unwritten(
            settings.data_dir / "acknowledged", ring=lambda: settings.seals().tokens
        ),
        previews=Previews(database),
    )


def guilds_of(settings: Settings, database: Database, *, presets: Mapping[str, Preset]) -> Guilds:
    """Return what guilds have chosen, over what the installation has."""
    return Guilds(
        GuildStore(database),
        places=PlaceStore(database),
        blocks=BlockStore(database),
        presets=presets,
        safety=settings.safety_policy,
        retention_days=settings.retention_days,
    )


def executor_of(settings: Settings, pipelines: Mapping[str, PipelineSpec]) -> Executor:
    """Return an executor for these pipelines, and for looking at what they make."""
    folder = settings.safety.folder
    pipelines = {**({SAFETY: looking(folder)} if folder is not None else {}), **pipelines}
    return Executor(
        ExecutorConfig(
            engine=settings.engine,
            devices=settings.devices,
            data_dir=settings.data_dir,
            pipelines=pipelines,
            max_wait_s=settings.max_wait_s,
            preload=tuple(pipelines),
            cluster=settings.cluster,
            arena=arena_for(max_side=settings.max_side),
            template_after_s=TEMPLATE_AFTER_S if settings.engine_template else None,
        )
    )


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
