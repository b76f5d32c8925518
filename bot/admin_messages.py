"""Messages to admins that no command of theirs asked for."""

import discord
import structlog

from bot.notices import refusal

log = structlog.get_logger()


async def write_to(client: discord.Client, user_id: int, text: str) -> bool:
    """Write to somebody directly; False where they take no such messages, or are gone."""
    try:
        user = client.get_user(user_id) or await client.fetch_user(user_id)
        await user.send(view=refusal(text))
    except discord.HTTPException as err:
        log.info("an admin could not be written to", user=user_id, code=err.code)
        return False
    return True
