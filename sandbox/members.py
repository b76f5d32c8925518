"""The member interface: what the page and tests use to act as a person in a channel."""

from aiohttp import web

from sandbox import permissions
from sandbox.audience import Audience
from sandbox.builders import Builder, user_payload
from sandbox.commands import CommandBook
from sandbox.errors import MemberError
from sandbox.interactions import AUTOCOMPLETE, Interaction, Interactions
from sandbox.invoking import Invoker
from sandbox.locales import LOCALES, spoken
from sandbox.messages import Messages
from sandbox.replies import Payload, json_response
from sandbox.state import DIRECT_CHANNEL, Channel, Message, State, User
from sandbox.uploads import Draft, FileStore, read_draft, read_json

MEMBER_FILE_BYTES = 500 << 20


class Members:
    """Serves ``/sandbox/members/...``."""

    def __init__(
        self,
        *,
        state: State,
        files: FileStore,
        commands: CommandBook,
        messages: Messages,
        interactions: Interactions,
        invoker: Invoker,
        audience: Audience,
        builder: Builder,
    ) -> None:
        self._state = state
        self._files = files
        self._commands = commands
        self._messages = messages
        self._interactions = interactions
        self._invoker = invoker
        self._audience = audience
        self._builder = builder

    def routes(self) -> list[web.RouteDef]:
        """Return the interface's routes."""
        base = "/sandbox/members/{member_id}"
        return [
            web.get(f"{base}/events", self.events),
            web.get(f"{base}/channels", self.channels),
            web.get(f"{base}/channels/{{channel_id}}/messages", self.history),
            web.get(f"{base}/channels/{{channel_id}}/commands", self.commands),
            web.put(f"{base}/locale", self.speak),
            web.post(f"{base}/attachments", self.upload),
            web.post(f"{base}/messages", self.send),
            web.delete(f"{base}/channels/{{channel_id}}/messages/{{message_id}}", self.delete),
            web.post(f"{base}/interactions", self.interact),
        ]

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Serve the websocket of what the member sees happen."""
        return await self._audience.handle(request, self._user(request).id)

    async def channels(self, request: web.Request) -> web.Response:
        """Return the channels that the member sees, the direct one with the bot among them."""
        user = self._user(request)
        self._state.direct_channel(user.id)
        seen = [
            found for found in self._state.channels.values() if self._audience.sees(user.id, found)
        ]
        return json_response([self._channel(channel) for channel in seen])

    async def history(self, request: web.Request) -> web.Response:
        """Return the newest messages that the member sees, oldest first."""
        user = self._user(request)
        channel = self._invoker.channel(user, request.match_info["channel_id"])
        limit = int(request.query.get("limit", "50"))
        before = int(request.query.get("before", str(1 << 63)))
        seen = [
            message
            for message in self._state.history(channel.id)
            if message.visible_to(user.id) and message.id < before
        ]
        return json_response([self._audience.message(found) for found in reversed(seen[:limit])])

    async def commands(self, request: web.Request) -> web.Response:
        """Return the commands that the member may use in a channel, in their language."""
        user = self._user(request)
        channel = self._invoker.channel(user, request.match_info["channel_id"])
        offered = self._commands.offered(user.id, channel)
        return json_response([spoken(command, user.locale) for command in offered])

    async def speak(self, request: web.Request) -> web.Response:
        """Choose the language of the member's client."""
        user, locale = self._user(request), (await read_json(request)).get("locale")
        if locale not in LOCALES:
            raise MemberError(f"locale must be one of {', '.join(LOCALES)}")
        user.locale = locale
        return web.Response(status=204)

    async def upload(self, request: web.Request) -> web.Response:
        """Keep files that the member will attach."""
        user = self._user(request)
        draft = await read_draft(request, max_file_bytes=MEMBER_FILE_BYTES)
        kept = [
            self._files.add(draft.files[index], folder_id=user.id, ephemeral=True)
            for index in sorted(draft.files)
        ]
        return json_response([self._builder.attachment(found) for found in kept])

    async def send(self, request: web.Request) -> web.Response:
        """Send a message as the member."""
        user = self._user(request)
        body = await read_json(request)
        channel = self._invoker.channel(user, body.get("channel_id"))
        message = Message(
            id=self._state.clock.next_id(),
            channel_id=channel.id,
            author=user,
            created_at=self._state.clock.now(),
        )
        for attachment_id in body.get("attachments") or ():
            message.attachments.append(self._files.publish(int(attachment_id), channel.id))
        words: Payload = {"content": str(body.get("content") or "")}
        if body.get("reply_to"):
            message.reference_id, message.type = int(body["reply_to"]), 19
        await self._messages.post(message, Draft(payload=words))
        return json_response(self._audience.message(message))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a message: the member's own, or anybody's with the permission to manage them."""
        user = self._user(request)
        channel = self._invoker.channel(user, request.match_info["channel_id"])
        message = self._state.find_message(channel.id, int(request.match_info["message_id"]))
        if message is None or not message.visible_to(user.id):
            raise MemberError("there is no such message", status=404)
        granted = permissions.in_channel(self._state, channel, user_id=user.id)
        own = message.author.id == user.id or message.ephemeral_for == user.id
        if not own and not granted & permissions.MANAGE_MESSAGES:
            raise MemberError("this is not your message", status=403)
        await self._messages.delete(message)
        return web.Response(status=204)

    async def interact(self, request: web.Request) -> web.Response:
        """Use a command, a component or a modal and wait until the bot answers."""
        interaction = await self._invoker.invoke(self._user(request), await read_json(request))
        answered = await self._interactions.outcome(interaction)
        told: Payload = {
            "interaction_id": str(interaction.id),
            "acknowledged_ms": _answered_after_ms(interaction) if answered else None,
        }
        if answered and interaction.type == AUTOCOMPLETE:
            told |= interaction.answer
        return json_response(told, status=200 if answered else 504)

    def _user(self, request: web.Request) -> User:
        user = self._state.users.get(int(request.match_info["member_id"]))
        if user is None or user.bot:
            raise MemberError("there is no such member", status=404)
        return user

    def _channel(self, channel: Channel) -> Payload:
        payload = self._builder.channel(channel)
        if channel.type == DIRECT_CHANNEL:
            payload["name"] = self._state.application.bot.name
            payload["bot"] = user_payload(self._state.application.bot)
        return payload


def _answered_after_ms(interaction: Interaction) -> float:
    assert interaction.answered_at is not None
    return (interaction.answered_at - interaction.created_at).total_seconds() * 1000
