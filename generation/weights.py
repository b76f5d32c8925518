"""Where checkpoints are, and what they say about themselves; nothing here imports torch.

A checkpoint is a folder in diffusers' layout, of whose parts some or all may be in a single file
beside its index instead. It may carry an ``atelier.json`` that declares how its pictures are
finished, which words it knows, and what it likes to be run with.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from generation.cards import read_card
from generation.errors import UNREADABLE, ModelUnavailableError
from generation.families import Architecture, Family
from generation.heads import elements, read_head
from generation.recognition import DENOISERS, architecture_of, plainest
from generation.recognition import INDEX as INDEX

STARTER = Path(__file__).parent / "starter"
MANIFEST = "atelier.json"
PICKLES = frozenset({".bin", ".ckpt", ".pt", ".pth", ".pkl"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One finishing layer of a checkpoint: particles that its resolution cannot carry.

    Args:
        layer: a name of ``generation.postprocess.layers.LAYERS``.
        edits: the edits of the manifest that call for it.
        mask: the mask it is kept to, a key of ``Manifest.masks``; None covers the picture.
        outside: whether it is kept out of the mask instead.
    """

    layer: str
    edits: tuple[str, ...]
    mask: str | None = None
    outside: bool = False
    amount: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """How a small result is carried over to the full-size picture.

    Args:
        method: "guided_filter" fits a local affine colour model.
        radius: of its windows, in pixels of the small result.
        eps: variance (of colours in [0, 1]) below which a window counts as flat.
    """

    method: str = "guided_filter"
    radius: int = 3
    eps: float = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an ``atelier.json`` declares; every field may be left out.

    Args:
        native_size: longer side in pixels that the checkpoint is run at.
        finish: None leaves the decoded picture as it is.
        masks: prompts that make the checkpoint answer with a mask.
        words: edits and the words for them, the plainest first; empty if any word will do.
        fillers: words that a prompt may hold besides.
        quick: whether pictures go through the checkpoint's tiny codec, at the cost of some detail;
            without it only previews do.
    """

    title: str = ""
    native_size: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    image_guidance_scale: float | None = None
    finish: Finish | None = None
    masks: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[Layer, ...] = ()
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fillers: tuple[str, ...] = ()
    quick: bool = False


def paints_anew(family: Family, manifest: Manifest) -> bool:
    """Return whether a checkpoint makes pictures from words alone, and new parts of pictures."""
    return family.paints and manifest.finish is None


def checkpoint_folder(name: str, *, models_dir: Path) -> Path:
    """Return a checkpoint's folder: the operator's, else the starter's of that name.

    Raises:
        ModelUnavailableError: there is none, it holds no weights that are loaded, or its card
            says that it must not be used.
    """
    plain = name and Path(name).name == name and not name.startswith(".")
    for base in (models_dir, STARTER) if plain else ():
        folder = base / name
        if (folder / INDEX).is_file():
            _require_safetensors(folder)
            if wrong := read_card(name, models_dir=models_dir).unusable:
                raise ModelUnavailableError(f"{name} is not used: {wrong}")
            return folder
        if (single := single_file(folder)) is not None:
            raise ModelUnavailableError(needs_configuration(single, name=name))
    known = ", ".join(checkpoint_names(models_dir=models_dir)) or "none"
    raise ModelUnavailableError(f"there is no checkpoint {name!r}; known: {known}")


def checkpoint_names(*, models_dir: Path) -> tuple[str, ...]:
    """Return the names of all checkpoint folders, the operator's and the starters."""
    found = {
        index.parent.name for base in (models_dir, STARTER) for index in base.glob(f"*/{INDEX}")
    }
    return tuple(sorted(found))


def single_file(folder: Path) -> Path | None:
    """Return the file that holds a checkpoint's denoiser, and more; None if a part's folder does.

    Raises:
        ModelUnavailableError: there are several.
    """
    if any(any((folder / part).glob("*.safetensors")) for part in DENOISERS):
        return None
    found = sorted(folder.glob("*.safetensors"))
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise ModelUnavailableError(f"{folder.name} holds {names}; which is it to be?")
    return found[0] if found else None


