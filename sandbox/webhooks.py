"""The messages that answer an interaction, reached with its token for 15 minutes."""

from aiohttp import web

from sandbox.builders import Builder
from sandbox.callbacks import Callbacks
from sandbox.errors import (
    expired_token,
    too_many_followups,
    unknown_message,
    unknown_webhook,
)
from sandbox.interactions import TOKEN_LIFETIME_S, Interaction, Interactions
from sandbox.messages import Messages
from sandbox.replies import json_response
from sandbox.state import EPHEMERAL, Message, State
from sandbox.uploads import Draft, read_draft

MAX_FOLLOWUPS = 5


class Webhooks:
    """Serves ``/webhooks/{application}/{token}`` and its messages."""

    def __init__(
        self,
        *,
        state: State,
        interactions: Interactions,
        messages: Messages,
        callbacks: Callbacks,
    ) -> None:
        self._state = state
        self._interactions = interactions
        self._messages = messages
        self._callbacks = callbacks

    async def get(self, request: web.Request, build: Builder) -> web.Response:
        """Return a message of the interaction."""
        message = self._message(request, self._interaction(request))
        return json_response(build.message(message))

    async def edit(self, request: web.Request, build: Builder) -> web.Response:
        """Edit a message of the interaction; the first edit ends a deferral."""
        interaction = self._interaction(request)
        draft = await self._draft(request, interaction)
        message = await self._messages.edit(self._message(request, interaction), draft)
        return json_response(build.message(message))

    async def delete(self, request: web.Request, build: Builder) -> web.Response:
        """Delete a message of the interaction."""
        await self._messages.delete(self._message(request, self._interaction(request)))
        return web.Response(status=204)

    async def follow_up(self, request: web.Request, build: Builder) -> web.Response:
        """Add a message to the interaction; the first one after a deferral takes its place."""
        interaction = self._interaction(request)
        draft = await self._draft(request, interaction)
        interaction.followups += 1
        if interaction.user_installed_only and interaction.followups > MAX_FOLLOWUPS:
            raise too_many_followups()
        original = self._state.find_message(interaction.channel.id, interaction.original_id or 0)
        if original is not None and original.loading:
            return json_response(build.message(await self._messages.edit(original, draft)))
        flags = int(draft.payload.get("flags") or 0)
        message = self._callbacks.new_reply(interaction, flags=flags & EPHEMERAL, followup=True)
        await self._messages.post(message, draft)
        interaction.message_ids.add(message.id)
        return json_response(build.message(message))

    async def _draft(self, request: web.Request, interaction: Interaction) -> Draft:
        limit = self._interactions.file_limit(interaction.channel)
        return await read_draft(request, max_file_bytes=limit)

    def _interaction(self, request: web.Request) -> Interaction:
        if request.match_info["webhook_id"] != str(self._state.application.id):
            raise unknown_webhook()
        interaction = self._interactions.by_token(request.match_info["token"])
        if interaction is None or self._interactions.age_s(interaction) > TOKEN_LIFETIME_S:
            raise expired_token()
        if not interaction.answered:
            raise unknown_webhook()
        return interaction

    def _message(self, request: web.Request, interaction: Interaction) -> Message:
        named = request.match_info.get("message_id", "@original")
        message_id = interaction.original_id if named == "@original" else int(named)
        if message_id is None or message_id not in interaction.message_ids:
            raise unknown_message()
        message = self._state.find_message(interaction.channel.id, message_id)
        if message is None:
            raise unknown_message()
        return message
