"""Loading a checkpoint from a folder in diffusers' layout, or from a single file in one.

Nothing is fetched: only files on this machine are read, and of weights only safetensors.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from diffusers.loaders.single_file_utils import SingleFileComponentError
from diffusers.utils import logging as diffusers_logging
from torch import nn
from transformers.utils import logging as transformers_logging

from generation.checkpoints import Checkpoint
from generation.devices import DTYPES, torch_device, torch_dtype
from generation.errors import ModelDamagedError, ModelUnavailableError
from generation.families import UNET_ROWS
from generation.heads import elements, read_head
from generation.holding import held, networks
from generation.memory import Plan
from generation.pipelines.base import Dtype, EngineConfig
from generation.planning import plan_for
from generation.recognition import INDEX, family_of, read_config
from generation.single_files import load_single
from generation.sums import require_recorded
from generation.tiny_codec import DAMAGE, tiny_codec
from generation.weights import (
    checkpoint_elements,
    checkpoint_folder,
    read_manifest,
    single_file,
    weight_files,
)

MORE_PARTS = ("text_encoder_2", "tokenizer_2", "text_encoder_3", "tokenizer_3", "processor")
"""Components that only some pipelines have."""


def load_checkpoint(
    name: str,
    *,
    models_dir: Path,
    device: torch.device,
    dtype: Dtype = "auto",
    plan: Plan | None = None,
) -> Checkpoint:
    """Load a checkpoint by its folder's name, and hold its networks as a plan says.

    Raises:
        ModelDamagedError: it is incomplete, or its files are damaged or others than it came with.
        ModelUnavailableError: it is missing, a pickle, marked, or of no known family.
    """
    folder = checkpoint_folder(name, models_dir=models_dir)
    family = family_of(folder)
    chosen = torch_dtype(dtype, device=device, half=DTYPES[family.half])
    # Of what the index names, the library's own checker is not loaded.
    left_out = {"safety_checker": None} if "safety_checker" in read_config(folder, INDEX) else {}
    loaded = load_folder(folder, models_dir=models_dir, dtype=chosen, **left_out)
    parts = dict(loaded.components)
    if parts.get("text_encoder") is None and parts.get("tokenizer") is None:
        # The refiner of Stable Diffusion XL has the second ones alone.
        for part in ("text_encoder", "tokenizer"):
            parts[part] = parts.pop(f"{part}_2", None)
    module, _, kind = (family.rows or UNET_ROWS).partition(":")
    built: type[Checkpoint] = getattr(import_module(module), kind)
    required = (built.DENOISER, *built.REQUIRED)
    if missing := [part for part in required if parts.get(part) is None]:
        raise ModelDamagedError(f"{name} lacks {', '.join(missing)}")
    vae = parts["vae"]
    careful = family.careful_codec and getattr(vae.config, "force_upcast", False)
    if careful and chosen is torch.float16:
        vae = vae.float()
    manifest = read_manifest(folder)
    tiny = tiny_codec(folder, vae=vae, device=device, dtype=chosen)
    if manifest.quick and tiny is None:
        raise ModelDamagedError(f"{name} is to be quick, but has no tiny_vae")
    more: dict[str, Any] = {
        part: found for part in MORE_PARTS if (found := parts.get(part)) is not None
    }
    own = {built.DENOISER: parts[built.DENOISER], "text_encoder": parts["text_encoder"], **more}
    own |= {} if manifest.quick else {"vae": vae}
    own |= {} if tiny is None else {"tiny_vae": tiny.network}
    return built(
        name=name,
        family=family,
        manifest=manifest,
        denoiser=parts[built.DENOISER],
        vae=vae,
        tiny=tiny,
        text_encoder=parts["text_encoder"],
        tokenizer=parts["tokenizer"],
        scheduler=parts["scheduler"],
        device=device,
        dtype=chosen,
        seats=held(networks(own), plan=plan, device=device),
        zero_negative=bool(getattr(loaded.config, "force_zeros_for_empty_prompt", False)),
        scored=bool(getattr(loaded.config, "requires_aesthetics_score", False)),
        **more,
    )


def load_folder(folder: Path, *, models_dir: Path, **options: object) -> Any:  # noqa: ANN401 - diffusers' own
    """Load the pipeline of diffusers that a checkpoint's index names.

    Raises:
        ModelDamagedError: it is damaged, incomplete, or of a class that is not known here; or its
            files are others than those that it came with.
        ModelUnavailableError: a file is out of reach, or the memory does not suffice to load it.
    """
    require_recorded(folder.name, folder, models_dir=models_dir)
    # An engine's output is a log; bars that redraw a line have no place in it.
    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    single = single_file(folder)
    try:
        if single is not None:
            loaded = load_single(single, **options)
        else:
            loaded = DiffusionPipeline.from_pretrained(  # type: ignore[no-untyped-call]
                folder, local_files_only=True, use_safetensors=True, **options
            )
    except NotImplementedError as err:
        # What diffusers found no numbers for cannot be converted to others.
        raise ModelDamagedError(f"{folder.name} lacks weights of a network") from err
    except (*DAMAGE, SingleFileComponentError) as err:
        kind = ModelUnavailableError if _may_pass(err) else ModelDamagedError
        raise kind(f"{folder.name} could not be loaded: {err}") from err
    _require_all_weights(folder, loaded)
    return loaded


def _may_pass(error: BaseException) -> bool:
    """Return whether an error tells of the machine, and nothing of the files."""
    if isinstance(error, OSError):
        # Those that the libraries make up have no number.
        return error.errno is not None
    return isinstance(error, ImportError | torch.OutOfMemoryError) or "t allocate" in str(error)


def _require_all_weights(folder: Path, loaded: Any) -> None:  # noqa: ANN401 - diffusers' own
    """Refuse networks of which some weights were in no file.

    The libraries leave such weights without numbers, or make some up.
    """
    for name, part in loaded.components.items():
        if not isinstance(part, nn.Module):
            continue
        if lost := [each for each, weight in part.named_parameters() if weight.is_meta]:
            raise ModelDamagedError(f"{folder.name} lacks weights of {name}: {lost[0]} ...")
        files = [path for path in weight_files(folder) if path.parent.name == name]
        found = sum(elements(read_head(path)) for path in files)
        wanted = sum(weight.numel() for weight in part.parameters())
        if files and found < wanted:
            raise ModelDamagedError(
                f"{folder.name} lacks weights of {name}: {found:,} of {wanted:,} numbers are there"
            )


def expected_bytes(name: str, *, config: EngineConfig) -> int:
    """Return about how many bytes a checkpoint's networks will take.

    Raises:
        ModelUnavailableError: it is missing or damaged.
    """
    folder = checkpoint_folder(name, models_dir=config.models_dir)
    half = DTYPES[family_of(folder).half]
    numbers = torch_dtype(config.dtype, device=torch_device(config.device), half=half)
    return checkpoint_elements(folder) * numbers.itemsize


class FromCheckpoint:
    """What every pipeline knows of a checkpoint before it is loaded."""

    @classmethod
    def weigh(cls, *, model: str, config: EngineConfig) -> int:
        """Return about how many bytes a checkpoint will take.

        Raises:
            ModelUnavailableError: the checkpoint is missing or damaged.
        """
        return expected_bytes(model, config=config)

    @classmethod
    def plan(cls, *, model: str, config: EngineConfig) -> Plan | None:
        """Return how a checkpoint will be held, by what there is room for.

        Raises:
            ModelUnavailableError: the checkpoint is missing or damaged.
            ModelTooLargeError: it finds no room; the sentence has the figures.
        """
        return plan_for(model, config=config)

    @classmethod
    def files(cls, *, model: str, config: EngineConfig) -> Sequence[Path]:
        """Return the files that a checkpoint is read from.

        Raises:
            ModelUnavailableError: the checkpoint is missing.
        """
        return weight_files(checkpoint_folder(model, models_dir=config.models_dir))
