"""Letting people in to the admin page: who they are, from where, and with which rights."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from aiohttp import web
from yarl import URL

from bot.admin_site.oauth import Attempt, DiscordLogin
from bot.admin_site.sessions import LIFE_S, Session, Sessions
from bot.errors import LoginError

COOKIE, ATTEMPT_COOKIE = "atelier_admin", "atelier_login"
ATTEMPT_S = 600
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
HOME = "/admin/"
SESSION = web.RequestKey("session", Session)
"""Whose request it is; only in those of somebody who is logged in."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The ways in.

    Args:
        sessions: who is in.
        login: Discord's side; None where no client secret is set.
        token: what opens the page on this machine; None where it is served to others.
        base: the page's public address; None is this machine's own.
        operator: the id that acts of whoever has the token are logged under.
    """

    sessions: Sessions
    login: DiscordLogin | None
    token: str | None
    base: URL | None
    operator: Callable[[], int]

    @property
    def secure(self) -> bool:
        """Whether browsers reach the page by https alone."""
        return self.base is not None and self.base.scheme == "https"

    def require_host(self, request: web.Request) -> None:
        """Refuse names that are not the page's, which a stranger's may be made to resolve to.

        Raises:
            HTTPForbidden: it is another one.
        """
        host = URL(f"http://{request.host}").host
        if host not in LOOPBACK and (self.base is None or host != self.base.host):
            raise web.HTTPForbidden(text="not this page's address")

    def session(self, request: web.Request) -> Session | None:
        """Return whose request it is."""
        return self.sessions.find(request.cookies.get(COOKIE))

    async def form(self, request: web.Request) -> dict[str, str]:
        """Return a form that was filled in on our own page by whoever is logged in.

        Raises:
            HTTPForbidden: it is from elsewhere.
        """
        session, fields = request[SESSION], await request.post()
        given = str(fields.get("csrf", ""))
        own = request.headers.get("Origin", "").partition("://")[2] in ("", request.host)
        if not own or not secrets.compare_digest(given.encode(), session.csrf.encode()):
            raise web.HTTPForbidden(text="this form is not from this page")
        return {name: value for name, value in fields.items() if isinstance(value, str)}

    async def by_token(self, request: web.Request) -> web.Response:
        """Log in whoever has this start's token and sits at this machine."""
        given = request.query.get("token", "")
        host = URL(f"http://{request.host}").host
        local = request.remote in LOOPBACK and host in LOOPBACK
        own = (self.token or "").encode()
        if not (own and local and secrets.compare_digest(given.encode(), own)):
            raise LoginError("wrong token")
        return self._let_in(request, actor_id=self.operator(), name="operator", guild_ids=None)

    async def begin(self, request: web.Request) -> web.Response:
        """Send a browser to Discord."""
        if self.login is None:
            raise LoginError("no client secret is set")
        attempt = Attempt.new()
        response = web.Response(status=303, headers={"Location": self.login.address(attempt)})
        self._set(response, ATTEMPT_COOKIE, f"{attempt.state}.{attempt.verifier}", age_s=ATTEMPT_S)
        return response

    async def callback(self, request: web.Request) -> web.Response:
        """Log in whom Discord sends back, if it is the browser that was sent there."""
        kept_state, _, verifier = request.cookies.get(ATTEMPT_COOKIE, "").partition(".")
        state, code = request.query.get("state", ""), request.query.get("code", "")
        known = kept_state and secrets.compare_digest(state.encode(), kept_state.encode())
        if self.login is None or not known or not code:
            raise LoginError("a login that did not begin here, or was called off")
        person = await self.login.person(code, Attempt(state=state, verifier=verifier))
        return self._let_in(
            request, actor_id=person.id, name=person.name, guild_ids=person.guild_ids
        )

    async def leave(self, request: web.Request) -> web.Response:
        """Log out."""
        await self.form(request)
        self.sessions.end(request.cookies.get(COOKIE))
        response = web.Response(status=303, headers={"Location": HOME})
        response.del_cookie(COOKIE, path="/admin")
        return response

    def _let_in(
        self,
        request: web.Request,
        *,
        actor_id: int,
        name: str,
        guild_ids: frozenset[int] | None,
    ) -> web.Response:
        self.sessions.end(request.cookies.get(COOKIE))
        key = self.sessions.begin(actor_id=actor_id, name=name, guild_ids=guild_ids)
        log.info("logged in to the admin page", member=actor_id)
        response = web.Response(status=303, headers={"Location": HOME})
        self._set(response, COOKIE, key, age_s=int(LIFE_S))
        response.del_cookie(ATTEMPT_COOKIE, path="/admin")
        return response

    def _set(self, response: web.Response, name: str, value: str, *, age_s: int) -> None:
        # Strict cookies are left out of the way back from Discord, so that it would never end.
        response.set_cookie(
            name,
            value,
            max_age=age_s,
            path="/admin",
            httponly=True,
            samesite="Lax",
            secure=self.secure,
        )
