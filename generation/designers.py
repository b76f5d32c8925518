"""Which models design rooms: VAEs with a prior over their latents, and a painter without a network.

The painter stands in where nothing is trained; a VAE of its name takes its place. Nothing here
imports torch.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from generation.errors import ModelUnavailableError
from generation.training.rooms_words import ROOM_WORDS
from generation.vaes import Vae, vaes

PAINTER = "rooms"
"""What the painter is called among the models; no weights belong to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Designer:
    """One model that designs.

    Args:
        words: what it can be asked for.
        vae: that it designs by; None of the painter.
    """

    name: str
    words: tuple[str, ...]
    vae: Vae | None = None

    @property
    def make(self) -> str:
        """The VAE's make, "painted" of the painter."""
        return "painted" if self.vae is None else self.vae.make


def designing(found: Iterable[Vae]) -> dict[str, Designer]:
    """Return the designers by name, the painter or who takes its place first."""
    by_vae = {vae.name: Designer(name=vae.name, words=vae.words, vae=vae)
              for vae in found if vae.designs}  # fmt: skip
    return {PAINTER: Designer(name=PAINTER, words=ROOM_WORDS), **by_vae}


def designer_named(name: str, *, models_dir: Path) -> Designer:
    """Return a designer.

    Raises:
        ModelUnavailableError: there is none of that name; the message lists those there are.
    """
    there = designing(vaes(models_dir=models_dir))
    if name not in there:
        known = ", ".join(there)
        raise ModelUnavailableError(f"there is no model {name!r} that designs; known: {known}")
    return there[name]
