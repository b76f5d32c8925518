"""The way to Discord, or to a sandbox that stands in for it.

discord.py takes a connector; with this one every name of Discord's leads to the sandbox's TLS port,
whose certificate is the only one trusted, and any other name leads nowhere.
"""

import socket
import ssl
from pathlib import Path

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.settings import Settings

DISCORD_HOSTS = frozenset({"discord.com", "cdn.discordapp.com", "media.discordapp.net"})
DISCORD_ZONES = (".discord.gg",)


class SandboxResolver(AbstractResolver):
    """Answers Discord's names with the sandbox's address."""

    def __init__(self, *, host: str, port: int) -> None:
        self._host = host
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the sandbox's address for a name of Discord's.

        Raises:
            OSError: any other name.
        """
        if host not in DISCORD_HOSTS and not host.endswith(DISCORD_ZONES):
            raise OSError(f"{host} is not reachable through the sandbox")
        return [
            ResolveResult(
                hostname=host,
                host=self._host,
                port=self._port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Nothing is held."""


def sandbox_connector(*, address: str, certificate: Path) -> aiohttp.TCPConnector:
    """Return a connector to a sandbox, ``host:port`` of its TLS side."""
    host, _, port = address.rpartition(":")
    trust = ssl.create_default_context(cafile=str(certificate))
    return aiohttp.TCPConnector(
        resolver=SandboxResolver(host=host, port=int(port)), ssl=trust, use_dns_cache=False, limit=0
    )


def connector(settings: Settings) -> aiohttp.TCPConnector:
    """Return a new connector to Discord, or to the sandbox that the settings name."""
    if settings.sandbox_address is None or settings.sandbox_certificate is None:
        return aiohttp.TCPConnector(limit=0)
    return sandbox_connector(
        address=settings.sandbox_address, certificate=settings.sandbox_certificate
    )
