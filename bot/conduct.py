"""What a guild's admins allow whom to ask for, looked at before anything is reserved."""

from collections.abc import Iterable

from bot.errors import (
    BlockedError,
    BlockedUntilError,
    PipelineOffError,
    PresetOffError,
    WarnedTooOftenError,
)
from bot.guilds import Guilds
from bot.orders import Order, Origin
from bot.prompts import shown
from generation.request import Note
from storage.places import is_off


async def require_allowed(guilds: Guilds, order: Order, origin: Origin) -> tuple[Note, ...]:
    """Refuse what a guild's admins do not allow; return what is to be said of the rest.

    Raises:
        BlockedError: the member may not ask for pictures.
        PipelineOffError, PresetOffError: what they ask for is switched off here.
        WordRuleError: a rule forbids the prompt.
    """
    guild_id, member_id = origin.guild_id, origin.member_id
    if guild_id is None:
        return ()
    await require_unblocked(guilds, guild_id, member_id)
    here, choices = origin.channel_ids, (await guilds.holding(guild_id)).choices
    if is_off(choices.off, "pipeline", order.pipeline, channel_ids=here):
        raise PipelineOffError("switched off", name=order.pipeline)
    if is_off(choices.off, "preset", order.preset, channel_ids=here):
        raise PresetOffError("switched off", name=shown(order.preset or ""))
    notes = await guilds.require_fit(guild_id, *order.words)
    if notes and choices.warnings is not None:
        if await guilds.blocks.warned(guild_id, member_id) >= choices.warnings:
            raise WarnedTooOftenError("warned before", count=choices.warnings)
        await guilds.blocks.warn(guild_id, member_id, interaction_id=origin.interaction_id)
    return notes


async def switched_on(guilds: Guilds, pipelines: Iterable[str], origin: Origin) -> tuple[str, ...]:
    """Return those of some pipelines that a guild's admins have not switched off there."""
    names = tuple(pipelines)
    if origin.guild_id is None:
        return names
    here, off = origin.channel_ids, (await guilds.holding(origin.guild_id)).choices.off
    return tuple(name for name in names if not is_off(off, "pipeline", name, channel_ids=here))


async def require_unblocked(guilds: Guilds, guild_id: int, member_id: int) -> None:
    """Refuse whom admins have blocked.

    Raises:
        BlockedError: it holds now.
    """
    block = await guilds.blocks.find(guild_id, member_id)
    if block is None:
        return
    reason = shown(block.reason)
    if block.until is None:
        raise BlockedError("blocked for good", reason=reason)
    until = int(block.until.timestamp())
    raise BlockedUntilError("blocked for a while", reason=reason, until=until)
