"""Several processes book on one PostgreSQL at once, and one of them is killed: no overdraft."""

import asyncio
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import pytest

from storage.errors import QuotaExceededError
from storage.ledger import Scope
from storage.windows import Period
from tests.storage.stores import GUILD, MEMBER, RESULT, Stores, new_job, open_stores
from tests.storage.test_quotas import set_policy

ROOT = Path(__file__).parents[2]
JOBS, COST_MS = 24, 100


async def spend(url: str, folder: Path, *, process: int) -> None:
    """Ask for more jobs than fit, end every third of those that did, and name all of them.

    Begins when told to, so that all begin at once, and stays until its input ends or it is killed.
    """
    stores = open_stores(url, folder)
    await stores.quotas.audit()
    print("ready", flush=True)  # noqa: T201
    await asyncio.to_thread(sys.stdin.readline)

    async def ask(number: int) -> None:
        own = process * 1000 + number
        new = new_job(interaction_id=2**55 + own, nonce=f"beside-{own}", reserve_ms=COST_MS)
        try:
            job = (await stores.jobs.accept(new)).job
        except QuotaExceededError:
            return
        print("accepted", job.id, flush=True)  # noqa: T201
        if number % 3 == 0:
            await stores.jobs.claim_job(job.id, owner=f"bot {process}", lease_s=60)
            await stores.jobs.settle(
                job.id,
                owner=f"bot {process}",
                attempt=1,
                outputs={0: RESULT},
                device_ms=COST_MS,
            )

    await asyncio.gather(*(ask(number) for number in range(JOBS)))
    await asyncio.to_thread(sys.stdin.read)
    await stores.database.close()


def pipe(end: IO[str] | None) -> IO[str]:
    """Return a pipe that was asked for."""
    assert end is not None
    return end


def spenders(url: str, folder: Path, *, killed: int) -> set[str]:
    """Run two processes, kill one amid its work, and return the jobs that were acknowledged."""
    command = [sys.executable, "-m", "tests.storage.test_beside", url, str(folder)]
    with ExitStack() as ended:
        running = [
            ended.enter_context(
                subprocess.Popen(
                    [*command, str(number)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=ROOT,
                )
            )
            for number in range(2)
        ]
        pipes = [(pipe(process.stdin), pipe(process.stdout)) for process in running]
        assert [told.readline() for _, told in pipes] == ["ready\n", "ready\n"]
        for said, _ in pipes:
            said.write("\n")
            said.flush()
        lines = [pipes[killed][1].readline()]
        running[killed].send_signal(signal.SIGKILL)
        pipes[1 - killed][0].close()
        lines += [line for _, told in pipes for line in told]
    assert running[killed].returncode == -signal.SIGKILL
    assert running[1 - killed].returncode == 0
    return {line.split()[1] for line in lines if line.endswith("\n")}


@pytest.mark.slow
async def test_processes_that_book_at_once_overdraw_nothing_and_one_may_be_killed(
    postgres_url: str, tmp_path: Path
) -> None:
    stores = open_stores(postgres_url, tmp_path)
    await set_policy(stores, Scope.MEMBER, 1450)
    await set_policy(stores, Scope.MEMBER, 3000, period=Period.MONTH)
    await set_policy(stores, Scope.GUILD, 5000, guild_id=GUILD)
    await stores.quotas.grant(guild_id=GUILD, member_id=MEMBER, amount_ms=730, lasting=True)
    acknowledged = await asyncio.to_thread(spenders, postgres_url, tmp_path, killed=1)
    accepted = {job.id for job in await stores.jobs.unfinished()} | {
        job.id for job in await stores.jobs.undelivered()
    }
    assert acknowledged <= accepted
    assert len(accepted) == (1450 + 730) // COST_MS
    await is_in_order(stores, spent_ms=len(accepted) * COST_MS)
    for job in await stores.jobs.unfinished():
        await stores.jobs.fail(job.id, owner=job.owner, attempt=job.attempt, error="x")
    done = [job for job in await stores.jobs.undelivered() if job.outputs]
    assert done
    await is_in_order(stores, spent_ms=len(done) * COST_MS)
    await stores.database.close()


async def is_in_order(stores: Stores, *, spent_ms: int) -> None:
    """Check that all accounts say what was spent, and the ledger says so, too."""
    assert await stores.quotas.audit() == []
    balances = await stores.quotas.balances(guild_id=GUILD, member_id=MEMBER)
    spent = {(each.scope, each.period): each.used_ms + each.reserved_ms for each in balances}
    day, topped = spent[Scope.MEMBER, Period.DAY], spent[Scope.MEMBER, Period.EVER]
    assert (day + topped, spent[Scope.GUILD, Period.DAY]) == (spent_ms, spent_ms)
    assert (day <= 1450, topped <= 730) == (True, True)


if __name__ == "__main__":
    asyncio.run(spend(sys.argv[1], Path(sys.argv[2]), process=int(sys.argv[3])))
