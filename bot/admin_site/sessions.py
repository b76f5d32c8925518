"""Who is logged in to the admin page: kept by this process alone, and forgotten when it ends.

A cookie holds a random key and nothing else; a new login has a new key, so that none that was
planted in a browser before is ever worth anything (OWASP, "Session Fixation").
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

LIFE_S = 3600.0
"""Rights are read at the login; whoever has lost theirs is out after so long."""
MOST = 1000
KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A login.

    Args:
        actor_id: in whose name acts are logged.
        name: what they are called.
        guild_ids: the guilds that they may manage; None is every one that the bot is in.
        csrf: what each form of theirs carries.
        ends_at: on the monotonic clock.
    """

    actor_id: int
    name: str
    guild_ids: frozenset[int] | None
    csrf: str
    ends_at: float


class Sessions:
    """The logins that hold now."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, Session] = OrderedDict()

    def begin(self, *, actor_id: int, name: str, guild_ids: frozenset[int] | None) -> str:
        """Log somebody in, and return the key for their cookie."""
        key = secrets.token_urlsafe(KEY_BYTES)
        self._kept[key] = Session(
            actor_id=actor_id,
            name=name,
            guild_ids=guild_ids,
            csrf=secrets.token_urlsafe(KEY_BYTES),
            ends_at=self._clock() + LIFE_S,
        )
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return key

    def find(self, key: str | None) -> Session | None:
        """Return the login of a cookie's key; None if it is over or never was."""
        found = self._kept.get(key or "")
        if found is not None and found.ends_at <= self._clock():
            self.end(key)
            return None
        return found

    def end(self, key: str | None) -> None:
        """Log somebody out."""
        self._kept.pop(key or "", None)
