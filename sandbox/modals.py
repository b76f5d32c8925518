"""A filled-in modal, checked against the modal as the bot opened it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.components import (
    CHECKBOX,
    CHECKBOX_GROUP,
    FILE_UPLOAD,
    LABEL,
    RADIO_GROUP,
    ROW,
    SELECTS,
    STRING_SELECT,
    TEXT,
    TEXT_INPUT,
)
from sandbox.errors import MemberError
from sandbox.options import OptionReader
from sandbox.replies import Json, Payload

# Which kind of entity each select without options names, in the numbers of command options.
SELECT_KINDS = {5: 6, 6: 8, 7: 9, 8: 7}


def filled_modal(modal: Payload, values: Mapping[str, Any], *, reader: OptionReader) -> Payload:
    """Return the data of a modal submission.

    Raises:
        MemberError: for what Discord's own client would not let a member submit.
    """
    components = [_filled(found, values, reader=reader) for found in modal["components"]]
    return {"custom_id": modal["custom_id"], "components": components}


def _filled(component: Payload, values: Mapping[str, Any], *, reader: OptionReader) -> Payload:
    base = {"type": component["type"], "id": component["id"]}
    kind = component["type"]
    if kind == ROW:
        children = [_filled(child, values, reader=reader) for child in component["components"]]
        return base | {"components": children}
    if kind == LABEL:
        return base | {"component": _filled(component["component"], values, reader=reader)}
    if kind == TEXT:
        return base
    custom_id = component["custom_id"]
    value = values.get(custom_id)
    return base | {"custom_id": custom_id} | _value(component, value, reader=reader)


def _value(component: Payload, value: Json, *, reader: OptionReader) -> Payload:
    kind = component["type"]
    if kind == TEXT_INPUT:
        return {"value": _text(component, value)}
    if kind == CHECKBOX:
        return {"value": bool(component["default"] if value is None else value)}
    if kind == RADIO_GROUP:
        chosen = [] if value is None else value if isinstance(value, list) else [value]
        chosen = checked_values(component, chosen)
        return {"value": chosen[0] if chosen else None}
    chosen = checked_values(component, list(value or ()))
    if kind == FILE_UPLOAD:
        return {"values": [reader.attachment(found, component["custom_id"]) for found in chosen]}
    return {"values": chosen_values(component, chosen, reader=reader)}


def _text(component: Payload, value: object) -> str:
    text = str(component.get("value", "") if value is None else value)
    if component["required"] and not text:
        raise MemberError(f"{component['custom_id']} is required")
    least, most = component.get("min_length") or 0, component.get("max_length") or 4000
    if text and not least <= len(text) <= most:
        raise MemberError(
            f"{component['custom_id']} must be between {least} and {most} characters long"
        )
    return text


def checked_values(component: Payload, values: Sequence[Any]) -> list[str]:
    """Return a choice of values that is as long as the component asks for.

    Raises:
        MemberError: for too few or too many values, or ones that are not offered.
    """
    chosen = [str(value) for value in values]
    least, most = _bounds(component)
    if not (chosen or component.get("required", True)):
        return chosen
    if not least <= len(chosen) <= most:
        raise MemberError(f"{component['custom_id']} takes between {least} and {most} values")
    offered = {str(option["value"]) for option in component.get("options") or ()}
    if offered and not set(chosen) <= offered:
        raise MemberError(f"{component['custom_id']} offers {', '.join(sorted(offered))}")
    return chosen


def _bounds(component: Payload) -> tuple[int, int]:
    kind = component["type"]
    if kind == RADIO_GROUP:
        return (1 if component["required"] else 0), 1
    if kind == CHECKBOX_GROUP:
        least = component.get("min_values", 1 if component["required"] else 0)
        return least, component.get("max_values", len(component["options"]))
    return component.get("min_values", 1), component.get("max_values", 1)


def chosen_values(component: Payload, values: list[str], *, reader: OptionReader) -> list[str]:
    """Return a select's values, those that name users, roles or channels resolved."""
    kind = component["type"]
    if kind == STRING_SELECT or kind not in SELECTS:
        return values
    return [
        reader.entity(SELECT_KINDS[kind], value, name=component["custom_id"]) for value in values
    ]
