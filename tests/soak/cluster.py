"""`python -m tests.soak.cluster --seconds N`: bots and workers on one PostgreSQL, killed at random.

Two bots hear the same servers, three workers make their pictures, and every few seconds one of the
five is killed with SIGKILL and started again. The audit: of the jobs that were accepted none is
missing, none delivered twice, every command that was acknowledged has an answer, and the ledger's
sums are the balances. With ``--database`` PostgreSQL is killed, too.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.soak.__main__ import picture
from tests.soak.installation import Installation, drained, installed, until_served
from tests.soak.members import Crowd

PROCESSES = ("bot 1", "bot 2", "worker 1", "worker 2", "worker 3")
PROMPTS = ["night", "slow night", "fog", "refuse this", "odd one"]


async def soak(
    *, seconds: float, kill_every_s: float, seed: int, folder: Path, database: bool = False
) -> list[str]:
    """Run the load; return what went wrong."""
    async with installed(folder, rng=random.Random(seed)) as (installation, crowd):
        return await under_load(
            installation, crowd, seconds=seconds, kill_every_s=kill_every_s, database=database
        )


async def under_load(
    installation: Installation,
    crowd: Crowd,
    *,
    seconds: float,
    kill_every_s: float,
    database: bool,
) -> list[str]:
    """Send commands and kill processes, and the database's server if so wished, then audit."""
    rng, photo = crowd.rng, await asyncio.to_thread(picture)
    await asyncio.gather(*(installation.start(name) for name in PROCESSES))
    await until_served(crowd, photo)
    end = time.monotonic() + seconds
    next_kill = time.monotonic() + kill_every_s
    while time.monotonic() < end:
        await crowd.send(photo, presets=PROMPTS)
        if time.monotonic() > next_kill:
            name = rng.choice((*PROCESSES, "database") if database else PROCESSES)
            if name == "database":
                await installation.lose_server(for_s=rng.uniform(0, 5))
            else:
                await installation.kill(name)
                await installation.start(name)
            next_kill = time.monotonic() + rng.uniform(0.5, 1.5) * kill_every_s
        await asyncio.sleep(rng.uniform(0.1, 0.6))
    outcome = await drained(installation, crowd)
    codes = await installation.stop()
    acknowledged, accepted = len(crowd.seen.acknowledged_s), outcome.states.total()
    print(f"commands: {acknowledged} acknowledged, {crowd.seen.failed} not")
    print(f"kills: {dict(installation.kills)}; ended with {codes}")
    refused = acknowledged - accepted - outcome.told
    print(f"jobs: {dict(outcome.states)}; told to be cut off: {outcome.told}; refused: {refused}")
    print(f"pictures shown: {len(outcome.shown)}")
    return outcome.wrong


def main() -> int:
    """Read the arguments, soak, and say what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--kill-every", type=float, default=6, help="seconds between two kills")
    parser.add_argument("--database", action="store_true", help="kill PostgreSQL, too")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    with tempfile.TemporaryDirectory() as folder:
        wrong = asyncio.run(
            soak(
                seconds=arguments.seconds,
                kill_every_s=arguments.kill_every,
                seed=arguments.seed,
                folder=Path(folder),
                database=arguments.database,
            )
        )
    for line in wrong:
        print(f"WRONG: {line}")
    print("0 lost, 0 doubled, the ledger is right" if not wrong else f"{len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
