"""Commands are registered with Discord when they changed, not at every start.

Discord allows 200 new commands a day for a guild, and registering is slow to spread. The hash of
what was registered last is kept in SQL, for each application.
"""

import hashlib
import json

import discord
import structlog
from discord import app_commands

from bot.client import Atelier
from storage.settings import KeyValues

PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    attach_files=True,
    embed_links=True,
    read_message_history=True,
)
"""What the bot needs: to speak where the fifteen minutes of a reply are over, and to look whether
it has spoken already."""
SCOPES = ("bot", "applications.commands")

log = structlog.get_logger()


async def payloads(tree: app_commands.CommandTree[Atelier]) -> list[dict[str, object]]:
    """Return all commands as they are sent to Discord."""
    translator = tree.translator
    if translator is None:
        return [command.to_dict(tree) for command in tree.get_commands()]
    return [
        await command.get_translated_payload(tree, translator) for command in tree.get_commands()
    ]


async def sync_commands(client: Atelier, kept: KeyValues, *, always: bool = False) -> bool:
    """Register the commands if they changed; return whether they were.

    Raises:
        discord.HTTPException: Discord refused them.
    """
    text = json.dumps(await payloads(client.tree), sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    key = f"commands:{client.application_id}"
    if not always and await kept.get(key) == digest:
        return False
    synced = await client.tree.sync()
    await kept.set(key, digest)
    log.info("the commands are registered", commands=len(synced))
    return True


def invite_link(application_id: int) -> str:
    """Return the link that adds the bot to a server, with exactly what it needs."""
    return discord.utils.oauth_url(application_id, permissions=PERMISSIONS, scopes=SCOPES)
