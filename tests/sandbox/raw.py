"""A bot without a library, for behaviours that libraries hide."""

import asyncio
import io
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp

from sandbox.replies import Json, Payload

PATIENCE_S = 5.0
ALL_INTENTS = (1 << 26) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An HTTP reply, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: Json

    @property
    def code(self) -> int:
        """Discord's number of the error."""
        return int(self.body["code"])


class RawGateway:
    """One gateway connection."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, op: int, data: Json = None, *, binary: bool = False) -> None:
        """Send a frame."""
        text = json.dumps({"op": op, "d": data})
        if binary:
            await self.socket.send_bytes(text.encode())
        else:
            await self.socket.send_str(text)

    async def next(self) -> Payload:
        """Return the next frame."""
        async with asyncio.timeout(PATIENCE_S):
            frame: Payload = json.loads(await self.socket.receive_str())
            return frame

    async def event(self, name: str) -> Payload:
        """Return the next event of this name, passing over others."""
        while True:
            frame = await self.next()
            if frame.get("t") == name:
                return frame

    async def acknowledged(self) -> None:
        """Pass over frames until a heartbeat is acknowledged."""
        while (await self.next())["op"] != 11:
            pass

    async def closed(self) -> int | None:
        """Wait for the end and return the closing code."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.socket.closed:
                await self.socket.receive()
        return self.socket.close_code


class RawBot:
    """Bare HTTP with the bot's token."""

    def __init__(self, details: Payload) -> None:
        self.details = details
        self.app_id: str = details["application_id"]
        self.guild_id: str = details["guild_id"]
        self.channel_id: str = details["channels"][0]["id"]
        self._numbers = itertools.count()

    async def __aenter__(self) -> Self:
        self.http = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.http.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Json = None,
        files: Mapping[str, bytes] | None = None,
        token: str | None = None,
    ) -> Reply:
        """Call the API."""
        headers = {"Authorization": f"Bot {token or self.details['token']}"}
        data: Json = None
        if files is not None:
            data = aiohttp.FormData(quote_fields=False)
            data.add_field("payload_json", json.dumps(body or {}), content_type="application/json")
            for index, (name, content) in enumerate(files.items()):
                data.add_field(f"files[{index}]", io.BytesIO(content), filename=name)
        elif body is not None:
            data = json.dumps(body)
            headers["Content-Type"] = "application/json"
        url = self.details["api"] + path
        async with self.http.request(method, url, data=data, headers=headers) as reply:
            text = await reply.text()
            is_json = reply.headers.get("Content-Type") == "application/json"
            return Reply(
                status=reply.status,
                headers=reply.headers,
                body=json.loads(text) if is_json else text,
            )

    async def gateway(self, query: str = "?v=10&encoding=json") -> RawGateway:
        """Open a gateway connection and read its greeting."""
        socket = await self.http.ws_connect(self.details["gateway"] + query)
        gateway = RawGateway(socket)
        assert (await gateway.next())["op"] == 10
        return gateway

    async def identified(self, *, intents: int = ALL_INTENTS, **extra: Json) -> RawGateway:
        """Open a gateway connection and identify."""
        gateway = await self.gateway()
        properties = {"os": "linux", "browser": "raw", "device": "raw"}
        body = {"token": self.details["token"], "intents": intents, "properties": properties}
        await gateway.send(2, body | extra)
        return gateway

    async def register(self, *commands: Payload) -> list[Payload]:
        """Register global commands."""
        reply = await self.call("PUT", f"/applications/{self.app_id}/commands", body=list(commands))
        assert reply.status == 200, reply.body
        return list(reply.body)

    async def answer(self, interaction: Payload, kind: int, data: Payload | None = None) -> Reply:
        """Answer an interaction."""
        body: Payload = {"type": kind}
        if data is not None:
            body["data"] = data
        path = f"/interactions/{interaction['id']}/{interaction['token']}/callback"
        return await self.call("POST", path, body=body)

    def original(self, interaction: Payload) -> str:
        """Return the path of an interaction's first reply."""
        return f"/webhooks/{self.app_id}/{interaction['token']}/messages/@original"
