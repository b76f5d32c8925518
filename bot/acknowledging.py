"""Acknowledging commands so that each is answered, whatever ends this process.

Discord shows a member "thinking ..." for a quarter of an hour once a command is acknowledged. What
is needed to answer it is written down before that, so that if this process dies another one, or its
next start, tells the member to ask again. The insert of the interaction also decides which of
several processes that hear the same acknowledges. While the database does not answer, a disk of
this machine keeps it.
"""

import asyncio

import discord
import structlog

from bot.orders import TOKEN_LIFE, locale_of
from bot.services import services_of
from storage.acknowledgements import Acknowledgement, Acknowledgements
from storage.unwritten import Unwritten

WRITE_S = 1.5
"""So long is the write waited for; the acknowledgement itself is due after three seconds."""

log = structlog.get_logger()


class Acknowledger:
    """Writes down what is acknowledged here; all methods belong to the bot's event loop.

    Commands that come while others are being written are written together, and so are the answered
    ones forgotten.

    Args:
        owner: this process, as claims name it.
        unwritten: keeps what the database has not taken in time.
        lease_s: after how long without a sign of life others answer in its place.
    """

    def __init__(
        self, *, owner: str, kept: Acknowledgements, unwritten: Unwritten, lease_s: float
    ) -> None:
        self.owner = owner
        self._kept = kept
        self._unwritten = unwritten
        self._lease_s = lease_s
        self._open: dict[int, bool] = {}
        self._new: dict[int, tuple[Acknowledgement, asyncio.Future[bool]]] = {}
        self._writing: asyncio.Task[None] | None = None
        self._answered: list[int] = []
        self._closing: asyncio.Task[None] | None = None

    async def think(
        self, interaction: discord.Interaction, *, locale: str | None, ephemeral: bool = False
    ) -> None:
        """Acknowledge a command, which is answered later.

        Raises:
            discord.InteractionResponded: another process has, or this one did before.
        """
        if not await self._is_ours(interaction, locale=locale or locale_of(interaction)):
            raise discord.InteractionResponded(interaction)
        await interaction.response.defer(ephemeral=ephemeral, thinking=True)

    def holds(self, interaction_id: int) -> bool:
        """Return whether a command is written down for certain and has no answer yet."""
        return self._open.get(interaction_id, False)

    def accepted(self, interaction_id: int) -> None:
        """Take note that a job has taken a command's place."""
        self._open.pop(interaction_id, None)

    async def answered(self, interaction_id: int) -> None:
        """Forget a command whose member has been answered, if it is one of these."""
        await self._unwritten.drop(interaction_id)
        if self._open.pop(interaction_id, None) is None:
            return
        self._answered.append(interaction_id)
        if self._closing is None or self._closing.done():
            self._closing = asyncio.create_task(self._close(), name="answered commands")
        await asyncio.shield(self._closing)

    async def keep(self) -> None:
        """Say that this process is at work on its commands, then rest."""
        await asyncio.sleep(self._lease_s / 3)
        if self._open:
            await self._kept.keep([*self._open], owner=self.owner, lease_s=self._lease_s)

    async def _is_ours(self, interaction: discord.Interaction, *, locale: str) -> bool:
        """Write a command down; on our own disk if the database does not answer in time."""
        if interaction.id in self._open:
            return False
        self._open[interaction.id] = False
        written = asyncio.get_running_loop().create_future()
        new = Acknowledgement(
            interaction_id=interaction.id,
            token=interaction.token,
            token_expires_at=interaction.created_at + TOKEN_LIFE,
            locale=locale,
        )
        self._new[interaction.id] = new, written
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="acknowledgements")
        try:
            async with asyncio.timeout(WRITE_S):
                ours: bool = await asyncio.shield(written)
        except TimeoutError:
            ours = True
        if not ours:
            self._open.pop(interaction.id, None)
        elif not self.holds(interaction.id):
            await self._keep_here(new)
        return ours

    async def _keep_here(self, new: Acknowledgement) -> None:
        """Write a command down on our own disk, which is all that is there now."""
        try:
            await self._unwritten.keep(new)
        except OSError as err:
            reason = err.strerror or str(err)
            log.warning("not written down", interaction=new.interaction_id, reason=reason)

    async def _close(self) -> None:
        """Forget all that have been answered, until none is left; a lease ends the rest."""
        while self._answered:
            some, self._answered = self._answered, []
            await self._kept.close(some, owner=self.owner)

    async def _write(self) -> None:
        """Write down all that wait for it, until none does."""
        while self._new:
            some, self._new = self._new, {}
            opening = self._kept.open(
                [new for new, _ in some.values()], owner=self.owner, lease_s=self._lease_s
            )
            ends = await asyncio.gather(opening, return_exceptions=True)
            for interaction_id, (_, written) in some.items():
                written.set_result(self._is_new(interaction_id, ends[0]))
                if self.holds(interaction_id):
                    await self._unwritten.drop(interaction_id)

    def _is_new(self, interaction_id: int, found: set[int] | BaseException) -> bool:
        """Take note of how writing a command down has ended; return whether it is ours."""
        if isinstance(found, BaseException):
            log.warning("the database took no command", reason=type(found).__name__)
            return True
        if interaction_id in found and interaction_id in self._open:
            self._open[interaction_id] = True
        return interaction_id in found


async def think(interaction: discord.Interaction, *, ephemeral: bool = False) -> None:
    """Acknowledge a command that is answered later, to its member alone if ``ephemeral``.

    Raises:
        discord.InteractionResponded: another process has, or this one did before.
    """
    services = services_of(interaction)
    language = services.guilds.language(interaction.guild_id)
    await services.acknowledger.think(interaction, locale=language, ephemeral=ephemeral)
