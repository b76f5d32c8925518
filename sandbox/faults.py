"""Faults that can be ordered: everything that goes wrong between a bot and Discord."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox.errors import MemberError
from sandbox.gateway import Gateway
from sandbox.interactions import LATE_BY_S
from sandbox.ratelimits import banned, too_many
from sandbox.replies import Json, Payload, json_response

HTTP_KINDS = ("status", "rate_limit", "delay", "drop", "lost_reply", "late_ack")
CDN_MODES = ("status", "slow", "stall", "truncated", "drip", "endless", "gzip", "redirect")
GATEWAY_KINDS = (
    "disconnect",
    "close",
    "reconnect",
    "invalid_session",
    "half_open",
    "no_acks",
    "duplicate",
    "replay",
    "refuse_identify",
    "guild_gone",
)
KINDS = (*HTTP_KINDS, "cdn", *GATEWAY_KINDS)


@dataclass(slots=True, kw_only=True)
class Order:
    """A fault that waits for the requests it is meant for."""

    kind: str
    times: int | None = 1
    method: str = ""
    route: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def fits(self, request: web.Request) -> bool:
        """Return whether a request is meant; an empty method or route means all."""
        if self.method and self.method != request.method:
            return False
        return re.search(self.route, request.path) is not None

    def number(self, name: str, default: float) -> float:
        """Return a number among the details."""
        return float(self.details.get(name, default))


class Faults:
    """Takes orders and carries them out."""

    def __init__(self, *, gateway: Gateway) -> None:
        self._gateway = gateway
        self.orders: list[Order] = []

    async def order(self, kind: str, **details: Json) -> None:
        """Order a fault; those of the gateway happen at once.

        Raises:
            MemberError: for a fault that does not exist.
        """
        if kind not in KINDS:
            raise MemberError(f"kind must be one of {', '.join(KINDS)}")
        if kind == "cdn" and details.get("mode") not in CDN_MODES:
            raise MemberError(f"mode must be one of {', '.join(CDN_MODES)}")
        if kind in GATEWAY_KINDS:
            await self._gateway.fail(kind, details)
            return
        times = details.pop("times", 1)
        self.orders.append(
            Order(
                kind=kind,
                times=times,
                method=str(details.pop("method", "")).upper(),
                route=str(details.pop("route", "")),
                details=details,
            )
        )

    def clear(self) -> None:
        """Forget every order that still waits."""
        self.orders.clear()

    def take(self, request: web.Request, *kinds: str) -> Order | None:
        """Return the first order for this request and count it as carried out."""
        for order in self.orders:
            if order.kind in kinds and order.fits(request):
                if order.times is not None:
                    order.times -= 1
                    if order.times <= 0:
                        self.orders.remove(order)
                return order
        return None

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let ordered faults happen to requests of the API."""
        if not request.path.startswith("/api/"):
            return await handler(request)
        order = self.take(request, *HTTP_KINDS)
        if order is None:
            return await handler(request)
        if order.kind == "delay":
            await asyncio.sleep(order.number("seconds", 1.0))
            return await handler(request)
        if order.kind == "late_ack":
            request[LATE_BY_S] = order.number("seconds", 3.5)
            return await handler(request)
        if order.kind == "drop":
            return _dropped(request)
        if order.kind == "lost_reply":
            await handler(request)
            return _failure(order) if "status" in order.details else _dropped(request)
        if order.kind == "rate_limit":
            return _rate_limited(order)
        return _failure(order)


def _rate_limited(order: Order) -> web.Response:
    scope = str(order.details.get("scope", "bucket"))
    if scope == "html":
        return banned()
    wait_s = order.number("retry_after_s", 0.2)
    return too_many(wait_s, scope="user" if scope == "bucket" else scope)


def _failure(order: Order) -> web.Response:
    status = int(order.number("status", 502))
    if "code" in order.details:
        body: Payload = {"message": "Ordered failure", "code": int(order.details["code"])}
        return json_response(body, status=status)
    text = f"<html><body><center><h1>{status}</h1></center></body></html>"
    return web.Response(status=status, text=text, content_type="text/html")


def _dropped(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    # Nobody receives this; the log then shows that no reply left.
    return web.Response(status=499)
