"""/healthz, /readyz, /metrics, /overview and /admin; on loopback unless the settings differ."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from bot.metrics import Metrics
from bot.overview import Overview


class HealthPages:
    """Four pages for whoever watches the bot.

    Args:
        ready: tells whether the bot can answer members now.
        overview: looks at what goes on.
    """

    def __init__(
        self, *, metrics: Metrics, ready: Callable[[], bool], overview: Callable[[], Overview]
    ) -> None:
        self._metrics = metrics
        self._overview = overview
        self._ready = ready
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._show_metrics)
        app.router.add_get("/overview", self._show_overview)
        self._app = app
        self._runner = web.AppRunner(app, access_log=None)

    def add_admin(self, site: web.Application) -> None:
        """Serve the admin page, too; before anything is served."""
        self._app.router.add_get("/admin", _to_admin)
        self._app.add_subapp("/admin/", site)

    async def start(self, *, host: str, port: int) -> int:
        """Listen, and return the port.

        Raises:
            OSError: the port is taken.
        """
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        """The process lives and its loop turns."""
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        """Discord, the engine and the database answer."""
        if self._ready():
            return web.Response(text="ready\n")
        return web.Response(text="not ready\n", status=503)

    async def _show_metrics(self, _: web.Request) -> web.Response:
        """Everything that is measured."""
        body = generate_latest(self._metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _show_overview(self, _: web.Request) -> web.Response:
        """What goes on now, as JSON."""
        body = self._overview().model_dump_json()
        return web.Response(text=body, content_type="application/json")


async def _to_admin(_: web.Request) -> web.Response:
    return web.Response(status=308, headers={"Location": "/admin/"})
