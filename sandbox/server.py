"""Discord on this machine, served on loopback."""

import asyncio
import copy
import socket
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox import keeping, world
from sandbox.clock import Clock
from sandbox.control import Control
from sandbox.errors import ApiError, MemberError, not_found
from sandbox.faults import Faults
from sandbox.greeting import Samples, greet
from sandbox.locales import LOCALES
from sandbox.replies import Payload, json_response
from sandbox.routes import cdn_routes, discord_routes
from sandbox.services import Services, assemble
from sandbox.state import State
from sandbox.tls import HOSTS, make_certificate, server_context

LOOPBACK = "127.0.0.1"
PAGE = Path(__file__).with_name("page")
SAVE_EVERY_S = 2.0
OWN_HOSTS = ("127.0.0.1", "localhost", *(host.removeprefix("*") for host in HOSTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """How a sandbox is run; port 0 takes any that is free."""

    port: int = 0
    tls_port: int = 0
    state_folder: Path | None = None
    samples_folder: Path | None = None
    welcome: Path | None = None
    locale: str | None = None
    bot_name: str = "Bot"


class Sandbox:
    """A Discord on this machine that one bot and its members can use."""

    def __init__(self, config: SandboxConfig | None = None) -> None:
        self.config = config or SandboxConfig()
        self.clock = Clock()
        self.state = self._remembered()
        for user in self.state.users.values() if self.config.locale else ():
            user.locale = self.config.locale or user.locale
        self.services: Services
        self.details: Payload = {}
        self._folder = tempfile.TemporaryDirectory(prefix="discord-sandbox-")
        self._samples = Samples(self.config.samples_folder)
        self._runner: web.AppRunner | None = None
        self._changed = False
        self._saving: asyncio.Task[None] | None = None

    @property
    def faults(self) -> Faults:
        """Where faults are ordered."""
        return self.services.faults

    async def start(self) -> None:
        """Listen on loopback and fill in ``details``."""
        plain, secure = _listen(self.config.port), _listen(self.config.tls_port)
        self.services = assemble(
            self.state, cdn_url=f"{_address(plain)}/cdn", folder=self._files_folder()
        )
        await self._greet()
        self._pristine = copy.deepcopy(self.state.memory)
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        certificate = await asyncio.to_thread(make_certificate, Path(self._folder.name))
        await web.SockSite(self._runner, plain).start()
        await web.SockSite(self._runner, secure, ssl_context=server_context(certificate)).start()
        self.details = self._described(plain, secure, certificate=certificate)
        if self.config.state_folder is not None:
            self._saving = asyncio.create_task(self._save_often(self.config.state_folder))

    async def close(self) -> None:
        """Drop every client, stop listening and keep what is remembered."""
        if self._saving is not None and self.config.state_folder is not None:
            self._saving.cancel()
            with suppress(asyncio.CancelledError):
                await self._saving
            keeping.save(self.state.memory, _memory_file(self.config.state_folder))
        if self._runner is not None:
            self.services.gateway.reset()
            await self.services.audience.close()
            await self._runner.cleanup()
        self._folder.cleanup()

    async def reset(self) -> None:
        """Go back to the world as it was at the start; clients are dropped, ids and token stay."""
        services = self.services
        services.gateway.reset()
        services.faults.clear()
        services.limits.reset()
        services.journal.exchanges.clear()
        services.interactions.reset()
        services.commands.overrides.clear()
        services.files.clear()
        self.clock.reset()
        self.state.memory = copy.deepcopy(self._pristine)

    def _app(self) -> web.Application:
        services = self.services
        control = Control(
            clock=self.clock,
            faults=services.faults,
            journal=services.journal,
            limits=services.limits,
            commands=services.commands,
            applications=services.applications,
            audience=services.audience,
            reset=self.reset,
        )
        app = web.Application(
            middlewares=[
                own_page_only,
                self._notice_changes,
                services.journal.middleware,
                services.limits.count_invalid,
                services.faults.middleware,
                services.limits.middleware,
                answer_errors,
            ],
            client_max_size=1 << 30,
        )
        app.add_routes(discord_routes(services))
        app.add_routes(cdn_routes(services))
        app.add_routes(services.members.routes())
        app.add_routes(control.routes())
        app.add_routes(self._samples.routes())
        app.add_routes(services.oauth.routes())
        app.add_routes([web.get("/sandbox/", self._show_details)])
        app.add_routes([web.get(path, self._front) for path in ("/", "/gateway", "/gateway/")])
        app.add_routes([web.get("/{name:.+}", self._page_file)])
        return app

    @web.middleware
    async def _notice_changes(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        self._changed = self._changed or request.method not in ("GET", "HEAD")
        return response

    async def _front(self, request: web.Request) -> web.StreamResponse:
        """Serve the gateway to websockets and the page to browsers, as both live at the root."""
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self.services.gateway.handle(request)
        page = PAGE / "index.html"
        if not page.is_file():
            return web.Response(text="The page is not installed; the API is served.")
        return web.FileResponse(page)

    async def _page_file(self, request: web.Request) -> web.StreamResponse:
        place = (PAGE / request.match_info["name"]).resolve()
        if PAGE.resolve() not in place.parents or not place.is_file():
            raise not_found()
        return web.FileResponse(place, headers={"Cache-Control": "no-cache"})

    async def _show_details(self, request: web.Request) -> web.Response:
        return json_response(self.details | {"members": self._people()})

    async def _greet(self) -> None:
        if self.config.welcome is not None:
            await greet(
                self.config.welcome.read_text(encoding="utf-8"),
                state=self.state,
                messages=self.services.messages,
                files=self.services.files,
                samples=self._samples,
            )

    def _remembered(self) -> State:
        folder = self.config.state_folder
        if folder is not None and _memory_file(folder).is_file():
            return State(clock=self.clock, memory=keeping.load(_memory_file(folder)))
        return world.new_world(clock=self.clock, bot_name=self.config.bot_name)

    def _files_folder(self) -> Path | None:
        if self.config.state_folder is None:
            return None
        folder = self.config.state_folder / "files"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    async def _save_often(self, folder: Path) -> None:
        while True:
            await asyncio.sleep(SAVE_EVERY_S)
            if not self._changed:
                continue
            self._changed = False
            keeping.save(self.state.memory, _memory_file(folder))

    def _described(
        self, plain: socket.socket, secure: socket.socket, *, certificate: Path
    ) -> Payload:
        page = _address(plain)
        guild = next(iter(self.state.guilds.values()))
        return {
            "page": f"{page}/",
            "api": f"{page}/api/v10",
            "gateway": f"{page.replace('http', 'ws', 1)}/gateway",
            "cdn": f"{page}/cdn",
            "tls_port": secure.getsockname()[1],
            "certificate": str(certificate),
            "token": self.state.application.token,
            "application_id": str(self.state.application.id),
            "client_secret": self.services.oauth.client_secret,
            "guild_id": str(guild.id),
            "locales": list(LOCALES),
            "channels": [
                {"id": str(channel.id), "name": channel.name}
                for channel in self.state.guild_channels(guild.id)
            ],
            "members": self._people(),
        }

    def _people(self) -> list[Payload]:
        """Return the members, and the languages that they have by now."""
        guild = next(iter(self.state.guilds.values()))
        people = [member.user for member in guild.members.values() if not member.user.bot]
        return [
            {
                "id": str(user.id),
                "name": user.name,
                "locale": user.locale,
                "admin": world.is_admin(self.state, guild, user_id=user.id),
            }
            for user in people
        ]


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn refusals into the replies that carry them."""
    try:
        return await handler(request)
    except ApiError as error:
        return error.response()
    except MemberError as error:
        return json_response({"message": error.message}, status=error.status)
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        return not_found().response()


@web.middleware
async def own_page_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse other web pages: a browser must not act as a member for a stranger's site."""
    origin = request.headers.get("Origin")
    foreign = origin is not None and origin.partition("://")[2] != request.host
    # A stranger's name may be made to mean this machine, so that the host is looked at too.
    if foreign or not request.host.partition(":")[0].endswith(OWN_HOSTS):
        return json_response({"message": "another site may not use this"}, status=403)
    return await handler(request)


def _memory_file(folder: Path) -> Path:
    return folder / "memory.json"


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, port))
    return listener


def _address(listener: socket.socket) -> str:
    return f"http://{LOOPBACK}:{listener.getsockname()[1]}"
