"""The commands that look after the database: migrate, backup, restore, move and recount."""

import asyncio
import sys
from pathlib import Path

from bot.commandline import fail
from bot.settings import Settings
from storage.backup import back_up
from storage.backup import restore as restore_backup
from storage.database import Database
from storage.lock import hold
from storage.migrating import check, head_of, upgrade
from storage.moving import carry_over
from storage.resealing import Resealed, Resealer
from storage.usage import UsageSums


def migrate(settings: Settings) -> None:
    """Apply what is missing of the schema and say what was done.

    Raises:
        StorageError: a running bot holds the database, or a newer program has migrated it.
    """
    before, _ = head_of(settings.database)
    with hold(settings.database):
        copy = upgrade(settings.database)
    after, _ = head_of(settings.database)
    if before == after:
        sys.stdout.write(f"The database is at {after} already.\n")
        return
    sys.stdout.write(f"The database went from {before or 'nothing'} to {after}.\n")
    if copy is not None:
        sys.stdout.write(f"A copy of it as it was: {copy}\n")


def backup(settings: Settings, *, to: Path) -> None:
    """Write database, pictures and small files into one archive; the bot may run meanwhile.

    Raises:
        StorageError: there is no database, or something is at that place.
        OSError: something cannot be read or written.
    """
    files = settings.files
    made = asyncio.run(back_up(settings.database, files=files, beside=_beside(settings), to=to))
    kept = len(made.snapshot.files) - len(made.lost)
    sys.stdout.write(
        f"{to}: the database at {made.snapshot.revision}, pictures: {kept}, "
        f"{to.stat().st_size / 1e6:.1f} MB\n"
    )
    if made.lost:
        sys.stderr.write(f"Pictures that were missing or damaged already: {len(made.lost)}\n")


def restore(settings: Settings, *, archive: Path) -> None:
    """Make an installation's data of an archive, where there are none yet.

    Raises:
        StorageError: there are data already, or the archive cannot be used.
        OSError: something cannot be read or written.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    files = settings.files
    done = asyncio.run(
        restore_backup(settings.database, files=files, beside=_beside(settings), archive=archive)
    )
    made, now = done.manifest, head_of(settings.database)[0]
    kept = len(made.snapshot.files) - len(made.lost)
    sys.stdout.write(
        f"The database of {made.made_at} is back, from {made.snapshot.revision} at {now}; "
        f"pictures: {kept}\n"
    )
    if done.discrepancies:
        fail(f"{done.discrepancies} accounts differ from their ledger, as they did before")


def move(settings: Settings, *, source: str) -> None:
    """Carry a database, named by its file or address, over into the one of the settings.

    Raises:
        StorageError: one of the two cannot be used for that; nothing was changed.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    url = source if "://" in source else f"sqlite:///{Path(source).resolve()}"
    done = carry_over(url, target=settings.database)
    told = ", ".join(f"{name}: {count}" for name, count in done.rows.items() if count)
    sys.stdout.write(f"Carried over and compared, row by row: {told or 'nothing'}.\n")
    sys.stdout.write("The old database is as it was; pictures stay where they are.\n")
    if done.discrepancies:
        fail(f"{done.discrepancies} accounts differ from their ledger, as they did before")


def encrypt(settings: Settings) -> None:
    """Encrypt all that is kept with the newest key, and say what was.

    Raises:
        StorageError: there is no key, one is missing, or a bot holds the database.
    """
    check(settings.database)
    with hold(settings.database):
        done = asyncio.run(_encrypted(settings))
    sys.stdout.write(f"Encrypted anew: jobs: {done.jobs}, pictures: {done.files}.\n")
    if done.lost:
        fail(f"{done.lost} pictures are damaged or gone; older keys stay needed for them")
    sys.stdout.write("Only the first of ATELIER_KEYS is needed from now on.\n")


async def _encrypted(settings: Settings) -> Resealed:
    from bot.common import database_of

    async with database_of(settings) as database:
        return await Resealer(database, files=settings.files).run()


def recount(settings: Settings) -> None:
    """Make the sums that reports are read from anew, from all jobs.

    Raises:
        StorageError: the schema is not this program's, or a bot holds the SQLite file.
    """
    check(settings.database)
    with hold(settings.database):
        done = asyncio.run(_recounted(settings.database))
    sys.stdout.write(f"Usage is added up anew: {done} days and months.\n")


async def _recounted(url: str) -> int:
    database = Database.open(url)
    try:
        return await UsageSums(database).add_up_anew()
    finally:
        await database.close()


def _beside(settings: Settings) -> dict[str, Path]:
    """Return the small files that belong to a backup, by the names that they have there."""
    kept = ("plans.json", "profiles.json", "costs.json")
    return {
        "presets.json": settings.own_presets,
        **{name: settings.data_dir / name for name in kept},
    }
