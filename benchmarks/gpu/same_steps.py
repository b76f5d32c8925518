"""G5: members who come by at random, against batches of those who want equally many steps."""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from benchmarks.contenders import ours
from benchmarks.figures import Effort, Figure, alternating, median, ratios
from benchmarks.gpu.goals import SAME_STEPS
from benchmarks.gpu.shapes import REAL, ROWS, Setup, save_turbo
from benchmarks.gpu.turbo import MEMBERS, Engine, held, pixels, raw, wishes
from benchmarks.load import Contender, as_they_come, closed_loop, p95
from benchmarks.peers.same_steps import SameSteps
from benchmarks.peers.thread import load

LOAD = 1.2
JOBS = 300
P95 = "p95 s"
OURS, BATCHES = "ours", "batches of equal steps"


def measure(effort: Effort, *, setup: Setup = REAL) -> Sequence[Figure]:
    """Measure both at a load of 1.2 times what the peer does one at a time."""
    return asyncio.run(_measure(effort, setup))


async def _measure(effort: Effort, setup: Setup) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        pipeline = load(
            save_turbo(setup, Path(folder)), device=setup.device, dtype=setup.torch_dtype
        )
        peer = SameSteps(pipeline, most=ROWS, decode=pixels, finish=raw)
        async with ours(setup.engine(folder), max_rows=2 * MEMBERS) as executor:
            engine = Engine(executor)

            async def crowd(contender: Contender, clients: int) -> float:
                found, _ = await closed_loop(
                    contender,
                    clients=clients,
                    seconds=effort.seconds,
                    seed=0,
                    drawn=lambda seed: wishes(seed, setup=setup),
                )
                return found

            for contender in (peer, engine):
                await crowd(contender, MEMBERS)
            rate = LOAD * await crowd(peer, 1)

            async def turn_of(contender: Contender, turn: int) -> Mapping[str, float]:
                wanted = list(islice(wishes(turn, setup=setup), effort.jobs(JOBS)))
                done = await as_they_come(contender, wanted, per_second=rate, seed=turn)
                return {P95: p95(done)}

            taken = await alternating(
                {
                    BATCHES: lambda turn: turn_of(peer, turn),
                    OURS: lambda turn: turn_of(engine, turn),
                },
                rounds=effort.rounds,
            )
    runs = {name: values[P95] for name, values in taken.items()}
    peers = {name: f"{1000 * median(values):.0f} ms" for name, values in runs.items()}
    peers["load"] = f"{rate:.1f}/s, {LOAD:g} x the peer one at a time; at most {ROWS} a batch"
    return [held(SAME_STEPS, ratios(runs[OURS], runs[BATCHES]), peers=peers, runs=runs)]
