"""Interactions: what a member did, sent to the bot, and the time it has to answer.

Source: Discord's documentation, "Receiving and Responding to Interactions".
"""

import asyncio
import base64
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from sandbox import permissions
from sandbox.audience import Audience
from sandbox.builders import (
    FILE_LIMITS,
    Builder,
    ResolvedObjects,
    member_payload,
    user_payload,
)
from sandbox.clock import Clock
from sandbox.commands import GROUP, IN_BOT_DM, IN_GUILD, SUBCOMMAND
from sandbox.gateway import Gateway
from sandbox.replies import Payload
from sandbox.state import Channel, Message, State, User

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5
ANSWER_WITHIN_S = 3.0
TOKEN_LIFETIME_S = 15 * 60.0
INTERACTIONS_KEPT = 20_000
# How much later than it came an answer counts, when that fault is ordered.
LATE_BY_S = web.RequestKey("late_by_s", float)


@dataclass(slots=True, kw_only=True)
class Interaction:
    """One thing a member did, and how far the bot's answer has come."""

    id: int
    type: int
    token: str
    user: User
    channel: Channel
    data: Payload
    resolved: ResolvedObjects
    owners: Payload
    created_at: datetime
    message: Message | None = None
    parent: "Interaction | None" = None
    done: "asyncio.Future[bool]"
    answered_at: datetime | None = None
    answer_type: int | None = None
    answer: Payload = field(default_factory=dict)
    original_id: int | None = None
    message_ids: set[int] = field(default_factory=set)
    followups: int = 0

    @property
    def answered(self) -> bool:
        """Whether the bot acknowledged it."""
        return self.answered_at is not None

    @property
    def user_installed_only(self) -> bool:
        """Whether only the member, not the guild, installed the application."""
        return "0" not in self.owners

    @property
    def command(self) -> str | None:
        """The command with its subcommand as members read it; None for anything else."""
        if self.type != COMMAND:
            return None
        words = [str(self.data["name"])]
        options = self.data.get("options") or []
        while options and options[0]["type"] in (SUBCOMMAND, GROUP):
            words.append(options[0]["name"])
            options = options[0].get("options") or []
        return " ".join(words)

    def metadata(self) -> Payload:
        """Return what a message says of the interaction it answers."""
        found: Payload = {
            "id": str(self.id),
            "type": self.type,
            "user": user_payload(self.user),
            "authorizing_integration_owners": self.owners,
        }
        if self.type == COMPONENT and self.message is not None:
            found["interacted_message_id"] = str(self.message.id)
        if self.type == MODAL_SUBMIT and self.parent is not None:
            found["triggering_interaction_metadata"] = self.parent.metadata()
        target = self.data.get("target_id")
        if target is not None and self.data.get("type") == 3:
            found["target_message_id"] = target
        return found


