"""A process that makes pictures for bots elsewhere: engines and the line, and no Discord."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from bot.common import Common, Stores, database_of, executor_of, guilds_of, stores_of
from bot.engine_metrics import EngineCounters
from bot.fleet import Reporter
from bot.guilds import Guilds
from bot.keepers import Keepers
from bot.overview import Account, Overview, overview
from bot.presets import read_presets
from bot.safety import Guard
from bot.settings import Settings
from bot.web import HealthPages
from generation.artworks import artworks
from generation.codecs import CodecPool
from generation.executor.client import Executor
from generation.registry import PipelineSpec

log = structlog.get_logger()


class Worker:
    """The assembled worker."""

    def __init__(
        self,
        settings: Settings,
        *,
        stores: Stores,
        executor: Executor,
        codecs: CodecPool,
        guilds: Guilds,
    ) -> None:
        self.settings = settings
        self.stores = stores
        self.executor = executor
        self.common = Common(settings, stores=stores)
        self.line, self.wakes = self.common.line, self.common.wakes
        guard = Guard(settings.safety, guilds=guilds, executor=executor)
        self.runner = self.common.runner(executor, codecs=codecs, guard=guard, shares=True)
        self._previews = self.common.preview_post(codecs)
        self._reporter = Reporter(owner=self.common.owner, executor=executor, kept=stores.kept)
        self._pages = HealthPages(
            metrics=self.common.metrics, ready=self.ready, overview=self.overview
        )
        self._keepers = Keepers()
        self.web_port = 0

    def ready(self) -> bool:
        """Tell whether pictures are made now."""
        return self.executor.stats().engine_up

    def overview(self) -> Overview:
        """Return what goes on now; what guilds and members are called is not known here."""
        return overview(
            self.executor.stats(),
            waiting=self.line.waiting,
            running=list(self.line.own.values()),
            name=_numbers,
        )

    async def run(self, *, stop: asyncio.Event) -> None:
        """Make pictures until told to stop."""
        self._measure()
        self.web_port = await self._pages.start(
            host=self.settings.web_host, port=self.settings.web_port
        )
        self.wakes.start()
        watching = asyncio.create_task(self.common.metrics.watch_loop())
        self._keepers.start(
            self.line.look, self.runner.pump, self._reporter.report, self.common.deadlines.look
        )
        log.info("working", worker=self.common.owner)
        try:
            await stop.wait()
        finally:
            log.info("stopping")
            watching.cancel()
            await self._keepers.close()
            await self.runner.close()
            if self._previews is not None:
                await self._previews.close()
            await self._reporter.close()
            await self.wakes.close()
            await self._pages.close()

    def _measure(self) -> None:
        self.common.measure()
        stats, gauge = self.executor.stats, self.common.metrics.gauge
        gauge("engine_restarts", "Engines that were replaced", lambda: stats().restarts)
        gauge("engine_up", "Whether the engine is up", lambda: stats().engine_up)
        gauge("ready", "Whether pictures are made", self.ready)
        self.common.metrics.registry.register(EngineCounters(lambda: stats().stations))


@asynccontextmanager
async def working(
    settings: Settings, *, pipelines: Mapping[str, PipelineSpec] | None = None
) -> AsyncIterator[Worker]:
    """Open everything, and close it when the block ends; the database is migrated already."""
    async with AsyncExitStack() as stack:
        presets = await asyncio.to_thread(read_presets, settings.own_presets)
        database = await stack.enter_async_context(database_of(settings))
        executor = executor_of(settings, pipelines or settings.pipelines)
        codecs = CodecPool()
        for each in (executor, codecs):
            stack.push_async_callback(each.close)
        await asyncio.gather(codecs.start(), executor.start(), asyncio.to_thread(artworks))
        yield Worker(
            settings,
            stores=stores_of(settings, database),
            executor=executor,
            codecs=codecs,
            guilds=guilds_of(settings, database, presets=presets),
        )


def _numbers(account: Account) -> tuple[str, str]:
    guild_id, member_id = account
    return str(guild_id), str(member_id)
