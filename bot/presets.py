"""The ready-made edits of ``/remix``: words for the prompt and a strength that suits them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from bot.errors import UnknownPresetError


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One ready-made edit; its title is in the locales under ``preset.<name>``."""

    name: str
    prompt: str
    strength: float


@cache
def presets() -> Mapping[str, Preset]:
    """Return the presets by name, in the order in which they are offered."""
    table = json.loads((files("bot") / "presets.json").read_text(encoding="utf-8"))
    return {name: Preset(name=name, **fields) for name, fields in table.items()}


def preset_named(name: str) -> Preset:
    """Return one preset.

    Raises:
        UnknownPresetError: there is none of that name; the sentence lists those there are.
    """
    try:
        return presets()[name]
    except KeyError:
        known = ", ".join(presets())
        raise UnknownPresetError(f"no preset {name[:40]!r}", known=known) from None
