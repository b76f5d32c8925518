"""Logging in with Discord: the authorization code grant, with state and PKCE.

Sources: RFC 6749, 4.1; RFC 7636; Discord's documentation, "OAuth2".
"""

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from bot.errors import LoginError

API = "https://discord.com/api/v10"
SCOPES = "identify guilds"
MANAGE_GUILD, ADMINISTRATOR = 1 << 5, 1 << 3
TIMEOUT = aiohttp.ClientTimeout(total=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A login that has begun: what Discord is to send back, and what proves that it is ours."""

    state: str
    verifier: str

    @classmethod
    def new(cls) -> "Attempt":
        """Begin."""
        return cls(state=secrets.token_urlsafe(32), verifier=secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        """What the verifier is checked against (RFC 7636, S256)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who logged in, and which guilds they may manage."""

    id: int
    name: str
    guild_ids: frozenset[int]


class DiscordLogin:
    """Discord's side of a login.

    Args:
        connector: the way to Discord; closed with this.
        client_id: of the application, which is known once the bot has logged in.
        secret: of the application.
        page: where members' browsers find Discord.
        callback: where Discord sends them back to, known once the page is served.
    """

    def __init__(
        self,
        connector: aiohttp.BaseConnector,
        *,
        client_id: Callable[[], str],
        secret: str,
        page: str,
        callback: Callable[[], str],
    ) -> None:
        self._session = aiohttp.ClientSession(connector=connector, timeout=TIMEOUT)
        self._client_id = client_id
        self._secret = secret
        self._page = page
        self._callback = callback

    async def close(self) -> None:
        """Close the way to Discord."""
        await self._session.close()

    def address(self, attempt: Attempt) -> str:
        """Return where a browser asks Discord for a code."""
        asked = {
            "response_type": "code",
            "client_id": self._client_id(),
            "scope": SCOPES,
            "redirect_uri": self._callback(),
            "state": attempt.state,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
            "prompt": "none",
        }
        return str(URL(f"{self._page}/oauth2/authorize").with_query(asked))

    async def person(self, code: str, attempt: Attempt) -> Person:
        """Return who a code is from; the token that it gives is used for this and dropped.

        Raises:
            LoginError: Discord does not take the code, or cannot be reached.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._callback(),
            "code_verifier": attempt.verifier,
        }
        proof = aiohttp.encode_basic_auth(self._client_id(), self._secret)
        try:
            async with self._session.post(
                f"{API}/oauth2/token", data=form, headers={"Authorization": proof}
            ) as reply:
                token = _checked(reply.status, await reply.json())["access_token"]
            user = await self._asked("/users/@me", str(token))
            guilds = await self._asked("/users/@me/guilds", str(token))
            return Person(
                id=int(user["id"]),
                name=str(user.get("global_name") or user["username"]),
                guild_ids=frozenset(int(each["id"]) for each in guilds if _manages(each)),
            )
        except (aiohttp.ClientError, TimeoutError, KeyError, TypeError, ValueError) as err:
            raise LoginError("Discord could not be asked") from err

    async def _asked(self, path: str, token: str) -> Any:  # noqa: ANN401 (any JSON)
        headers = {"Authorization": f"Bearer {token}"}
        async with self._session.get(f"{API}{path}", headers=headers) as reply:
            return _checked(reply.status, await reply.json())


def _checked(status: int, body: Any) -> Any:  # noqa: ANN401 (any JSON)
    if status != 200:
        raise LoginError(f"Discord answered with {status}")
    return body


def _manages(guild: dict[str, Any]) -> bool:
    rights = int(guild.get("permissions", 0))
    return bool(guild.get("owner")) or bool(rights & (MANAGE_GUILD | ADMINISTRATOR))
