"""What a member does with an application: commands, components, modals."""

from typing import Any

from sandbox.audience import Audience
from sandbox.builders import ResolvedObjects
from sandbox.commands import MESSAGE, SLASH, USER, CommandBook
from sandbox.components import BUTTON, SELECTS, find_component
from sandbox.errors import MemberError
from sandbox.interactions import (
    AUTOCOMPLETE,
    COMMAND,
    COMPONENT,
    MODAL_SUBMIT,
    Interaction,
    Interactions,
)
from sandbox.modals import checked_values, chosen_values, filled_modal
from sandbox.options import OptionReader
from sandbox.replies import Payload
from sandbox.state import Channel, Message, State
from sandbox.state import User as Account
from sandbox.uploads import FileStore

LINK_STYLES = (5, 6)


class Invoker:
    """Makes interactions out of what members ask for, as Discord's own client would."""

    def __init__(
        self,
        *,
        state: State,
        files: FileStore,
        commands: CommandBook,
        interactions: Interactions,
        audience: Audience,
    ) -> None:
        self._state = state
        self._files = files
        self._commands = commands
        self._interactions = interactions
        self._audience = audience

    async def invoke(self, user: Account, body: Payload) -> Interaction:
        """Send what a member does to the bot.

        Raises:
            MemberError: for what Discord's own client would not offer this member.
        """
        kinds = {
            "command": self._slash,
            "autocomplete": self._autocomplete,
            "user": self._user_menu,
            "message": self._message_menu,
            "component": self._component,
            "modal": self._modal,
        }
        kind = str(body.get("kind"))
        if kind not in kinds:
            raise MemberError(f"kind must be one of {', '.join(kinds)}")
        return await kinds[kind](user, body)

    def channel(self, user: Account, value: object) -> Channel:
        """Return a channel that a member sees.

        Raises:
            MemberError: 404 when there is none.
        """
        found = self._state.channels.get(int(str(value)) if str(value).isdigit() else 0)
        if found is None or not self._audience.sees(user.id, found):
            raise MemberError("there is no such channel", status=404)
        return found

    async def _slash(self, user: Account, body: Payload) -> Interaction:
        return await self._send_slash(user, body, kind=COMMAND, focused=None)

    async def _autocomplete(self, user: Account, body: Payload) -> Interaction:
        return await self._send_slash(
            user, body, kind=AUTOCOMPLETE, focused=str(body.get("focused"))
        )

    async def _send_slash(
        self, user: Account, body: Payload, *, kind: int, focused: str | None
    ) -> Interaction:
        channel = self.channel(user, body.get("channel_id"))
        command = self._command(user, channel, kind=SLASH, body=body)
        reader = self._reader(channel)
        path = body.get("subcommand") or []
        steps = [path] if isinstance(path, str) else list(path)
        options = reader.read(command, steps, values=body.get("options") or {}, focused=focused)
        data = _command_data(command)
        if options:
            data["options"] = options
        return await self._interactions.send(
            kind, user=user, channel=channel, data=data, resolved=reader.resolved
        )

    async def _user_menu(self, user: Account, body: Payload) -> Interaction:
        channel = self.channel(user, body.get("channel_id"))
        command = self._command(user, channel, kind=USER, body=body)
        target_id = int(str(body.get("target_id")))
        if target_id not in self._state.users:
            raise MemberError("there is no such user", status=404)
        reader = self._reader(channel)
        reader.user(target_id)
        data = _command_data(command) | {"target_id": str(target_id)}
        return await self._interactions.send(
            COMMAND, user=user, channel=channel, data=data, resolved=reader.resolved
        )

    async def _message_menu(self, user: Account, body: Payload) -> Interaction:
        channel = self.channel(user, body.get("channel_id"))
        command = self._command(user, channel, kind=MESSAGE, body=body)
        target = self._message(user, channel, value=body.get("target_id"))
        data = _command_data(command) | {"target_id": str(target.id)}
        resolved = ResolvedObjects(messages=[target])
        return await self._interactions.send(
            COMMAND, user=user, channel=channel, data=data, resolved=resolved
        )

    async def _component(self, user: Account, body: Payload) -> Interaction:
        channel = self.channel(user, body.get("channel_id"))
        message = self._message(user, channel, value=body.get("message_id"))
        custom_id = str(body.get("custom_id"))
        component = find_component(message.components, custom_id)
        if component is None:
            raise MemberError("there is no such component", status=404)
        if component.get("disabled"):
            raise MemberError("this component is disabled")
        reader = self._reader(channel)
        data = _component_data(component, body.get("values") or [], reader=reader)
        return await self._interactions.send(
            COMPONENT,
            user=user,
            channel=channel,
            data=data,
            resolved=reader.resolved,
            message=message,
        )

    async def _modal(self, user: Account, body: Payload) -> Interaction:
        modal_id = str(body.get("modal_id"))
        opener = self._interactions.modals.get(modal_id)
        if opener is None or opener.user.id != user.id:
            raise MemberError("this modal is not open", status=404)
        reader = self._reader(opener.channel)
        data = filled_modal(opener.answer, body.get("values") or {}, reader=reader)
        del self._interactions.modals[modal_id]
        return await self._interactions.send(
            MODAL_SUBMIT,
            user=user,
            channel=opener.channel,
            data=data,
            resolved=reader.resolved,
            message=opener.message,
            parent=opener,
        )

    def _reader(self, channel: Channel) -> OptionReader:
        return OptionReader(state=self._state, files=self._files, guild_id=channel.guild_id)

    def _command(self, user: Account, channel: Channel, *, kind: int, body: Payload) -> Payload:
        for command in self._commands.offered(user.id, channel):
            if command["type"] == kind and command["name"] == body.get("name"):
                return command
        raise MemberError(f"there is no command {body.get('name')} for you here", status=404)

    def _message(self, user: Account, channel: Channel, *, value: object) -> Message:
        message_id = int(str(value)) if str(value).isdigit() else 0
        message = self._state.find_message(channel.id, message_id)
        if message is None or not message.visible_to(user.id):
            raise MemberError("there is no such message", status=404)
        return message


def _command_data(command: Payload) -> Payload:
    data: Payload = {key: command[key] for key in ("id", "name", "type")}
    if "guild_id" in command:
        data["guild_id"] = command["guild_id"]
    return data


def _component_data(component: Payload, values: list[Any], *, reader: OptionReader) -> Payload:
    kind = component["type"]
    data: Payload = {"custom_id": component["custom_id"], "component_type": kind}
    if "id" in component:
        data["id"] = component["id"]
    if kind in SELECTS:
        chosen = checked_values(component, values)
        data["values"] = chosen_values(component, chosen, reader=reader)
    elif kind != BUTTON or component["style"] in LINK_STYLES:
        raise MemberError("this component cannot be used")
    return data
