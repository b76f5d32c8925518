"""G3: StreamDiffusion's loop, written anew, on the same UNet and tiny codec.

Its frames go through a batch of as many stages as there are steps, one prompt for all. Members with
prompts of their own take it one after the other, each picture through all stages.
"""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.contenders import ours
from benchmarks.figures import Effort, Figure, alternating, median, ratios
from benchmarks.gpu.goals import LONE, PROMPTS, STREAM
from benchmarks.gpu.shapes import REAL, Setup, save_turbo
from benchmarks.gpu.turbo import MEMBERS, Engine, held, loaded, wishes
from benchmarks.load import Contender, closed_loop, mean
from benchmarks.peers.stream import Frames, Members, StreamLoop

STEPS = 4
RATE, SECONDS = "pictures a second", "mean s"
LOOP, LOOP_MEMBERS, LOOP_LONE = "its loop, one prompt", "its loop, own prompts", "its loop, alone"
OURS, OURS_MEMBERS, OURS_LONE = "ours, one stream", "ours, own prompts", "ours, alone"


def measure(effort: Effort, *, setup: Setup = REAL) -> Sequence[Figure]:
    """Measure one stream, sixteen members and a lone picture."""
    return asyncio.run(_measure(effort, setup))


async def _measure(effort: Effort, setup: Setup) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        save_turbo(setup, Path(folder), quick=True)
        loop = StreamLoop(loaded(setup, folder).checkpoint, steps=STEPS)
        async with ours(setup.engine(folder), max_rows=2 * MEMBERS) as executor:
            engine = Engine(executor)

            async def load(contender: Contender, clients: int, turn: int) -> Mapping[str, float]:
                rate, done = await closed_loop(
                    contender,
                    clients=clients,
                    seconds=effort.seconds,
                    seed=turn,
                    drawn=lambda seed: wishes(seed, setup=setup, steps=(STEPS,)),
                )
                return {RATE: rate, SECONDS: mean(done)}

            # A stream has as many frames under way as stages, and the next one at the door.
            frames, members = Frames(loop), Members(loop)
            works: dict[str, tuple[Contender, int]] = {
                LOOP: (frames, STEPS + 1),
                OURS: (engine, STEPS + 1),
                LOOP_MEMBERS: (members, MEMBERS),
                OURS_MEMBERS: (engine, MEMBERS),
                OURS_LONE: (engine, 1),
                LOOP_LONE: (members, 1),
            }
            for contender, clients in works.values():
                await load(contender, clients, 0)
            taken = await alternating(
                {name: partial(load, *work) for name, work in works.items()},
                rounds=effort.rounds,
            )
    return compared(taken)


def compared(taken: Mapping[str, Mapping[str, list[float]]]) -> list[Figure]:
    """Hold the runs against the goals."""
    figures = []
    for aim, our_name, peer, what in (
        (STREAM, OURS, LOOP, RATE),
        (PROMPTS, OURS_MEMBERS, LOOP_MEMBERS, RATE),
        (LONE, OURS_LONE, LOOP_LONE, SECONDS),
    ):
        runs = {name: taken[name][what] for name in (our_name, peer)}
        words = {
            name: f"{median(values):.1f}/s" if what == RATE else f"{1000 * median(values):.1f} ms"
            for name, values in runs.items()
        }
        turns = ratios(runs[our_name], runs[peer])
        figures.append(held(aim, turns, peers=words, runs=runs))
    return figures
