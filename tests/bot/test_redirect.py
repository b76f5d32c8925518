"""With a sandbox in the settings, Discord's names lead there and all others nowhere."""

import socket

import aiohttp
import pytest

from bot.redirect import SandboxResolver, connector
from bot.settings import Settings
from tests.bot.stage import Stage, settings_for


@pytest.mark.parametrize(
    "host",
    ["discord.com", "gateway.discord.gg", "gateway-us-east1-b.discord.gg", "cdn.discordapp.com"],
)
async def test_discords_names_lead_to_the_sandbox(host: str) -> None:
    resolver = SandboxResolver(host="127.0.0.1", port=8443)
    [found] = await resolver.resolve(host, 443, socket.AF_INET)
    assert (found["host"], found["port"], found["hostname"]) == ("127.0.0.1", 8443, host)


@pytest.mark.parametrize(
    "host", ["example.com", "discord.com.evil.example", "discord.gg.evil.example"]
)
async def test_other_names_lead_nowhere(host: str) -> None:
    with pytest.raises(OSError, match="not reachable through the sandbox"):
        await SandboxResolver(host="127.0.0.1", port=1).resolve(host)


async def test_the_sandboxs_certificate_is_trusted_for_discords_names_alone(stage: Stage) -> None:
    settings = settings_for(stage.sandbox, stage.folder)
    async with aiohttp.ClientSession(connector=connector(settings)) as session:
        async with session.get("https://discord.com/api/v10/gateway") as response:
            assert response.status == 200
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get("https://example.com/")


async def test_without_a_sandbox_names_are_resolved_as_ever() -> None:
    plain = connector(Settings.model_construct(sandbox_address=None, sandbox_certificate=None))
    assert not isinstance(plain._resolver, SandboxResolver)
    await plain.close()
