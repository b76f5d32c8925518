"""The gateway: sessions with replay, heartbeats, shards and intents, over one websocket each.

Source: Discord's documentation, "Gateway" and "Opcodes and Status Codes".
"""

import json
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from aiohttp import WSMsgType, web

from sandbox.builders import Builder, member_payload, own_user_payload
from sandbox.links import Links
from sandbox.replies import Payload
from sandbox.sessions import Connection, GatewayClosedError, Session
from sandbox.state import Message, State

HEARTBEAT, IDENTIFY, PRESENCE, VOICE, RESUME = 1, 2, 3, 4, 6
RECONNECT, MEMBERS, INVALID_SESSION, HELLO, ACK, SOUNDBOARD = 7, 8, 9, 10, 11, 31

GUILDS = 1 << 0
GUILD_MESSAGES = 1 << 9
DIRECT_MESSAGES = 1 << 12
MESSAGE_CONTENT = 1 << 15
ALL_INTENTS = (1 << 26) - 1

LATE_FACTOR = 2.0

Write = Callable[[Builder], Payload]


class Gateway:
    """Accepts clients and tells them what happens."""

    def __init__(self, *, state: State, links: Links, heartbeat_ms: int = 41_250) -> None:
        self._state = state
        self._links = links
        self.heartbeat_ms = heartbeat_ms
        self.allowed_intents = ALL_INTENTS
        self.sharding_required = False
        self.sessions: dict[str, Session] = {}
        self.connections: set[Connection] = set()
        self.duplicates = 0
        self.replayed = 0
        self.refusals: deque[int] = deque()

    def reset(self) -> None:
        """Drop every client and forget every session."""
        for connection in list(self.connections):
            connection.drop()
        self.sessions.clear()
        self.refusals.clear()
        self.duplicates = self.replayed = 0
        self.allowed_intents = ALL_INTENTS
        self.sharding_required = False

    async def dispatch(
        self, event: str, write: Write, *, guild_id: int | None, intents: int = 0
    ) -> None:
        """Tell every session that should hear it."""
        times = 1
        if event == "INTERACTION_CREATE" and self.duplicates:
            self.duplicates -= 1
            times = 2
        for session in self._hearing(guild_id, intents):
            for _ in range(times):
                await session.dispatch(event, write(session.builder))

    def _hearing(self, guild_id: int | None, intents: int) -> Iterator[Session]:
        """Yield the sessions of a guild's shard that want one of the intents (0: all do)."""
        now = self._state.clock.time_s()
        for session in list(self.sessions.values()):
            if session.is_over(now):
                del self.sessions[session.id]
            elif session.hears(guild_id) and (not intents or session.intents & intents):
                yield session

    async def dispatch_message(self, event: str, message: Message) -> None:
        """Tell sessions of a message, without its content where the intent is missing."""
        if message.ephemeral_for is not None:
            return
        guild_id = self._state.channels[message.channel_id].guild_id
        wanted = DIRECT_MESSAGES if guild_id is None else GUILD_MESSAGES
        bot_id = self._state.application.bot.id
        open_to_all = (
            guild_id is None or message.author.id == bot_id or bot_id in message.mention_ids
        )
        for session in self._hearing(guild_id, wanted):
            payload = session.builder.gateway_message(message)
            if not open_to_all and not session.intents & MESSAGE_CONTENT:
                payload |= {"content": "", "embeds": [], "attachments": [], "components": []}
            await session.dispatch(event, payload)

    async def dispatch_deletion(self, message: Message) -> None:
        """Tell sessions that a message is gone."""
        if message.ephemeral_for is not None:
            return
        guild_id = self._state.channels[message.channel_id].guild_id
        gone = {"id": str(message.id), "channel_id": str(message.channel_id)}
        if guild_id is not None:
            gone["guild_id"] = str(guild_id)
        wanted = DIRECT_MESSAGES if guild_id is None else GUILD_MESSAGES
        await self.dispatch("MESSAGE_DELETE", lambda _: gone, guild_id=guild_id, intents=wanted)

    async def fail(self, kind: str, details: Mapping[str, Any]) -> None:
        """Let one of the gateway's faults happen, at once or to the next that it concerns."""
        times = int(details.get("times", 1))
        if kind == "guild_gone":
            await self._lose_guild(int(details["guild_id"]), out=bool(details.get("unavailable")))
        if kind == "duplicate":
            self.duplicates += times
        elif kind == "replay":
            self.replayed = int(details.get("events", 1))
        elif kind == "refuse_identify":
            self.refusals.extend([int(details.get("code", 4004))] * times)
        for connection in list(self.connections):
            await self._fail_connection(connection, kind, details=details)

    async def _lose_guild(self, guild_id: int, *, out: bool) -> None:
        """Tell sessions that the bot is in a guild no more, or that it is out of order."""
        payload: Payload = {"id": str(guild_id), **({"unavailable": True} if out else {})}
        await self.dispatch("GUILD_DELETE", lambda _: payload, guild_id=guild_id)

    async def _fail_connection(
        self, connection: Connection, kind: str, *, details: Mapping[str, Any]
    ) -> None:
        if kind == "disconnect":
            connection.drop()
        elif kind == "close":
            connection.dismiss(int(details.get("code", 4000)))
        elif kind == "reconnect":
            await connection.send({"op": RECONNECT, "d": None})
        elif kind == "half_open":
            connection.silent = True
        elif kind == "no_acks":
            connection.acknowledges = False
        elif kind == "invalid_session":
            resumable = bool(details.get("resumable", False))
            if connection.session is not None and not resumable:
                self.sessions.pop(connection.session.id, None)
            await connection.send({"op": INVALID_SESSION, "d": resumable})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one websocket until either side leaves."""
        socket = web.WebSocketResponse(max_msg_size=1 << 20, autoping=True, compress=False)
        await socket.prepare(request)
        connection = Connection(socket, request=request)
        self.connections.add(connection)
        try:
            await self._serve(connection)
        except GatewayClosedError as closed:
            await connection.close(closed.code, closed.reason)
        finally:
            self._left(connection)
        return socket

    def _left(self, connection: Connection) -> None:
        self.connections.discard(connection)
        session = connection.session
        if session is None or session.connection is not connection:
            return
        session.connection = None
        session.left_at = self._state.clock.time_s()
        # A client that says goodbye with 1000 or 1001 gives its session up; others may resume.
        if connection.socket.close_code in (1000, 1001):
            self.sessions.pop(session.id, None)

    async def _serve(self, connection: Connection) -> None:
        version = connection.request.query.get("v", "10")
        if version not in ("9", "10"):
            raise GatewayClosedError(4012, "Invalid API version")
        await connection.send({"op": HELLO, "d": {"heartbeat_interval": self.heartbeat_ms}})
        limit_s = self.heartbeat_ms / 1000 * LATE_FACTOR
        while True:
            frame = await connection.receive(limit_s=limit_s)
            if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return
            if not connection.silent:
                await self._received(connection, frame.data)

    async def _received(self, connection: Connection, data: str | bytes) -> None:
        if connection.too_fast():
            raise GatewayClosedError(4008, "Rate limited.")
        try:
            frame = json.loads(data)
            op, body = int(frame["op"]), frame.get("d")
        except (ValueError, KeyError, TypeError) as err:
            raise GatewayClosedError(4002, "Error while decoding payload.") from err
        if op == HEARTBEAT:
            if connection.acknowledges:
                await connection.send({"op": ACK})
        elif op == IDENTIFY:
            await self._identify(connection, body)
        elif op == RESUME:
            await self._resume(connection, body)
        elif connection.session is None:
            raise GatewayClosedError(4003, "Not authenticated.")
        elif op == MEMBERS:
            await self._chunk(connection.session, body)
        elif op not in (PRESENCE, VOICE, SOUNDBOARD):
            raise GatewayClosedError(4001, "Unknown opcode.")

    async def _identify(self, connection: Connection, body: Payload) -> None:
        if connection.session is not None:
            raise GatewayClosedError(4005, "Already authenticated.")
        if self.refusals:
            raise GatewayClosedError(self.refusals.popleft(), "Ordered refusal.")
        self._check_token(body)
        shard = self._check_shard(body.get("shard") or [0, 1])
        intents = body.get("intents")
        if not isinstance(intents, int) or not 0 <= intents <= ALL_INTENTS:
            raise GatewayClosedError(4013, "Invalid intent(s).")
        if intents & ~self.allowed_intents:
            raise GatewayClosedError(4014, "Disallowed intent(s).")
        links = self._links.seen_by(connection.request.host)
        session = Session(
            id=secrets.token_hex(16),
            intents=intents,
            shard=shard,
            builder=Builder(state=self._state, links=links),
            resume_url=gateway_url(connection.request),
            connection=connection,
        )
        self.sessions[session.id] = session
        connection.session = session
        await self._welcome(session)

    async def _welcome(self, session: Session) -> None:
        guilds = [guild for guild in self._bot_guilds() if session.hears_guild(guild)]
        application = self._state.application
        ready: Payload = {
            "v": 10,
            "user": own_user_payload(application.bot),
            "guilds": [{"id": str(guild), "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "resume_gateway_url": session.resume_url,
            "shard": list(session.shard),
            "application": {
                "id": str(application.id),
                "flags": session.builder.application()["flags"],
            },
            "private_channels": [],
            "presences": [],
        }
        await session.dispatch("READY", ready)
        if session.intents & GUILDS:
            for guild in guilds:
                payload = session.builder.guild_create(self._state.guilds[guild])
                await session.dispatch("GUILD_CREATE", payload)

    def _bot_guilds(self) -> Iterable[int]:
        bot_id = self._state.application.bot.id
        return [guild.id for guild in self._state.guilds.values() if bot_id in guild.members]

    def _check_token(self, body: Payload) -> None:
        token = str(body.get("token", "")).removeprefix("Bot ")
        if not secrets.compare_digest(token.encode(), self._state.application.token.encode()):
            raise GatewayClosedError(4004, "Authentication failed.")

    def _check_shard(self, shard: list[Any]) -> tuple[int, int]:
        number, count = (int(part) for part in shard)
        if not 0 <= number < count:
            raise GatewayClosedError(4010, "Invalid shard.")
        if self.sharding_required and count == 1:
            raise GatewayClosedError(4011, "Sharding required.")
        return number, count

    async def _resume(self, connection: Connection, body: Payload) -> None:
        self._check_token(body)
        session = self.sessions.get(str(body.get("session_id")))
        if session is None or session.is_over(self._state.clock.time_s()):
            await connection.send({"op": INVALID_SESSION, "d": False})
            return
        sequence = int(body.get("seq") or 0)
        if sequence > session.sequence:
            raise GatewayClosedError(4007, "Invalid seq.")
        if session.connection is not None:
            session.connection.drop()
        connection.session = session
        session.connection = connection
        # An ordered replay sends events once more that the client has already seen.
        sequence, self.replayed = sequence - self.replayed, 0
        for frame in [kept for kept in session.events if kept["s"] > sequence]:
            await connection.send(frame)
        await session.dispatch("RESUMED", {})

    async def _chunk(self, session: Session, body: Payload) -> None:
        guild = self._state.guilds.get(int(body.get("guild_id", 0)))
        if guild is None:
            return
        wanted = {int(found) for found in _as_list(body.get("user_ids"))}
        start = str(body.get("query") or "").lower()
        members = [
            member_payload(member)
            for member in guild.members.values()
            if (member.user.id in wanted if wanted else member.user.username.startswith(start))
        ]
        chunk: Payload = {
            "guild_id": str(guild.id),
            "members": members,
            "chunk_index": 0,
            "chunk_count": 1,
        }
        if body.get("nonce"):
            chunk["nonce"] = body["nonce"]
        await session.dispatch("GUILD_MEMBERS_CHUNK", chunk)


def gateway_url(request: web.Request) -> str:
    """Return the gateway's address as this client can reach it."""
    if request.host.partition(":")[0].endswith(("discord.com", "discord.gg")):
        return "wss://gateway.discord.gg/"
    return f"ws://{request.host}/gateway"


def _as_list(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
