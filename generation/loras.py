"""LoRA by name: how a prompt asks for them, and where their files are; without torch."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from generation.errors import InvalidRequestError
from generation.request import MAX_WEIGHT

FOLDER = "loras"
"""Where their files are, in the operator's models folder."""

# <name:0.8>, and as other programs write it, <lora:name:0.8>.
_ASKED = re.compile(r"<(?:lora:)?([^<>:\s][^<>:]*):([-+]?\d+(?:\.\d*)?|[-+]?\.\d+)>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """One that is asked for: a file's name without its ending, and how much it counts.

    Args:
        version: what tells its file from one that takes its place, once it was looked for.
    """

    name: str
    weight: float
    version: tuple[int, int] | None = None

    @property
    def file(self) -> tuple[str, tuple[int, int] | None]:
        """What is read, whatever it counts."""
        return self.name, self.version


def split_loras(prompt: str) -> tuple[str, tuple[Lora, ...]]:
    """Return a prompt without its ``<name:weight>``, and what these ask for.

    They are ordered by name; weights of one name add up, and one of weight 0 is not asked for.

    Raises:
        InvalidRequestError: a weight is beyond ``MAX_WEIGHT``.
    """
    found = _ASKED.findall(prompt)
    if not found:
        return prompt, ()
    weights: dict[str, float] = {}
    for name, weight in found:
        weights[name.strip()] = weights.get(name.strip(), 0.0) + float(weight)
    if beyond := [name for name, weight in weights.items() if abs(weight) > MAX_WEIGHT]:
        raise InvalidRequestError(
            f"the weight of a LoRA is {-MAX_WEIGHT:g} to {MAX_WEIGHT:g}; {beyond[0]} has another",
            why="lora_weight",
            most=f"{MAX_WEIGHT:g}",
            name=beyond[0],
        )
    text = " ".join(_ASKED.sub(" ", prompt).split())
    return text, tuple(
        Lora(name=name, weight=weight) for name, weight in sorted(weights.items()) if weight
    )


def lora_file(name: str, *, models_dir: Path) -> Path:
    """Return the file of a LoRA.

    Raises:
        InvalidRequestError: there is none of that name; the message lists those there are.
    """
    names = lora_names(models_dir=models_dir)
    if name not in names:
        known = ", ".join(names) or "none"
        raise InvalidRequestError(
            f"there is no LoRA {name!r}; there are: {known}",
            why="lora_absent" if names else "lora_none",
            name=name,
            known=names,
        )
    return models_dir / FOLDER / f"{name}.safetensors"


def current(loras: tuple[Lora, ...], *, models_dir: Path) -> tuple[Lora, ...]:
    """Return what is asked for with the versions of the files that are there now.

    Raises:
        InvalidRequestError: one is not there; the message lists those there are.
    """
    files = [lora_file(lora.name, models_dir=models_dir).stat() for lora in loras]
    return tuple(
        replace(lora, version=(file.st_mtime_ns, file.st_size))
        for lora, file in zip(loras, files, strict=True)
    )


def lora_names(*, models_dir: Path) -> tuple[str, ...]:
    """Return the names of the operator's LoRA."""
    return tuple(sorted(path.stem for path in (models_dir / FOLDER).glob("*.safetensors")))
