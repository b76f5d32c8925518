"""The ready-made edits of ``/remix``: words for the prompt, and all that suits them.

Those that ship are in ``bot/presets.json``; an installation's own, of the same fields, come from
the file that its settings name, and replace those of their name. A preset is offered where a model
can do what it says, and nowhere else.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from bot.choices import NAME_LENGTH, listed
from bot.errors import UnknownPresetError
from bot.prompts import MAX_PROMPT
from bot.texts import Phrase, load_texts
from generation.catalogue import Entry
from generation.errors import InvalidRequestError
from generation.postprocess.names import LAYER_NAMES
from generation.weights import STARTER

WORDS = "{words}"
"""Where a member's own words go in a template; at its end if it does not say."""
DEFAULT_STRENGTH = 0.8
SAMPLES = STARTER / "samples"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One ready-made edit.

    Args:
        name: its key.
        prompt: the words for the model, a template.
        title: what members see; see ``titled`` for those that ship.
        strength: how far it goes.
        model: the checkpoint that it is made for; None is the first that can.
        layers: what is drawn over the result, names of ``generation.postprocess.layers``.
        sample: a picture to try it on: one of those that ship, or a file beside the presets'.
        edits: whether it needs a model that follows instructions and keeps the rest as it is.
        nearest: one that ships, which members are pointed to where no model can do this one.
    """

    name: str
    prompt: str
    title: str = ""
    strength: float = DEFAULT_STRENGTH
    model: str | None = None
    layers: tuple[str, ...] = ()
    sample: str | None = None
    edits: bool = False
    nearest: str | None = None

    def said(self, words: str = "") -> str:
        """Return the prompt with a member's own words."""
        if WORDS not in self.prompt:
            return ", ".join(filter(None, (self.prompt, words)))
        parts = (part.strip(" ") for part in self.prompt.replace(WORDS, words).split(","))
        return ", ".join(filter(None, parts))

    def fits(self, entry: Entry) -> bool:
        """Return whether a checkpoint can do what the preset says."""
        named = self.model in (None, entry.name)
        able = entry.family.edits and not entry.words if self.edits else True
        return named and able and entry.understands(self.said())


@cache
def presets() -> Mapping[str, Preset]:
    """Return the presets that ship, by name, in the order in which they are offered."""
    table = json.loads((files("bot") / "presets.json").read_text(encoding="utf-8"))
    texts = load_texts()
    return {
        name: preset_of(name, {"title": texts.say(f"preset.{name}"), **fields})
        for name, fields in table.items()
    }


def read_presets(path: Path) -> Mapping[str, Preset]:
    """Return the presets of an installation: its own first, then those that ship.

    Args:
        path: the file with its own; there need be none.

    Raises:
        InvalidRequestError: the file is not understood; the sentence says where.
    """
    if not path.is_file():
        return presets()
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        own = {name: preset_of(name, fields, folder=path.parent) for name, fields in table.items()}
    except (InvalidRequestError, ValueError, TypeError, AttributeError) as err:
        raise InvalidRequestError(f"{path} is not understood: {err}") from err
    return {**own, **{name: each for name, each in presets().items() if name not in own}}


def titled(preset: Preset) -> Phrase | str:
    """Return what members see of a preset; one that ships is called so in their language."""
    ships = presets().get(preset.name) == preset
    return Phrase(f"preset.{preset.name}") if ships else preset.title


def preset_named(name: str, known: Mapping[str, Preset]) -> Preset:
    """Return one preset, by its name or by its title in any language, as a member may type it.

    Raises:
        UnknownPresetError: there is none of that name; the sentence lists those there are.
    """
    typed, texts = name.casefold().strip(), load_texts()
    for each in known.values():
        titles = {str(texts.tell(titled(each), locale)).casefold() for locale in texts.locales}
        if typed in (each.name.casefold(), *titles):
            return each
    raise UnknownPresetError(f"no preset {name[:40]!r}", known=listed(known))


def preset_of(name: str, fields: Mapping[str, Any], *, folder: Path | None = None) -> Preset:
    """Return what a file, or a guild's admin, says of a preset.

    Args:
        name: its key.
        fields: the others of ``Preset``.
        folder: where a sample of its own may lie; None is for those that ship alone.

    Raises:
        InvalidRequestError, ValueError, TypeError: a field is unknown, missing or outside its
            range.
    """
    layers = tuple(fields.get("layers", ()))
    preset = Preset(name=name, **{"title": name, **fields, "layers": layers})
    _require_texts(preset)
    if not 0 < preset.strength <= 1:
        raise ValueError(f"{name} needs a strength above 0 and up to 1")
    if unknown := set(layers) - LAYER_NAMES:
        raise InvalidRequestError(
            f"{name}: no layer {sorted(unknown)[0]!r}; {', '.join(sorted(LAYER_NAMES))}",
            why="preset_layer",
            layer=sorted(unknown)[0],
            known=tuple(sorted(LAYER_NAMES)),
        )
    if preset.sample is not None and sample_of(preset, folder=folder) is None:
        raise ValueError(f"{name}: there is no sample {preset.sample!r}")
    return preset


def _require_texts(preset: Preset) -> None:
    """Refuse what Discord or a member would stumble over later.

    Raises:
        InvalidRequestError: a text is empty, or longer than can be sent.
        ValueError: a field is of another kind, or longer than can be sent.
    """
    name = preset.name
    for field in ("name", "title", "prompt"):
        text = getattr(preset, field)
        if not isinstance(text, str) or not text.strip():
            raise InvalidRequestError(
                f"{name}: its {field} is to be a text that is not empty",
                why="preset_empty",
                field=field,
            )
    if len(name) > NAME_LENGTH:
        raise ValueError(f"{name}: a name has at most {NAME_LENGTH} characters")
    if len(preset.said()) > MAX_PROMPT:
        raise InvalidRequestError(
            f"{name}: a prompt has at most {MAX_PROMPT} characters",
            why="preset_long",
            most=MAX_PROMPT,
        )
    if not isinstance(preset.edits, bool):
        raise ValueError(f"{name}: edits is true or false")
    for field in ("model", "sample", "nearest"):
        if not isinstance(getattr(preset, field), str | None):
            raise ValueError(f"{name}: its {field} is to be a text")


def sample_of(preset: Preset, *, folder: Path | None = None) -> Path | None:
    """Return the picture to try a preset on, None if there is none."""
    if preset.sample is None:
        return None
    if preset.sample in sample_names():
        return SAMPLES / f"{preset.sample}.jpg"
    own = folder / preset.sample if folder is not None else None
    return own if own is not None and own.is_file() else None


@cache
def sample_names() -> frozenset[str]:
    """Return the names of the pictures that ship to try presets on."""
    return frozenset(path.stem for path in SAMPLES.glob("*.jpg"))
