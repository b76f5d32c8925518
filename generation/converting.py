"""Pickled weights to safetensors, in a child with little memory and time.

A pickle is a program. ``torch.load(weights_only=True)`` reads those that hold nothing but tensors
and plain values, and refuses all others (docs.pytorch.org, ``torch.load``); a generator that NVIDIA
published is read by ``network_pickles``, which runs nothing of it either. The child's limits bound
what a file that slips through, or one that is made to swell, could take.
"""

import argparse
import asyncio
import pickle
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from generation.children import ChildPool, Limits
from generation.errors import IntakeLimitError, ModelUnavailableError
from generation.weights import PICKLES
from generation.wholeness import is_whole

TORCH_BYTES = 6 * 2**30
"""Address space that torch takes by itself; it reserves far more than it uses."""
COPIES = 3
"""How often a file's weights may be in memory at once: read, laid out anew, and written."""
CPU_S, WALL_S = 900, 1800.0
NAMES = {"pytorch_model.bin": "model.safetensors"}
"""What transformers calls the same weights; everybody else keeps the name."""
NESTED = ("state_dict", "g_ema", "G_ema")
"""Names under which training programs keep the weights to use."""
BESIDE = ("latent_avg",)
"""What belongs to the weights and may stand beside them."""

_ASKED_FOR = re.compile(r"GLOBAL ([\w.]+)")


def pickles_of(path: Path) -> tuple[Path, ...]:
    """Return the pickles to convert: a file itself, or those of a folder without their twin."""
    if path.is_file():
        return (path,)
    found = sorted(each for each in path.rglob("*") if each.suffix in PICKLES)
    return tuple(each for each in found if not target_of(each).exists())


def target_of(path: Path) -> Path:
    """Return the name of a pickle's safetensors file."""
    return path.with_name(NAMES.get(path.name, f"{path.stem}.safetensors"))


def convert(path: Path, target: Path) -> int:
    """Write a pickle's tensors as a safetensors file, and return how many there are.

    Raises:
        ModelUnavailableError: it holds more than weights, is damaged, or takes more memory or
            time than is allowed; nothing was written.
        OSError: a file cannot be read or written.
    """
    if path.suffix not in PICKLES:
        raise ModelUnavailableError(f"{path.name} is none of {', '.join(sorted(PICKLES))}")
    size = path.stat().st_size
    limits = Limits(
        address_space=TORCH_BYTES + COPIES * size,
        cpu_s=CPU_S,
        wall_s=WALL_S,
        files=256,
        max_calls=1,
    )
    partial = target.with_name(f".{target.name}.partial")
    try:
        count = asyncio.run(_in_child(limits, path, partial))
        if not is_whole(partial):
            raise ModelUnavailableError(
                f"{path.name}: what was written is damaged; is the disk full?"
            )
        partial.replace(target)
    except IntakeLimitError as err:
        raise ModelUnavailableError(
            f"{path.name} took more memory or time than its {size / 1e6:,.0f} MB allow"
        ) from err
    finally:
        partial.unlink(missing_ok=True)
    return count


async def _in_child(limits: Limits, path: Path, target: Path) -> int:
    async with ChildPool(limits=limits) as child:
        return await child.call(rewrite, path, target)


def rewrite(path: Path, target: Path) -> int:
    """Read a pickle's tensors and write them; only ever called in a limited child.

    Raises:
        ModelUnavailableError: it holds more than weights, or is damaged.
    """
    import torch
    from safetensors.torch import save_file

    from generation.network_pickles import is_plain_pickle, read_networks

    torch.set_num_threads(1)
    try:
        if is_plain_pickle(path):
            loaded: object = read_networks(path)
        else:
            # Nothing but names and values, in which training programs keep their options.
            with torch.serialization.safe_globals([argparse.Namespace]):
                loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as err:
        asked = _ASKED_FOR.search(str(err))
        what = f" (it asks for {asked[1]})" if asked else ""
        raise ModelUnavailableError(
            f"{path.name} is refused: it holds more than weights{what}"
        ) from None
    # A damaged archive shows itself in as many ways as it has parts.
    except (
        OSError,
        RuntimeError,
        ValueError,
        EOFError,
        KeyError,
        AttributeError,
        TypeError,
        RecursionError,
    ) as err:
        raise ModelUnavailableError(f"{path.name} is damaged ({type(err).__name__})") from None
    tensors = dict(_tensors(loaded))
    if not tensors:
        raise ModelUnavailableError(f"{path.name} holds no weights")
    save_file({name: each.contiguous().clone() for name, each in tensors.items()}, target)
    return len(tensors)


def _tensors(loaded: object) -> Iterator[tuple[str, Any]]:
    """Yield the tensors of a state dict, which training programs keep under a name."""
    import torch

    if not isinstance(loaded, Mapping):
        return
    inner = next((loaded[name] for name in NESTED if name in loaded), loaded)
    beside = {} if inner is loaded else {name: loaded.get(name) for name in BESIDE}
    for name, each in {**inner, **beside}.items() if isinstance(inner, Mapping) else ():
        if isinstance(each, torch.Tensor):
            yield str(name), each
