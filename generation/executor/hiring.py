"""Where engines come from: one for each device of this machine, or seats in a cluster."""

import asyncio
import logging
from dataclasses import replace

from generation.executor.arena import create_arena
from generation.executor.cluster.keeper import Cluster
from generation.executor.config import ExecutorConfig
from generation.executor.costs import Costs
from generation.executor.keeper import Keeper, Listener, Patience
from generation.executor.messages import Hello
from generation.executor.router import Router
from generation.executor.station import Station


async def hire(config: ExecutorConfig, *, router: Router, costs: Costs) -> None:
    """Give the router its stations; their engines start.

    Raises:
        EngineError: there is no room for an arena, or no Ray for a cluster.
    """
    if config.cluster is not None:
        cluster = Cluster(
            config.cluster,
            hello=hello_of(config, device=config.engine.device),
            patience=patience_of(config),
            arena=config.arena,
        )
        for number in range(config.cluster.engines):
            router.employ(station_of(config, f"seat {number}", costs=costs), cluster.seat)
        return
    for index, device in enumerate(config.places):
        namesakes = config.places[:index].count(device)
        name = f"{device} ({namesakes + 1})" if namesakes else device
        station = station_of(config, name, costs=costs)
        hello = hello_of(config, device=device, station=name, stations=len(config.places))
        await _hire_here(config, hello, router=router, station=station)


async def _hire_here(
    config: ExecutorConfig, hello: Hello, *, router: Router, station: Station
) -> None:
    arena = await asyncio.to_thread(
        create_arena, geometry=config.arena, data_dir=config.data_dir, shm_dir=config.shm_dir
    )

    def keeper(listener: Listener) -> Keeper:
        return Keeper(
            arena=arena,
            hello=hello,
            patience=patience_of(config),
            listener=listener,
        )

    router.employ(station, keeper, arena=arena)


def station_of(config: ExecutorConfig, name: str, *, costs: Costs) -> Station:
    """Return a station that nobody serves yet."""
    return Station(name, costs=costs, max_rows=config.max_rows, preload=config.preload)


def hello_of(config: ExecutorConfig, *, device: str, station: str = "", stations: int = 1) -> Hello:
    """Return what an engine is told first."""
    return Hello(
        config=replace(config.engine, device=device, station=station, stations=stations),
        pipelines=dict(config.pipelines),
        preview_interval_s=config.preview_interval_s,
        nice=config.nice,
        log_level=logging.getLogger().getEffectiveLevel(),
    )


def patience_of(config: ExecutorConfig) -> Patience:
    """Return how long an engine is waited for."""
    return Patience(
        hang_timeout_s=config.hang_timeout_s,
        load_timeout_s=config.load_timeout_s,
        start_timeout_s=config.start_timeout_s,
        grace_s=config.deadline_grace_s,
        template_after_s=config.template_after_s,
    )
