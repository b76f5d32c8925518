"""Networks that our own trainings wrote: built by their configuration, with their weights."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from generation.errors import UNREADABLE, ModelUnavailableError
from generation.portraits import CONFIG, TITLES, WEIGHTS
from generation.recognition import read_config
from generation.registry import resolve

SHOWN = 3


def load_network(folder: Path) -> nn.Module:
    """Return the network of a folder, in single precision.

    Raises:
        ModelUnavailableError: the configuration names no network of ours or does not fit it, or
            the weights are damaged or another network's; the sentence says which.
    """
    told = dict(read_config(folder, CONFIG))
    name = told.pop("network", None)
    if name not in TITLES:
        raise ModelUnavailableError(f"{folder.name}/{CONFIG} names no network that is known here")
    try:
        network = _built(str(name), told)
    except (RuntimeError, AssertionError, *UNREADABLE) as err:
        raise ModelUnavailableError(
            f"{folder.name}/{CONFIG} does not describe a {TITLES[str(name)]}: {err}"
        ) from err
    weights = _read(folder / WEIGHTS)
    require_fit(f"{folder.name}/{WEIGHTS}", network, weights, title=TITLES[str(name)])
    network.load_state_dict({key: value.float() if value.is_floating_point() else value
                             for key, value in weights.items()})  # fmt: skip
    return network


def require_fit(file: str, network: nn.Module, weights: dict[str, Tensor], *, title: str) -> None:
    """Refuse weights that are not a network's.

    Raises:
        ModelUnavailableError: names or shapes differ; the sentence has the first few.
    """
    wanted = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    there = {key: tuple(value.shape) for key, value in weights.items()}
    wrong = [f"it lacks {key}" for key in wanted if key not in there]
    wrong += [f"{key} is unknown" for key in there if key not in wanted]
    wrong += [
        f"{key} is {there[key]} and not {shape}"
        for key, shape in wanted.items()
        if key in there and there[key] != shape
    ]
    if wrong:
        more = f", and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise ModelUnavailableError(
            f"{file} holds no weights of this {title}: {'; '.join(wrong[:SHOWN])}{more}"
        )


def _built(name: str, arguments: dict[str, Any]) -> nn.Module:
    # Nothing random of the process is drawn on: the weights are replaced.
    with torch.random.fork_rng(devices=[]):
        network: Any = resolve(name)
        built: nn.Module = network(**arguments)
    return built


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError, *UNREADABLE) as err:
        raise ModelUnavailableError(
            f"{path.parent.name}/{path.name} cannot be read: {err}"
        ) from err
