"""Files that arrive late, broken, endlessly or from elsewhere."""

import asyncio
import zlib
from functools import cache

from aiohttp import web

from sandbox.faults import Order

CHUNK = bytes(64 * 1024)
BOMB_BYTES = 500 << 20


async def serve_badly(
    request: web.Request, order: Order, *, data: bytes, content_type: str
) -> web.StreamResponse:
    """Answer a request for a file in the way that was ordered."""
    mode = order.details["mode"]
    headers = {"Content-Type": content_type}
    if mode == "status":
        return web.Response(status=int(order.number("status", 503)), text="ordered failure")
    if mode == "redirect":
        location = str(order.details.get("location", f"http://{request.host}/sandbox/"))
        return web.Response(status=302, headers={"Location": location})
    if mode == "slow":
        await asyncio.sleep(order.number("seconds", 1.0))
        return web.Response(body=data, headers=headers)
    if mode == "gzip":
        body = await asyncio.to_thread(_bomb, int(order.number("bytes", BOMB_BYTES)))
        return web.Response(body=body, headers=headers | {"Content-Encoding": "gzip"})
    response = web.StreamResponse(headers=headers)
    if mode != "endless":
        response.content_length = len(data)
    await response.prepare(request)
    try:
        await _send(response, request, order=order, data=data)
    except ConnectionError:
        # The client had enough, which is what these faults wait for.
        return response
    return response


async def _send(
    response: web.StreamResponse, request: web.Request, *, order: Order, data: bytes
) -> None:
    mode = order.details["mode"]
    if mode == "endless":
        while _listening(request):
            await response.write(CHUNK)
            # A write need not wait, and only a loop that turns hears that the client has left.
            await asyncio.sleep(0)
    elif mode == "drip":
        for place in range(len(data)):
            await response.write(data[place : place + 1])
            await asyncio.sleep(order.number("interval_s", 0.05))
    else:
        await response.write(data[: len(data) // 2])
        if mode == "stall":
            await _until_gone(request)
        if request.transport is not None:
            request.transport.close()


async def _until_gone(request: web.Request) -> None:
    # aiohttp offers no event for a client that leaves, so that this looks now and then.
    while _listening(request):  # noqa: ASYNC110
        await asyncio.sleep(0.05)


def _listening(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()


@cache
def _bomb(size: int) -> bytes:
    pieces = []
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    for _ in range(size // len(CHUNK)):
        pieces.append(compressor.compress(CHUNK))
    return b"".join([*pieces, compressor.flush()])
