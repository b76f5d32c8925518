"""The interface that turns the clock, orders faults and looks at what the bot did."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from sandbox.applications import Applications
from sandbox.audience import Audience
from sandbox.clock import Clock
from sandbox.commands import CommandBook
from sandbox.errors import MemberError
from sandbox.faults import Faults
from sandbox.journal import Journal
from sandbox.ratelimits import RateLimits
from sandbox.replies import json_response
from sandbox.uploads import read_json


class Control:
    """Serves ``/sandbox/clock``, ``/sandbox/faults``, ``/sandbox/requests`` and what admins set."""

    def __init__(
        self,
        *,
        clock: Clock,
        faults: Faults,
        journal: Journal,
        limits: RateLimits,
        commands: CommandBook,
        applications: Applications,
        audience: Audience,
        reset: Callable[[], Awaitable[None]],
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._journal = journal
        self._limits = limits
        self._commands = commands
        self._applications = applications
        self._audience = audience
        self._reset = reset

    def routes(self) -> list[web.RouteDef]:
        """Return the interface's routes."""
        return [
            web.get("/sandbox/clock", self.time),
            web.post("/sandbox/clock", self.turn),
            web.get("/sandbox/faults", self.faults),
            web.post("/sandbox/faults", self.order),
            web.delete("/sandbox/faults", self.clear),
            web.get("/sandbox/requests", self.requests),
            web.get("/sandbox/limits", self.limits),
            web.post("/sandbox/reset", self.reset),
            web.put("/sandbox/guilds/{guild_id}/commands/{command_id}/permissions", self.allow),
            web.post("/sandbox/entitlements", self.buy),
        ]

    async def time(self, request: web.Request) -> web.Response:
        """Return the sandbox's time."""
        return json_response({"now": self._clock.now().isoformat()})

    async def turn(self, request: web.Request) -> web.Response:
        """Turn the clock forward."""
        body = await read_json(request)
        seconds = float(body.get("advance_s", 0))
        if seconds < 0:
            raise MemberError("advance_s must not be negative")
        self._clock.advance(seconds)
        return await self.time(request)

    async def faults(self, request: web.Request) -> web.Response:
        """Return the faults that still wait for their requests."""
        return json_response(
            [
                {"kind": order.kind, "times": order.times, "route": order.route}
                | dict(order.details)
                for order in self._faults.orders
            ]
        )

    async def order(self, request: web.Request) -> web.Response:
        """Order a fault."""
        body = await read_json(request)
        await self._faults.order(str(body.pop("kind", "")), **body)
        return web.Response(status=204)

    async def clear(self, request: web.Request) -> web.Response:
        """Forget every fault that waits."""
        self._faults.clear()
        return web.Response(status=204)

    async def requests(self, request: web.Request) -> web.Response:
        """Return the log of the bot's requests, oldest first."""
        return json_response([exchange.summary() for exchange in self._journal.exchanges])

    async def limits(self, request: web.Request) -> web.Response:
        """Return how many requests of the last ten minutes count towards a ban."""
        return json_response({"invalid_requests": self._limits.invalid_requests})

    async def reset(self, request: web.Request) -> web.Response:
        """Go back to the world as it was at the start."""
        await self._reset()
        return web.Response(status=204)

    async def allow(self, request: web.Request) -> web.Response:
        """Set who may use a command in a guild, as its admins can."""
        body = await read_json(request)
        key = (int(request.match_info["guild_id"]), int(request.match_info["command_id"]))
        self._commands.overrides[key] = list(body.get("permissions") or ())
        await self._audience.tell_all("COMMANDS_UPDATE", {})
        return web.Response(status=204)

    async def buy(self, request: web.Request) -> web.Response:
        """Buy something of the application for a user or a guild."""
        body = await read_json(request)
        owner = "guild_id" if "guild_id" in body else "user_id"
        made = await self._applications.grant(
            str(body["sku_id"]), owner=owner, owner_id=str(body[owner])
        )
        return json_response(made)
