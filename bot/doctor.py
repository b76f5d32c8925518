"""What a running bot needs, looked at one by one: a line each, with its cure."""

import asyncio
import base64
import binascii
import json
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from sqlalchemy.exc import SQLAlchemyError

from bot.settings import Settings
from generation.artworks import artworks
from generation.classifiers import find
from generation.errors import ModelUnavailableError
from generation.executor.cluster.config import CURE as WITHOUT_RAY
from generation.registry import PIPELINES
from generation.weights import checkpoint_folder, checkpoint_names
from generation.wholeness import damage_of, starters
from storage.database import Database, sqlite_path
from storage.dead_letters import count_dead
from storage.errors import KeyMissingError, SchemaTooNewError, StorageError
from storage.guilds import GuildStore
from storage.keybook import KeyBook
from storage.lock import holder
from storage.migrating import check, head_of
from storage.policies import Ceilings
from storage.quotas import Quotas
from storage.sealing import KeyRing
from storage.usage import UsageSums

PYTHON = (3, 11)
SAFE_SQLITE = (3, 51, 3)
GIGABYTE = 10**9
LITTLE_DISK, TOO_LITTLE_DISK = 5 * GIGABYTE, GIGABYTE // 2
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 -- shared memory has this one place
LITTLE_SHARED_MEMORY = 64 * 2**20
TORCH_PATIENCE_S = 120
HEAD_PATIENCE_S = 3
SHOWN_DISCREPANCIES = 3
# Families that hold Chinese, Japanese and Korean; the usage chart needs one for such names.
_CJK = re.compile(r"(noto ?s(ans|erif)|source ?han|wenquanyi|droid ?sans ?fallback).*", re.I)
_TOKEN = re.compile(r"([\w-]{16,})\.[\w-]{5,8}\.[\w-]{25,}", re.ASCII)
# Torch is asked in a process of its own: the bot's must never import it.
_ASK_TORCH = """
import json, torch
cuda = torch.cuda.is_available()
print(json.dumps({
    "torch": torch.__version__,
    "built": torch.version.cuda,
    "name": torch.cuda.get_device_name(0) if cuda else None,
    "count": torch.cuda.device_count(),
    "gigabytes": torch.cuda.get_device_properties(0).total_memory / 1e9 if cuda else 0,
}))
"""


class State(StrEnum):
    """How something is."""

    FINE = "fine"
    ODD = "odd"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found about one thing, and what cures it when it is not fine."""

    name: str
    state: State
    found: str
    cure: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything, the quick things first."""
    yield python_version()
    yield disk(settings.data_dir)
    yield shared_memory()
    yield database(settings.database)
    yield ledger(settings.database)
    yield usage(settings.database)
    yield dead_letters(settings.database)
    yield encryption(settings)
    yield sqlite_version()
    yield token(settings)
    yield phone_pictures()
    yield fonts()
    yield presets()
    yield weights(settings.models_folder)
    yield safety(settings)
    yield cluster(settings.cluster_address)
    yield device(settings.device)


def show(findings: Iterator[Finding]) -> int:
    """Print each finding as it comes; return 1 when something is broken, else 0."""
    console = Console(highlight=False)
    marks = {State.FINE: "[green]ok[/]", State.ODD: "[yellow]--[/]", State.BROKEN: "[red]!![/]"}
    broken = 0
    for finding in findings:
        cure = f" [dim]->[/] {escape(finding.cure)}" if finding.cure else ""
        line = f"{marks[finding.state]} [bold]{finding.name:<14}[/] {escape(finding.found)}{cure}"
        console.print(line, soft_wrap=True)
        broken += finding.state is State.BROKEN
    console.print("Nothing is broken." if not broken else f"Broken: {broken}.")
    return 1 if broken else 0


