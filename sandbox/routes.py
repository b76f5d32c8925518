"""Which address leads where: Discord's own routes, as tables."""

import secrets
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox.builders import Builder
from sandbox.errors import unauthorized
from sandbox.replies import json_response
from sandbox.services import Services

API = r"/api/v{version:\d+}"
ID = r"\d+"
BotHandler = Callable[[web.Request, Builder], Awaitable[web.Response]]
Row = tuple[str, str, BotHandler]
Table = tuple[Row, ...]


def discord_routes(services: Services) -> list[web.RouteDef]:
    """Return Discord's REST routes, those that need the bot's token and those that do not."""
    guarded = [*_rest(services), *_messages(services), *_applications(services)]
    return [
        *(_route(services, row, guard=True) for row in guarded),
        *(_route(services, row, guard=False) for row in _interactions(services)),
        *(_route(services, row, guard=False) for row in _accounts(services)),
    ]


def cdn_routes(services: Services) -> list[web.RouteDef]:
    """Return the CDN's routes, under ``/cdn`` and at the root for Discord's own host names."""
    folder = f"{{folder_id:{ID}}}/{{attachment_id:{ID}}}/{{filename}}"
    return [
        web.get(f"{base}{path}", handler)
        for base in ("/cdn", "")
        for path, handler in (
            (f"/attachments/{folder}", services.cdn.file),
            (f"/ephemeral-attachments/{folder}", services.cdn.file),
            (f"/embed/avatars/{{index:{ID}}}.png", services.cdn.avatar),
        )
    ]


def _rest(services: Services) -> Table:
    rest = services.rest
    guild = f"/guilds/{{guild_id:{ID}}}"
    return (
        ("POST", "/users/@me/channels", rest.open_direct),
        ("GET", f"/users/{{user_id:{ID}}}", rest.user),
        ("GET", "/oauth2/applications/@me", rest.application),
        ("GET", "/applications/@me", rest.application),
        ("GET", "/gateway/bot", rest.gateway),
        ("GET", guild, rest.guild),
        ("GET", f"{guild}/channels", rest.guild_channels),
        ("GET", f"{guild}/roles", rest.guild_roles),
        ("GET", f"{guild}/members", rest.guild_members),
        ("GET", f"{guild}/members/{{user_id:{ID}}}", rest.guild_member),
    )


def _messages(services: Services) -> Table:
    rest = services.rest
    channel = f"/channels/{{channel_id:{ID}}}"
    message = f"{channel}/messages/{{message_id:{ID}}}"
    reaction = f"{message}/reactions/{{emoji}}/@me"
    return (
        ("GET", channel, rest.channel),
        ("POST", f"{channel}/typing", rest.typing),
        ("GET", f"{channel}/messages", rest.messages),
        ("POST", f"{channel}/messages", rest.create_message),
        ("GET", message, rest.message),
        ("PATCH", message, rest.edit_message),
        ("DELETE", message, rest.delete_message),
        ("PUT", reaction, rest.react),
        ("DELETE", reaction, rest.react),
    )


def _applications(services: Services) -> Table:
    found = services.applications
    application = f"/applications/{{application_id:{ID}}}"
    guild = f"{application}/guilds/{{guild_id:{ID}}}"
    entitlement = f"{application}/entitlements/{{entitlement_id:{ID}}}"
    rows: list[Row] = []
    for scope in (application, guild):
        command = f"{scope}/commands/{{command_id:{ID}}}"
        rows += [
            ("GET", f"{scope}/commands", found.list_commands),
            ("PUT", f"{scope}/commands", found.replace_commands),
            ("POST", f"{scope}/commands", found.create_command),
            ("GET", command, found.get_command),
            ("PATCH", command, found.edit_command),
            ("DELETE", command, found.delete_command),
        ]
    return (
        *rows,
        ("GET", f"{guild}/commands/permissions", found.permissions),
        ("GET", f"{guild}/commands/{{command_id:{ID}}}/permissions", found.command_permissions),
        ("GET", f"{application}/skus", found.skus),
        ("GET", f"{application}/entitlements", found.entitlements),
        ("POST", f"{application}/entitlements", found.create_entitlement),
        ("GET", entitlement, found.get_entitlement),
        ("DELETE", entitlement, found.delete_entitlement),
        ("POST", f"{entitlement}/consume", found.consume_entitlement),
    )


def _interactions(services: Services) -> Table:
    webhooks = services.webhooks
    webhook = f"/webhooks/{{webhook_id:{ID}}}/{{token}}"
    rows: list[Row] = []
    for message in ("@original", f"{{message_id:{ID}}}"):
        rows += [
            ("GET", f"{webhook}/messages/{message}", webhooks.get),
            ("PATCH", f"{webhook}/messages/{message}", webhooks.edit),
            ("DELETE", f"{webhook}/messages/{message}", webhooks.delete),
        ]
    callback = f"/interactions/{{interaction_id:{ID}}}/{{token}}/callback"
    return (
        *rows,
        ("POST", webhook, webhooks.follow_up),
        ("POST", callback, services.callbacks.handle),
        ("GET", "/gateway", services.rest.gateway_address),
    )


def _accounts(services: Services) -> Table:
    """Return what a bot's token opens for the bot, and a bearer's for whoever logged in."""
    rest, oauth = services.rest, services.oauth

    async def me(request: web.Request, build: Builder) -> web.Response:
        if _has_bearer(request):
            return json_response(oauth.own_account(request))
        _check_token(request, services.state.application.token)
        return await rest.me(request, build)

    async def guilds(request: web.Request, build: Builder) -> web.Response:
        if _has_bearer(request):
            return json_response(oauth.own_guilds(request))
        _check_token(request, services.state.application.token)
        return await rest.guilds(request, build)

    return (
        ("GET", "/users/@me", me),
        ("GET", "/users/@me/guilds", guilds),
        ("POST", "/oauth2/token", oauth.token),
    )


def _has_bearer(request: web.Request) -> bool:
    return request.headers.get("Authorization", "").startswith("Bearer ")


def _route(services: Services, row: Row, *, guard: bool) -> web.RouteDef:
    method, path, handler = row
    return web.route(method, API + path, _bound(services, handler, guard=guard))


def _bound(services: Services, handler: BotHandler, *, guard: bool) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        if guard:
            _check_token(request, services.state.application.token)
        links = services.links.seen_by(request.host)
        return await handler(request, Builder(state=services.state, links=links))

    return handle


def _check_token(request: web.Request, token: str) -> None:
    given = request.headers.get("Authorization", "")
    if not secrets.compare_digest(given.encode(), f"Bot {token}".encode()):
        raise unauthorized()
