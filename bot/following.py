"""What a picture is to follow besides its words: a control, and a picture to be like."""

from typing import Any

import discord
from discord import app_commands

from bot.choices import matching
from bot.errors import CompanionUnfitError
from bot.orders import CONTROL_FROM
from bot.pictures import Pictures
from bot.services import services_of
from bot.texts import Phrase
from generation.request import EDGES


async def followed(
    pictures: Pictures,
    *,
    like: discord.Attachment | None,
    control: str | None,
    control_picture: discord.Attachment | None,
    control_from: discord.Attachment | None,
) -> dict[str, Any]:
    """Fetch, check and store what is to be followed, and return an order's fields for it.

    Args:
        pictures: where they are stored.
        like: what the result is to be like.
        control: the kind of control; with a picture and no kind it is edges.
        control_picture: shows what is to be followed as it is to be.
        control_from: an ordinary picture that it is drawn from.

    Raises:
        CompanionUnfitError: there are two pictures for one control.
        DownloadError: one could not be fetched.
        IntakeError: one cannot be used as a picture.
    """
    if control_picture is not None and control_from is not None:
        raise CompanionUnfitError("two pictures", reason=Phrase("reason.two_pictures"))
    given = {"like": like, "control": control_picture, CONTROL_FROM: control_from}
    shown = control_picture is not None or control_from is not None
    return {
        "beside": await pictures.beside(**given),
        "control": control or (EDGES if shown else None),
    }


async def control_choices(
    interaction: discord.Interaction, typed: str
) -> list[app_commands.Choice[str]]:
    """Offer what the ControlNets that are there follow, and how strictly they may."""
    offered = services_of(interaction).models.controls(typed)
    return matching(typed, {each: each for each in offered})
