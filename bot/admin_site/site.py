"""The admin page as a part of the bot's web server, under ``/admin``.

It works without scripts and asks for nothing from elsewhere, which its headers hold browsers to.
"""

import secrets
from importlib.resources import files

import discord
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy.exc import SQLAlchemyError
from yarl import URL

from bot.admin_site.approvals import ApprovalPages
from bot.admin_site.dashboard import UsagePages
from bot.admin_site.doors import LOOPBACK, SESSION, Doors
from bot.admin_site.oauth import DiscordLogin
from bot.admin_site.pages import Pages
from bot.admin_site.quotas import QuotaPages
from bot.admin_site.sessions import Sessions
from bot.admin_site.thumbnails import Thumbnails
from bot.errors import LoginError
from bot.redirect import connector
from bot.services import Services
from bot.settings import Settings
from bot.usage import device_time
from generation.codecs import CodecPool

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With no referrer at all browsers hide where a form is from, too.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
CALLBACK = "/admin/login/callback"
GUILD = r"/{guild:\d{1,19}}"
JOB = r"{job:[0-9a-f]{32}}"
MAX_FORM_BYTES = 16 * 1024

log = structlog.get_logger()


def templates() -> Environment:
    """Return the templates; whatever goes into them is escaped."""
    look = Environment(
        loader=PackageLoader("bot.admin_site"), autoescape=True, undefined=StrictUndefined
    )
    look.filters["device_time"] = device_time
    for name in look.list_templates():
        look.get_template(name)
    return look


class AdminPage:
    """The admin page of one bot.

    Args:
        client: logged in by the time that anybody asks.
        services: what commands work with, too.
        codecs: what makes small pictures.
    """

    def __init__(
        self, settings: Settings, *, client: discord.Client, services: Services, codecs: CodecPool
    ) -> None:
        self.port = settings.web_port
        self._base = settings.web_url
        self._login = self._discord(settings, client)
        self._doors = Doors(
            sessions=Sessions(),
            login=self._login,
            token=secrets.token_urlsafe(32) if settings.web_host in LOOPBACK else None,
            base=URL(self._base) if self._base is not None else None,
            operator=lambda: client.user.id if client.user is not None else 0,
        )
        look = templates()
        thumbnails = Thumbnails(files=services.files, codecs=codecs)
        self.app = admin_site(
            Pages(
                client=client,
                services=services,
                doors=self._doors,
                thumbnails=thumbnails,
                look=look,
            )
        )

    @property
    def address(self) -> str | None:
        """The address that lets in whoever sits at this machine, None where there is none."""
        if self._doors.token is None:
            return None
        return f"http://127.0.0.1:{self.port}/admin/login?token={self._doors.token}"

    async def close(self) -> None:
        """Close the way to Discord."""
        if self._login is not None:
            await self._login.close()

    def _discord(self, settings: Settings, client: discord.Client) -> DiscordLogin | None:
        if settings.web_client_secret is None:
            return None
        host = settings.sandbox_address or "discord.com"
        return DiscordLogin(
            connector(settings),
            client_id=lambda: str(client.application_id),
            secret=settings.web_client_secret.get_secret_value(),
            page=f"https://{host}",
            callback=lambda: f"{self._base or f'http://127.0.0.1:{self.port}'}{CALLBACK}",
        )


def admin_site(pages: Pages) -> web.Application:
    """Return the admin page, to be served under ``/admin``."""
    doors, style = pages.doors, (files("bot.admin_site") / "static" / "site.css").read_bytes()

    approvals, quotas = ApprovalPages(pages=pages), QuotaPages(pages=pages)
    usage = UsagePages(pages=pages)

    async def css(_: web.Request) -> web.Response:
        headers = {"Cache-Control": "public, max-age=3600"}
        return web.Response(body=style, content_type="text/css", headers=headers)

    async def login(request: web.Request) -> web.StreamResponse:
        if "token" in request.query:
            return await doors.by_token(request)
        if doors.session(request) is not None:
            raise web.HTTPSeeOther("/admin/")
        return _login_page(pages, request)

    open_pages = {"/static/site.css": css, "/login": login, "/login/discord": doors.begin,
                  "/login/callback": doors.callback}  # fmt: skip
    app = web.Application(
        middlewares=[_guarded(pages, open_to_all=frozenset(open_pages))],
        client_max_size=MAX_FORM_BYTES,
    )
    app.add_routes([web.get(path, page) for path, page in open_pages.items()])
    app.add_routes(
        [
            web.get("/", pages.home),
            web.post("/logout", doors.leave),
            web.get(f"{GUILD}/", usage.overview),
            web.get(rf"{GUILD}/usage.{{kind:csv|json}}", usage.file),
            web.get(f"{GUILD}/jobs", pages.jobs),
            web.get(f"{GUILD}/jobs/{JOB}/thumbnail", pages.thumbnail),
            web.post(f"{GUILD}/jobs/{JOB}/requeue", pages.requeue),
            web.post(f"{GUILD}/jobs/{JOB}/drop", pages.drop),
            web.get(f"{GUILD}/quotas", quotas.show),
            web.post(f"{GUILD}/quotas", quotas.set_limit),
            web.post(f"{GUILD}/quotas/grant", quotas.grant),
            web.post(f"{GUILD}/quotas/reset", quotas.reset),
            web.get(f"{GUILD}/approvals", approvals.waiting),
            web.get(rf"{GUILD}/approvals/{JOB}/{{number:\d{{1,3}}}}", approvals.picture),
            web.post(f"{GUILD}/approvals", approvals.decide),
            web.get(f"{GUILD}/audit", pages.audit),
        ]
    )
    return app


def _guarded(pages: Pages, *, open_to_all: frozenset[str]) -> Middleware:
    doors = pages.doors

    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        doors.require_host(request)
        session = doors.session(request)
        if session is None and request.path.removeprefix("/admin") not in open_to_all:
            return _login_page(pages, request, status=200 if request.method == "GET" else 403)
        if session is not None:
            request[SESSION] = session
        return await handler(request)

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let in who is logged in, and say of all else the same: that there is nothing."""
        try:
            response = await answer(request, handler)
        except LoginError as err:
            log.info("not logged in to the admin page", reason=str(err))
            response = _login_page(pages, request, status=403, failed=True)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
            response = pages.page(request, "missing.html", status=404)
        except web.HTTPException as err:
            if err.status == web.HTTPForbidden.status_code and SESSION in request:
                response = pages.page(request, "refused.html", status=403, problem="stale")
            else:
                err.headers.update(HEADERS)
                raise
        except (SQLAlchemyError, OSError) as err:
            log.error("a page could not be shown", path=request.path, exc_info=err)
            response = pages.page(request, "refused.html", status=503, problem="away")
        response.headers.update(HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        if doors.secure:
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        return response

    return guard


def _login_page(
    pages: Pages, request: web.Request, *, status: int = 200, failed: bool = False
) -> web.Response:
    return pages.page(
        request,
        "login.html",
        status=status,
        failed=failed,
        discord=pages.doors.login is not None,
        token=pages.doors.token is not None,
    )
