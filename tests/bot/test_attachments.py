"""Attachments come from Discord's hosts and nowhere else; nothing is opened before that is sure."""

import aiohttp
import pytest

from bot.attachments import Downloader, checked_address
from bot.errors import AttachmentTooLargeError, ForeignAddressError

FOREIGN = [
    "http://cdn.discordapp.com/attachments/1/2/a.png",
    "https://127.0.0.1/attachments/1/2/a.png",
    "https://[::1]/attachments/1/2/a.png",
    "https://2130706433/attachments/1/2/a.png",
    "https://169.254.169.254/attachments/latest/meta-data",
    "https://localhost/attachments/1/2/a.png",
    "https://cdn.discordapp.com.evil.example/attachments/1/2/a.png",
    "https://evil.example/cdn.discordapp.com/attachments/1/2/a.png",
    "https://cdn.discordapp.com@evil.example/attachments/1/2/a.png",
    "https://user:secret@cdn.discordapp.com/attachments/1/2/a.png",
    "https://cdn.discordapp.com:8443/attachments/1/2/a.png",
    "https://cdn.discordapp.com/../attachments/../api/users/@me",
    "https://cdn.discordapp.com/api/v10/users/@me",
    "https://cdn.discordapp.com./attachments/1/2/a.png",
    "https://cdn\u3002discordapp\u3002com.evil.example/attachments/1/2/a.png",
    "file:///etc/passwd",
    "gopher://cdn.discordapp.com/attachments/1",
    "//cdn.discordapp.com/attachments/1/2/a.png",
    "https://cdn.discordapp.com:99999/attachments/1",
    "",
]


@pytest.mark.parametrize("address", FOREIGN)
def test_s5_an_address_that_is_not_discords_is_never_opened(address: str) -> None:
    with pytest.raises(ForeignAddressError):
        checked_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "https://cdn.discordapp.com/attachments/1/2/a.png?ex=1&is=2&hm=3",
        "https://cdn.discordapp.com/ephemeral-attachments/1/2/a%20b.png",
        "https://media.discordapp.net/attachments/1/2/a.png",
    ],
)
def test_discords_own_addresses_pass(address: str) -> None:
    assert str(checked_address(address)) == address


async def test_s5_a_foreign_address_is_refused_before_a_connection() -> None:
    async with Downloader(aiohttp.TCPConnector(), max_bytes=10) as downloader:
        with pytest.raises(ForeignAddressError):
            await downloader.fetch("https://127.0.0.1:1/attachments/1/2/a.png")


async def test_b1_an_announced_size_over_the_limit_is_refused_before_a_connection() -> None:
    async with Downloader(aiohttp.TCPConnector(), max_bytes=2**20) as downloader:
        with pytest.raises(AttachmentTooLargeError):
            await downloader.fetch(
                "https://cdn.discordapp.com/attachments/1/2/a.png", size=2**20 + 1
            )
