"""Which VAEs are there, told from their files and never from their names; without torch.

A VAE is a folder of the models folder or of the starters, in one of three makes: one that our own
training wrote, an ``AutoencoderKL`` or an ``AutoencoderTiny`` as diffusers writes them. A whole
checkpoint in diffusers' layout has one in its folder ``vae``. Beside a VAE of our own there may be
a prior over its latents, which knows words.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from generation.errors import ModelUnavailableError
from generation.recognition import INDEX, Config, read_config
from generation.weights import STARTER, read_manifest

Make = Literal["pictures", "kl", "tiny"]

CONFIG, PRIOR, PART = "config.json", "prior", "vae"
PICTURES_NETWORK = "generation.pipelines.picture_vae:PictureVae"
PRIOR_NETWORK = "generation.pipelines.latent_prior:LatentPrior"
CLASSES: Mapping[str, Make] = {"AutoencoderKL": "kl", "AutoencoderTiny": "tiny"}
WEIGHTS: Mapping[Make, str] = {
    "pictures": "model.safetensors",
    "kl": "diffusion_pytorch_model.safetensors",
    "tiny": "diffusion_pytorch_model.safetensors",
}
EMPTY_WORDS = frozenset(
    (
        "的",
        "和",
        "有",
        "在",
        "a",
        "an",
        "and",
        "at",
        "by",
        "for",
        "from",
        "in",
        "is",
        "it",
        "its",
        "of",
        "on",
        "or",
        "the",
    )
) | {"to", "with"}
"""Words that say nothing of a picture by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vae:
    """One VAE that is there.

    Args:
        name: of the folder among the models.
        folder: with its configuration and weights.
        words: the attributes that its prior knows; empty without one.
        alone: whether it is no part of a checkpoint.
        carried: whether changes are made to small pictures and carried over to the full size, as
            its checkpoint's are.
    """

    name: str
    folder: Path
    make: Make
    words: tuple[str, ...] = ()
    alone: bool = True
    carried: bool = False

    @property
    def designs(self) -> bool:
        """Whether it makes pictures of its own, by a prior."""
        return bool(self.words)


def vaes(*, models_dir: Path) -> tuple[Vae, ...]:
    """Return the VAEs by name; one of the operator's takes the place of a starter of its name.

    Folders that are damaged or hold something else are left out.
    """
    found: dict[str, Vae] = {}
    for base in (STARTER, models_dir):
        for folder in sorted(base.iterdir()) if base.is_dir() else ():
            if folder.is_dir() and not folder.name.startswith("."):
                found |= {each.name: each for each in _told(folder)}
    return tuple(found[name] for name in sorted(found))


def vae_named(name: str, *, models_dir: Path) -> Vae:
    """Return a VAE.

    Raises:
        ModelUnavailableError: there is none of that name; the message lists those there are.
    """
    there = {each.name: each for each in vaes(models_dir=models_dir)}
    if name not in there:
        known = ", ".join(there) or "none"
        raise ModelUnavailableError(f"there is no VAE {name!r}; known: {known}")
    return there[name]


def _told(folder: Path) -> Iterator[Vae]:
    """Yield the VAE that a folder holds, if it does."""
    alone = not (folder / INDEX).is_file()
    place = folder if alone else folder / PART
    try:
        make = _make(read_config(place, CONFIG))
        if make is not None and (place / WEIGHTS[make]).is_file():
            yield Vae(
                name=folder.name,
                folder=place,
                make=make,
                words=_words(place) if make == "pictures" else (),
                alone=alone,
                carried=not alone and read_manifest(folder).finish is not None,
            )
    except ModelUnavailableError:
        return


def _make(told: Config) -> Make | None:
    if told.get("network") == PICTURES_NETWORK:
        return "pictures"
    return CLASSES.get(str(told.get("_class_name")))


def _words(folder: Path) -> tuple[str, ...]:
    """Return the words of a prior, () where there is none."""
    if not (folder / PRIOR / WEIGHTS["pictures"]).is_file():
        return ()
    told = read_config(folder / PRIOR, CONFIG)
    words = told.get("words")
    if told.get("network") != PRIOR_NETWORK or not isinstance(words, list):
        return ()
    return tuple(word for word in words if isinstance(word, str))


def heard(prompt: str, *, words: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which attributes a prompt names, longest phrases first, and its other words."""
    left, found = " ".join(re.findall(r"[^\W_]+", prompt.lower())), []
    for word in sorted(words, key=len, reverse=True):
        rest = re.sub(rf"(?<!\S){re.escape(word)}(?!\S)", "\0", left)
        if rest != left:
            left = rest
            found.append(word)
    unknown = dict.fromkeys(left.replace("\0", " ").split())
    return tuple(found), tuple(word for word in unknown if word not in EMPTY_WORDS)
