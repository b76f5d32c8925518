"""The composition root: settings to storage to pools and engine to the client.

Everything that is opened here is closed here, in the opposite order, whatever happens between.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import discord
import structlog

from bot.acknowledging import Acknowledger
from bot.admin_site.site import AdminPage
from bot.attachments import Downloader
from bot.charts import ChartPool
from bot.client import Atelier
from bot.common import Common, Stores, database_of, executor_of, guilds_of, stores_of
from bot.delivery import Delivery
from bot.digests import Digests
from bot.dispatcher import Dispatcher, under_way
from bot.engine_metrics import EngineCounters
from bot.fleet import Fleet
from bot.guilds import Guilds
from bot.herald import Herald
from bot.keepers import Keepers
from bot.left import Left
from bot.limits import Limits, arena_for
from bot.models import Models
from bot.overview import Overview, overview
from bot.pictures import Pictures
from bot.presets import read_presets
from bot.privacy import Exports
from bot.redirect import connector
from bot.reviews import Reviews
from bot.roles import Role, Shards
from bot.room import Room
from bot.runner import Runner
from bot.safety import Guard
from bot.services import Services
from bot.settings import Settings
from bot.syncing import sync_commands
from bot.texts import load_texts
from bot.usage_files import Price
from bot.web import HealthPages
from generation.artworks import artworks
from generation.codecs import CodecPool, IntakePool
from generation.executor.client import Executor
from generation.registry import PipelineSpec
from storage.database import sqlite_path
from storage.records import Job

HOUSEKEEPING_S = 6 * 3600.0
FORGETTING_S = 60.0
SUMS_S = 300.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Everything that computes, in processes of its own, or elsewhere."""

    intake: IntakePool
    codecs: CodecPool
    engines: Executor | Fleet
    charts: ChartPool

    @property
    def executor(self) -> Executor:
        """The executor of a process that has engines."""
        assert isinstance(self.engines, Executor), "this process has no engines"
        return self.engines