class Interactions:
    """Sends interactions to the bot and keeps their time limits."""

    def __init__(self, *, state: State, gateway: Gateway, audience: Audience) -> None:
        self._state = state
        self._gateway = gateway
        self._audience = audience
        self._by_id: dict[int, Interaction] = {}
        self._by_token: dict[str, Interaction] = {}
        self.modals: dict[str, Interaction] = {}

    @property
    def clock(self) -> Clock:
        """The clock that both time limits run on."""
        return self._state.clock

    def reset(self) -> None:
        """Forget every interaction."""
        self._by_id.clear()
        self._by_token.clear()
        self.modals.clear()

    def find(self, interaction_id: int, token: str) -> Interaction | None:
        """Return the interaction with this id and token, or None."""
        found = self._by_id.get(interaction_id)
        return found if found is not None and found.token == token else None

    def by_token(self, token: str) -> Interaction | None:
        """Return the interaction of a token, or None."""
        return self._by_token.get(token)

    def age_s(self, interaction: Interaction) -> float:
        """Return how old an interaction is on the sandbox's clock."""
        return (self.clock.now() - interaction.created_at).total_seconds()

    async def send(
        self,
        kind: int,
        *,
        user: User,
        channel: Channel,
        data: Payload,
        resolved: ResolvedObjects,
        message: Message | None = None,
        parent: Interaction | None = None,
    ) -> Interaction:
        """Make an interaction and dispatch it to the bot."""
        interaction_id = self.clock.next_id()
        token = f"interaction:{interaction_id}:{secrets.token_urlsafe(48)}"
        interaction = Interaction(
            id=interaction_id,
            type=kind,
            token=base64.urlsafe_b64encode(token.encode()).decode().rstrip("="),
            user=user,
            channel=channel,
            data=data,
            resolved=resolved,
            owners=self._owners(user, channel),
            created_at=self.clock.now(),
            message=message,
            parent=parent,
            done=asyncio.get_running_loop().create_future(),
        )
        self._remember(interaction)
        await self.dispatch(interaction)
        return interaction

    def _remember(self, interaction: Interaction) -> None:
        self._by_id[interaction.id] = interaction
        self._by_token[interaction.token] = interaction
        while len(self._by_id) > INTERACTIONS_KEPT:
            oldest = self._by_id.pop(next(iter(self._by_id)))
            del self._by_token[oldest.token]

    async def dispatch(self, interaction: Interaction) -> None:
        """Send an interaction to the bot; sending it again is what a replay does."""
        await self._gateway.dispatch(
            "INTERACTION_CREATE",
            lambda build: self._payload(build, interaction),
            guild_id=interaction.channel.guild_id,
        )

    async def outcome(self, interaction: Interaction) -> bool:
        """Wait until the bot answered, at most 3 seconds; tell the member when it did not."""
        left_s = ANSWER_WITHIN_S - self.age_s(interaction)
        if await self.clock.wait_for(interaction.done, timeout_s=left_s):
            return True
        failed = {"interaction_id": str(interaction.id), "channel_id": str(interaction.channel.id)}
        await self._audience.tell(interaction.user.id, "INTERACTION_FAILED", data=failed)
        return False

    def _owners(self, user: User, channel: Channel) -> dict[str, Any]:
        if channel.guild_id is None:
            return {"1": str(user.id)}
        bot_id = self._state.application.bot.id
        if bot_id in self._state.guilds[channel.guild_id].members:
            return {"0": str(channel.guild_id)}
        return {"1": str(user.id)}

    def _payload(self, build: Builder, interaction: Interaction) -> Payload:
        channel, user = interaction.channel, interaction.user
        payload: Payload = {
            "id": str(interaction.id),
            "application_id": str(self._state.application.id),
            "type": interaction.type,
            "token": interaction.token,
            "version": 1,
            "channel_id": str(channel.id),
            "channel": build.channel_for(channel, user.id),
            "data": build.interaction_data(interaction.data, interaction.resolved),
            "locale": user.locale,
            "entitlements": self._entitlements(user, channel),
            "authorizing_integration_owners": interaction.owners,
            "attachment_size_limit": self.file_limit(channel),
            "app_permissions": str(
                permissions.in_channel(self._state, channel, user_id=self._state.application.bot.id)
            ),
        }
        if interaction.message is not None:
            payload["message"] = build.message(interaction.message)
        if channel.guild_id is None:
            return payload | {"user": user_payload(user), "context": IN_BOT_DM}
        guild = self._state.guilds[channel.guild_id]
        member = member_payload(guild.members[user.id])
        granted = permissions.in_channel(self._state, channel, user_id=user.id)
        return payload | {
            "context": IN_GUILD,
            "guild_id": str(guild.id),
            "guild": {"id": str(guild.id), "locale": guild.locale, "features": []},
            "guild_locale": guild.locale,
            "member": member | {"permissions": str(granted)},
        }

    def file_limit(self, channel: Channel) -> int:
        """Return how large one file may be in a channel, in bytes."""
        if channel.guild_id is None:
            return FILE_LIMITS[0]
        return FILE_LIMITS[self._state.guilds[channel.guild_id].premium_tier]

    def _entitlements(self, user: User, channel: Channel) -> list[Payload]:
        owners = {str(user.id), str(channel.guild_id)}
        return [
            found
            for found in self._state.memory.entitlements.values()
            if {found.get("user_id"), found.get("guild_id")} & owners and not found["deleted"]
        ]
