"""What decides a member's quotas besides who they are: where they ask, their roles, purchases."""

from collections.abc import Iterator, Mapping

import discord

from bot.orders import channels_of
from bot.services import services_of
from storage.policies import Standing


def standing_of(interaction: discord.Interaction) -> Standing:
    """Return what a member brings along, as it came with the interaction.

    A thread counts with the channel that it hangs below.
    """
    guild_id = interaction.guild_id
    bought_ms = services_of(interaction).bought_ms
    return Standing(
        channel_ids=channels_of(interaction) if guild_id is not None else (),
        role_ids=roles_of(interaction.user, guild_id=guild_id),
        raised_ms=max(_raised(interaction, bought_ms), default=0),
    )


def roles_of(user: discord.User | discord.Member, *, guild_id: int | None) -> tuple[int, ...]:
    """Return the roles of a guild's member, without the one that everybody there has."""
    if not isinstance(user, discord.Member):
        return ()
    return tuple(role.id for role in user.roles if role.id != guild_id)


def _raised(interaction: discord.Interaction, bought_ms: Mapping[int, int]) -> Iterator[int]:
    for entitlement in interaction.entitlements:
        gone = entitlement.deleted or entitlement.consumed or entitlement.is_expired()
        if not gone and entitlement.sku_id in bought_ms:
            yield bought_ms[entitlement.sku_id]
