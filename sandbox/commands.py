"""Application commands: registered by the bot, offered to members by Discord's rules.

Source: Discord's documentation, "Application Commands".
"""

import re
from collections.abc import Iterator, Sequence

from sandbox import permissions
from sandbox.errors import invalid_form, unknown_command
from sandbox.replies import Payload
from sandbox.state import DIRECT_CHANNEL, Channel, State

SLASH, USER, MESSAGE = 1, 2, 3
SUBCOMMAND, GROUP = 1, 2
LIMITS = {SLASH: 100, USER: 15, MESSAGE: 15}
NAME = re.compile(r"^[-_'\w]{1,32}$", re.UNICODE)
EVERYWHERE = 0
IN_GUILD, IN_BOT_DM, IN_PRIVATE = 0, 1, 2
LOCALIZED = ("name_localizations", "description_localizations")


class CommandBook:
    """The commands of the application, everywhere or in one guild."""

    def __init__(self, *, state: State) -> None:
        self._state = state
        self.overrides: dict[tuple[int, int], list[Payload]] = {}

    def listed(self, guild_id: int | None) -> list[Payload]:
        """Return the commands of one scope."""
        return list(self._scope(guild_id).values())

    def get(self, guild_id: int | None, command_id: int) -> Payload:
        """Return one command.

        Raises:
            ApiError: 10063 when it does not exist in this scope.
        """
        try:
            return self._scope(guild_id)[command_id]
        except KeyError:
            raise unknown_command() from None

    def replace(self, guild_id: int | None, commands: Sequence[Payload]) -> list[Payload]:
        """Register exactly these commands; those that keep their name and type keep their id."""
        old = self._by_name(guild_id)
        made = [
            self._made(guild_id, command, path=str(index)) for index, command in enumerate(commands)
        ]
        keys = [(command["type"], command["name"]) for command in made]
        if len(keys) != len(set(keys)):
            raise invalid_form("", message="Application command names must be unique")
        for command in made:
            known = old.get((command["type"], command["name"]))
            command["id"] = known["id"] if known else command["id"]
        _check_limits(made)
        self._state.memory.commands[guild_id or EVERYWHERE] = {
            int(command["id"]): command for command in made
        }
        return made

    def create(self, guild_id: int | None, command: Payload) -> tuple[Payload, bool]:
        """Register one command over an old one of its name; return it and whether it is new."""
        made = self._made(guild_id, command, path="")
        known = self._by_name(guild_id).get((made["type"], made["name"]))
        if known is not None:
            made["id"] = known["id"]
        scope = self._scope(guild_id)
        _check_limits([*(found for found in scope.values() if found is not known), made])
        scope[int(made["id"])] = made
        return made, known is None

    def edit(self, guild_id: int | None, command_id: int, *, changes: Payload) -> Payload:
        """Change a registered command."""
        old = self.get(guild_id, command_id)
        made = self._made(guild_id, old | changes, path="") | {"id": old["id"]}
        self._scope(guild_id)[command_id] = made
        return made

    def delete(self, guild_id: int | None, command_id: int) -> None:
        """Remove a registered command."""
        self.get(guild_id, command_id)
        del self._scope(guild_id)[command_id]

    def offered(self, user_id: int, channel: Channel) -> list[Payload]:
        """Return the commands that a member may use in a channel."""
        return [
            command
            for command in self._reachable(channel)
            if self._allowed(command, user_id, channel=channel)
        ]

    def _reachable(self, channel: Channel) -> Iterator[Payload]:
        yield from self._scope(None).values()
        if channel.guild_id is not None:
            yield from self._scope(channel.guild_id).values()

    def _allowed(self, command: Payload, user_id: int, *, channel: Channel) -> bool:
        contexts = command.get("contexts")
        if channel.type == DIRECT_CHANNEL:
            return IN_BOT_DM in contexts if contexts else bool(command.get("dm_permission", True))
        if contexts and IN_GUILD not in contexts:
            return False
        if not self._installed(command, channel):
            return False
        granted = permissions.in_channel(self._state, channel, user_id=user_id)
        if not granted & permissions.USE_APPLICATION_COMMANDS:
            return False
        override = self._override(command, user_id, channel=channel)
        if override is not None and granted != permissions.ALL:
            return override
        needed = int(command["default_member_permissions"] or 0)
        closed = command["default_member_permissions"] == "0" and granted != permissions.ALL
        return not closed and granted & needed == needed

    def _installed(self, command: Payload, channel: Channel) -> bool:
        """Return whether the application is where the command asks it to be installed."""
        guild = self._state.guilds[channel.guild_id or 0]
        in_guild = self._state.application.bot.id in guild.members
        kinds = command.get("integration_types") or [0]
        return (0 in kinds and in_guild) or 1 in kinds

    def _override(self, command: Payload, user_id: int, *, channel: Channel) -> bool | None:
        """Return what the guild's own settings say, users before channels before roles."""
        guild = self._state.guilds[channel.guild_id or 0]
        rules = self.overrides.get((guild.id, int(command["id"])), [])
        roles = {guild.id, *guild.members[user_id].role_ids}
        verdict: bool | None = None
        for kind, targets in ((1, roles), (3, {channel.id, guild.id - 1}), (2, {user_id})):
            said = [rule["permission"] for rule in rules if _applies(rule, kind, targets=targets)]
            if said:
                verdict = any(said)
        return verdict

    def _scope(self, guild_id: int | None) -> dict[int, Payload]:
        return self._state.memory.commands.setdefault(guild_id or EVERYWHERE, {})

    def _by_name(self, guild_id: int | None) -> dict[tuple[int, str], Payload]:
        return {
            (command["type"], command["name"]): command
            for command in self._scope(guild_id).values()
        }

    def _made(self, guild_id: int | None, command: Payload, *, path: str) -> Payload:
        kind = command.get("type") or SLASH
        _check_command(command, kind, path=f"{path}." if path else "")
        needed = command.get("default_member_permissions")
        made: Payload = {
            "id": str(self._state.clock.next_id()),
            "application_id": str(self._state.application.id),
            "version": str(self._state.clock.next_id()),
            "type": kind,
            "name": command["name"],
            "description": command.get("description") or "",
            "default_member_permissions": None if needed is None else str(needed),
            "nsfw": bool(command.get("nsfw")),
            "integration_types": command.get("integration_types") or [0],
            "contexts": command.get("contexts"),
        }
        if guild_id is not None:
            made["guild_id"] = str(guild_id)
        else:
            made["dm_permission"] = command.get("dm_permission") is not False
        for key in ("options", *LOCALIZED):
            if command.get(key):
                made[key] = command[key]
        return made


