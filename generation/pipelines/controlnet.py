"""ControlNet: a copy of the denoiser's first half that looks at edges, depths or poses.

Zhang, Rao & Agrawala, "Adding Conditional Control to Text-to-Image Diffusion Models" (ICCV 2023).

What it makes of them is added to what the denoiser's first half hands over to its second.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import diffusers
import torch
from diffusers.loaders.single_file_utils import SingleFileComponentError

from generation.checkpoints import Checkpoint
from generation.companions import Companion
from generation.devices import ready
from generation.errors import InvalidRequestError
from generation.heads import Shapes, elements, read_head
from generation.pipelines.adapters import quiet
from generation.tiny_codec import DAMAGE

NETWORK: Any = diffusers.ControlNetModel
"""Diffusers' class, which carries no types."""

_HINTS = "input_hint_block."
_EMBEDDING = "controlnet_cond_embedding."


def load_control_net(companion: Companion, *, model: Checkpoint) -> Any:  # noqa: ANN401 - diffusers' own
    """Load a ControlNet for a checkpoint; nothing is fetched.

    Raises:
        InvalidRequestError: it is damaged, incomplete, or does not fit the checkpoint after all.
    """
    file = companion.file
    try:
        with quiet():
            network = _loaded(file, model=model)
        _require_likeness(network, file, model=model)
    except (*DAMAGE, SingleFileComponentError, NotImplementedError) as err:
        if isinstance(err, torch.OutOfMemoryError):
            raise
        raise InvalidRequestError(
            f"the ControlNet {companion.name} does not fit {model.name}, or is damaged"
        ) from err
    return ready(network, model.device)


def _loaded(file: Path, *, model: Checkpoint) -> Any:  # noqa: ANN401 - diffusers' own
    options = {"local_files_only": True, "dtype": model.dtype}
    if not (file.parent / "config.json").is_file():
        return _from_single_file(file, model=model, options=options)
    if file.name.startswith("diffusion_pytorch_model."):
        return NETWORK.from_pretrained(
            file.parent, use_safetensors=True, variant=_variant(file), **options
        )
    return NETWORK.from_single_file(str(file), config=str(file.parent), **options)


def _variant(file: Path) -> str | None:
    """Return what stands before the ending of files in another numeric format."""
    return file.stem.partition(".")[2] or None


def _from_single_file(file: Path, *, model: Checkpoint, options: Mapping[str, object]) -> Any:  # noqa: ANN401 - diffusers' own
    """Load a file by the configuration that it must have to fit the checkpoint."""
    with torch.device("meta"):
        like = NETWORK.from_unet(
            model.denoiser,
            load_weights_from_unet=False,
            conditioning_embedding_out_channels=_hint_channels(read_head(file)),
        )
    config = {**like.config, "in_channels": model.denoiser.config.out_channels}
    config = {name: value for name, value in config.items() if not name.startswith("_")}
    config["_class_name"] = NETWORK.__name__
    with TemporaryDirectory(prefix="atelier-") as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config), "utf-8")
        return NETWORK.from_single_file(str(file), config=folder, **options)


def _hint_channels(shapes: Shapes) -> tuple[int, ...]:
    """Return the channels of the layers that look at the control picture.

    By its authors' names there are two convolutions for each level, and activations between.
    """
    plain = {name.removeprefix("control_model."): shape for name, shape in shapes.items()}
    if f"{_HINTS}0.weight" in plain:
        places = [f"{_HINTS}{place}.weight" for place in (0, 4, 8, 12)]
        return tuple(plain[name][0] for name in places if name in plain)
    levels = sum(name.startswith(f"{_EMBEDDING}blocks.") for name in plain) // 4
    names = [f"{_EMBEDDING}blocks.{2 * level + 1}.weight" for level in range(levels)]
    return tuple(plain[name][0] for name in (f"{_EMBEDDING}conv_in.weight", *names))


def _require_likeness(network: Any, file: Path, *, model: Checkpoint) -> None:  # noqa: ANN401 - diffusers' own
    """Refuse what lacks weights, or whose residuals are not what the denoiser takes.

    It may have less attention than the denoiser, as the small ones for Stable Diffusion XL do.

    Raises:
        ValueError: it is so.
    """
    if any(weight.is_meta for weight in network.parameters()):
        raise ValueError("some of its weights are in no file")
    if elements(read_head(file)) < sum(weight.numel() for weight in network.parameters()):
        raise ValueError("some of its weights are in no file")
    wanted = (
        "block_out_channels", "layers_per_block", "addition_embed_type",
        "projection_class_embeddings_input_dim",
    )  # fmt: skip
    own, unet = network.config, model.denoiser.config
    if any(_plain(own[name]) != _plain(unet[name]) for name in wanted):
        raise ValueError("it is built otherwise")
    levels = len(own.conditioning_embedding_out_channels)
    if own.in_channels != unet.out_channels or 2 ** (levels - 1) != model.vae_factor:
        raise ValueError("it looks at other latents")


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
