"""Networks of transformers that look at pictures: what a folder holds, without torch.

Such a folder has a ``config.json`` that names the network's class, safetensors, and a
``preprocessor_config.json`` that says how pictures are laid before it. Nothing is fetched.
"""

import json
from pathlib import Path

from generation.errors import ModelUnavailableError
from generation.heads import read_head

PREPROCESSOR = "preprocessor_config.json"


def weights_in(folder: Path) -> tuple[Path, ...]:
    """Return the files of weights, all of them whole.

    Raises:
        ModelUnavailableError: there are none but pickles, or one is missing or cut off.
        OSError, or one of UNREADABLE: an index of several files is damaged.
    """
    index = folder / "model.safetensors.index.json"
    names = {"model.safetensors"}
    if index.is_file():
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    found = tuple(folder / name for name in sorted(names))
    for path in found:
        if not path.is_file():
            raise ModelUnavailableError(f"{folder.name} lacks {path.name}")
        read_head(path)
    return found


def preprocessor_in(*places: Path) -> Path:
    """Return the first of some folders that says how pictures are prepared.

    Raises:
        ModelUnavailableError: none does; the sentence names the first.
    """
    for place in places:
        if (place / PREPROCESSOR).is_file():
            return place
    raise ModelUnavailableError(f"{places[0].name} lacks {PREPROCESSOR}")