class Bot:
    """The assembled bot, which accepts and tells; it runs jobs too where it has engines.

    Args:
        settings: what the installation chose.
        stores: what is remembered.
        workers: what computes.
        downloader: what fetches attachments.
        shards: which part of the guilds this process hears of; None for all.
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
        shards: Shards | None = None,
    ) -> None:
        self.settings = settings
        self.models, self.guilds = models, guilds
        self.stores = stores
        self.workers = workers
        engines = workers.engines
        self.guard = Guard(
            settings.safety,
            guilds=guilds,
            executor=engines if isinstance(engines, Executor) else None,
        )
        self.common = Common(settings, stores=stores)
        self.metrics = self.common.metrics
        self.line, self.wakes = self.common.line, self.common.wakes
        self.client = Atelier(connector(settings), begin=self._begin, shards=shards)
        self.delivery = Delivery(
            self.client,
            owner=self.common.owner,
            jobs=stores.jobs,
            files=stores.files,
            codecs=workers.codecs,
            texts=load_texts(),
            interval_s=settings.progress_interval_s,
        )
        self.reviews = Reviews(
            self.client,
            owner=self.common.owner,
            store=stores.reviews,
            delivery=self.delivery,
            guilds=guilds,
            texts=load_texts(),
        )
        self.acknowledger = Acknowledger(
            owner=self.common.owner,
            kept=stores.acknowledgements,
            unwritten=stores.unwritten,
            lease_s=settings.lease_s,
        )
        self.left = Left(
            owner=self.common.owner,
            kept=stores.acknowledgements,
            unwritten=stores.unwritten,
            delivery=self.delivery,
            lease_s=settings.lease_s,
        )
        self.price = Price(hour=settings.hour_price, currency=settings.currency)
        self.digests = Digests(
            self.client,
            owner=self.common.owner,
            store=stores.digests,
            reports=stores.reports,
            guilds=guilds,
            charts=workers.charts,
            price=self.price,
            texts=load_texts(),
        )
        self.herald = Herald(
            line=self.line,
            jobs=stores.jobs,
            delivery=self.delivery,
            reviews=self.reviews,
            previews=stores.previews if settings.worker_previews else None,
            guard=self.guard,
            wakes=self.wakes,
            under_way=lambda: under_way(self.line, engines),
            refresh_s=settings.progress_interval_s,
            sweep_s=settings.redelivery_s,
        )
        self.dispatcher = self._dispatcher()
        self.runner: Runner | None = None
        if isinstance(engines, Executor):
            self.runner = self.common.runner(engines, codecs=workers.codecs, guard=self.guard)
        self._pictures = Pictures(
            downloader=downloader,
            intake=workers.intake,
            codecs=workers.codecs,
            files=stores.files,
        )
        self._pages = HealthPages(metrics=self.metrics, ready=self.ready, overview=self.overview)
        self.keepers = Keepers()
        self._tasks: set[asyncio.Task[None]] = set()
        self.admin_page: AdminPage
        self.web_port = 0

    def ready(self) -> bool:
        """Tell whether members are answered now."""
        return self.client.is_ready() and self.workers.engines.stats().engine_up

    def overview(self) -> Overview:
        """Return what goes on now."""
        return overview(
            self.workers.engines.stats(),
            waiting=self.line.waiting,
            running=self.line.running,
            name=self.client.names,
        )

    async def run(self, token: str, *, stop: asyncio.Event) -> None:
        """Serve until told to stop.

        Raises:
            discord.DiscordException: Discord does not let the bot in, or has thrown it out.
        """
        services = self._services()
        await self.client.equip(services)
        self._measure()
        self.admin_page = AdminPage(
            self.settings, client=self.client, services=services, codecs=self.workers.codecs
        )
        self._pages.add_admin(self.admin_page.app)
        self.web_port = await self._pages.start(
            host=self.settings.web_host, port=self.settings.web_port
        )
        self.admin_page.port = self.web_port
        for work in (
            self.metrics.watch_loop(),
            self.models.keep_fresh(),
            self._keep_house(),
            self._forget_tokens(),
            self._keep_sums(),
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
        left = await self.stores.jobs.unfinished()
        if sole:
            await self._release(left)
            await self.stores.acknowledgements.release()
        if left:
            log.info("jobs are taken up again", jobs=len(left))
        self.herald.begin(sole=sole, left=left)
        self.wakes.start()
        self.keepers.start(
            self.line.look,
            self.herald.places.refresh,
            self.herald.sweep,
            self.common.deadlines.look,
            self.acknowledger.keep,
            self.left.look,
            self.digests.look,
        )
        if self.runner is not None:
            self.keepers.start(self.runner.pump)

    async def _release(self, left: list[Job]) -> None:
        """Put back what earlier processes had taken: none of them is there any more."""
        held = await self.reviews.pending()
        jobs = [*left, *await self.stores.jobs.undelivered(), *held]
        for owner in {job.owner for job in jobs if job.owner is not None}:
            await self.stores.jobs.release(owner)

    async def _close(self) -> None:
        """Finish what can be finished, then leave."""
        log.info("stopping")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.keepers.close()
        if self.runner is not None:
            await self.runner.close()
        await self.herald.close()
        await self.stores.jobs.release(self.common.owner)
        await self.wakes.close()
        await self.client.close()
        await self.stores.unwritten.close()
        await self.stores.acknowledgements.release(owner=self.common.owner)
        await self._pages.close()
        await self.admin_page.close()

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

    async def _keep_sums(self) -> None:
        """Add up the usage of the days that are over, and of what has changed of them since."""
        while True:
            (found,) = await asyncio.gather(self.stores.sums.add_up(), return_exceptions=True)
            if isinstance(found, BaseException):
                log.error("usage was not added up; it is tried again", exc_info=found)
            await asyncio.sleep(SUMS_S)

    def _dispatcher(self) -> Dispatcher:
        return Dispatcher(
            line=self.line,
            jobs=self.stores.jobs,
            reviews=self.stores.reviews,
            herald=self.herald,
            acknowledger=self.acknowledger,
            prices=self.workers.engines,
            models=self.models,
            guilds=self.guilds,
            guard=self.guard,
            room=Room(arena_for(max_side=self.settings.max_side), files=self.stores.files),
            metrics=self.metrics,
            wakes=self.wakes,
            max_wait_s=self.settings.max_wait_s,
            deadline_s=self.settings.deadline_s,
        )

    def _services(self) -> Services:
        return Services(
            texts=load_texts(),
            pictures=self._pictures,
            models=self.models,
            guilds=self.guilds,
            guard=self.guard,
            acknowledger=self.acknowledger,
            dispatcher=self.dispatcher,
            prices=self.workers.engines,
            jobs=self.stores.jobs,
            reviews=self.stores.reviews,
            review_pages=self.reviews,
            digests=self.stores.digests,
            quotas=self.stores.quotas,
            priorities=self.stores.priorities,
            bought_ms=self.settings.raised_ms,
            bought_weights=self.settings.bought_weights,
            reports=self.stores.reports,
            price=self.price,
            charts=self.workers.charts,
            limits=Limits(max_side=self.settings.max_side, max_pictures=self.settings.max_pictures),
            files=self.stores.files,
            privacy=self.stores.privacy,
            retention=self.stores.retention,
            exports=Exports(),
        )

    def _measure(self) -> None:
        self.common.measure()
        stats = self.workers.engines.stats
        gauge = self.metrics.gauge
        gauge("engine_restarts", "Engines that were replaced", lambda: stats().restarts)
        gauge("engine_up", "Whether the engine is up", lambda: stats().engine_up)
        self.metrics.registry.register(EngineCounters(lambda: stats().stations))
        gauge("ready", "Whether members are answered", self.ready)


@asynccontextmanager
async def assembled(
    settings: Settings,
    *,
    role: Role = Role.ALL,
    shards: Shards | None = None,
    pipelines: Mapping[str, PipelineSpec] | None = None,
) -> AsyncIterator[Bot]:
    """Open everything, and close it when the block ends; the database is migrated already."""
    async with AsyncExitStack() as stack:
        presets = await asyncio.to_thread(read_presets, settings.own_presets)
        database = await stack.enter_async_context(database_of(settings))
        stores = stores_of(settings, database)
        offered = pipelines or settings.pipelines
        fleet = Fleet(kept=stores.kept, pipelines=offered) if role is Role.BOT else None
        workers = Workers(
            intake=IntakePool(max_side=settings.max_side),
            codecs=CodecPool(),
            engines=fleet or executor_of(settings, offered),
            charts=ChartPool(),
        )
        models = Models(models_dir=settings.models_folder, pipelines=offered)
        for worker in (workers.charts, workers.engines, workers.codecs, workers.intake):
            stack.push_async_callback(worker.close)
        await asyncio.gather(
            workers.intake.start(),
            workers.codecs.start(),
            workers.engines.start(),
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
            guilds=guilds_of(settings, database, presets=presets),
            downloader=downloader,
            shards=shards,
        )
