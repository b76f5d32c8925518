"""Permissions: which bits exist, and what a member may do in a channel.

Source: Discord's documentation, "Permissions", permission hierarchy and overwrites.
"""

from sandbox.state import Channel, Guild, State

ADMINISTRATOR = 1 << 3
VIEW_CHANNEL = 1 << 10
SEND_MESSAGES = 1 << 11
MANAGE_MESSAGES = 1 << 13
EMBED_LINKS = 1 << 14
ATTACH_FILES = 1 << 15
READ_MESSAGE_HISTORY = 1 << 16
MENTION_EVERYONE = 1 << 17
ADD_REACTIONS = 1 << 6
USE_APPLICATION_COMMANDS = 1 << 31

ALL = (1 << 53) - 1
PLAIN = (
    VIEW_CHANNEL
    | SEND_MESSAGES
    | EMBED_LINKS
    | ATTACH_FILES
    | READ_MESSAGE_HISTORY
    | ADD_REACTIONS
    | USE_APPLICATION_COMMANDS
)


def in_guild(guild: Guild, user_id: int) -> int:
    """Return the permissions that a member's roles give in the whole guild."""
    member = guild.members.get(user_id)
    if member is None:
        return 0
    if guild.owner_id == user_id:
        return ALL
    granted = 0
    for role_id in (guild.id, *member.role_ids):
        granted |= guild.roles[role_id].permissions
    return ALL if granted & ADMINISTRATOR else granted


def in_channel(state: State, channel: Channel, *, user_id: int) -> int:
    """Return what a user may do in a channel, overwrites included."""
    if channel.guild_id is None:
        return PLAIN
    guild = state.guilds[channel.guild_id]
    granted = in_guild(guild, user_id)
    if granted == ALL or user_id not in guild.members:
        return granted
    roles = set(guild.members[user_id].role_ids)
    for targets in ({guild.id}, roles, {user_id}):
        found = [channel.overwrites[target] for target in targets if target in channel.overwrites]
        for overwrite in found:
            granted &= ~overwrite.deny
        for overwrite in found:
            granted |= overwrite.allow
    return granted
