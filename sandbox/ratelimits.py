"""Rate limits: a bucket for each route and its major parameter, and one for everything.

Source: Discord's documentation, "Rate Limits". The numbers are those that bots usually see;
Discord promises none.
"""

import hashlib
import math
import re
from collections import deque
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox.clock import Clock
from sandbox.journal import route_of
from sandbox.replies import Payload, json_response

GLOBAL_PER_S = 50
INVALID_LIMIT = 10_000
INVALID_WINDOW_S = 600.0
INVALID_STATUSES = (401, 403, 429)
MAJOR = ("channel_id", "guild_id", "webhook_id", "token")
VIA = {"Via": "1.1 google"}
BANNED = "<html><head><title>Access denied</title></head><body>error code: 1015</body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How many requests of a route are served in a window."""

    method: str
    route: str
    requests: int
    window_s: float


LIMITS = (
    Limit(method="POST", route=r"/channels/\{channel_id\}/messages", requests=5, window_s=5),
    Limit(method="PATCH", route=r"/channels/.*/messages/.*", requests=5, window_s=5),
    Limit(method="DELETE", route=r"/channels/.*/messages/.*", requests=5, window_s=1),
    Limit(method="POST", route=r"/channels/.*/typing", requests=5, window_s=5),
    Limit(method="(PUT|DELETE)", route=r"/channels/.*/reactions/.*", requests=1, window_s=0.25),
    Limit(method=".*", route=r"/webhooks/.*", requests=5, window_s=2),
    Limit(method="(PUT|POST|PATCH)", route=r"/applications/.*/commands.*", requests=5, window_s=5),
)
DEFAULT_LIMIT = Limit(method=".*", route=".*", requests=50, window_s=1)


@dataclass(slots=True, kw_only=True)
class Bucket:
    """A window that opens with its first request."""

    limit: Limit
    opened_at: float = 0.0
    used: int = 0

    def take(self, now: float) -> bool:
        """Count one request and return whether it is served."""
        if now >= self.opened_at + self.limit.window_s:
            self.opened_at, self.used = now, 0
        if self.used >= self.limit.requests:
            return False
        self.used += 1
        return True

    def resets_in(self, now: float) -> float:
        """Return the seconds until the window closes."""
        return max(0.0, self.opened_at + self.limit.window_s - now)


class RateLimits:
    """Counts requests and refuses those that are too many."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str, str], Bucket] = {}
        self._global = Bucket(
            limit=Limit(method=".*", route=".*", requests=GLOBAL_PER_S, window_s=1)
        )
        self._invalid_at: deque[float] = deque(maxlen=INVALID_LIMIT)
        self.enabled = True

    @property
    def invalid_requests(self) -> int:
        """How many requests of the last ten minutes were answered with 401, 403 or 429."""
        since = self._clock.time_s() - INVALID_WINDOW_S
        return sum(at >= since for at in self._invalid_at)

    def reset(self) -> None:
        """Forget every count."""
        self._buckets.clear()
        self._invalid_at.clear()
        self._global.used = 0
        self.enabled = True

    @web.middleware
    async def count_invalid(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count refused requests of the API; ten thousand in ten minutes are a ban."""
        if not request.path.startswith("/api/"):
            return await handler(request)
        if self.invalid_requests >= INVALID_LIMIT:
            return banned()
        response = await handler(request)
        if response.status in INVALID_STATUSES:
            self._invalid_at.append(self._clock.time_s())
        return response

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Serve a request of the API, or refuse it with 429."""
        if not request.path.startswith("/api/") or not self.enabled:
            return await handler(request)
        now, route = self._clock.time_s(), route_of(request)
        free = route.startswith(("/interactions/", "/webhooks/"))
        if not free and not self._global.take(now):
            return too_many(self._global.resets_in(now), scope="global")
        if route.startswith("/interactions/"):
            return await handler(request)
        bucket = self._bucket(request, route)
        served = bucket.take(now)
        headers = self._headers(bucket, route, method=request.method)
        if not served:
            return too_many(bucket.resets_in(now), scope="user", headers=headers)
        response = await handler(request)
        response.headers.update(headers)
        return response

    def _bucket(self, request: web.Request, route: str) -> Bucket:
        major = "/".join(request.match_info.get(name, "") for name in MAJOR)
        key = (request.method, route, major)
        if key not in self._buckets:
            self._buckets[key] = Bucket(limit=limit_of(request.method, route))
        return self._buckets[key]

    def _headers(self, bucket: Bucket, route: str, *, method: str) -> dict[str, str]:
        now = self._clock.time_s()
        resets_in = bucket.resets_in(now)
        name = hashlib.sha256(f"{method} {route}".encode()).hexdigest()[:32]
        return {
            "X-RateLimit-Limit": str(bucket.limit.requests),
            "X-RateLimit-Remaining": str(bucket.limit.requests - bucket.used),
            "X-RateLimit-Reset": f"{now + resets_in:.3f}",
            "X-RateLimit-Reset-After": f"{resets_in:.3f}",
            "X-RateLimit-Bucket": name,
        } | VIA


def limit_of(method: str, route: str) -> Limit:
    """Return the limit of a route."""
    for limit in LIMITS:
        if re.fullmatch(limit.method, method) and re.fullmatch(limit.route, route):
            return limit
    return DEFAULT_LIMIT


def too_many(
    retry_after_s: float, *, scope: str, headers: dict[str, str] | None = None
) -> web.Response:
    """Return a 429 that says when to try again, from Discord itself (``Via``)."""
    body: Payload = {
        "message": "You are being rate limited.",
        "code": 0,
        "retry_after": round(retry_after_s, 3),
        "global": scope == "global",
    }
    response = json_response(body, status=429)
    response.headers.update(headers or {})
    response.headers.update(VIA)
    response.headers["Retry-After"] = str(math.ceil(retry_after_s))
    response.headers["X-RateLimit-Scope"] = scope
    if scope == "global":
        response.headers["X-RateLimit-Global"] = "true"
    return response


def banned() -> web.Response:
    """Return the 429 of the network in front of Discord: a page, and no ``Via``."""
    return web.Response(status=429, text=BANNED, content_type="text/html")
