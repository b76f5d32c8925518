"""Networks of our own, as a training writes them: told from their files, and refused if foreign.

A folder holds ``config.json``, which names the network and what it is built with, and
``model.safetensors``. What is loaded is what the caller asked for, never what a file names.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from generation.errors import UNREADABLE, ModelUnavailableError
from generation.weights import STARTER

WEIGHTS, CONFIG = "model.safetensors", "config.json"
BESIDE = frozenset({"network", "encoder"})
"""What a configuration says beside the network's own arguments."""

NetworkT = TypeVar("NetworkT", bound=nn.Module)


def trained_folder(name: str, *, models_dir: Path) -> Path | None:
    """Return the folder of a trained network, the operator's before ours; None if there is none."""
    for base in (models_dir, STARTER):
        if (base / name / WEIGHTS).is_file() and (base / name / CONFIG).is_file():
            return base / name
    return None


def read_trained(folder: Path) -> Mapping[str, Any]:
    """Return what the configuration of a trained network says.

    Raises:
        ModelUnavailableError: it is missing or not understood.
    """
    try:
        told = json.loads((folder / CONFIG).read_text("utf-8"))
        if not isinstance(told, dict) or not isinstance(told.get("network"), str):
            raise TypeError("it names no network")
    except (OSError, *UNREADABLE) as err:
        raise ModelUnavailableError(f"{folder.name}/{CONFIG} is not understood: {err}") from err
    return told


def load_trained(folder: Path, network: type[NetworkT]) -> NetworkT:
    """Return a trained network, in float32 and for use alone.

    Raises:
        ModelUnavailableError: the files are missing or damaged, or of another network.
    """
    told, name = read_trained(folder), network.__name__
    if told["network"] != f"{network.__module__}:{name}":
        other = told["network"].rpartition(":")[2]
        raise ModelUnavailableError(f"{folder.name} holds a {other}, where a {name} is needed")
    try:
        made = network(**{key: value for key, value in told.items() if key not in BESIDE})
        weights = {key: value.float() for key, value in load_file(folder / WEIGHTS).items()}
        made.load_state_dict(weights)
    except (OSError, RuntimeError, SafetensorError, *UNREADABLE) as err:
        reason = " ".join(str(err).split())[:200]
        raise ModelUnavailableError(f"{folder.name} holds no {name}: {reason}") from err
    if not all(value.isfinite().all() for value in weights.values()):
        raise ModelUnavailableError(f"{folder.name}/{WEIGHTS} holds numbers that are not finite")
    return made.eval().requires_grad_(requires_grad=False)


def fingerprint(network: nn.Module) -> str:
    """Return a short sum of a network's weights in half precision, as they are stored."""
    total = sha256()
    for name, value in sorted(network.state_dict().items()):
        total.update(name.encode())
        total.update(value.detach().to("cpu", torch.float16).contiguous().numpy().tobytes())
    return total.hexdigest()[:16]
