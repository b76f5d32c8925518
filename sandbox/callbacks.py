"""The bot's first answer to an interaction."""

from aiohttp import web

from sandbox.audience import Audience
from sandbox.builders import Builder
from sandbox.components import checked_modal
from sandbox.errors import already_acknowledged, invalid_form, unknown_interaction
from sandbox.interactions import (
    ANSWER_WITHIN_S,
    AUTOCOMPLETE,
    COMMAND,
    COMPONENT,
    LATE_BY_S,
    MODAL_SUBMIT,
    Interaction,
    Interactions,
)
from sandbox.messages import Messages
from sandbox.replies import Payload, json_response
from sandbox.state import EPHEMERAL, LOADING, Message, State
from sandbox.uploads import Draft, read_draft

MESSAGE, DEFERRED_MESSAGE, DEFERRED_UPDATE, UPDATE = 4, 5, 6, 7
CHOICES, MODAL, PREMIUM = 8, 9, 10
ALLOWED = {
    COMMAND: {MESSAGE, DEFERRED_MESSAGE, MODAL, PREMIUM},
    COMPONENT: {MESSAGE, DEFERRED_MESSAGE, DEFERRED_UPDATE, UPDATE, MODAL, PREMIUM},
    AUTOCOMPLETE: {CHOICES},
    MODAL_SUBMIT: {MESSAGE, DEFERRED_MESSAGE, DEFERRED_UPDATE, UPDATE, PREMIUM},
}
SLASH_REPLY, CONTEXT_REPLY, REPLY = 20, 23, 19


class Callbacks:
    """Takes answers: once, in time, and of a kind that fits the interaction."""

    def __init__(
        self,
        *,
        state: State,
        interactions: Interactions,
        messages: Messages,
        audience: Audience,
    ) -> None:
        self._state = state
        self._interactions = interactions
        self._messages = messages
        self._audience = audience

    async def handle(self, request: web.Request, build: Builder) -> web.Response:
        """Answer ``POST /interactions/{id}/{token}/callback``.

        Raises:
            ApiError: 10062 unknown or late, 40060 answered before, 50035 a kind that does not fit.
        """
        interaction = self._interactions.find(
            int(request.match_info["interaction_id"]), request.match_info["token"]
        )
        if interaction is None:
            raise unknown_interaction()
        limit = self._interactions.file_limit(interaction.channel)
        draft = await read_draft(request, max_file_bytes=limit)
        if interaction.answered:
            raise already_acknowledged()
        late_by_s = request.get(LATE_BY_S, 0.0)
        if self._interactions.age_s(interaction) + late_by_s > ANSWER_WITHIN_S:
            raise unknown_interaction()
        await self._accept(interaction, draft)
        if request.query.get("with_response", "").lower() not in ("1", "true"):
            return web.Response(status=204)
        return json_response(self._response(interaction, build))

    async def _accept(self, interaction: Interaction, draft: Draft) -> None:
        kind = draft.payload.get("type")
        if kind not in ALLOWED[interaction.type]:
            raise invalid_form(
                "type", message="Invalid interaction callback type for this interaction"
            )
        if kind in (DEFERRED_UPDATE, UPDATE) and interaction.message is None:
            raise invalid_form("type", message="There is no message to update")
        # Marked before anything is awaited, so that two answers at once cannot both be first.
        interaction.answered_at = self._state.clock.now()
        interaction.answer_type = kind
        try:
            await self._perform(
                kind, interaction, draft=draft.within(draft.payload.get("data") or {})
            )
        except BaseException:
            interaction.answered_at = None
            raise
        if not interaction.done.done():
            interaction.done.set_result(True)

    async def _perform(self, kind: int, interaction: Interaction, *, draft: Draft) -> None:
        if kind in (MESSAGE, DEFERRED_MESSAGE):
            await self._reply(interaction, draft, loading=kind == DEFERRED_MESSAGE)
        elif kind in (UPDATE, DEFERRED_UPDATE) and interaction.message is not None:
            interaction.original_id = interaction.message.id
            interaction.message_ids.add(interaction.message.id)
            if kind == UPDATE:
                interaction.message = await self._messages.edit(interaction.message, draft)
        elif kind == CHOICES:
            interaction.answer = _checked_choices(draft.payload)
        elif kind == MODAL:
            await self._open_modal(interaction, draft.payload)
        elif kind == PREMIUM:
            interaction.answer = {"premium": True}

    async def _reply(self, interaction: Interaction, draft: Draft, *, loading: bool) -> None:
        message = self.new_reply(interaction, flags=int(draft.payload.get("flags") or 0))
        interaction.original_id = message.id
        interaction.message_ids.add(message.id)
        if loading:
            message.flags |= LOADING
            await self._messages.publish(message)
        else:
            await self._messages.post(message, draft)

    def new_reply(self, interaction: Interaction, *, flags: int, followup: bool = False) -> Message:
        """Return an empty message that answers an interaction."""
        application = self._state.application
        kind = SLASH_REPLY if interaction.data.get("type", 1) == 1 else CONTEXT_REPLY
        source = interaction.message
        # Others must not see an ephemeral message quoted in the reply to it.
        quotable = source is not None and source.ephemeral_for is None
        reference = source.id if source is not None and quotable else None
        if followup:
            reference = interaction.original_id
        if interaction.type != COMMAND or followup:
            kind = REPLY if reference is not None else 0
        return Message(
            id=self._state.clock.next_id(),
            channel_id=interaction.channel.id,
            author=application.bot,
            created_at=self._state.clock.now(),
            type=kind,
            flags=flags & EPHEMERAL,
            application_id=application.id,
            webhook_id=application.id,
            reference_id=reference,
            interaction_metadata=interaction.metadata(),
            command=None if followup else interaction.command,
            ephemeral_for=interaction.user.id if flags & EPHEMERAL else None,
        )

    async def _open_modal(self, interaction: Interaction, data: Payload) -> None:
        modal = checked_modal(data)
        modal_id = str(self._state.clock.next_id())
        interaction.answer = modal
        self._interactions.modals[modal_id] = interaction
        shown = modal | {"modal_id": modal_id, "channel_id": str(interaction.channel.id)}
        await self._audience.tell(interaction.user.id, "MODAL", data=shown)

    def _response(self, interaction: Interaction, build: Builder) -> Payload:
        told: Payload = {"id": str(interaction.id), "type": interaction.type}
        told["channel_id"] = str(interaction.channel.id)
        if interaction.channel.guild_id is not None:
            told["guild_id"] = str(interaction.channel.guild_id)
        message = self._state.find_message(interaction.channel.id, interaction.original_id or 0)
        if message is not None:
            told["response_message_id"] = str(message.id)
            told["response_message_loading"] = message.loading
            told["response_message_ephemeral"] = message.ephemeral_for is not None
        response: Payload = {"interaction": told}
        if message is not None and interaction.answer_type in (MESSAGE, UPDATE):
            response["resource"] = {
                "type": interaction.answer_type,
                "message": build.message(message),
            }
        return response


def _checked_choices(data: Payload) -> Payload:
    choices = data.get("choices")
    if not isinstance(choices, list) or len(choices) > 25:
        raise invalid_form("data.choices", message="Must be 25 or fewer in length.")
    for index, choice in enumerate(choices):
        if not 1 <= len(str(choice.get("name", ""))) <= 100:
            path = f"data.choices.{index}.name"
            raise invalid_form(path, message="Must be between 1 and 100 in length.")
    return {"choices": choices}