def python_version() -> Finding:
    """Check that Python is the version that everything is pinned for."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] == PYTHON:
        return Finding(name="Python", state=State.FINE, found=found)
    cure = "install Python 3.11, remove .venv and call `make run` again"
    return Finding(name="Python", state=State.BROKEN, found=found, cure=cure)


def disk(data_dir: Path) -> Finding:
    """Check that pictures and backups have room."""
    place = next(parent for parent in (data_dir, *data_dir.resolve().parents) if parent.exists())
    free = shutil.disk_usage(place).free
    found = f"{free / GIGABYTE:.1f} GB free for {data_dir.resolve()}"
    cure = "make room, or set ATELIER_DATA_DIR to a larger disk"
    if free < TOO_LITTLE_DISK:
        return Finding(name="Disk", state=State.BROKEN, found=found, cure=cure)
    if free < LITTLE_DISK:
        return Finding(name="Disk", state=State.ODD, found=found, cure=cure)
    return Finding(name="Disk", state=State.FINE, found=found)


def shared_memory(place: Path = SHARED_MEMORY) -> Finding:
    """Check that pictures can travel to the engine through shared memory."""
    size = shutil.disk_usage(place).total if place.is_dir() else 0
    found = f"{size / 2**20:,.0f} MB in {place}"
    if size >= LITTLE_SHARED_MEMORY:
        return Finding(name="Shared memory", state=State.FINE, found=found)
    cure = "in a container, start it with --shm-size=256m; until then a file takes its place"
    return Finding(name="Shared memory", state=State.ODD, found=found, cure=cure)


def database(url: str) -> Finding:
    """Check that the database can be read and has this program's schema."""
    try:
        current, expected = head_of(url)
        if current is None:
            path = sqlite_path(url)
            found = f"none yet{f' at {path}' if path else ''}; the first start makes it"
            return Finding(name="Database", state=State.FINE, found=found)
        check(url)
        process = holder(url)
    except SchemaTooNewError as err:
        cure = "use that newer version, or the copy that it made before migrating"
        return Finding(name="Database", state=State.BROKEN, found=str(err), cure=cure)
    except StorageError as err:
        cure = "`python -m bot migrate` (`run` does it, too)"
        return Finding(name="Database", state=State.ODD, found=str(err), cure=cure)
    except (SQLAlchemyError, OSError, ImportError) as err:
        found = f"it cannot be opened ({type(err).__name__})"
        cure = "check ATELIER_DATABASE_URL, and that the server runs or the file is whole"
        return Finding(name="Database", state=State.BROKEN, found=found, cure=cure)
    user = f", in use by process {process}" if process else ""
    return Finding(name="Database", state=State.FINE, found=f"at its head {expected}{user}")


def ledger(url: str) -> Finding:
    """Check that all balances are the sums of what was booked, and that no job is charged twice."""

    async def audit(opened: Database) -> list[str]:
        wrong = await Quotas(opened, ceilings=Ceilings(member_ms=0)).audit()
        return [
            f"account {each.account_id}, {each.what}: {each.stated_ms} ms, "
            f"the ledger {each.ledger_ms}"
            for each in wrong
        ]

    cure = "somebody changed the database by hand; go back to a copy, and report it otherwise"
    fine = "every balance is the sum of its movements"
    return _audited("Ledger", url, audit, fine=fine, cure=cure)


def usage(url: str) -> Finding:
    """Check that the sums that reports are read from are those of the jobs."""

    async def audit(opened: Database) -> list[str]:
        return await UsageSums(opened).audit()

    cure = "`python -m bot recount` makes the sums anew; reports are wrong until then"
    return _audited("Usage", url, audit, fine="every sum is that of its jobs", cure=cure)


def _audited(
    name: str,
    url: str,
    audit: Callable[[Database], Awaitable[Sequence[str]]],
    *,
    fine: str,
    cure: str,
) -> Finding:
    """Look for contradictions in a database whose own finding says whether it can be read."""

    async def looked() -> Sequence[str]:
        opened = Database.open(url, read_only=True)
        try:
            return await audit(opened)
        finally:
            await opened.close()

    try:
        check(url)
        wrong = asyncio.run(looked())
    except (StorageError, SQLAlchemyError, OSError, ImportError):
        return Finding(name=name, state=State.FINE, found="not looked at: see the database")
    if not wrong:
        return Finding(name=name, state=State.FINE, found=fine)
    return Finding(
        name=name,
        state=State.BROKEN,
        found=f"{len(wrong)} contradictions: {'; '.join(wrong[:SHOWN_DISCREPANCIES])}",
        cure=cure,
    )


def dead_letters(url: str) -> Finding:
    """Tell how many jobs failed for no fault of whoever asked, and why."""
    name = "Dead letters"
    try:
        check(url)
        counts = asyncio.run(_count_dead(url))
    except (StorageError, SQLAlchemyError, OSError, ImportError):
        return Finding(name=name, state=State.FINE, found="not looked at: see the database")
    if not counts:
        return Finding(name=name, state=State.FINE, found="none")
    reasons = ", ".join(f"{count} {error}" for error, count in counts.items())
    cure = "see /admin jobs state: dead; make them anew or drop them"
    return Finding(name=name, state=State.ODD, found=reasons, cure=cure)


