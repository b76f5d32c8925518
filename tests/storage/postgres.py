"""A PostgreSQL server of our own in a temporary folder, reached through its socket alone."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CURE = "apt-get install postgresql"
_SETTINGS = (
    "listen_addresses=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "max_connections=60",
    "autovacuum=off",
)
_OPTIONS = [part for setting in _SETTINGS for part in ("-c", setting)]
# The server ends with the pipe to us, so that tests which are killed leave none behind.
_UNTIL_WE_END = '"$@" & read -r _; kill -QUIT $!; wait'


def server_programs() -> Path | None:
    """Return the folder with initdb and pg_ctl, None when PostgreSQL is not installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    folders = [*debian, *on_path]
    return next((folder for folder in folders if (folder / "pg_ctl").exists()), None)


@contextmanager
def running_server(programs: Path) -> Iterator[str]:
    """Run a server; yield the address of its databases, to be filled with ``format(name)``.

    PostgreSQL refuses to run as root, so that root runs it as an unprivileged user.
    """
    folder = Path(tempfile.mkdtemp(prefix="atelier-pg-"))
    account = _unprivileged()
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    data = folder / "data"
    try:
        initdb: list[str | Path] = [
            programs / "initdb",
            "-D",
            data,
            "-A",
            "trust",
            "-U",
            "atelier",
            "--no-sync",
        ]
        subprocess.run(initdb, check=True, timeout=60, **_as_user(account))
        serve: list[str | Path] = [programs / "postgres", "-D", data, "-k", folder, *_OPTIONS]
        watched: list[str | Path] = ["sh", "-c", _UNTIL_WE_END, "sh", *serve]
        with subprocess.Popen(watched, stdin=subprocess.PIPE, **_as_user(account)) as server:
            _await_ready(programs, folder)
            yield f"postgresql://atelier@/{{}}?host={folder}"
            server.communicate(timeout=60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
