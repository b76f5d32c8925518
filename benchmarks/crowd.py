"""B2: a crowd in a closed loop, short and long jobs mixed, against a thread and Ray Serve.

All three make the same pictures of the same checkpoint with one thread of torch. Serve's settings
are swept once for every number of clients; its best throughput and its best latency count, be they
of different settings.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.checkpoint import save_nano
from benchmarks.contenders import batching, ours
from benchmarks.figures import Effort, Figure, alternating, at_least, median, ratios
from benchmarks.load import Contender, closed_loop, p95, short
from benchmarks.peers.serve import SWEEP, Serve, Setting, serve_running
from benchmarks.peers.thread import ThreadAndLock, load

CLIENTS = (4, 8, 16)
THREAD, SERVE_RATE, SERVE_P95, OURS = "thread", "Serve for rate", "Serve for p95", "ours"
RATE, SHORT = "pictures a second", "short jobs' p95"
PEERS = {THREAD: "a thread", SERVE_RATE: "Ray Serve", SERVE_P95: "Ray Serve"}

Values = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """Serve's settings with the best throughput and the best latency."""

    rate: Setting
    p95: Setting


def measure(effort: Effort) -> Sequence[Figure]:
    """Measure every number of clients."""
    return asyncio.run(_measure(effort))


async def _measure(effort: Effort) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = save_nano(Path(folder))
        thread = ThreadAndLock(load(checkpoint))
        async with serve_running(checkpoint) as serve, ours(batching(folder)) as executor:
            figures: list[Figure] = []
            for contender in (thread, serve, executor):
                await closed_loop(contender, clients=4, seconds=effort.seconds / 2, seed=0)
            for clients in CLIENTS if effort.full else CLIENTS[:1]:
                best = await swept(serve, clients=clients, effort=effort)
                taken = await alternating(
                    turns(thread, serve, executor, best=best, clients=clients, effort=effort),
                    rounds=effort.rounds,
                )
                figures += held(taken, clients=clients, best=best)
    return figures


async def one_turn(contender: Contender, *, clients: int, seconds: float, turn: int) -> Values:
    """Return what a crowd sees of a contender."""
    rate, done = await closed_loop(contender, clients=clients, seconds=seconds, seed=turn + 1)
    return {RATE: rate, SHORT: p95(short(done) or done)}


async def swept(serve: Serve, *, clients: int, effort: Effort) -> Best:
    """Try Serve's settings and return the best."""
    tried: dict[Setting, Values] = {}
    for setting in SWEEP if effort.full else SWEEP[::4]:
        await serve.set(setting)
        tried[setting] = await one_turn(
            serve, clients=clients, seconds=effort.seconds / 2, turn=effort.rounds
        )
    return Best(
        rate=max(tried, key=lambda setting: tried[setting][RATE]),
        p95=min(tried, key=lambda setting: tried[setting][SHORT]),
    )


def turns(
    thread: Contender,
    serve: Serve,
    executor: Contender,
    *,
    best: Best,
    clients: int,
    effort: Effort,
) -> Mapping[str, Callable[[int], Awaitable[Values]]]:
    """Return what every contender does in its turn."""

    async def plain(contender: Contender, turn: int) -> Values:
        return await one_turn(contender, clients=clients, seconds=effort.seconds, turn=turn)

    async def with_setting(setting: Setting, turn: int) -> Values:
        await serve.set(setting)
        return await plain(serve, turn)

    return {
        THREAD: lambda turn: plain(thread, turn),
        SERVE_RATE: lambda turn: with_setting(best.rate, turn),
        SERVE_P95: lambda turn: with_setting(best.p95, turn),
        OURS: lambda turn: plain(executor, turn),
    }


def held(
    taken: Mapping[str, Mapping[str, Sequence[float]]], *, clients: int, best: Best
) -> list[Figure]:
    """Hold one number of clients against the goals."""
    settings = {
        THREAD: "a thread and a lock",
        SERVE_RATE: f"Ray Serve, {best.rate}",
        SERVE_P95: f"Ray Serve, {best.p95}",
    }
    wanted = [(RATE, THREAD, 1.4), (RATE, SERVE_RATE, 1.25)]
    if clients <= 8:
        wanted += [(SHORT, THREAD, 3.0), (SHORT, SERVE_P95, 3.0)]
    figures = []
    for what, peer, goal in wanted:
        ours_, theirs = taken[OURS][what], taken[peer][what]
        gains = ratios(ours_, theirs) if what == RATE else ratios(theirs, ours_)
        figures.append(
            Figure(
                id="B2",
                title=f"{clients} clients: {what}, against {PEERS[peer]}",
                goal=at_least(goal, "x as many" if what == RATE else "x shorter"),
                turns=gains,
                peers={settings[peer]: in_words(what, theirs), "ours": in_words(what, ours_)},
                runs={peer: list(theirs), "ours": list(ours_)},
            )
        )
    return figures


def in_words(what: str, values: Sequence[float]) -> str:
    """Return a median with its unit."""
    return f"{median(values):.1f}/s" if what == RATE else f"{median(values) * 1000:.0f} ms"
