"""The REST routes that a bot reaches with its token: users, channels, messages, guilds."""

from urllib.parse import unquote

from aiohttp import web

from sandbox import permissions
from sandbox.audience import Audience
from sandbox.builders import (
    FILE_LIMITS,
    Builder,
    member_payload,
    own_user_payload,
    role_payload,
    user_payload,
)
from sandbox.errors import (
    invalid_form,
    missing_access,
    missing_permissions,
    not_the_author,
    unknown_channel,
    unknown_guild,
    unknown_member,
    unknown_message,
    unknown_user,
)
from sandbox.gateway import gateway_url
from sandbox.messages import Messages
from sandbox.replies import json_response
from sandbox.state import Channel, Guild, Message, State
from sandbox.uploads import read_draft, read_json


class Rest:
    """Serves what a bot asks about the world and writes into its channels."""

    def __init__(self, *, state: State, messages: Messages, audience: Audience) -> None:
        self._state = state
        self._messages = messages
        self._audience = audience

    async def me(self, request: web.Request, build: Builder) -> web.Response:
        """Return the bot's own account."""
        return json_response(own_user_payload(self._state.application.bot))

    async def application(self, request: web.Request, build: Builder) -> web.Response:
        """Return the application."""
        return json_response(build.application())

    async def gateway(self, request: web.Request, build: Builder) -> web.Response:
        """Return the gateway's address and how many shards to start."""
        limit = {"total": 1000, "remaining": 999, "reset_after": 86_400_000, "max_concurrency": 1}
        return json_response(
            {"url": gateway_url(request), "shards": 1, "session_start_limit": limit}
        )

    async def gateway_address(self, request: web.Request, build: Builder) -> web.Response:
        """Return the gateway's address alone."""
        return json_response({"url": gateway_url(request)})

    async def user(self, request: web.Request, build: Builder) -> web.Response:
        """Return a user."""
        user = self._state.users.get(int(request.match_info["user_id"]))
        if user is None:
            raise unknown_user()
        return json_response(user_payload(user))

    async def open_direct(self, request: web.Request, build: Builder) -> web.Response:
        """Return the direct channel with a user."""
        body = await read_json(request)
        user_id = int(body.get("recipient_id") or 0)
        if user_id not in self._state.users or self._state.users[user_id].bot:
            raise unknown_user()
        return json_response(build.channel(self._state.direct_channel(user_id)))

    async def guilds(self, request: web.Request, build: Builder) -> web.Response:
        """Return the guilds that the bot is a member of, in short."""
        bot_id = self._state.application.bot.id
        return json_response(
            [
                {
                    "id": str(guild.id),
                    "name": guild.name,
                    "icon": None,
                    "banner": None,
                    "owner": guild.owner_id == bot_id,
                    "permissions": str(permissions.in_guild(guild, bot_id)),
                    "features": [],
                }
                for guild in self._state.guilds.values()
                if bot_id in guild.members
            ]
        )

    async def guild(self, request: web.Request, build: Builder) -> web.Response:
        """Return a guild."""
        return json_response(build.guild(self._guild(request)))

    async def guild_channels(self, request: web.Request, build: Builder) -> web.Response:
        """Return a guild's channels."""
        channels = self._state.guild_channels(self._guild(request).id)
        return json_response([build.channel(channel) for channel in channels])

    async def guild_roles(self, request: web.Request, build: Builder) -> web.Response:
        """Return a guild's roles."""
        return json_response([role_payload(role) for role in self._guild(request).roles.values()])

    async def guild_members(self, request: web.Request, build: Builder) -> web.Response:
        """Return a guild's members, by id."""
        limit = int(request.query.get("limit", "1"))
        after = int(request.query.get("after", "0"))
        members = self._guild(request).members
        found = [members[user_id] for user_id in sorted(members) if user_id > after]
        return json_response([member_payload(member) for member in found[:limit]])

    async def guild_member(self, request: web.Request, build: Builder) -> web.Response:
        """Return one member of a guild."""
        member = self._guild(request).members.get(int(request.match_info["user_id"]))
        if member is None:
            raise unknown_member()
        return json_response(member_payload(member))

    async def channel(self, request: web.Request, build: Builder) -> web.Response:
        """Return a channel."""
        return json_response(build.channel(self._channel(request)))

    async def typing(self, request: web.Request, build: Builder) -> web.Response:
        """Show that the bot is typing."""
        channel = self._channel(request, needed=permissions.SEND_MESSAGES)
        data = {"channel_id": str(channel.id), "user": user_payload(self._state.application.bot)}
        await self._audience.tell_channel(channel, "TYPING", data=data)
        return web.Response(status=204)

    async def messages(self, request: web.Request, build: Builder) -> web.Response:
        """Return a page of a channel's messages, newest first."""
        channel = self._channel(request, needed=permissions.READ_MESSAGE_HISTORY)
        limit = int(request.query.get("limit", "50"))
        if not 1 <= limit <= 100:
            raise invalid_form("limit", message="int value should be between 1 and 100.")
        seen = [found for found in self._state.history(channel.id) if found.ephemeral_for is None]
        chosen = _page(
            seen,
            limit=limit,
            **{key: int(request.query[key]) for key in PAGE_KEYS & set(request.query)},
        )
        return json_response([build.message(message) for message in chosen])

    async def message(self, request: web.Request, build: Builder) -> web.Response:
        """Return one message of a channel."""
        channel = self._channel(request, needed=permissions.READ_MESSAGE_HISTORY)
        return json_response(build.message(self._message(request, channel)))

    async def create_message(self, request: web.Request, build: Builder) -> web.Response:
        """Send a message; an enforced nonce that was seen returns the first message."""
        channel = self._channel(request, needed=permissions.SEND_MESSAGES)
        draft = await read_draft(request, max_file_bytes=self._file_limit(channel))
        if draft.files and not self._may(channel, permissions.ATTACH_FILES):
            raise missing_permissions()
        twin = self._messages.nonce_twin(channel, draft.payload)
        if twin is not None:
            return json_response(build.message(twin))
        reference = draft.payload.get("message_reference") or {}
        message = Message(
            id=self._state.clock.next_id(),
            channel_id=channel.id,
            author=self._state.application.bot,
            created_at=self._state.clock.now(),
            nonce=draft.payload.get("nonce"),
            tts=bool(draft.payload.get("tts")),
        )
        if reference.get("message_id"):
            message.reference_id = self._referenced(channel, reference)
            message.type = 19 if message.reference_id else 0
        await self._messages.post(message, draft)
        return json_response(build.message(message))

    async def edit_message(self, request: web.Request, build: Builder) -> web.Response:
        """Edit one of the bot's messages."""
        channel = self._channel(request)
        draft = await read_draft(request, max_file_bytes=self._file_limit(channel))
        message = self._message(request, channel)
        if message.author.id != self._state.application.bot.id:
            raise not_the_author()
        return json_response(build.message(await self._messages.edit(message, draft)))

    async def delete_message(self, request: web.Request, build: Builder) -> web.Response:
        """Delete a message: the bot's own, or another's where it may manage messages."""
        channel = self._channel(request)
        message = self._message(request, channel)
        own = message.author.id == self._state.application.bot.id
        if not own and not self._may(channel, permissions.MANAGE_MESSAGES):
            raise missing_permissions()
        await self._messages.delete(message)
        return web.Response(status=204)

    async def react(self, request: web.Request, build: Builder) -> web.Response:
        """Add or remove the bot's reaction."""
        channel = self._channel(request, needed=permissions.ADD_REACTIONS)
        message = self._message(request, channel)
        users = message.reactions.setdefault(unquote(request.match_info["emoji"]), set())
        bot_id = self._state.application.bot.id
        users.symmetric_difference_update(
            {bot_id} if (bot_id in users) != (request.method == "PUT") else ()
        )
        return web.Response(status=204)

    def _guild(self, request: web.Request) -> Guild:
        guild = self._state.guilds.get(int(request.match_info["guild_id"]))
        if guild is None or self._state.application.bot.id not in guild.members:
            raise unknown_guild()
        return guild

    def _channel(self, request: web.Request, *, needed: int = 0) -> Channel:
        channel = self._state.channels.get(int(request.match_info["channel_id"]))
        if channel is None:
            raise unknown_channel()
        if not self._may(channel, permissions.VIEW_CHANNEL):
            raise missing_access()
        if not self._may(channel, needed):
            raise missing_permissions()
        return channel

    def _may(self, channel: Channel, needed: int) -> bool:
        granted = permissions.in_channel(
            self._state, channel, user_id=self._state.application.bot.id
        )
        return granted & needed == needed

    def _message(self, request: web.Request, channel: Channel) -> Message:
        message = self._state.find_message(channel.id, int(request.match_info["message_id"]))
        if message is None or message.ephemeral_for is not None:
            raise unknown_message()
        return message

    def _file_limit(self, channel: Channel) -> int:
        guild = self._state.guilds.get(channel.guild_id or 0)
        return FILE_LIMITS[guild.premium_tier if guild else 0]

    def _referenced(self, channel: Channel, reference: dict[str, object]) -> int | None:
        message_id = int(str(reference["message_id"]))
        if self._state.find_message(channel.id, message_id) is not None:
            return message_id
        if reference.get("fail_if_not_exists", True):
            raise invalid_form(
                "message_reference",
                message="Unknown message",
                code="REPLIES_UNKNOWN_MESSAGE",
            )
        return None


PAGE_KEYS = {"before", "after", "around"}


def _page(
    newest_first: list[Message],
    *,
    limit: int,
    before: int | None = None,
    after: int | None = None,
    around: int | None = None,
) -> list[Message]:
    if before is not None:
        return [found for found in newest_first if found.id < before][:limit]
    if after is not None:
        return [found for found in newest_first if found.id > after][-limit:]
    if around is not None:
        nearest = sorted(newest_first, key=lambda found: abs(found.id - around))[:limit]
        return sorted(nearest, key=lambda found: found.id, reverse=True)
    return newest_first[:limit]
