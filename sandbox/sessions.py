"""Sessions of gateway clients and the websockets they come and go with."""

import asyncio
import json
import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMessage, web

from sandbox.builders import Builder
from sandbox.replies import Payload

DISPATCH = 0
EVENTS_KEPT = 2000
RESUMABLE_S = 600.0
SENDS_PER_MINUTE = 120


@dataclass(slots=True, kw_only=True)
class Session:
    """What is remembered of one identified client, across its connections."""

    id: str
    intents: int
    shard: tuple[int, int]
    builder: Builder
    resume_url: str
    sequence: int = 0
    events: deque[Payload] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    connection: "Connection | None" = None
    left_at: float = 0.0

    def is_over(self, now: float) -> bool:
        """Return whether the client has been away for too long to resume."""
        return self.connection is None and now > self.left_at + RESUMABLE_S

    def hears_guild(self, guild_id: int) -> bool:
        """Return whether this shard is told about a guild."""
        return (guild_id >> 22) % self.shard[1] == self.shard[0]

    def hears(self, guild_id: int | None) -> bool:
        """Return whether this shard is told about a guild, or about direct channels (None)."""
        return self.shard[0] == 0 if guild_id is None else self.hears_guild(guild_id)

    async def dispatch(self, event: str, data: Payload) -> None:
        """Number an event, keep it for a replay and send it when somebody is connected."""
        self.sequence += 1
        frame: Payload = {"op": DISPATCH, "t": event, "s": self.sequence, "d": data}
        self.events.append(frame)
        if self.connection is not None:
            await self.connection.send(frame)


class GatewayClosedError(Exception):
    """The client did what a closing code is for."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Connection:
    """One websocket of a client."""

    def __init__(self, socket: web.WebSocketResponse, *, request: web.Request) -> None:
        self.socket = socket
        self.request = request
        self.session: Session | None = None
        self.acknowledges = True
        self.silent = False
        # Every other transport compression is optional to send, so that it stays plain text.
        wants_zlib = request.query.get("compress") == "zlib-stream"
        self._deflater = zlib.compressobj() if wants_zlib else None
        self._dismissed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._sent_at: deque[float] = deque(maxlen=SENDS_PER_MINUTE)

    async def send(self, frame: Payload) -> None:
        """Send a frame, unless the connection is gone or only seems alive."""
        if self.silent or self.socket.closed:
            return
        text = json.dumps(frame)
        try:
            if self._deflater is None:
                await self.socket.send_str(text)
            else:
                await self.socket.send_bytes(self._deflated(text))
        except ConnectionError:
            # The client is gone; what was sent waits in the session for its return.
            return

    def _deflated(self, text: str) -> bytes:
        """Return a frame as the next piece of the connection's one zlib stream."""
        assert self._deflater is not None
        return self._deflater.compress(text.encode()) + self._deflater.flush(zlib.Z_SYNC_FLUSH)

    async def receive(self, *, limit_s: float) -> WSMessage:
        """Return the client's next frame.

        Raises:
            GatewayClosedError: when it took too long, or when the client is dismissed.
        """
        receiving = asyncio.ensure_future(self.socket.receive())
        waiting: set[asyncio.Future[Any]] = {receiving, self._dismissed}
        try:
            done, _ = await asyncio.wait(
                waiting, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            receiving.cancel()
        if receiving in done:
            return receiving.result()
        if self._dismissed in done:
            raise GatewayClosedError(self._dismissed.result(), "Dismissed.")
        raise GatewayClosedError(4009, "Session timed out.")

    def dismiss(self, code: int) -> None:
        """Let the connection end with a closing code."""
        if not self._dismissed.done():
            self._dismissed.set_result(code)

    async def close(self, code: int, reason: str = "") -> None:
        """Close with one of Discord's codes, without waiting for the other side."""
        await self.socket.close(code=code, message=reason.encode(), drain=False)

    def drop(self) -> None:
        """Cut the connection without a closing frame."""
        if self.request.transport is not None:
            self.request.transport.abort()

    def too_fast(self) -> bool:
        """Count one frame of the client and return whether it is over the limit."""
        now = asyncio.get_running_loop().time()
        full = len(self._sent_at) == SENDS_PER_MINUTE
        over = full and now - self._sent_at[0] < 60
        self._sent_at.append(now)
        return over
