"""What members see as it happens: a websocket for each open page."""

import json

from aiohttp import web

from sandbox import permissions
from sandbox.builders import Builder
from sandbox.replies import Payload
from sandbox.state import Channel, Message, State


class Audience:
    """Sends events to the pages of the members who may see them."""

    def __init__(self, *, state: State, builder: Builder) -> None:
        self._state = state
        self._builder = builder
        self._pages: dict[int, set[web.WebSocketResponse]] = {}

    def sees(self, user_id: int, channel: Channel) -> bool:
        """Return whether a user may look into a channel."""
        if channel.guild_id is None:
            return user_id in channel.recipient_ids
        granted = permissions.in_channel(self._state, channel, user_id=user_id)
        return bool(granted & permissions.VIEW_CHANNEL)

    def message(self, message: Message) -> Payload:
        """Return a message as members' pages get it."""
        reader = message.ephemeral_for
        return self._builder.message(message) | {
            "ephemeral_for": str(reader) if reader is not None else None,
            "command": message.command,
        }

    async def tell_message(self, event: str, message: Message) -> None:
        """Tell every member who may see a message about it."""
        if event == "MESSAGE_DELETE":
            data: Payload = {"id": str(message.id), "channel_id": str(message.channel_id)}
        else:
            data = self.message(message)
        channel = self._state.channels[message.channel_id]
        for user_id in list(self._pages):
            if message.visible_to(user_id) and self.sees(user_id, channel):
                await self.tell(user_id, event, data=data)

    async def tell_channel(self, channel: Channel, event: str, *, data: Payload) -> None:
        """Tell every member of a channel."""
        for user_id in list(self._pages):
            if self.sees(user_id, channel):
                await self.tell(user_id, event, data=data)

    async def tell_all(self, event: str, data: Payload) -> None:
        """Tell every member."""
        for user_id in list(self._pages):
            await self.tell(user_id, event, data=data)

    async def tell(self, user_id: int, event: str, *, data: Payload) -> None:
        """Tell one member."""
        frame = json.dumps({"type": event, "data": data})
        for page in list(self._pages.get(user_id, ())):
            try:
                await page.send_str(frame)
            except ConnectionError:
                self._pages[user_id].discard(page)

    async def handle(self, request: web.Request, user_id: int) -> web.WebSocketResponse:
        """Serve one page's websocket until it leaves."""
        page = web.WebSocketResponse(heartbeat=30)
        await page.prepare(request)
        self._pages.setdefault(user_id, set()).add(page)
        try:
            async for _ in page:
                pass
        finally:
            self._pages[user_id].discard(page)
        return page

    async def close(self) -> None:
        """Close every page's websocket."""
        for pages in list(self._pages.values()):
            for page in list(pages):
                await page.close()
