"""Networks of our own, as a training writes them: told from their files, and refused if foreign.

A folder holds ``config.json``, which names the network and what it is built with, and
``model.safetensors``. What is loaded is what the caller asked for, never what a file names.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from generation.errors import UNREADABLE, ModelUnavailableError
from generation.portraits import WEIGHTS
from generation.recognition import CONFIG, read_config
from generation.sums import require_shipped
from generation.weights import STARTER

SHOWN, REASON = 3, 300
"""Of what does not fit: how much a refusal names, and its letters at most."""
BESIDE = frozenset({"network"})
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
    told = read_config(folder, CONFIG)
    if not isinstance(told.get("network"), str):
        raise ModelUnavailableError(f"{folder.name}/{CONFIG} is not understood: no network in it")
    return told


def network_of(folder: Path, *, among: Iterable[str]) -> str:
    """Return which network a folder holds, as ``module:Class``.

    Raises:
        ModelUnavailableError: the configuration is missing or not understood, or names none of
            these.
    """
    network = str(read_trained(folder)["network"])
    if network not in (known := tuple(among)):
        other, *wanted = (name.rpartition(":")[2] for name in (network, *known))
        raise ModelUnavailableError(
            f"{folder.name} holds a {other}, where a {' or '.join(wanted)} is needed"
        )
    return network


def load_trained(folder: Path, *kinds: type[NetworkT]) -> NetworkT:
    """Return a trained network of one of some kinds, in float32 and for use alone.

    Raises:
        ModelUnavailableError: the files are missing or damaged, or of another network; or they
            ship with the program, and are others than those.
    """
    if folder.is_relative_to(STARTER):
        require_shipped(folder)
    told = read_trained(folder)
    known = {f"{kind.__module__}:{kind.__name__}": kind for kind in kinds}
    kind = known[network_of(folder, among=known)]
    try:
        # Nothing random of the process is drawn on: the weights are replaced.
        with torch.random.fork_rng(devices=[]):
            made = kind(**{key: value for key, value in told.items() if key not in BESIDE})
        weights = load_file(folder / WEIGHTS)
        _require_fit(made, weights)
        made.load_state_dict({name: value.float() for name, value in weights.items()})
    except (OSError, RuntimeError, AssertionError, SafetensorError, *UNREADABLE) as err:
        raise ModelUnavailableError(unloadable(folder, kind.__name__, err)) from err
    return made.eval().requires_grad_(requires_grad=False)


def unloadable(folder: Path, kind: str, error: BaseException) -> str:
    """Return the sentence about a folder whose files are damaged, or of something else."""
    reason = " ".join(str(error).split())[:REASON]
    return f"{folder.name} holds no {kind} that can be loaded: {reason}"


def _require_fit(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Refuse weights that are not a network's.

    Raises:
        ValueError: names or shapes differ, the message has the first few; or a number is not
            finite.
    """
    wanted = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    there = {key: tuple(value.shape) for key, value in weights.items()}
    wrong = [f"it lacks {key}" for key in wanted if key not in there]
    wrong += [f"{key} is unknown" for key in there if key not in wanted]
    wrong += [
        f"{key} is {there[key]} and not {shape}"
        for key, shape in wanted.items()
        if there.get(key, shape) != shape
    ]
    if wrong:
        more = f", and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise ValueError("; ".join(wrong[:SHOWN]) + more)
    if not all(value.isfinite().all() for value in weights.values()):
        raise ValueError(f"{WEIGHTS} holds numbers that are not finite")


def fingerprint(network: nn.Module) -> str:
    """Return a short sum of a network's weights in half precision, as they are stored."""
    total = sha256()
    for name, value in sorted(network.state_dict().items()):
        total.update(name.encode())
        total.update(value.detach().to("cpu", torch.float16).contiguous().numpy().tobytes())
    return total.hexdigest()[:16]
