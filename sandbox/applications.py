"""The REST routes of the application: its commands, its purchases and their owners."""

from collections.abc import Sequence

from aiohttp import web

from sandbox.audience import Audience
from sandbox.builders import Builder
from sandbox.commands import CommandBook, shown
from sandbox.errors import invalid_json, missing_access, unknown_entitlement, unknown_guild
from sandbox.gateway import Gateway
from sandbox.replies import Payload, json_response
from sandbox.state import State
from sandbox.uploads import read_body, read_json


class Applications:
    """Serves ``/applications/{id}/...``."""

    def __init__(
        self, *, state: State, commands: CommandBook, gateway: Gateway, audience: Audience
    ) -> None:
        self._state = state
        self._commands = commands
        self._gateway = gateway
        self._audience = audience

    async def list_commands(self, request: web.Request, build: Builder) -> web.Response:
        """Return the commands of a scope."""
        translated = request.query.get("with_localizations", "").lower() in ("1", "true")
        found = self._commands.listed(self._scope(request))
        return json_response([shown(command, with_localizations=translated) for command in found])

    async def replace_commands(self, request: web.Request, build: Builder) -> web.Response:
        """Register exactly these commands in a scope."""
        body = await read_body(request)
        if not isinstance(body, list):
            raise invalid_json()
        made = self._commands.replace(self._scope(request), body)
        await self._changed()
        return json_response(made)

    async def create_command(self, request: web.Request, build: Builder) -> web.Response:
        """Register one command."""
        made, is_new = self._commands.create(self._scope(request), await read_json(request))
        await self._changed()
        return json_response(made, status=201 if is_new else 200)

    async def get_command(self, request: web.Request, build: Builder) -> web.Response:
        """Return one command."""
        return json_response(self._commands.get(self._scope(request), _command_id(request)))

    async def edit_command(self, request: web.Request, build: Builder) -> web.Response:
        """Change one command."""
        changes = await read_json(request)
        made = self._commands.edit(self._scope(request), _command_id(request), changes=changes)
        await self._changed()
        return json_response(made)

    async def delete_command(self, request: web.Request, build: Builder) -> web.Response:
        """Remove one command."""
        self._commands.delete(self._scope(request), _command_id(request))
        await self._changed()
        return web.Response(status=204)

    async def permissions(self, request: web.Request, build: Builder) -> web.Response:
        """Return what a guild's admins changed about who may use which command."""
        guild_id = self._scope(request)
        rules = [
            self._rules(guild_id, command_id, rules=found)
            for (guild, command_id), found in self._commands.overrides.items()
            if guild == guild_id
        ]
        return json_response(rules)

    async def command_permissions(self, request: web.Request, build: Builder) -> web.Response:
        """Return what a guild's admins changed about one command."""
        guild_id, command_id = self._scope(request), _command_id(request)
        found = self._commands.overrides.get((guild_id or 0, command_id), [])
        return json_response(self._rules(guild_id, command_id, rules=found))

    async def skus(self, request: web.Request, build: Builder) -> web.Response:
        """Return what the application sells."""
        return json_response(self._state.memory.skus)

    async def entitlements(self, request: web.Request, build: Builder) -> web.Response:
        """Return who bought what."""
        wanted = {
            key: request.query[key] for key in ("user_id", "guild_id") if key in request.query
        }
        skus = [found for found in request.query.get("sku_ids", "").split(",") if found]
        found = [
            entitlement
            for entitlement in self._state.memory.entitlements.values()
            if all(entitlement.get(key) == value for key, value in wanted.items())
            and (not skus or entitlement["sku_id"] in skus)
        ]
        return json_response(found[: int(request.query.get("limit", "100"))])

    async def get_entitlement(self, request: web.Request, build: Builder) -> web.Response:
        """Return one entitlement."""
        return json_response(self._entitlement(request))

    async def create_entitlement(self, request: web.Request, build: Builder) -> web.Response:
        """Give a test entitlement to a user or a guild."""
        body = await read_json(request)
        owner = "guild_id" if body.get("owner_type") == 1 else "user_id"
        made = await self.grant(str(body["sku_id"]), owner=owner, owner_id=str(body["owner_id"]))
        return json_response(made)

    async def grant(self, sku_id: str, *, owner: str, owner_id: str) -> Payload:
        """Remember an entitlement and announce it."""
        entitlement_id = self._state.clock.next_id()
        made: Payload = {
            "id": str(entitlement_id),
            "sku_id": sku_id,
            "application_id": str(self._state.application.id),
            "user_id": "0",
            "deleted": False,
            "starts_at": None,
            "ends_at": None,
            "type": 8,
            "consumed": False,
            owner: owner_id,
        }
        self._state.memory.entitlements[entitlement_id] = made
        await self._gateway.dispatch("ENTITLEMENT_CREATE", lambda _: made, guild_id=None)
        return made

    async def consume_entitlement(self, request: web.Request, build: Builder) -> web.Response:
        """Mark a one-time purchase as used."""
        found = self._entitlement(request)
        found["consumed"] = True
        await self._gateway.dispatch("ENTITLEMENT_UPDATE", lambda _: found, guild_id=None)
        return web.Response(status=204)

    async def delete_entitlement(self, request: web.Request, build: Builder) -> web.Response:
        """Take a test entitlement back."""
        found = self._entitlement(request)
        found["deleted"] = True
        del self._state.memory.entitlements[int(found["id"])]
        await self._gateway.dispatch("ENTITLEMENT_DELETE", lambda _: found, guild_id=None)
        return web.Response(status=204)

    def _entitlement(self, request: web.Request) -> Payload:
        found = self._state.memory.entitlements.get(int(request.match_info["entitlement_id"]))
        if found is None:
            raise unknown_entitlement()
        return found

    def _scope(self, request: web.Request) -> int | None:
        if request.match_info["application_id"] != str(self._state.application.id):
            raise missing_access()
        guild_id = request.match_info.get("guild_id")
        if guild_id is None:
            return None
        guild = self._state.guilds.get(int(guild_id))
        if guild is None:
            raise unknown_guild()
        if self._state.application.bot.id not in guild.members:
            raise missing_access()
        return guild.id

    def _rules(self, guild_id: int | None, command_id: int, *, rules: Sequence[Payload]) -> Payload:
        return {
            "id": str(command_id),
            "application_id": str(self._state.application.id),
            "guild_id": str(guild_id),
            "permissions": list(rules),
        }

    async def _changed(self) -> None:
        await self._audience.tell_all("COMMANDS_UPDATE", {})


def _command_id(request: web.Request) -> int:
    return int(request.match_info["command_id"])
