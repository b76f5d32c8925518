"""Families are recognised from files: single ones by their heads, folders by what is in them."""

import json
import struct
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.loaders import single_file_utils
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from generation.errors import ModelUnavailableError
from generation.families import FAMILIES
from generation.heads import MAX_HEAD_BYTES, read_head
from generation.recognition import architecture_of, family_of, plainest
from tests.generation.checkpoints import real
from tests.generation.single_files import (
    Tensors,
    flux_tensors,
    sd3_tensors,
    sd_tensors,
    write_sparse,
    xl_tensors,
)

told_type: Any = single_file_utils.infer_diffusers_model_type
"""Diffusers' own recognition, which carries no types."""
ATTENTION, PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"
UP_ATTENTION, UP_PLAIN = "CrossAttnUpBlock2D", "UpBlock2D"


def _unet(**config: object) -> object:
    return real.UNet2DConditionModel(
        **{"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8, **config}
    )


def _clip(*, width: int, layers: int, projecting: bool = False) -> object:
    config = CLIPTextConfig(
        hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers,
        num_attention_heads=width // 64, projection_dim=width,
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projecting else CLIPTextModel)(config)


def _vae() -> object:
    return real.AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
    )


@cache
def _sd() -> Tensors:
    encoder = _clip(width=768, layers=12)
    return sd_tensors({"unet": _unet(), "vae": _vae(), "text_encoder": encoder})


@cache
def _sd2() -> Tensors:
    unet = _unet(
        cross_attention_dim=1024, use_linear_projection=True, attention_head_dim=[5, 10, 20, 20]
    )
    encoder = _clip(width=1024, layers=23)
    return sd_tensors({"unet": unet, "vae": _vae(), "text_encoder": encoder}, open_clip=True)


@cache
def _xl() -> Tensors:
    unet = _unet(
        block_out_channels=(320, 640, 1280),
        down_block_types=(PLAIN, ATTENTION, ATTENTION),
        up_block_types=(UP_ATTENTION, UP_ATTENTION, UP_PLAIN),
        transformer_layers_per_block=[1, 2, 10],
        attention_head_dim=[5, 10, 20],
        cross_attention_dim=2048,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    )
    parts = {"unet": unet, "vae": _vae(), "text_encoder": _clip(width=768, layers=12)}
    return xl_tensors({**parts, "text_encoder_2": _clip(width=1280, layers=32, projecting=True)})


def _refiner() -> Tensors:
    unet = _unet(
        block_out_channels=(384, 768, 1536, 1536),
        down_block_types=(PLAIN, ATTENTION, ATTENTION, PLAIN),
        up_block_types=(UP_PLAIN, UP_ATTENTION, UP_ATTENTION, UP_PLAIN),
        transformer_layers_per_block=4,
        attention_head_dim=[6, 12, 24, 24],
        cross_attention_dim=1280,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2560,
    )
    second = _clip(width=1280, layers=32, projecting=True)
    return xl_tensors({"unet": unet, "vae": _vae(), "text_encoder_2": second})


def _sd3(**config: object) -> Tensors:
    return sd3_tensors(real.SD3Transformer2DModel(**config))


def _sd3_medium() -> Tensors:
    return _sd3(
        num_layers=24, num_attention_heads=24, caption_projection_dim=1536, pos_embed_max_size=192
    )


def _sd35_large() -> Tensors:
    return _sd3(
        num_layers=38, num_attention_heads=38, caption_projection_dim=2432, qk_norm="rms_norm",
        pos_embed_max_size=192,
    )  # fmt: skip


def _sd35_medium() -> Tensors:
    return _sd3(
        num_layers=24, num_attention_heads=24, caption_projection_dim=1536, qk_norm="rms_norm",
        dual_attention_layers=tuple(range(13)), pos_embed_max_size=384,
    )  # fmt: skip


def _flux(**config: object) -> Tensors:
    return flux_tensors(real.FluxTransformer2DModel(**config))


def _qwen() -> Tensors:
    state: Tensors = real.QwenImageTransformer2DModel(num_layers=2).state_dict()
    return {f"model.diffusion_model.{name}": each for name, each in state.items()}


def _seeing(channels: int, built: Callable[[], Tensors]) -> Tensors:
    """Return the tensors of a denoiser that is told a picture, or a hole in it, as well."""
    name = "model.diffusion_model.input_blocks.0.0.weight"
    first = built()[name]
    return {**built(), name: first.new_empty(first.shape[0], channels, 3, 3)}


PUBLISHED: dict[str, tuple[Callable[[], Tensors], str | None, str]] = {
    "Stable Diffusion 1.5, and merges of it": (_sd, "v1", "sd1"),
    "Stable Diffusion 1.5 for inpainting": (
        lambda: _seeing(9, _sd), "inpainting", "sd1_inpaint",
    ),
    "InstructPix2Pix": (lambda: _seeing(8, _sd), "instruct-pix2pix", "instruct_pix2pix"),
    "Stable Diffusion 2.1 and SD-Turbo": (_sd2, "v2", "sd2"),
    "Stable Diffusion 2 for inpainting": (
        lambda: _seeing(9, _sd2), "inpainting_v2", "sd2_inpaint",
    ),
    "Stable Diffusion XL, its Turbo and its Lightning": (_xl, "xl_base", "sdxl"),
    "Stable Diffusion XL for inpainting": (
        lambda: _seeing(9, _xl), "xl_inpaint", "sdxl_inpaint",
    ),
    "Stable Diffusion XL's refiner": (_refiner, "xl_refiner", "sdxl_refiner"),
    "Stable Diffusion 3 medium": (_sd3_medium, "sd3", "sd3"),
    "Stable Diffusion 3.5 medium": (_sd35_medium, "sd35_medium", "sd35"),
    "Stable Diffusion 3.5 large": (_sd35_large, "sd35_large", "sd35"),
    "FLUX.1 dev and Kontext": (lambda: _flux(guidance_embeds=True), "flux-dev", "flux_dev"),
    "FLUX.1 schnell": (_flux, "flux-schnell", "flux_schnell"),
    "Qwen-Image-Edit": (_qwen, None, "qwen_image_edit"),
}  # fmt: skip
"""What is published as one file, what diffusers takes it for, and the plainest family of it."""


