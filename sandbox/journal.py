"""What the bot asked and what it was answered, for tests and for validation."""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox.clock import Clock
from sandbox.replies import Json, Payload
from sandbox.uploads import BODY, FILES

KEPT = 5000
PREFIX = "/api/v{version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request of the bot and its reply."""

    method: str
    route: str
    path: str
    query: dict[str, str]
    at: datetime
    content_type: str
    request: Json
    files: tuple[str, ...]
    status: int
    headers: dict[str, str]
    response: Json

    def summary(self) -> Payload:
        """Return the line of the request log."""
        code = self.response.get("code") if isinstance(self.response, dict) else None
        return {
            "method": self.method,
            "route": self.route,
            "path": self.path,
            "status": self.status,
            "code": code if self.status >= 400 else None,
            "at": self.at.isoformat(),
        }


class Journal:
    """Keeps the newest exchanges and shows each to whoever observes."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self.exchanges: deque[Exchange] = deque(maxlen=KEPT)
        self.observers: list[Callable[[Exchange], None]] = []

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Write down every exchange on the API."""
        if not request.path.startswith("/api/"):
            return await handler(request)
        at = self._clock.now()
        response = await handler(request)
        exchange = Exchange(
            method=request.method,
            route=route_of(request),
            path=request.path,
            query=dict(request.query),
            at=at,
            content_type=request.content_type,
            request=request.get(BODY),
            files=request.get(FILES, ()),
            status=response.status,
            headers=dict(response.headers),
            response=_parsed(response),
        )
        self.exchanges.append(exchange)
        for observe in self.observers:
            observe(exchange)
        return response


def route_of(request: web.Request) -> str:
    """Return a request's route as Discord's documentation writes it, without the version."""
    resource = request.match_info.route.resource
    if resource is None or not resource.canonical.startswith(PREFIX):
        return request.path
    return resource.canonical.removeprefix(PREFIX)


def _parsed(response: web.StreamResponse) -> Json:
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes):
        return None
    if response.content_type != "application/json":
        return response.body.decode(errors="replace")
    return json.loads(response.body)
