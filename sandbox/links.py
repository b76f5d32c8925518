"""Signed, expiring addresses of files.

Source: Discord's documentation, "CDN Formatting", signed attachment URLs (``ex``, ``is``, ``hm``).
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sandbox.clock import Clock
from sandbox.state import Attachment

LIFETIME_S = 24 * 3600
DISCORD_CDN = "https://cdn.discordapp.com"
DISCORD_MEDIA = "https://media.discordapp.net"


def file_path(attachment: Attachment) -> str:
    """Return where a file lies under any of the CDN's addresses."""
    folder = "ephemeral-attachments" if attachment.ephemeral else "attachments"
    return f"/{folder}/{attachment.folder_id}/{attachment.id}/{attachment.filename}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Writes addresses as one kind of client should see them, and checks signatures."""

    clock: Clock
    secret: bytes
    cdn: str
    media: str

    def seen_by(self, host: str) -> "Links":
        """Return links for a client that reached the sandbox under this host name.

        Who was redirected here from Discord's names gets Discord's addresses, others local ones.
        """
        if host.partition(":")[0].endswith(("discord.com", "discord.gg")):
            return replace(self, cdn=DISCORD_CDN, media=DISCORD_MEDIA)
        return self

    def url(self, attachment: Attachment) -> str:
        """Return the signed address of a file."""
        return self.cdn + self.signed(file_path(attachment))

    def proxy_url(self, attachment: Attachment) -> str:
        """Return the signed address of a file on the media proxy."""
        return self.media + self.signed(file_path(attachment))

    def signed(self, path: str) -> str:
        """Return a path with an expiry, an issue time and the signature of both."""
        issued = int(self.clock.time_s())
        until, since = f"{issued + LIFETIME_S:x}", f"{issued:x}"
        return f"{path}?ex={until}&is={since}&hm={self._signature(path, until, since=since)}&"

    def is_valid(self, path: str, query: Mapping[str, str]) -> bool:
        """Return whether a path's signature is ours and has not expired."""
        until, since = query.get("ex", ""), query.get("is", "")
        expected = self._signature(path, until, since=since)
        if not hmac.compare_digest(expected.encode(), query.get("hm", "").encode()):
            return False
        return int(until, 16) > self.clock.time_s()

    def _signature(self, path: str, until: str, *, since: str) -> str:
        text = f"{path}|{until}|{since}".encode()
        return hmac.new(self.secret, text, hashlib.sha256).hexdigest()
