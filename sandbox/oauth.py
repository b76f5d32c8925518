"""Logging in to a web page with an account of the sandbox's: the authorization code grant.

Sources: RFC 6749, 4.1; RFC 7636; Discord's documentation, "OAuth2". Nothing is registered here, so
that any page on this machine may be come back to, and no other.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from html import escape

from aiohttp import web
from yarl import URL

from sandbox import permissions
from sandbox.builders import Builder, own_user_payload, user_payload
from sandbox.errors import MemberError, unauthorized
from sandbox.replies import Payload, json_response
from sandbox.state import State, User

LIFE_S = 604_800
LOOPBACK = ("127.0.0.1", "localhost", "::1")
FORM_KEYS = ("client_id", "redirect_uri", "scope", "state", "code_challenge")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a code is worth, once."""

    user_id: int
    redirect_uri: str
    scope: str
    challenge: str


class OAuth:
    """Serves ``/oauth2/...`` and what a bearer's token opens."""

    def __init__(self, *, state: State) -> None:
        self._state = state
        self._codes: dict[str, Grant] = {}
        self._bearers: dict[str, Grant] = {}

    @property
    def client_secret(self) -> str:
        """The application's secret."""
        return hashlib.sha256(self._state.application.token.encode()).hexdigest()[:32]

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the page on which members decide."""
        return [
            web.get("/oauth2/authorize", self.ask),
            web.get("/oauth2/authorize/{member_id}", self.decide),
        ]

    async def ask(self, request: web.Request) -> web.Response:
        """Ask as whom to log in."""
        asked = self._asked(request)
        people = [user for user in self._state.users.values() if not user.bot]
        rows = "".join(
            f'<li><a href="{escape(self._choice(user, asked))}">'
            f"Authorize as {escape(user.name)}</a></li>"
            for user in people
        )
        name = escape(self._state.application.name)
        body = f"<!doctype html><html lang=en><title>Log in</title><h1>{name}</h1><ul>{rows}</ul>"
        return web.Response(text=body, content_type="text/html")

    async def decide(self, request: web.Request) -> web.Response:
        """Send a member back to the page with a code."""
        asked, member_id = self._asked(request), int(request.match_info["member_id"])
        if member_id not in self._state.users or self._state.users[member_id].bot:
            raise MemberError("there is no such member", status=404)
        code = secrets.token_urlsafe(20)
        self._codes[code] = Grant(
            user_id=member_id,
            redirect_uri=asked["redirect_uri"],
            scope=asked["scope"],
            challenge=asked["code_challenge"],
        )
        back = URL(asked["redirect_uri"]).update_query(code=code, state=asked["state"])
        return web.Response(status=302, headers={"Location": str(back)})

    async def token(self, request: web.Request, build: Builder) -> web.Response:
        """Give a token for a code, which is worth nothing after that."""
        form = await request.post()
        if not self._is_application(request, dict(form)):
            return json_response({"error": "invalid_client"}, status=401)
        grant = self._codes.pop(str(form.get("code", "")), None)
        proof = hashlib.sha256(str(form.get("code_verifier", "")).encode()).digest()
        challenge = base64.urlsafe_b64encode(proof).decode().rstrip("=")
        if (
            grant is None
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != grant.redirect_uri
            or (grant.challenge and grant.challenge != challenge)
        ):
            return json_response({"error": "invalid_grant"}, status=400)
        bearer = secrets.token_urlsafe(24)
        self._bearers[bearer] = grant
        return json_response(
            {
                "access_token": bearer,
                "token_type": "Bearer",
                "expires_in": LIFE_S,
                "refresh_token": secrets.token_urlsafe(24),
                "scope": grant.scope,
            }
        )

    def own_account(self, request: web.Request) -> Payload:
        """Return the account that a bearer's token is of."""
        user, grant = self._bearer(request)
        return own_user_payload(user) if "identify" in grant.scope.split() else user_payload(user)

    def own_guilds(self, request: web.Request) -> list[Payload]:
        """Return the guilds that the account is a member of, with its permissions there."""
        user, grant = self._bearer(request)
        if "guilds" not in grant.scope.split():
            raise unauthorized()
        return [
            {
                "id": str(guild.id),
                "name": guild.name,
                "icon": None,
                "banner": None,
                "owner": guild.owner_id == user.id,
                "permissions": str(permissions.in_guild(guild, user.id)),
                "features": [],
            }
            for guild in self._state.guilds.values()
            if user.id in guild.members
        ]

    def _bearer(self, request: web.Request) -> tuple[User, Grant]:
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        grant = self._bearers.get(given) if kind == "Bearer" else None
        if grant is None:
            raise unauthorized()
        return self._state.users[grant.user_id], grant

    def _asked(self, request: web.Request) -> dict[str, str]:
        """Return what a page asks for.

        Raises:
            MemberError: it is another application, or the page is not on this machine.
        """
        asked = {key: request.query.get(key, "") for key in FORM_KEYS}
        local = URL(asked["redirect_uri"]).host in LOOPBACK
        if asked["client_id"] != str(self._state.application.id) or not local:
            raise MemberError("no such application, or no page of this machine's")
        return asked

    def _choice(self, user: User, asked: dict[str, str]) -> str:
        return str(URL(f"/oauth2/authorize/{user.id}").with_query(asked))

    def _is_application(self, request: web.Request, form: dict[str, object]) -> bool:
        given = f"{form.get('client_id')}:{form.get('client_secret')}"
        if request.headers.get("Authorization", "").startswith("Basic "):
            given = base64.b64decode(request.headers["Authorization"][6:]).decode()
        own = f"{self._state.application.id}:{self.client_secret}"
        return secrets.compare_digest(given.encode(), own.encode())
