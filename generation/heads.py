"""The head of a safetensors file: the names and shapes of its tensors, without reading a weight.

The file begins with the head's length in eight bytes and the head in JSON; the tensors follow
(https://huggingface.co/docs/safetensors, "Format").
"""

import json
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path

from generation.errors import UNREADABLE, ModelDamagedError, ModelUnavailableError

MAX_HEAD_BYTES = 16 * 2**20
"""Some ten times the largest that is passed around; what is read of a head is read at once."""

Shapes = Mapping[str, tuple[int, ...]]


def read_head(path: Path) -> Shapes:
    """Return the shapes of a file's tensors by their names.

    Raises:
        ModelDamagedError: the file is damaged, or shorter than its head says.
        ModelUnavailableError: it is out of reach.
    """
    try:
        return _read(path)
    except OSError as err:
        raise ModelUnavailableError(f"{path.name} cannot be read: {err}") from err
    except (ValueError, struct.error) as err:
        raise ModelDamagedError(f"{path.name} has damaged weights: {err}") from err
    except UNREADABLE as err:
        raise ModelDamagedError(f"{path.name} has damaged weights: an unknown head") from err


def _read(path: Path) -> Shapes:
    size = path.stat().st_size
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > min(MAX_HEAD_BYTES, size - 8):
            raise ValueError(f"it is cut off, or no safetensors file (a head of {length} bytes)")
        told = json.loads(file.read(length))
    tensors = {name: each for name, each in told.items() if name != "__metadata__"}
    end = 8 + length + max((int(each["data_offsets"][1]) for each in tensors.values()), default=0)
    if end != size:
        raise ValueError(f"it is cut off, or has too much: {size} bytes instead of {end}")
    return {name: _shape(each["shape"]) for name, each in tensors.items()}


def _shape(told: list[object]) -> tuple[int, ...]:
    """Return a tensor's sides, which are whole numbers."""
    sides = tuple(side for side in told if isinstance(side, int) and side >= 0)
    if len(sides) != len(told):
        raise ValueError(f"a tensor cannot be {told}")
    return sides


def elements(shapes: Shapes) -> int:
    """Return how many numbers tensors hold."""
    return sum(prod(shape) for shape in shapes.values())
