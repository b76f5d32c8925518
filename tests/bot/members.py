"""A member of the sandbox's guild, as a test acts for one."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import aiohttp

from tests.bot.pictures import photo

Message = dict[str, Any]
WAIT_S = 20.0


class Member:
    """Acts over the sandbox's member interface."""

    def __init__(
        self, session: aiohttp.ClientSession, *, page: str, member_id: str, channel_id: str
    ) -> None:
        self._session = session
        self._base = f"{page}sandbox/members/{member_id}"
        self.id = member_id
        self.channel_id = channel_id
        self.events: list[dict[str, Any]] = []
        self._listener = asyncio.create_task(self._listen())

    async def close(self) -> None:
        self._listener.cancel()
        await asyncio.gather(self._listener, return_exceptions=True)

    async def _listen(self) -> None:
        async with self._session.ws_connect(f"{self._base}/events") as socket:
            async for frame in socket:
                self.events.append(json.loads(frame.data))

    async def upload(self, data: bytes | None = None, name: str = "photo.png") -> str:
        form = aiohttp.FormData()
        form.add_field("files[0]", photo() if data is None else data, filename=name)
        answer = await self._post("attachments", data=form)
        return str(answer[0]["id"])

    async def say(self, content: str, *, attachments: tuple[str, ...] = ()) -> Message:
        body = {"channel_id": self.channel_id, "content": content, "attachments": attachments}
        sent: Message = await self._post("messages", json=body)
        return sent

    async def speak(self, locale: str) -> None:
        """Choose the language of the member's client."""
        async with self._session.put(f"{self._base}/locale", json={"locale": locale}) as response:
            assert response.status == 204, await response.text()

    async def commands(self) -> list[dict[str, Any]]:
        """Return the commands that the member is offered, in their language."""
        async with self._session.get(f"{self._base}/channels/{self.channel_id}/commands") as found:
            listed: list[dict[str, Any]] = await found.json()
            return listed

    async def command(self, name: str, subcommand: str | None, **options: object) -> dict[str, Any]:
        body = {"kind": "command", "name": name, "subcommand": subcommand, "options": options}
        return await self.interact(**{key: value for key, value in body.items() if value})

    async def remix(self, prompt: str = "night", **options: object) -> dict[str, Any]:
        image = options.pop("image", None) or await self.upload()
        return await self.command("remix", None, image=image, prompt=prompt, **options)

    async def press(self, message: Message, label: str) -> dict[str, Any]:
        return await self.interact(
            kind="component", message_id=message["id"], custom_id=button(message, label)
        )

    async def fill(self, **values: object) -> dict[str, Any]:
        """Submit the form that was opened last."""
        form = await self.event("MODAL")
        return await self.interact(kind="modal", modal_id=form["modal_id"], values=values)

    async def interact(self, **body: object) -> dict[str, Any]:
        """Post an interaction; the status comes along, 504 when nobody answered."""
        body = {"channel_id": self.channel_id, **body}
        async with self._session.post(f"{self._base}/interactions", json=body) as response:
            return {"status": response.status, **await response.json()}

    async def messages(self) -> list[Message]:
        url = f"{self._base}/channels/{self.channel_id}/messages"
        async with self._session.get(url, params={"limit": 100}) as response:
            found: list[Message] = await response.json()
            return found

    async def until(
        self, wanted: Callable[[Message], bool], *, count: int = 1, wait_s: float = WAIT_S
    ) -> list[Message]:
        """Return the visible messages that are wanted, as soon as there are so many."""
        end = time.monotonic() + wait_s
        while True:
            messages = await self.messages()
            found = [message for message in messages if wanted(message)]
            if len(found) >= count:
                return found
            if time.monotonic() > end:
                seen = "\n".join(text_of(message) for message in messages)
                raise AssertionError(f"{len(found)} of {count} messages came; there are:\n{seen}")
            await asyncio.sleep(0.05)

    async def result(self, *, wait_s: float = WAIT_S) -> Message:
        """Return the newest finished picture."""
        return (await self.until(is_result, wait_s=wait_s))[-1]

    async def results(self, count: int, *, wait_s: float = WAIT_S) -> list[Message]:
        """Return all finished pictures, once there are so many."""
        return await self.until(is_result, count=count, wait_s=wait_s)

    async def picture(self, message: Message) -> bytes:
        """Return the first file of a message."""
        return await self.fetch(message["attachments"][0]["url"])

    async def go_direct(self) -> None:
        """Go on in the direct channel with the bot."""
        async with self._session.get(f"{self._base}/channels") as response:
            channels = await response.json()
        self.channel_id = next(found["id"] for found in channels if found["type"] == 1)

    async def text(self, part: str, *, wait_s: float = WAIT_S) -> Message:
        """Return the newest message that holds some words."""
        return (await self.until(lambda message: part in text_of(message), wait_s=wait_s))[-1]

    async def gone(self, message: Message, *, wait_s: float = WAIT_S) -> None:
        """Wait until a message is not there any more."""
        end = time.monotonic() + wait_s
        while message["id"] in [seen["id"] for seen in await self.messages()]:
            assert time.monotonic() < end, "the message is still there"
            await asyncio.sleep(0.05)

    async def delete(self, message: Message) -> None:
        """Delete a message, as a moderator does."""
        url = f"{self._base}/channels/{self.channel_id}/messages/{message['id']}"
        async with self._session.delete(url) as response:
            assert response.status < 300, await response.text()

    async def event(self, kind: str, *, wait_s: float = WAIT_S) -> dict[str, Any]:
        """Return the newest event of a kind."""
        end = time.monotonic() + wait_s
        while time.monotonic() < end:
            found = [event["data"] for event in self.events if event["type"] == kind]
            if found:
                return dict(found[-1])
            await asyncio.sleep(0.02)
        raise AssertionError(f"no {kind} came")

    async def fetch(self, address: str) -> bytes:
        async with self._session.get(address) as response:
            assert response.status == 200, response.status
            return await response.read()

    async def _post(self, path: str, **body: Any) -> Any:  # noqa: ANN401
        async with self._session.post(f"{self._base}/{path}", **body) as response:
            assert response.status < 300, await response.text()
            return await response.json()


def parts(message: Message) -> list[dict[str, Any]]:
    """Return all components of a message, at any depth."""
    found: list[dict[str, Any]] = []
    left = list(message.get("components") or ())
    while left:
        part = left.pop(0)
        found.append(part)
        left[:0] = part.get("components") or ()
    return found


def text_of(message: Message) -> str:
    """Return a message's words."""
    words = [str(part.get("content", "")) for part in parts(message)]
    return "\n".join(filter(None, (message.get("content"), *words)))


def labels(message: Message) -> list[str]:
    """Return the labels of a message's buttons."""
    return [str(part["label"]) for part in parts(message) if part.get("type") == 2]


def button(message: Message, label: str) -> str:
    """Return the custom id of the button with a label."""
    return next(str(part["custom_id"]) for part in parts(message) if part.get("label") == label)


def is_result(message: Message) -> bool:
    """Tell whether a message shows a finished picture."""
    return "Delete" in labels(message)


def job_of(message: Message) -> str:
    """Return the id of the job that a message's buttons are about."""
    return button(message, labels(message)[0]).split(":")[2]
