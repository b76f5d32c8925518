"""What the client's commands and buttons work with, made by the composition root."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import discord

from bot.orders import channels_of, locale_of
from bot.texts import Texts, Voice
from storage.errors import StorageError
from storage.places import is_off

if TYPE_CHECKING:
    from bot.acknowledging import Acknowledger
    from bot.charts import ChartPool
    from bot.client import Atelier
    from bot.dispatcher import Dispatcher
    from bot.guilds import Guild, Guilds
    from bot.limits import Limits
    from bot.models import Models
    from bot.pictures import Pictures
    from bot.presets import Preset
    from bot.prices import Prices
    from bot.privacy import Exports
    from bot.reviews import Reviews
    from bot.safety import Guard
    from bot.usage_files import Price
    from storage.digests import DigestStore
    from storage.files import FileStore
    from storage.jobs import JobStore
    from storage.priorities import Priorities
    from storage.privacy import Privacy
    from storage.quotas import Quotas
    from storage.reports import Reports
    from storage.retention import Retention
    from storage.reviews import ReviewStore


ATTEND_S = 0.5
"""Of the three seconds in which Discord wants an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything behind the client.

    Args:
        bought_ms: what those who bought a SKU may use in a day at least.
        bought_weights: how many usual shares of the engines those have.
    """

    texts: Texts
    pictures: "Pictures"
    models: "Models"
    guilds: "Guilds"
    guard: "Guard"
    acknowledger: "Acknowledger"
    dispatcher: "Dispatcher"
    prices: "Prices"
    jobs: "JobStore"
    reviews: "ReviewStore"
    review_pages: "Reviews"
    digests: "DigestStore"
    quotas: "Quotas"
    priorities: "Priorities"
    bought_ms: Mapping[int, int]
    bought_weights: Mapping[int, float]
    reports: "Reports"
    price: "Price"
    charts: "ChartPool"
    limits: "Limits"
    files: "FileStore"
    privacy: "Privacy"
    exports: "Exports"
    retention: "Retention"


def client_of(interaction: discord.Interaction) -> "Atelier":
    """Return the client that an interaction came to."""
    return cast("Atelier", interaction.client)


def services_of(interaction: discord.Interaction) -> Services:
    """Return the services of the client that an interaction came to."""
    return client_of(interaction).services


async def presets_of(interaction: discord.Interaction) -> "Mapping[str, Preset]":
    """Return the presets that are offered where an interaction came from, by name."""
    guild, here = await guild_of(interaction), channels_of(interaction)
    off = guild.choices.off
    return {
        name: preset
        for name, preset in guild.presets.items()
        if not is_off(off, "preset", name, channel_ids=here)
    }


async def guild_of(interaction: discord.Interaction) -> "Guild":
    """Return what holds in the guild that an interaction came from."""
    return await services_of(interaction).guilds.holding(interaction.guild_id)


async def attend(interaction: discord.Interaction) -> None:
    """Learn what the guild speaks before anything is answered; if that takes too long, without."""
    with suppress(StorageError, TimeoutError):
        async with asyncio.timeout(ATTEND_S):
            await guild_of(interaction)


def voice_of(interaction: discord.Interaction) -> Voice:
    """Return the texts in the language of the guild, or of whoever interacts."""
    services = services_of(interaction)
    language = services.guilds.language(interaction.guild_id)
    return Voice(services.texts, language or locale_of(interaction))
