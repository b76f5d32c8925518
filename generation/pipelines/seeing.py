"""Loading networks of transformers that look at pictures, with what lays pictures before them."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging as transformers_logging

from generation.devices import ready
from generation.errors import ModelUnavailableError
from generation.tiny_codec import DAMAGE


def load_seeing(
    folder: Path,
    *,
    kinds: tuple[Any, Any],
    preprocessor: Path,
    device: torch.device,
    unused: Collection[str] = (),
) -> tuple[Any, Any]:
    """Load a network in float32, and its processor; nothing is fetched, and no program run.

    Args:
        folder: with its configuration and safetensors.
        kinds: transformers' classes that load the network and the processor.
        preprocessor: the folder of the processor's configuration.
        device: where to.
        unused: parts of the names of weights that nothing passes through, and a file may lack.

    Raises:
        ModelUnavailableError: it is damaged, or lacks weights: the library would make them up.
    """
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        network, told = kinds[0].from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
        )
        processor = kinds[1].from_pretrained(
            preprocessor, local_files_only=True, trust_remote_code=False
        )
    except DAMAGE as err:
        if isinstance(err, torch.OutOfMemoryError):
            raise
        raise ModelUnavailableError(f"{folder.name} could not be loaded: {err}") from err
    lost = [name for name in told["missing_keys"] if not any(part in name for part in unused)]
    if lost:
        raise ModelUnavailableError(f"{folder.name} lacks weights: {sorted(lost)[0]} ...")
    return ready(network, device), processor
