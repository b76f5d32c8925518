"""The options a member filled in, checked against the command as the bot registered it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.builders import ResolvedObjects
from sandbox.commands import GROUP, SUBCOMMAND
from sandbox.errors import MemberError
from sandbox.replies import Payload
from sandbox.state import State
from sandbox.uploads import FileStore

STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(3, 12)


class OptionReader:
    """Turns a member's named values into the option list of an interaction."""

    def __init__(self, *, state: State, files: FileStore, guild_id: int | None) -> None:
        self._state = state
        self._files = files
        self._guild_id = guild_id
        self.resolved = ResolvedObjects()

    def read(
        self,
        command: Payload,
        path: Sequence[str],
        *,
        values: Mapping[str, Any],
        focused: str | None = None,
    ) -> list[Payload]:
        """Return the options of a command or of one of its subcommands.

        Raises:
            MemberError: for what Discord's own client would not let a member send.
        """
        options: list[Payload] = command.get("options") or []
        if path:
            return [self._subcommand(options, path, values=values, focused=focused)]
        if any(option["type"] in (SUBCOMMAND, GROUP) for option in options):
            raise MemberError("this command needs a subcommand")
        return self._values(options, values, focused=focused)

    def _subcommand(
        self,
        options: Sequence[Payload],
        path: Sequence[str],
        *,
        values: Mapping[str, Any],
        focused: str | None,
    ) -> Payload:
        found = next((option for option in options if option["name"] == path[0]), None)
        if found is None or found["type"] not in (SUBCOMMAND, GROUP):
            raise MemberError(f"there is no subcommand {path[0]}")
        inner = found | {"options": found.get("options") or []}
        return {
            "type": found["type"],
            "name": found["name"],
            "options": self.read(inner, path[1:], values=values, focused=focused),
        }

    def _values(
        self, options: Sequence[Payload], values: Mapping[str, Any], *, focused: str | None
    ) -> list[Payload]:
        unknown = set(values) - {option["name"] for option in options}
        if unknown:
            raise MemberError(f"unknown options: {', '.join(sorted(unknown))}")
        filled: list[Payload] = []
        for option in options:
            name = option["name"]
            if name == focused:
                typed = str(values.get(name, ""))
                filled.append(
                    {"type": option["type"], "name": name, "value": typed, "focused": True}
                )
            elif values.get(name) is not None:
                value = self._value(option, values[name])
                filled.append({"type": option["type"], "name": name, "value": value})
            elif option.get("required") and focused is None:
                raise MemberError(f"{name} is required")
        return filled

    def _value(self, option: Payload, value: object) -> object:
        kind, name = option["type"], option["name"]
        if kind == STRING:
            return _text(option, value)
        if kind in (INTEGER, NUMBER):
            return _number(option, value)
        if kind == BOOLEAN:
            if not isinstance(value, bool):
                raise MemberError(f"{name} must be true or false")
            return value
        if kind == ATTACHMENT:
            return self.attachment(value, name)
        return self.entity(kind, value, name=name)

    def attachment(self, value: object, name: str) -> str:
        """Resolve an uploaded file by its id."""
        found = self._files.get(int(str(value))) if str(value).isdigit() else None
        if found is None:
            raise MemberError(f"{name} must be the id of an uploaded file")
        self.resolved.attachments.append(found)
        return str(found.id)

    def entity(self, kind: int, value: object, *, name: str) -> str:
        """Resolve a user, channel, role or either by its id."""
        found_id = int(str(value)) if str(value).isdigit() else 0
        if kind in (USER, MENTIONABLE) and found_id in self._state.users:
            self.user(found_id)
        elif kind in (ROLE, MENTIONABLE) and self._has_role(found_id):
            self.resolved.roles.append(self._state.guilds[self._guild_id or 0].roles[found_id])
        elif kind == CHANNEL and found_id in self._state.channels:
            self.resolved.channels.append(self._state.channels[found_id])
        else:
            raise MemberError(f"{name} names nothing that exists here")
        return str(found_id)

    def user(self, user_id: int) -> None:
        """Resolve a user, and the member it is in this guild."""
        self.resolved.users.append(self._state.users[user_id])
        guild = self._state.guilds.get(self._guild_id or 0)
        if guild is not None and user_id in guild.members:
            self.resolved.members.append(guild.members[user_id])

    def _has_role(self, role_id: int) -> bool:
        return self._guild_id is not None and role_id in self._state.guilds[self._guild_id].roles


def _text(option: Payload, value: object) -> str:
    name, text = option["name"], str(value)
    choices = [choice["value"] for choice in option.get("choices") or ()]
    if choices and text not in choices:
        raise MemberError(f"{name} must be one of {', '.join(choices)}")
    least, most = option.get("min_length") or 0, option.get("max_length") or 6000
    if not least <= len(text) <= most:
        raise MemberError(f"{name} must be between {least} and {most} characters long")
    return text


def _number(option: Payload, value: object) -> float:
    name = option["name"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise MemberError(f"{name} must be a number")
    if option["type"] == INTEGER and not float(value).is_integer():
        raise MemberError(f"{name} must be a whole number")
    choices = [choice["value"] for choice in option.get("choices") or ()]
    if choices and value not in choices:
        raise MemberError(f"{name} must be one of {', '.join(map(str, choices))}")
    least, most = option.get("min_value"), option.get("max_value")
    if (least is not None and value < least) or (most is not None and value > most):
        raise MemberError(f"{name} must be between {least} and {most}")
    return int(value) if option["type"] == INTEGER else value
