"""The sandbox's memory as a JSON file, so that a conversation outlives the process."""

import dataclasses
import json
import types
import typing
from datetime import datetime
from pathlib import Path
from typing import Any

from sandbox.replies import Json
from sandbox.state import Memory

# A type or what typing makes of one, such as ``int | None``.
Hint = Any


def save(memory: Memory, place: Path) -> None:
    """Write everything remembered, whole or not at all."""
    draft = place.with_suffix(".new")
    draft.write_text(json.dumps(_packed(memory)))
    draft.replace(place)


def load(place: Path) -> Memory:
    """Read what ``save`` wrote."""
    found: Memory = _unpacked(Memory, json.loads(place.read_text()))
    return found


def _packed(value: Json) -> Json:
    if dataclasses.is_dataclass(value):
        names = (field.name for field in dataclasses.fields(value))
        return {name: _packed(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {str(key): _packed(found) for key, found in value.items()}
    if isinstance(value, list | tuple | set):
        return [_packed(found) for found in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _unpacked(wanted: Hint, value: Json) -> Json:
    origin: object = typing.get_origin(wanted)
    arguments = typing.get_args(wanted)
    if origin in (types.UnionType, typing.Union):
        return _unpacked_union(arguments, value)
    if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
        hints = typing.get_type_hints(wanted)
        return wanted(**{name: _unpacked(hints[name], found) for name, found in value.items()})
    if origin is dict:
        key, kept = arguments
        return {key(name): _unpacked(kept, found) for name, found in value.items()}
    if origin in (list, tuple, set):
        return origin(_unpacked(arguments[0], found) for found in value)
    return datetime.fromisoformat(value) if wanted is datetime else value


def _unpacked_union(choices: tuple[Hint, ...], value: Json) -> Json:
    plain = tuple(found for found in choices if found in (str, int, float, bool))
    if value is None or isinstance(value, plain):
        return value
    return _unpacked(next(found for found in choices if found is not types.NoneType), value)
