"""Members as tests act them: over the sandbox's member interface, like the page."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import aiohttp

from sandbox.replies import Json, Payload

PATIENCE_S = 10.0


class Person:
    """One member in one channel, with the events that its page would show."""

    def __init__(self, details: Payload, name: str, *, channel: str = "general") -> None:
        self.name = name
        self.id: str = next(found["id"] for found in details["members"] if found["name"] == name)
        self.channel_id: str = next(
            found["id"] for found in details["channels"] if found["name"] == channel
        )
        self._base = f"{details['page']}sandbox/members/{self.id}"
        self.events: list[Payload] = []
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.http = aiohttp.ClientSession()
        self._socket = await self.http.ws_connect(f"{self._base}/events")
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listening.cancel()
        await self._socket.close()
        await self.http.close()

    async def _listen(self) -> None:
        async for frame in self._socket:
            self.events.append(frame.json())
            self._changed.set()

    async def upload(self, *files: tuple[str, bytes]) -> list[Payload]:
        """Upload files and return their descriptions."""
        form = aiohttp.FormData(quote_fields=False)
        for index, (filename, data) in enumerate(files):
            form.add_field(f"files[{index}]", io.BytesIO(data), filename=filename)
        found: list[Payload] = await self._json("POST", "/attachments", data=form)
        return found

    async def say(self, content: str = "", *, attachments: Sequence[str] = ()) -> Payload:
        """Send a message."""
        body = {
            "channel_id": self.channel_id,
            "content": content,
            "attachments": list(attachments),
        }
        return dict(await self._json("POST", "/messages", json=body))

    async def command(
        self, name: str, *path: str, options: Mapping[str, object] | None = None
    ) -> Payload:
        """Use a slash command and return how the sandbox answered."""
        return await self.interact(
            kind="command", name=name, subcommand=list(path), options=dict(options or {})
        )

    async def press(
        self, message: Payload, custom_id: str, *, values: Sequence[str] = ()
    ) -> Payload:
        """Press a button or choose in a select."""
        return await self.interact(
            kind="component",
            message_id=message["id"],
            channel_id=message["channel_id"],
            custom_id=custom_id,
            values=list(values),
        )

    async def submit(self, modal: Payload, values: Mapping[str, object]) -> Payload:
        """Submit a modal."""
        return await self.interact(kind="modal", modal_id=modal["modal_id"], values=dict(values))

    async def interact(self, **body: Json) -> Payload:
        """Send an interaction; the answer carries ``status``."""
        body.setdefault("channel_id", self.channel_id)
        async with self.http.post(f"{self._base}/interactions", json=body) as reply:
            told: Payload = await reply.json()
            return told | {"status": reply.status}

    async def commands(self) -> list[Payload]:
        """Return the commands that are offered."""
        return list(await self._json("GET", f"/channels/{self.channel_id}/commands"))

    async def messages(self) -> list[Payload]:
        """Return the messages that are seen, oldest first."""
        return list(await self._json("GET", f"/channels/{self.channel_id}/messages"))

    async def sees(
        self,
        fits: Callable[[Payload], bool],
        *,
        kind: str = "MESSAGE",
        patience_s: float = PATIENCE_S,
    ) -> Payload:
        """Wait until an event's data fits, past events included; ``kind`` begins its type."""
        async with asyncio.timeout(patience_s):
            while True:
                for event in self.events:
                    if event["type"].startswith(kind) and fits(event["data"]):
                        return dict(event["data"])
                self._changed.clear()
                await self._changed.wait()

    async def _json(self, method: str, path: str, **body: Json) -> Json:
        async with self.http.request(method, self._base + path, **body) as reply:
            reply.raise_for_status()
            return await reply.json()


@asynccontextmanager
async def people(details: Payload, *names: str) -> AsyncIterator[list[Person]]:
    """Let several members in at once."""
    found = [Person(details, name) for name in names]
    for person in found:
        await person.__aenter__()
    try:
        yield found
    finally:
        for person in found:
            await person.__aexit__(None, None, None)