def shown(command: Payload, *, with_localizations: bool) -> Payload:
    """Return a command as a list shows it: translations only where they were asked for."""
    if with_localizations:
        return command
    return {key: value for key, value in command.items() if key not in LOCALIZED}


def _applies(rule: Payload, kind: int, *, targets: set[int]) -> bool:
    return rule["type"] == kind and int(rule["id"]) in targets


def _check_limits(commands: Sequence[Payload]) -> None:
    for kind, limit in LIMITS.items():
        if sum(command["type"] == kind for command in commands) > limit:
            raise invalid_form(
                "", message=f"Maximum number of application commands reached ({limit})."
            )


def _check_command(command: Payload, kind: int, *, path: str) -> None:
    name, description = command.get("name"), command.get("description") or ""
    if not isinstance(name, str) or not 1 <= len(name) <= 32:
        raise invalid_form(f"{path}name", message="Must be between 1 and 32 in length.")
    if kind != SLASH:
        if description:
            raise invalid_form(f"{path}description", message="Context menus have no description.")
        return
    _check_name(name, path)
    _check_description(description, path)
    _check_options(command.get("options") or [], path)


def _check_options(options: Sequence[Payload], path: str) -> None:
    if len(options) > 25:
        raise invalid_form(f"{path}options", message="Must be 25 or fewer in length.")
    optional_seen = False
    for index, option in enumerate(options):
        where = f"{path}options.{index}."
        _check_name(str(option.get("name") or ""), where)
        _check_description(str(option.get("description") or ""), where)
        if option.get("required") and optional_seen:
            raise invalid_form(
                where.rstrip("."),
                message="Required options must be placed before non-required options",
                code="APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
            )
        optional_seen = optional_seen or not option.get("required")
        if len(option.get("choices") or ()) > 25:
            raise invalid_form(f"{where}choices", message="Must be 25 or fewer in length.")
        if option.get("type") in (SUBCOMMAND, GROUP):
            _check_options(option.get("options") or [], where)


def _check_name(name: str, path: str) -> None:
    if not NAME.match(name) or name != name.lower():
        raise invalid_form(
            f"{path}name",
            message="Command name is invalid",
            code="APPLICATION_COMMAND_INVALID_NAME",
        )


def _check_description(description: str, path: str) -> None:
    if not 1 <= len(description) <= 100:
        raise invalid_form(f"{path}description", message="Must be between 1 and 100 in length.")
