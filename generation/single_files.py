"""Loading a checkpoint whose weights are in a single file, as the families' makers publish them.

The file says what the networks' numbers are; how they are built, and how words are cut, is told by
the folder that it lies in. Nothing is fetched: what neither holds is missed by name.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import diffusers

from generation.errors import ModelDamagedError
from generation.families import Family
from generation.heads import read_head
from generation.recognition import INDEX, family_of, has_part, parts_of, read_config
from generation.weights import PICKLES, known_architecture

LIBRARIES = frozenset({"diffusers", "transformers"})


def load_single(single: Path, **options: object) -> Any:  # noqa: ANN401 - diffusers' own
    """Load the checkpoint of a single file by the configuration of its folder.

    A part whose weights lie in the folder is taken from there: a mended codec, or the text
    encoders that a file leaves out.

    Raises:
        ModelDamagedError: it is damaged, of another family than its folder, or incomplete.
        Exception: whatever diffusers and transformers raise for files that are damaged inside.
    """
    folder = single.parent
    family = family_of(folder)
    _require_likeness(single, family)
    index = read_config(folder, INDEX)
    parts = [name for name in index if has_part(index, name) and name != "safety_checker"]
    beside = [name for name in parts if any((folder / name).glob("*.safetensors"))]
    held = parts_of(read_head(single))
    networks = [name for name in parts if (folder / name / "config.json").is_file()]
    if lacking := [name for name in networks if name not in held and name not in beside]:
        raise ModelDamagedError(
            f"{single.name} holds no {', '.join(lacking)}; put"
            f" {'that folder' if len(lacking) == 1 else 'those folders'} of {family.source} into"
            f" {folder.name}"
        )
    # A part that diffusers does not know in the file it would read from the folder.
    for name in (each for each in networks if each not in beside):
        _require_no_pickle(folder / name)
    own = {name: _part(folder, name, index, options) for name in beside}
    loader = getattr(diffusers, str(family.loader))
    return loader.from_single_file(
        str(single), config=str(folder), local_files_only=True, **own, **options
    )


def _require_likeness(single: Path, family: Family) -> None:
    """Refuse a file that is built otherwise than its folder says."""
    architecture = known_architecture(single)
    if family.loader is None:
        raise ModelDamagedError(
            f"{single.parent.name} is set up for {family.title}, of which diffusers loads no single"
            " file; it needs the folder of the denoiser"
        )
    if architecture != family.architecture:
        raise ModelDamagedError(
            f"{single.name} is built otherwise than {family.title}, which {single.parent.name} is"
            " set up for"
        )


def _require_no_pickle(part: Path) -> None:
    if pickles := sorted(path.name for path in part.iterdir() if path.suffix in PICKLES):
        raise ModelDamagedError(
            f"{part.parent.name}/{part.name} holds {pickles[0]}, a pickle; remove it, only"
            " safetensors are loaded"
        )


def _part(folder: Path, name: str, index: Mapping[str, Any], options: Mapping[str, object]) -> Any:  # noqa: ANN401 - diffusers' own
    library, kind = index[name]
    if library not in LIBRARIES:
        raise ModelDamagedError(f"{folder.name}: {name} is of an unknown library, {library}")
    return getattr(import_module(library), kind).from_pretrained(
        folder / name, local_files_only=True, use_safetensors=True, dtype=options.get("dtype")
    )