async def _count_dead(url: str) -> dict[str, int]:
    database = Database.open(url, read_only=True)
    try:
        return await count_dead(database)
    finally:
        await database.close()


def encryption(settings: Settings) -> Finding:
    """Tell whether prompts and pictures are encrypted, and check that no key is missing."""
    ring = settings.ring
    try:
        check(settings.database)
        asyncio.run(_require_keys(settings.database, ring))
    except KeyMissingError as err:
        cure = "put the key back into ATELIER_KEYS; without it what is kept cannot be read"
        return Finding(name="Encryption", state=State.BROKEN, found=str(err), cure=cure)
    except (StorageError, SQLAlchemyError, OSError, ImportError):
        return Finding(name="Encryption", state=State.FINE, found="not looked at: see the database")
    if ring:
        older = len(ring.fingerprints) - 1
        found = f"prompts and pictures, with the key {ring.fingerprints[0]}; older keys: {older}"
        return Finding(name="Encryption", state=State.FINE, found=found)
    found = "off: whoever reads the disk reads prompts and pictures"
    cure = (
        "`python -m bot encrypt --new-key` makes a key for ATELIER_KEYS; docs/privacy.md says more"
    )
    return Finding(name="Encryption", state=State.FINE, found=found, cure=cure)


async def _require_keys(url: str, ring: KeyRing) -> None:
    opened = Database.open(url, read_only=True)
    try:
        await KeyBook(opened).require(ring)
    finally:
        await opened.close()


def sqlite_version(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> Finding:
    """Tell what an SQLite of before 3.51.3 means."""
    found = ".".join(map(str, version))
    if version >= SAFE_SQLITE:
        return Finding(name="SQLite", state=State.FINE, found=found)
    return Finding(
        name="SQLite",
        state=State.ODD,
        found=f"{found}; before 3.51.3 two writing processes can damage a database",
        cure="one bot per file is safe (it holds a lock); for several use PostgreSQL",
    )


def token(settings: Settings) -> Finding:
    """Check a token's shape without showing it; only Discord knows whether it is valid."""
    if settings.discord_token is None:
        found = "none, so `run` starts the demo"
        cure = "for Discord, write DISCORD_TOKEN into .env"
        return Finding(name="Token", state=State.FINE, found=found, cure=cure)
    parts = _TOKEN.fullmatch(settings.discord_token.get_secret_value())
    application = _decoded(parts[1]) if parts else ""
    if application.isascii() and application.isdigit():
        found = f"of the application {application}"
        return Finding(name="Token", state=State.FINE, found=found)
    return Finding(
        name="Token",
        state=State.BROKEN,
        found="DISCORD_TOKEN does not look like a bot's token",
        cure="copy it anew: developer portal, Bot, Reset Token (not the client secret)",
    )


def _decoded(part: str) -> str:
    """Return what base64 text without its padding stands for, or nothing."""
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def phone_pictures() -> Finding:
    """Check that HEIC can be read, which phones send."""
    if find_spec("pillow_heif") is not None:
        return Finding(name="HEIC", state=State.FINE, found="is read")
    cure = "install the extra: pip install 'atelier[heif]'"
    return Finding(name="HEIC", state=State.ODD, found="is not read", cure=cure)


def fonts() -> Finding:
    """Check that the usage chart can draw names of any script."""
    from matplotlib import font_manager

    families = {font.name for font in font_manager.fontManager.ttflist}
    wide = sorted(name for name in families if _CJK.match(name) and "CJK" in name.upper())
    found = f"{len(families)} families"
    if wide:
        return Finding(name="Fonts", state=State.FINE, found=f"{found}, {wide[0]} among them")
    return Finding(
        name="Fonts",
        state=State.ODD,
        found=f"{found}; Chinese, Japanese and Korean names are boxes in the usage chart",
        cure="apt install fonts-noto-cjk",
    )


def presets() -> Finding:
    """Check that the built-in artworks are complete."""
    try:
        count = len(artworks())
    except ModelUnavailableError as err:
        cure = "restore the checkout: git checkout -- generation/starter"
        return Finding(name="Artworks", state=State.BROKEN, found=str(err), cure=cure)
    return Finding(name="Artworks", state=State.FINE, found=f"{count} built in")


def weights(models_dir: Path) -> Finding:
    """Check that every checkpoint is whole, the operator's and all that ships."""
    try:
        names = {PIPELINES["remix"].model, *checkpoint_names(models_dir=models_dir)}
        folders = {name: checkpoint_folder(name, models_dir=models_dir) for name in names}
    except ModelUnavailableError as err:
        cure = f"restore the checkout (git checkout -- generation/starter), or see {models_dir}"
        return Finding(name="Weights", state=State.BROKEN, found=str(err), cure=cure)
    for name, folder in sorted({**dict(starters()), **folders}.items()):
        if damage := damage_of(folder):
            found = f"{name}: {damage}"
            cure = f"copy {folder} anew"
            return Finding(name="Weights", state=State.BROKEN, found=found, cure=cure)
    found = f"{', '.join(sorted(folders))}: complete"
    return Finding(name="Weights", state=State.FINE, found=found)


def safety(settings: Settings) -> Finding:
    """Check that pictures can be looked at, where the installation or a server wants it."""
    guilds = _guilds_that_look(settings.database)
    wanted = settings.safety_policy != "off" or guilds > 0
    who = f"wanted by {guilds} server(s)" if guilds else f"policy {settings.safety_policy}"
    try:
        found = find(settings.safety)
    except ModelUnavailableError as err:
        if settings.safety_model is None and not wanted:
            return Finding(name="Safety", state=State.FINE, found="pictures are not looked at")
        cure = "set ATELIER_SAFETY_MODEL and ATELIER_SAFETY_LABELS; the README says to what"
        if wanted:
            told = f"{err}; {who}, so no pictures are made there"
            return Finding(name="Safety", state=State.BROKEN, found=told, cure=cure)
        return Finding(name="Safety", state=State.ODD, found=str(err), cure=cure)
    told = f"{found.folder.name} looks for {', '.join(settings.safety.labels)}; {who}"
    return Finding(name="Safety", state=State.FINE, found=told)


def _guilds_that_look(url: str) -> int:
    """Return how many servers have their pictures looked at; 0 if that cannot be read."""
    try:
        check(url)
    except (StorageError, SQLAlchemyError, OSError, ImportError):
        return 0
    return asyncio.run(_looking(url))


async def _looking(url: str) -> int:
    opened = Database.open(url, read_only=True)
    try:
        return await GuildStore(opened).looking()
    finally:
        await opened.close()


def cluster(address: str | None) -> Finding:
    """Check that the machines that have the engines can be reached."""
    if address is None:
        return Finding(name="Cluster", state=State.FINE, found="none; engines run on this machine")
    if find_spec("ray") is None:
        found, cure = f"{address} is set, but Ray is missing", WITHOUT_RAY
        return Finding(name="Cluster", state=State.BROKEN, found=found, cure=cure)
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=HEAD_PATIENCE_S).close()
    except (OSError, OverflowError) as err:
        found = f"no head answers at {address} ({err})"
        cure = 'start it as the README\'s "Several machines" says, or unset ATELIER_CLUSTER_ADDRESS'
        return Finding(name="Cluster", state=State.BROKEN, found=found, cure=cure)
    return Finding(name="Cluster", state=State.FINE, found=f"a head answers at {address}")


