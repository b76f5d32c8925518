"""Which models make pictures of a seed alone, told from their files and never from their names.

Such a model is a folder that a training wrote: its ``config.json`` names the network, its weights
are ``model.safetensors``. Without any there is the painter of avatars. Nothing here imports torch.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from generation.errors import ModelUnavailableError
from generation.recognition import is_network, read_config
from generation.weights import STARTER

PAINTED = "avatars"
"""What the painter is called among the models; no weights belong to it."""
CONFIG, WEIGHTS = "config.json", "model.safetensors"
TITLES: Mapping[str, str] = {
    "generation.pipelines.stylegan2:StyleGan2": "StyleGAN2",
    "generation.pipelines.gan:DigitsGenerator": "Digits GAN",
    "generation.pipelines.vae:DigitsVae": "Digits VAE",
}
"""The networks that make pictures of a seed, and what they are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Portraitist:
    """One model that makes pictures of a seed.

    Args:
        folder: with its configuration and weights; None of the painter.
        network: ``module:Class`` of the network; empty of the painter.
    """

    name: str
    folder: Path | None = None
    network: str = ""

    @property
    def title(self) -> str:
        """What its kind is called."""
        return TITLES.get(self.network, "painted, without a network")

    @property
    def projects(self) -> bool:
        """Whether a picture can be looked for among those that it makes."""
        return bool(self.network)


def portraitists(*, models_dir: Path) -> tuple[Portraitist, ...]:
    """Return the models by name, the painter first.

    One of the operator's takes the place of a starter of its name; folders that hold something
    else, or are damaged, are left out.
    """
    found: dict[str, Portraitist] = {}
    for base in (STARTER, models_dir):
        found |= {each.name: each for each in _of(base)}
    found.pop(PAINTED, None)
    return (Portraitist(name=PAINTED), *(found[name] for name in sorted(found)))


def portraitist_named(name: str, *, models_dir: Path) -> Portraitist:
    """Return a model.

    Raises:
        ModelUnavailableError: there is none of that name; the message lists those there are.
    """
    there = {each.name: each for each in portraitists(models_dir=models_dir)}
    if name not in there:
        known = ", ".join(there)
        raise ModelUnavailableError(f"there is no model {name!r} for portraits; known: {known}")
    return there[name]


def _of(base: Path) -> Iterator[Portraitist]:
    for folder in sorted(base.iterdir()) if base.is_dir() else ():
        if folder.name.startswith(".") or not (folder / WEIGHTS).is_file():
            continue
        if is_network(folder):
            network = str(read_config(folder, CONFIG).get("network"))
            if network in TITLES:
                yield Portraitist(name=folder.name, folder=folder, network=network)