@pytest.mark.parametrize("published", PUBLISHED)
def test_a_single_file_is_recognised_by_its_names_and_shapes(
    tmp_path: Path, published: str
) -> None:
    tensors, model_type, family = PUBLISHED[published]
    with torch.device("meta"):
        built = tensors()
    # Diffusers' own opinion says that names and shapes are those of the real file.
    assert model_type is None or told_type(dict(built)) == model_type
    path = write_sparse(tmp_path / "named-otherwise.safetensors", built)
    assert path.stat().st_blocks * 512 < 2**21
    architecture = architecture_of(read_head(path))
    assert architecture is not None
    assert plainest(architecture) is FAMILIES[family]


def test_what_no_family_is_built_like_is_not_recognised() -> None:
    with torch.device("meta"):
        told_depth = _flux(in_channels=128, out_channels=64, num_layers=1, num_single_layers=1)
        adapter = {"lora_unet_down_blocks_0.lora_down.weight": torch.empty(4, 320)}
        odd = _seeing(5, _sd)
    for tensors in (told_depth, adapter, odd, {}):
        assert architecture_of({name: tuple(it.shape) for name, it in tensors.items()}) is None


def _head(told: object, *, data: int = 8) -> bytes:
    text = json.dumps(told).encode()
    return struct.pack("<Q", len(text)) + text + bytes(data)


TENSOR = {"dtype": "F16", "shape": [2, 2], "data_offsets": [0, 8]}
DAMAGED = {
    "empty": b"",
    "a length alone": struct.pack("<Q", 9),
    "longer than the file": struct.pack("<Q", 2**40) + b"{}",
    "negative, if it were signed": struct.pack("<q", -1) + b"{}",
    "no JSON": struct.pack("<Q", 2) + b"{]",
    "no object": _head([TENSOR]),
    "no text": struct.pack("<Q", 2) + b"\xff\xfe",
    "a pickle": b"\x80\x02}q\x00X\x01\x00\x00\x00aq\x01K\x01s.",
    "a tensor without offsets": _head({"a": {"dtype": "F16", "shape": [2, 2]}}),
    "a tensor of a negative side": _head({"a": {**TENSOR, "shape": [-2, -2]}}),
    "a tensor of words": _head({"a": {**TENSOR, "shape": "22"}}),
    "an end at infinity": _head({"a": {**TENSOR, "data_offsets": [0, float("inf")]}}),
    "brackets without end": struct.pack("<Q", 100_000) + b"[" * 100_000,
    "cut off": _head({"a": TENSOR}, data=7),
    "with something behind": _head({"a": TENSOR}, data=9),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_s6_a_damaged_head_is_refused_with_a_sentence(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "merged.safetensors"
    path.write_bytes(DAMAGED[damage])
    with pytest.raises(ModelUnavailableError, match=r"merged\.safetensors has damaged weights: \w"):
        read_head(path)


def test_a_head_that_takes_long_to_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "merged.safetensors"
    path.write_bytes(_head({"__metadata__": {"notes": " " * MAX_HEAD_BYTES}}, data=0))
    assert MAX_HEAD_BYTES < 20e6
    with pytest.raises(ModelUnavailableError, match="damaged weights"):
        read_head(path)


def test_a_head_that_is_whole_is_read(tmp_path: Path) -> None:
    path = tmp_path / "merged.safetensors"
    path.write_bytes(_head({"__metadata__": {"format": "pt"}, "a": TENSOR}))
    assert read_head(path) == {"a": (2, 2)}


@pytest.mark.parametrize("text", ["", "[]", '{"_class_name": 3}', '{"_diffusers_version": "1"}'])
def test_an_index_that_is_not_understood_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "model_index.json").write_text(text)
    with pytest.raises(ModelUnavailableError, match="not understood"):
        family_of(tmp_path)


def test_a_class_that_is_not_in_the_table_is_run_as_diffusers_has_it(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "KandinskyV22CombinedPipeline"}')
    assert family_of(tmp_path) is FAMILIES["other"]


@pytest.mark.parametrize("side", [64, [64, 48]])
def test_a_denoiser_may_tell_one_side_or_each(tmp_path: Path, side: object) -> None:
    unet = {"in_channels": 4, "out_channels": 4, "addition_embed_type": "text_time"}
    told = {
        "model_index.json": {
            "_class_name": "StableDiffusionXLPipeline",
            "text_encoder": ["x", "y"],
        },
        "unet/config.json": {**unet, "sample_size": side},
        "scheduler/scheduler_config.json": {"timestep_spacing": "trailing"},
    }
    for path, config in told.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(json.dumps(config))
    assert family_of(tmp_path) is FAMILIES["sdxl_turbo"]


def test_recognising_a_checkpoint_does_not_import_torch() -> None:
    code = (
        "import sys, pathlib, generation.recognition as r, generation.weights as w;"
        "r.family_of(w.checkpoint_folder('remix', models_dir=pathlib.Path('none')));"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