def device(wanted: str, *, ask: Callable[[], str] | None = None) -> Finding:
    """Check that torch works, and with which device."""
    try:
        told = json.loads((ask or _ask_torch)())
    except (OSError, ValueError, subprocess.SubprocessError):
        cure = "remove .venv and call `make run` again"
        return Finding(name="Device", state=State.BROKEN, found="torch does not start", cure=cure)
    found = f"torch {told['torch']}, "
    numbers = [int(number) for number in re.findall(r"cuda:(\d+)", wanted)]
    if told["name"] and max(numbers, default=0) >= told["count"]:
        found += f"{told['count']} GPU, too few for ATELIER_DEVICE={wanted}"
        cure = "GPUs are numbered from 0; `nvidia-smi` lists them"
        return Finding(name="Device", state=State.BROKEN, found=found, cure=cure)
    if told["name"]:
        found += f"{told['name']} with {told['gigabytes']:.0f} GB"
        return Finding(name="Device", state=State.FINE, found=found)
    if "cuda" in wanted:
        cure = "install the NVIDIA driver, or set ATELIER_DEVICE=auto"
        found += f"but no GPU for ATELIER_DEVICE={wanted}"
        return Finding(name="Device", state=State.BROKEN, found=found, cure=cure)
    return Finding(name="Device", state=State.FINE, found=found + "no GPU: pictures take seconds")


def _ask_torch() -> str:
    done = subprocess.run(  # noqa: S603 -- our own interpreter and our own text
        [sys.executable, "-c", _ASK_TORCH],
        capture_output=True,
        text=True,
        timeout=TORCH_PATIENCE_S,
        check=True,
    )
    return done.stdout
