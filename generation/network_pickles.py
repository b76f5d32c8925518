"""Networks that were published as pickles of their own programs, read without running any of it.

NVIDIA's ``.pkl`` hold whole objects and the text of the modules that made them
(stylegan2-ada-pytorch, ``torch_utils/persistence.py``). Of such a file only what a short table
names is taken: tensors are built by torch, plain containers by Python, and of any other object its
attributes are kept and nothing is called. A name that the table lacks is a refusal.
"""

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from generation.errors import ModelUnavailableError

AVERAGED = "G_ema"
"""What the generator to use is called in these files."""
TENSORFLOW = "dnnlib.tflib"


class Kept:
    """Stands for an object: knows its attributes, and does nothing."""

    state: Any = None

    def __init__(self, *_: object) -> None:
        """Take whatever the object would have been made of, and leave it."""

    def __setstate__(self, state: object) -> None:
        """Keep the attributes."""
        self.state = state


class _Dict(dict[Any, Any]):
    """Stands for a dictionary whose keys are attributes."""

    def __setstate__(self, _: object) -> None:
        """Keep nothing: all is in the items."""


def _persistent(meta: Mapping[str, Any]) -> Kept:
    kept = Kept()
    kept.state = meta.get("state")
    return kept


def _storage(data: bytes) -> object:
    return torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")


def _parameter(data: Tensor, *_: object) -> Tensor:
    return data


KNOWN: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): _persistent,
    ("dnnlib.util", "EasyDict"): _Dict,
    ("collections", "OrderedDict"): OrderedDict,
    ("builtins", "set"): set,
    ("__builtin__", "set"): set,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch.storage", "_load_from_bytes"): _storage,
    ("torch", "device"): Kept,
    ("numpy", "dtype"): Kept,
    ("numpy.core.multiarray", "scalar"): Kept,
    ("numpy._core.multiarray", "scalar"): Kept,
    ("_codecs", "encode"): Kept,
}
"""All that a file can name, and what stands for it."""


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Callable[..., Any]:
        if module.startswith(TENSORFLOW):
            raise pickle.UnpicklingError("a network of TensorFlow")
        if (module, name) not in KNOWN:
            # As torch says it, so that one sentence can be made of both.
            raise pickle.UnpicklingError(f"GLOBAL {module}.{name} is not known")
        return KNOWN[module, name]


def is_plain_pickle(path: Path) -> bool:
    """Return whether a file is one that Python's own pickle has written, and not torch's."""
    return path.suffix == ".pkl" and not zipfile.is_zipfile(path)


def read_networks(path: Path) -> dict[str, Tensor]:
    """Return the tensors of the generator to use, by their names in its program.

    Raises:
        ModelUnavailableError: the file holds no such generator, or one of TensorFlow.
        UnpicklingError: it names something that the table lacks.
        ValueError, and others that damage raises.
    """
    with path.open("rb") as file:
        try:
            found = _Reader(file).load()
        except pickle.UnpicklingError as err:
            if "TensorFlow" not in str(err):
                raise
            raise ModelUnavailableError(
                f"{path.name} holds a network of TensorFlow; NVIDIA's legacy.py (stylegan2-ada-"
                "pytorch) makes one of PyTorch of it, which is read here"
            ) from None
    network = found.get(AVERAGED) if isinstance(found, Mapping) else None
    if not isinstance(network, Kept):
        raise ModelUnavailableError(f"{path.name} holds no generator under the name {AVERAGED}")
    return dict(_tensors(network))


def _tensors(network: Kept, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield a module's parameters and buffers as its ``state_dict`` would."""
    attributes = network.state if isinstance(network.state, Mapping) else {}
    for kind in ("_parameters", "_buffers"):
        for name, each in attributes.get(kind, {}).items():
            if isinstance(each, Tensor):
                yield f"{prefix}{name}", each
    for name, each in attributes.get("_modules", {}).items():
        if isinstance(each, Kept):
            yield from _tensors(each, f"{prefix}{name}.")
