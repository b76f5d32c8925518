"""The composition root: settings to storage to pools and engine to the client.

Everything that is opened here is closed here, in the opposite order, whatever happens between.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import discord
import structlog

from bot.attachments import Downloader
from bot.charts import ChartPool
from bot.client import Atelier
from bot.delivery import Delivery
from bot.dispatcher import Dispatcher, Pace
from bot.engine_metrics import EngineCounters
from bot.guilds import Guilds
from bot.job_pictures import JobPictures
from bot.limits import Limits, arena_for
from bot.making import Maker
from bot.metrics import Metrics
from bot.models import Models
from bot.overview import Overview, overview
from bot.pictures import Pictures
from bot.presets import read_presets
from bot.privacy import Exports
from bot.redirect import connector
from bot.safety import Guard
from bot.services import Services
from bot.settings import Settings
from bot.syncing import sync_commands
from bot.texts import load_texts
from bot.web import HealthPages
from generation.artworks import artworks
from generation.codecs import CodecPool, IntakePool
from generation.executor.client import Executor, ExecutorConfig
from generation.executor.config import TEMPLATE_AFTER_S
from generation.registry import SAFETY, PipelineSpec, looking
from storage.blocks import BlockStore
from storage.database import Database, sqlite_path
from storage.files import FileStore
from storage.guilds import GuildStore
from storage.jobs import JobStore
from storage.places import PlaceStore
from storage.policies import Ceilings
from storage.privacy import Privacy
from storage.quotas import Quotas
from storage.reports import Reports
from storage.retention import Retention
from storage.settings import KeyValues

HOUSEKEEPING_S = 6 * 3600.0
FORGETTING_S = 60.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Everything that is remembered."""

    files: FileStore
    quotas: Quotas
    jobs: JobStore
    reports: Reports
    retention: Retention
    privacy: Privacy
    kept: KeyValues


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Everything that computes, in processes of its own."""

    intake: IntakePool
    codecs: CodecPool
    executor: Executor
    charts: ChartPool


class Bot:
    """The assembled bot.

    Args:
        settings: what the installation chose.
        stores: what is remembered.
        workers: what computes.
        downloader: what fetches attachments.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        stores: Stores,
        workers: Workers,
        models: Models,
        guilds: Guilds,
        downloader: Downloader,
    ) -> None:
        self.settings = settings
        self.models, self.guilds = models, guilds
        self.stores = stores
        self.workers = workers
        self.guard = Guard(settings.safety, guilds=guilds, executor=workers.executor)
        self.metrics = Metrics()
        self.client = Atelier(connector(settings), begin=self._begin)
        self.delivery = Delivery(
            self.client,
            jobs=stores.jobs,
            files=stores.files,
            codecs=workers.codecs,
            texts=load_texts(),
            interval_s=settings.progress_interval_s,
        )
        self.dispatcher = self._dispatcher()
        self._pictures = Pictures(downloader=downloader, intake=workers.intake, files=stores.files)
        self._pages = HealthPages(metrics=self.metrics, ready=self.ready, overview=self.overview)
        self._tasks: set[asyncio.Task[None]] = set()
        self.web_port = 0

    def ready(self) -> bool:
        """Tell whether members are answered now."""
        return self.client.is_ready() and self.workers.executor.stats().engine_up

    def overview(self) -> Overview:
        """Return what goes on now."""
        return overview(
            self.workers.executor.stats(),
            waiting=self.dispatcher.jobs_waiting(),
            running=self.dispatcher.jobs_running(),
            name=self.client.names,
        )

    async def run(self, token: str, *, stop: asyncio.Event) -> None:
        """Serve until told to stop.

        Raises:
            discord.DiscordException: Discord does not let the bot in, or has thrown it out.
        """
        await self.client.equip(self._services())
        self._measure()
        self.web_port = await self._pages.start(
            host=self.settings.web_host, port=self.settings.web_port
        )
        for work in (
            self.metrics.watch_loop(),
            self.models.keep_fresh(),
            self._keep_house(),
            self._forget_tokens(),
        ):
            self._tasks.add(asyncio.create_task(work))
        serving = asyncio.create_task(self.client.start(token), name="client")
        told = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait((serving, told), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._close()
            told.cancel()
            await asyncio.wait((serving,), timeout=1.0)
        if serving.done() and not serving.cancelled():
            serving.result()

    async def _begin(self) -> None:
        """Register changed commands, and take up what earlier processes left."""
        sandboxed = self.settings.sandbox_address is not None
        try:
            await sync_commands(self.client, self.stores.kept, always=sandboxed)
        except discord.HTTPException as err:
            log.error("the commands could not be registered", status=err.status, code=err.code)
        sole = sqlite_path(self.settings.database) is not None
        await self.dispatcher.start(sole=sole)

    async def _close(self) -> None:
        """Finish what can be finished, then leave."""
        log.info("stopping")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.dispatcher.close()
        await self.client.close()
        await self._pages.close()

    async def _keep_house(self) -> None:
        """Remove what is older than the retention time, now and every few hours."""
        age = timedelta(days=self.settings.retention_days)
        while True:
            purge = self.stores.retention.purge(older_than=age)
            around = self.client.look_around()
            report, _ = await asyncio.gather(purge, around, return_exceptions=True)
            if isinstance(report, BaseException):
                log.error("not purged; the next purge tries again", exc_info=report)
            else:
                log.info("purged", jobs=report.jobs, files=report.files)
            await asyncio.sleep(HOUSEKEEPING_S)

    async def _forget_tokens(self) -> None:
        """Throw away, every minute, what let the bot answer and has expired."""
        while True:
            await asyncio.sleep(FORGETTING_S)
            work = self.stores.retention.forget_recent_tokens()
            ends = await asyncio.gather(work, return_exceptions=True)
            if isinstance(ends[0], BaseException):
                log.warning("expired tokens are still there", exc_info=ends[0])

    def _dispatcher(self) -> Dispatcher:
        settings, stores, workers = self.settings, self.stores, self.workers
        owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        return Dispatcher(
            owner=owner,
            pace=Pace(
                parallel_jobs=settings.parallel_jobs,
                lease_s=settings.lease_s,
                max_wait_s=settings.max_wait_s,
                shutdown_s=settings.shutdown_s,
                refresh_s=settings.progress_interval_s,
                sweep_s=settings.redelivery_s,
            ),
            jobs=stores.jobs,
            maker=Maker(
                owner=owner,
                lease_s=settings.lease_s,
                jobs=stores.jobs,
                pictures=JobPictures(
                    files=stores.files, codecs=workers.codecs, metrics=self.metrics
                ),
                executor=workers.executor,
                delivery=self.delivery,
                guard=self.guard,
                metrics=self.metrics,
            ),
            executor=workers.executor,
            delivery=self.delivery,
            models=self.models,
            guilds=self.guilds,
            guard=self.guard,
            metrics=self.metrics,
        )

    def _services(self) -> Services:
        return Services(
            texts=load_texts(),
            pictures=self._pictures,
            models=self.models,
            guilds=self.guilds,
            guard=self.guard,
            dispatcher=self.dispatcher,
            executor=self.workers.executor,
            jobs=self.stores.jobs,
            quotas=self.stores.quotas,
            bought_ms=self.settings.raised_ms,
            reports=self.stores.reports,
            charts=self.workers.charts,
            limits=Limits(max_side=self.settings.max_side, max_pictures=self.settings.max_pictures),
            files=self.stores.files,
            privacy=self.stores.privacy,
            retention=self.stores.retention,
            exports=Exports(),
        )

    def _measure(self) -> None:
        stats = self.workers.executor.stats
        gauge = self.metrics.gauge
        gauge("jobs_waiting", "Jobs that wait", lambda: self.dispatcher.waiting)
        gauge("jobs_running", "Jobs that are under way", lambda: self.dispatcher.running)
        gauge("engine_restarts", "Engines that were replaced", lambda: stats().restarts)
        gauge("engine_up", "Whether the engine is up", lambda: stats().engine_up)
        self.metrics.registry.register(EngineCounters(lambda: stats().stations))
        gauge("disk_free_bytes", "Free on the fullest disk", self.settings.room.free_bytes)
        gauge("ready", "Whether members are answered", self.ready)


@asynccontextmanager
async def assembled(
    settings: Settings, *, pipelines: Mapping[str, PipelineSpec] | None = None
) -> AsyncIterator[Bot]:
    """Open everything, and close it when the block ends; the database is migrated already."""
    async with AsyncExitStack() as stack:
        presets = await asyncio.to_thread(read_presets, settings.own_presets)
        seals = await asyncio.to_thread(settings.seals)
        database = Database.open(settings.database, seals=seals)
        stack.push_async_callback(database.close)
        stores = _stores(settings, database)
        offered = pipelines or settings.pipelines
        workers = _workers(settings, offered)
        models = Models(models_dir=settings.models_folder, pipelines=offered)
        for worker in (workers.charts, workers.executor, workers.codecs, workers.intake):
            stack.push_async_callback(worker.close)
        await asyncio.gather(
            workers.intake.start(),
            workers.codecs.start(),
            workers.executor.start(),
            asyncio.to_thread(artworks),
            models.refresh(),
        )
        downloader = await stack.enter_async_context(
            Downloader(
                connector(settings),
                max_bytes=settings.max_upload_bytes,
                stall_s=settings.download_stall_s,
                total_s=settings.download_total_s,
            )
        )
        yield Bot(
            settings,
            stores=stores,
            workers=workers,
            models=models,
            guilds=Guilds(
                GuildStore(database),
                places=PlaceStore(database),
                blocks=BlockStore(database),
                presets=presets,
                safety=settings.safety_policy,
                retention_days=settings.retention_days,
            ),
            downloader=downloader,
        )


def _stores(settings: Settings, database: Database) -> Stores:
    files = settings.files
    ceilings = Ceilings(
        member_ms=round(settings.quota_device_s * 1000),
        guild_ms=_milliseconds(settings.quota_guild_device_s),
        total_ms=_milliseconds(settings.quota_total_device_s),
    )
    quotas = Quotas(database, ceilings=ceilings)
    return Stores(
        files=files,
        quotas=quotas,
        jobs=JobStore(database, quotas=quotas, files=files, room=settings.room),
        reports=Reports(database),
        retention=Retention(database, files=files),
        privacy=Privacy(database, files=files),
        kept=KeyValues(database),
    )


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _workers(settings: Settings, pipelines: Mapping[str, PipelineSpec]) -> Workers:
    folder = settings.safety.folder
    pipelines = {**({SAFETY: looking(folder)} if folder is not None else {}), **pipelines}
    return Workers(
        intake=IntakePool(max_side=settings.max_side),
        codecs=CodecPool(),
        executor=Executor(
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
        ),
        charts=ChartPool(),
    )
