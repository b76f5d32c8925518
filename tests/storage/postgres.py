"""A PostgreSQL server of our own in a temporary folder, reached through its socket alone."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CURE = "apt-get install postgresql"
_SETTINGS = (
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "max_connections=60",
    "autovacuum=off",
)
_INITDB = ("-A", "trust", "-U", "atelier", "--no-sync")
# The server ends with the pipe to us, so that tests which are killed leave none behind.
_UNTIL_WE_END = '"$@" & read -r _; kill -QUIT $!; wait'


def server_programs() -> Path | None:
    """Return the folder with initdb and pg_ctl, None when PostgreSQL is not installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    folders = [*debian, *on_path]
    return next((folder for folder in folders if (folder / "pg_ctl").exists()), None)


@dataclass(kw_only=True)
class Server:
    """A server that may be killed and started again; its data stay until the block ends.

    Args:
        folder: its own, for its data and its socket.
        options: of the server.
    """

    programs: Path
    folder: Path
    options: list[str]
    _process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """The address of its databases, to be filled with ``format(name)``."""
        return f"postgresql://atelier@/{{}}?host={self.folder}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        data = self.folder / "data"
        serve: list[str | Path] = ["-D", data, "-k", self.folder, *self.options]
        watched: list[str | Path] = ["sh", "-c", _UNTIL_WE_END, "sh", self.programs / "postgres"]
        user = _as_user(_unprivileged())
        self._process = subprocess.Popen([*watched, *serve], stdin=subprocess.PIPE, **user)
        _await_ready(self.programs, self.folder)

    def kill(self) -> None:
        """End the postmaster at once, and wait until the last of its processes has noticed."""
        postmaster = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        left = children_of(postmaster)
        os.kill(postmaster, signal.SIGKILL)
        self.close()
        while any(Path(f"/proc/{pid}").exists() for pid in left):
            time.sleep(0.02)

    def close(self) -> None:
        """End it, if it runs."""
        if self._process is not None:
            self._process.communicate(timeout=60)
            self._process = None


@contextmanager
def running_server(programs: Path) -> Iterator[str]:
    """Run a server for tests that have nothing to lose; yield the address of its databases."""
    with served(programs, durable=False) as server:
        yield server.address


@contextmanager
def served(programs: Path, *, durable: bool = True, host: str | None = None) -> Iterator[Server]:
    """Run a server while the block runs, reached through its socket.

    PostgreSQL refuses to run as root, so that root runs it as an unprivileged user.

    Args:
        durable: whether what it has acknowledged outlives its own end.
        host: another address that it is reached at, by whoever is in that network.
    """
    folder = Path(tempfile.mkdtemp(prefix="atelier-pg-"))
    account = _unprivileged()
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    data = folder / "data"
    settings = [*_SETTINGS, f"synchronous_commit={'on' if durable else 'off'}"]
    settings.append(f"listen_addresses={host or ''}")
    options = [part for setting in settings for part in ("-c", setting)]
    server = Server(programs=programs, folder=folder, options=options)
    initdb: list[str | Path] = [programs / "initdb", "-D", data, *_INITDB]
    try:
        subprocess.run(initdb, check=True, timeout=60, **_as_user(account))
        if host is not None:
            with (data / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {host}/24 trust\n")
        server.start()
        yield server
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _await_ready(programs: Path, folder: Path) -> None:
    ask: list[str | Path] = [programs / "pg_isready", "-q", "-h", folder]
    end = time.monotonic() + 60
    while subprocess.run(ask, check=False, timeout=60).returncode:
        assert time.monotonic() < end, "PostgreSQL did not start"
        time.sleep(0.05)


def _unprivileged() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return pwd.getpwnam("postgres" if "postgres" in names else "nobody")


def _as_user(account: pwd.struct_passwd | None) -> dict[str, Any]:
    quiet = {"cwd": "/", "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if account is None:
        return quiet
    return {**quiet, "user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
