"""Hosts of their own on this machine: network namespaces with a cable that can be pulled."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

CURE = "run as root where network namespaces may be made, with `ip` (apt-get install iproute2)"


@dataclass(frozen=True, kw_only=True)
class Host:
    """A host that reaches this one over a cable of its own, and nothing else.

    Attributes:
        ours: the address at which it reaches us.
        within: what starts a program there.
    """

    name: str
    ours: str

    @property
    def within(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.name)

    def cut(self) -> None:
        """Pull the cable: what was sent is lost, and nobody is told."""
        _ip("link", "set", self.name, "down")

    def mend(self) -> None:
        """Put the cable back."""
        _ip("link", "set", self.name, "up")


@contextmanager
def hosted() -> Iterator[Host]:
    """Have a host while the block runs; what runs there has to have ended by then.

    Raises:
        OSError: there is no ``ip`` here.
        subprocess.CalledProcessError: this is not permitted here.
    """
    number = os.getpid()
    network = f"10.{200 + number % 50}.{number // 50 % 250}"
    host = Host(name=f"atelier{number % 10**7}", ours=f"{network}.1")
    _ip("netns", "add", host.name)
    try:
        _ip("link", "add", host.name, "type", "veth", "peer", "name", "eth0", "netns", host.name)
        try:
            _ip("address", "add", f"{host.ours}/24", "dev", host.name)
            _ip("link", "set", host.name, "up")
            _ip("-n", host.name, "address", "add", f"{network}.2/24", "dev", "eth0")
            for name in ("lo", "eth0"):
                _ip("-n", host.name, "link", "set", name, "up")
            yield host
        finally:
            # A namespace that is deleted gives its cable up only later: the next host of this
            # name would find it still there.
            _ip("link", "delete", host.name)
    finally:
        _ip("netns", "delete", host.name)


def can_be_had() -> bool:
    """Tell whether hosts can be made here."""
    try:
        with hosted():
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def _ip(*words: str) -> None:
    try:
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=20)
    except subprocess.CalledProcessError as error:
        error.add_note(error.stderr)
        raise
