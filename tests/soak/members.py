"""Members who use the demo over the sandbox's interface, and what they saw."""

import json
import random
import re
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

Json = dict[str, Any]
LOADING = 1 << 7


@dataclass(slots=True, kw_only=True)
class Seen:
    """What was acknowledged, and what became of it."""

    acknowledged_s: list[float] = field(default_factory=list)
    failed: int = 0


class Crowd:
    """The sandbox's members, sending commands one after the other without waiting for results.

    Args:
        session: an HTTP session.
        page: the sandbox's address.
        rng: decides who asks for what.
    """

    def __init__(self, session: aiohttp.ClientSession, *, page: str, rng: random.Random) -> None:
        self._session = session
        self._page = page.rstrip("/")
        self.rng = rng
        self.details: Json = {}
        self.seen = Seen()

    async def arrive(self) -> None:
        """Learn who and where one is."""
        self.details = await self._call("GET", "/sandbox/")

    async def send(self, picture: bytes, *, presets: list[str]) -> None:
        """Send one command as one of the members, and note whether it was acknowledged."""
        member = self.rng.choice(self.details["members"])["id"]
        uploaded = await self.upload(member, picture)
        if self.rng.random() < 0.5:
            order: Json = {"name": "remix", "options": {"prompt": self.rng.choice(presets)}}
        else:
            order = {"name": "style", "options": {"preset": "mosaic"}}
        order["options"] |= {"image": uploaded, "seed": self.rng.randrange(2**32)}
        start = time.perf_counter()
        if await self.command(member, order) is None:
            self.seen.failed += 1
        else:
            self.seen.acknowledged_s.append(time.perf_counter() - start)

    async def command(self, member: str, order: Json) -> float | None:
        """Send a command; return the milliseconds of its acknowledgement, None without one."""
        channel = self.details["channels"][0]["id"]
        body = {"kind": "command", "channel_id": channel, **order}
        try:
            told = await self._call("POST", f"/sandbox/members/{member}/interactions", json=body)
        except aiohttp.ClientResponseError:
            return None
        return float(told["acknowledged_ms"])

    async def messages(self) -> list[Json]:
        """Return all messages that the first member sees."""
        member, channel = self.details["members"][0]["id"], self.details["channels"][0]["id"]
        path = f"/sandbox/members/{member}/channels/{channel}/messages"
        found: list[Json] = []
        before: Json = {}
        while page := await self._call("GET", path, params={"limit": 100, **before}):
            found += page
            before = {"before": min(page, key=lambda it: int(it["id"]))["id"]}
        return found

    async def fault(self, order: Json) -> None:
        """Order a fault."""
        await self._call("POST", "/sandbox/faults", json=order)

    async def invalid_requests(self) -> int:
        """Return how many of the bot's requests count towards a ban."""
        limits = await self._call("GET", "/sandbox/limits")
        return int(limits["invalid_requests"])

    async def upload(self, member: str, picture: bytes) -> str:
        """Upload a picture that commands may name; return its id."""
        form = aiohttp.FormData()
        form.add_field("files[0]", picture, filename="photo.jpg", content_type="image/jpeg")
        sent = await self._call("POST", f"/sandbox/members/{member}/attachments", data=form)
        return str(sent[0]["id"])

    async def _call(self, method: str, path: str, **body: Any) -> Any:  # noqa: ANN401
        async with self._session.request(method, self._page + path, **body) as response:
            response.raise_for_status()
            if response.status == 204:
                return None
            return await response.json()


def waits(message: Json) -> bool:
    """Tell whether a command was acknowledged and nothing said yet."""
    return bool(int(message.get("flags", 0)) & LOADING)


def was_cut_off(message: Json) -> bool:
    """Tell whether a member was told that a command has to be sent again."""
    return "I was cut off before I could begin" in json.dumps(message)


def shown_job(message: Json) -> str:
    """Return the job whose finished picture a message shows, "" when it shows none."""
    found = re.search(r"atelier:delete:([0-9a-f]{32})", json.dumps(message))
    return found[1] if found else ""
