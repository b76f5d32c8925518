"""What decides a member's quotas besides who they are: where they ask, their roles, purchases."""

from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

import discord

from bot.orders import channels_of
from bot.services import services_of
from storage.policies import Standing

N = TypeVar("N", int, float)


def standing_of(interaction: discord.Interaction) -> Standing:
    """Return what a member brings along, as it came with the interaction.

    A thread counts with the channel that it hangs below.
    """
    guild_id = interaction.guild_id
    services, skus = services_of(interaction), frozenset(_skus(interaction))
    return Standing(
        channel_ids=channels_of(interaction) if guild_id is not None else (),
        role_ids=roles_of(interaction.user, guild_id=guild_id),
        raised_ms=_most(services.bought_ms, skus, usual=0),
        weight=_most(services.bought_weights, skus, usual=1.0),
    )


def roles_of(user: discord.User | discord.Member, *, guild_id: int | None) -> tuple[int, ...]:
    """Return the roles of a guild's member, without the one that everybody there has."""
    if not isinstance(user, discord.Member):
        return ()
    return tuple(role.id for role in user.roles if role.id != guild_id)


def _skus(interaction: discord.Interaction) -> Iterator[int]:
    """Yield what was bought and still holds."""
    for entitlement in interaction.entitlements:
        if not (entitlement.deleted or entitlement.consumed or entitlement.is_expired()):
            yield entitlement.sku_id


def _most(by_sku: Mapping[int, N], skus: Collection[int], *, usual: N) -> N:
    return max((value for sku, value in by_sku.items() if sku in skus), default=usual)
