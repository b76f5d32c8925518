"""The buttons of a picture; they carry the job's id, and so outlive the process.

Whoever presses is checked against the job at every press: the message that a button stands in
proves nothing about them.
"""

import re
from collections.abc import Coroutine
from typing import Any, ClassVar, Self

import discord
from discord import ui

from bot import actions
from bot.answers import guarded

JOB = r"(?P<job>[0-9a-f]{32})"
Button = ui.Button[ui.LayoutView]
Pressed = discord.Interaction[discord.Client]


class JobButton(ui.DynamicItem[Button], template=f"atelier:job:{JOB}"):
    """What the buttons of a job share: its id, what a press does, and how they are rebuilt."""

    action: ClassVar[str]
    act: "ClassVar[staticmethod[[Pressed, str], Coroutine[Any, Any, None]]]"
    look: ClassVar[discord.ButtonStyle] = discord.ButtonStyle.secondary

    def __init__(self, job_id: str, *, label: str | None, suffix: str = "") -> None:
        custom_id = f"atelier:{self.action}:{job_id}{suffix}"
        super().__init__(ui.Button(label=label, style=self.look, custom_id=custom_id))
        self.job_id = job_id

    @classmethod
    async def from_custom_id(
        cls, interaction: Pressed, item: ui.Item[Any], match: re.Match[str]
    ) -> Self:
        """Rebuild the button from what was pressed."""
        return cls(match["job"], label=_label(item))

    async def callback(self, interaction: Pressed) -> None:
        """Do what the button is for."""
        await guarded(interaction, self.act(interaction, self.job_id))


class AgainButton(JobButton, template=f"atelier:again:{JOB}"):
    """Makes the same picture once more, with a new seed."""

    action = "again"
    act = staticmethod(actions.again)


class VaryButton(JobButton, template=f"atelier:vary:{JOB}(?::(?P<number>[0-9]))?"):
    """Makes another picture like the result, or like one of several."""

    action = "vary"

    def __init__(self, job_id: str, *, label: str | None, number: int | None = None) -> None:
        super().__init__(job_id, label=label, suffix="" if number is None else f":{number}")
        self.number = number or 0

    @classmethod
    async def from_custom_id(
        cls, interaction: Pressed, item: ui.Item[Any], match: re.Match[str]
    ) -> Self:
        """Rebuild the button from what was pressed."""
        number = match["number"]
        return cls(match["job"], label=_label(item), number=int(number) if number else None)

    async def callback(self, interaction: Pressed) -> None:
        """Order the variation."""
        await guarded(interaction, actions.vary(interaction, self.job_id, self.number))


class EditButton(JobButton, template=f"atelier:edit:{JOB}"):
    """Opens a form with the job's words and strength."""

    action = "edit"
    act = staticmethod(actions.edit)


class DetailsButton(JobButton, template=f"atelier:details:{JOB}"):
    """Tells how a picture was made, and how much it differs from what it was made from."""

    action = "details"
    act = staticmethod(actions.tell)


class DeleteButton(JobButton, template=f"atelier:delete:{JOB}"):
    """Deletes a picture and its message."""

    action = "delete"
    look = discord.ButtonStyle.danger
    act = staticmethod(actions.delete)


class StopButton(JobButton, template=f"atelier:stop:{JOB}"):
    """Stops a job that waits or runs."""

    action = "stop"
    act = staticmethod(actions.stop)


class EraseButton(ui.DynamicItem[Button], template=r"atelier:erase:(?P<member>[0-9]{1,20})"):
    """Erases all that is kept about a member; it is shown to them alone."""

    def __init__(self, member_id: int, *, label: str | None) -> None:
        custom_id = f"atelier:erase:{member_id}"
        look = discord.ButtonStyle.danger
        super().__init__(ui.Button(label=label, style=look, custom_id=custom_id))
        self.member_id = member_id

    @classmethod
    async def from_custom_id(
        cls, interaction: Pressed, item: ui.Item[Any], match: re.Match[str]
    ) -> Self:
        """Rebuild the button from what was pressed."""
        return cls(int(match["member"]), label=_label(item))

    async def callback(self, interaction: Pressed) -> None:
        """Erase it."""
        await guarded(interaction, actions.erase(interaction, self.member_id))


BUTTONS = (
    AgainButton, VaryButton, EditButton, DetailsButton, DeleteButton, StopButton, EraseButton,
)  # fmt: skip


def _label(item: ui.Item[Any]) -> str | None:
    return item.label if isinstance(item, ui.Button) else None
