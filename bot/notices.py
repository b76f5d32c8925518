"""Messages of words alone."""

import discord
from discord import ui

ACCENT = discord.Colour(0x7C5CFC)
QUIET = discord.Colour(0x4E5058)
WARNING = discord.Colour(0xD97757)


def notice(text: str, *, colour: discord.Colour = QUIET) -> ui.LayoutView:
    """Return a message of words alone."""
    view = ui.LayoutView(timeout=None)
    view.add_item(ui.Container[ui.LayoutView](ui.TextDisplay(text), accent_colour=colour))
    return view


def refusal(text: str) -> ui.LayoutView:
    """Return a message that says why something was not done."""
    return notice(text, colour=WARNING)
