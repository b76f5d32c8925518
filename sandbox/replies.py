"""HTTP replies as Discord sends them."""

import json
from typing import Any

from aiohttp import web

Payload = dict[str, Any]
# What JSON may hold; its users look at the type before they trust it.
Json = Any


def json_response(body: object, *, status: int = 200) -> web.Response:
    """Return a JSON reply whose content type is exactly ``application/json``.

    discord.py compares the header as a whole, so that no charset may follow it.
    """
    return web.Response(
        body=json.dumps(body).encode(),
        status=status,
        headers={"Content-Type": "application/json"},
    )
