"""What a newcomer finds in the first channel, and sample pictures to try things on."""

from pathlib import Path

from aiohttp import web

from sandbox.messages import Messages
from sandbox.replies import json_response
from sandbox.state import Message, State, User
from sandbox.uploads import Draft, FileStore, UploadedFile

PICTURES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
GUIDE = "Guide"


class Samples:
    """Serves a folder of pictures that members may use."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def pictures(self) -> list[Path]:
        """Return the sample pictures in the order of their names."""
        if self._folder is None:
            return []
        return sorted(place for place in self._folder.iterdir() if place.suffix in PICTURES)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the list and of the pictures."""
        return [
            web.get("/sandbox/samples", self.listed),
            web.get("/sandbox/samples/{name}", self.get),
        ]

    async def listed(self, request: web.Request) -> web.Response:
        """Return names, sizes and addresses of the samples."""
        return json_response(
            [
                {
                    "name": place.name,
                    "size": place.stat().st_size,
                    "url": f"/sandbox/samples/{place.name}",
                }
                for place in self.pictures()
            ]
        )

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Return one sample picture."""
        for place in self.pictures():
            if place.name == request.match_info["name"]:
                return web.FileResponse(place)
        raise web.HTTPNotFound


async def greet(
    text: str, *, state: State, messages: Messages, files: FileStore, samples: Samples
) -> None:
    """Write the first message of the first channel, with the samples attached, if it is empty."""
    channel = next(found for found in state.channels.values() if found.guild_id is not None)
    if any(True for _ in state.history(channel.id)):
        return
    guide = User(id=state.clock.next_id(), name=GUIDE, bot=True)
    state.users[guide.id] = guide
    message = Message(
        id=state.clock.next_id(),
        channel_id=channel.id,
        author=guide,
        created_at=state.clock.now(),
    )
    for place in samples.pictures()[:10]:
        uploaded = UploadedFile(
            filename=place.name, data=place.read_bytes(), content_type=PICTURES[place.suffix]
        )
        message.attachments.append(files.add(uploaded, folder_id=channel.id))
    await messages.post(message, Draft(payload={"content": text}))