def needs_configuration(single: Path, *, name: str) -> str:
    """Return the sentence about a single file whose folder lacks what else it needs.

    Raises:
        ModelUnavailableError: it is damaged, or cannot be loaded even so.
    """
    family = plainest(known_architecture(single))
    fetched = f"`python -m bot models pull {family.source} --config-only --name {name}`"
    return (
        f"{name}/{single.name} is built like {family.title}, and lacks the configuration and the"
        f" tokenizer beside it; {fetched} fetches them"
    )


def known_architecture(single: Path) -> Architecture:
    """Return how the checkpoint in a single file is built.

    Raises:
        ModelUnavailableError: the file is damaged, or is built like no family that is loaded from
            single files.
    """
    architecture = architecture_of(read_head(single))
    if architecture is None:
        raise ModelUnavailableError(
            f"{single.name} is built like no family that is known here: a checkpoint's other part,"
            " a LoRA, or a denoiser under diffusers' own names"
        )
    family = plainest(architecture)
    if family.loader is None:
        raise ModelUnavailableError(
            f"{single.name} is built like {family.title}, of which diffusers loads no single file;"
            f" `python -m bot models pull {family.source}` fetches the folder"
        )
    return architecture


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Return the files of a checkpoint's weights.

    Of files that hold the same weights twice (``model.fp16.safetensors``) it is the plain one.
    """
    parts = (path for path in sorted(folder.glob("*/*.safetensors")) if "." not in path.stem)
    single = single_file(folder)
    return (*parts,) if single is None else (single, *parts)


def checkpoint_elements(folder: Path) -> int:
    """Return how many numbers a checkpoint's weights are, read from the heads of its files.

    Raises:
        ModelDamagedError: a file is damaged.
        ModelUnavailableError: one is out of reach.
    """
    try:
        return sum(elements(read_head(path)) for path in weight_files(folder))
    except ModelUnavailableError as err:
        raise type(err)(f"{folder.name}: {err}") from err


def _require_safetensors(folder: Path) -> None:
    """Refuse a folder whose weights are pickles: loading those can run anything."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    if any(path.suffix == ".safetensors" for path in files):
        return
    pickles = sorted(path.name for path in files if path.suffix in PICKLES)
    if pickles:
        raise ModelUnavailableError(
            f"{folder.name} holds {pickles[0]}, a pickle; only safetensors are loaded, and"
            " `models convert` makes them of it"
        )
    raise ModelUnavailableError(f"{folder.name} holds no weights (*.safetensors)")


def read_manifest(folder: Path) -> Manifest:
    """Return what the checkpoint declares; an empty manifest if it has no ``atelier.json``.

    Raises:
        ModelUnavailableError: the file is there but not understood.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return Manifest()
    try:
        return _manifest(json.loads(path.read_text("utf-8")))
    except UNREADABLE as err:
        raise ModelUnavailableError(f"{folder.name}/{MANIFEST} is not understood: {err}") from err


def _manifest(data: Any) -> Manifest:  # noqa: ANN401 - whatever the file holds
    if not isinstance(data, dict):
        raise TypeError("it is no object")
    fields = dict(data)
    if finish := fields.pop("finish", None):
        fields["finish"] = Finish(**finish)
    fields["layers"] = tuple(
        Layer(**{**layer, "edits": tuple(layer["edits"])}) for layer in fields.pop("layers", ())
    )
    fields["words"] = {edit: _texts(words) for edit, words in fields.pop("words", {}).items()}
    fields["fillers"] = tuple(fields.pop("fillers", ()))
    return Manifest(**fields)


def _texts(told: Sequence[object]) -> tuple[str, ...]:
    """Return the words of an edit, of which there is at least one."""
    texts = tuple(each for each in told if isinstance(each, str))
    if not texts or len(texts) != len(told):
        raise ValueError(f"{told} are no words")
    return texts


def known_words(name: str, *, models_dir: Path) -> tuple[str, ...]:
    """Return the plainest word of every edit that a checkpoint declares, () if it declares none.

    Raises:
        ModelUnavailableError: there is no such checkpoint.
    """
    manifest = read_manifest(checkpoint_folder(name, models_dir=models_dir))
    return plain_words(manifest.words)


def plain_words(words: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the first word of every edit."""
    return tuple(group[0] for group in words.values())
