"""Which family a checkpoint is of, told from its files and never from its name.

A folder tells it by its index and its components' configurations; a single file by the names and
shapes of its tensors, which say how it is built, and not how it was trained: the rest is in the
folder beside it. Nothing here imports torch.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from generation.errors import UNREADABLE, ModelUnavailableError
from generation.families import FAMILIES, OTHER, Architecture, Family
from generation.heads import Shapes

INDEX = "model_index.json"
CONFIG = "config.json"
CODEC_CLASSES = ("AutoencoderKL", "AutoencoderTiny")
ESTIMATOR_CLASSES = {
    "DPTForDepthEstimation": "depth",
    "DepthAnythingForDepthEstimation": "depth",
    "VitPoseForPoseEstimation": "pose",
}
"""Classes of transformers that tell of a picture what a ControlNet follows, and what that is."""
DETECTOR, PERSON, PEOPLE = "ForObjectDetection", "person", "people"
"""How the classes of transformers end that find things, what they call people, and such a kind."""
MAX_CONFIG_BYTES = 4 * 2**20

Config = Mapping[str, Any]

UNET = "model.diffusion_model."
"""What the names of a denoiser's tensors begin with in single files, of transformers not always."""

DENOISERS = ("unet", "transformer")
HELD_BY_NAME = {
    "vae": ("first_stage_model.", "vae."),
    "text_encoder": (
        "cond_stage_model.",
        "conditioner.embedders.0.transformer.",
        "text_encoders.clip_l.",
    ),
    "text_encoder_2": (
        "conditioner.embedders.1.",
        "conditioner.embedders.0.model.",
        "text_encoders.clip_g.",
    ),
    "text_encoder_3": ("text_encoders.t5xxl.",),
}
"""What the names of the other parts' tensors begin with in single files."""

ROW_SCHEDULERS = frozenset({"FlowMatchEulerDiscreteScheduler", "FlowMatchLCMScheduler"})
"""Schedulers of transformers whose steps are affine; with others transformers run whole."""

TRANSFORMER_CLASSES = {
    "FluxPipeline": "flux_dev",
    "FluxImg2ImgPipeline": "flux_dev",
    "FluxKontextPipeline": "flux_kontext",
    "StableDiffusion3Pipeline": "sd3",
    "StableDiffusion3Img2ImgPipeline": "sd3",
    "QwenImageEditPipeline": "qwen_image_edit",
    "QwenImageEditPlusPipeline": "qwen_image_edit",
}
"""Of the classes whose denoiser is a transformer, the plainest family."""

WHOLE_CLASSES = frozenset({"QwenImageEditPlusPipeline"})
"""Of those the ones that run whole: this one reads several pictures."""

UNET_CLASSES = frozenset(
    {
        "StableDiffusionPipeline",
        "StableDiffusionImg2ImgPipeline",
        "StableDiffusionInpaintPipeline",
        "StableDiffusionInstructPix2PixPipeline",
        "StableDiffusionXLPipeline",
        "StableDiffusionXLImg2ImgPipeline",
        "StableDiffusionXLInpaintPipeline",
        "LatentConsistencyModelPipeline",
        "LatentConsistencyModelImg2ImgPipeline",
    }
)
"""The classes, by the name in a checkpoint's index, whose denoiser is a UNet of text and time."""


def family_of(folder: Path) -> Family:
    """Return the family of a folder in diffusers' layout, weights or not.

    Raises:
        ModelUnavailableError: its index or a configuration is damaged, or its denoiser is of no
            known family.
    """
    index = read_config(folder, INDEX)
    kind = index.get("_class_name")
    if not isinstance(kind, str):
        raise ModelUnavailableError(f"{folder.name}/{INDEX} is not understood: it names no class")
    if kind in UNET_CLASSES:
        return FAMILIES[_of_unet(folder, index)]
    if kind not in TRANSFORMER_CLASSES:
        return OTHER
    family = FAMILIES[_of_transformer(folder, TRANSFORMER_CLASSES[kind])]
    scheduler = read_config(folder, "scheduler/scheduler_config.json")
    if kind in WHOLE_CLASSES or scheduler.get("_class_name") not in ROW_SCHEDULERS:
        return replace(family, rows=None)
    return family


def read_config(folder: Path, name: str) -> Config:
    """Return what a JSON file of a checkpoint says.

    Raises:
        ModelUnavailableError: it is missing, damaged or too large.
    """
    path = folder / name
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ValueError("it is too large")
        data = json.loads(path.read_text("utf-8"))
        if not isinstance(data, dict):
            raise TypeError("it is no object")
    except (OSError, *UNREADABLE) as err:
        raise ModelUnavailableError(f"{folder.name}/{name} is not understood: {err}") from err
    return data


def is_network(folder: Path) -> bool:
    """Return whether a folder holds a network alone, of ours, a codec or an estimator."""
    if (folder / INDEX).is_file() or not (folder / CONFIG).is_file():
        return False
    try:
        told = read_config(folder, CONFIG)
    except ModelUnavailableError:
        return False
    codec = told.get("_class_name") in CODEC_CLASSES
    return isinstance(told.get("network"), str) or codec or bool(estimator_kind(told))


def estimator_kind(told: Config) -> str:
    """Return what a network of transformers tells of pictures, by its configuration.

    That is "depth", "pose", or "people" of one that finds them; empty of any other.
    """
    name = architecture_name(told)
    if kind := ESTIMATOR_CLASSES.get(name):
        return kind
    labels = told.get("id2label")
    finds = name.endswith(DETECTOR) and isinstance(labels, dict) and PERSON in labels.values()
    return PEOPLE if finds else ""


def architecture_name(told: Config) -> str:
    """Return the class of transformers that a configuration names; empty if it names none."""
    named = told.get("architectures")
    return str(named[0]) if isinstance(named, list) and named else ""


def has_part(index: Config, name: str) -> bool:
    """Return whether a checkpoint's index names a component, and not just its place."""
    found = index.get(name)
    return isinstance(found, list) and len(found) == 2 and found[1] is not None


def _of_unet(folder: Path, index: Config) -> str:
    """Return the family by how its UNet is built, and how its scheduler is to step."""
    unet = read_config(folder, "unet/config.json")
    scheduler = read_config(folder, "scheduler/scheduler_config.json")
    _require_known_channels(folder, unet)
    if unet["in_channels"] == 2 * unet["out_channels"]:
        return "instruct_pix2pix"
    fills = unet["in_channels"] > unet["out_channels"]
    large = unet.get("addition_embed_type") == "text_time"
    if unet.get("time_cond_proj_dim") is not None:
        return "sdxl_lcm" if large else "lcm"
    if scheduler.get("_class_name") == "LCMScheduler":
        return "sdxl_lcm_merged" if large else "lcm_merged"
    second = bool(unet.get("use_linear_projection"))
    if fills:
        return "sdxl_inpaint" if large else "sd2_inpaint" if second else "sd1_inpaint"
    quick = _takes_few_steps(scheduler)
    if not large:
        return "sd_turbo" if quick else "sd2" if second else "sd1"
    if not has_part(index, "text_encoder"):
        return "sdxl_refiner"
    small = longer_side(unet.get("sample_size") or 128) <= 64
    return "sdxl_turbo" if quick and small else "sdxl_lightning" if quick else "sdxl"


def longer_side(told: int | Sequence[int]) -> int:
    """Return the side of what a denoiser was trained on: one for both, or each its own."""
    return max(told) if isinstance(told, Sequence) else int(told)


def _require_known_channels(folder: Path, unet: Config) -> None:
    """Refuse a denoiser that sees something else than noise, a picture, and where it is open."""
    seen, made = unet.get("in_channels"), unet.get("out_channels")
    if not isinstance(made, int) or seen not in (made, 2 * made, 2 * made + 1):
        raise ModelUnavailableError(
            f"{folder.name}: a denoiser of {seen} channels for {made} latent channels is of no"
            " known family"
        )


def _takes_few_steps(scheduler: Config) -> bool:
    """Return whether a scheduler is that of a model distilled to few steps.

    Such steps begin at the very end of the noise; so do those of models that were trained with an
    end without any signal, which say so, or predict velocities.
    """
    return (
        scheduler.get("timestep_spacing") == "trailing"
        and scheduler.get("prediction_type", "epsilon") == "epsilon"
        and not scheduler.get("rescale_betas_zero_snr")
    )


def _of_transformer(folder: Path, plain: str) -> str:
    if plain not in ("sd3", "flux_dev"):
        return plain
    transformer = read_config(folder, "transformer/config.json")
    if plain == "sd3":
        return "sd35" if transformer.get("qk_norm") else "sd3"
    return "flux_dev" if transformer.get("guidance_embeds") else "flux_schnell"


def architecture_of(shapes: Shapes) -> Architecture | None:
    """Return how the checkpoint in a single file is built; None if that is not known here."""
    try:
        return _architecture_of(shapes)
    except LookupError:
        # A tensor has a name that is known, and not the sides or the parts of one.
        return None


def _architecture_of(shapes: Shapes) -> Architecture | None:
    if shape := shapes.get(f"{UNET}input_blocks.0.0.weight"):
        return _unet_architecture(shapes, shape)
    plain = {name.removeprefix(UNET): shape for name, shape in shapes.items()}
    if "joint_blocks.0.context_block.adaLN_modulation.1.bias" in plain:
        return "sd35" if "joint_blocks.0.x_block.attn.ln_q.weight" in plain else "sd3"
    if "double_blocks.0.img_attn.norm.key_norm.scale" in plain:
        return _flux_architecture(plain)
    if "transformer_blocks.0.img_mlp.net.0.proj.weight" in plain and "txt_norm.weight" in plain:
        return "qwen"
    return None


def _unet_architecture(shapes: Shapes, first: tuple[int, ...]) -> Architecture | None:
    seen, made = first[1], shapes.get(f"{UNET}out.2.weight", (0,))[0]
    if seen == 2 * made:
        return "instruct"
    if seen not in (made, 2 * made + 1):
        return None
    fills = seen > made
    if f"{UNET}label_emb.0.0.weight" in shapes:
        if fills:
            return "sdxl_inpaint"
        readers = {name.split(".")[2] for name in shapes if name.startswith("conditioner.")}
        # The refiner has one reader instead of two, and a level more than the base.
        deep = f"{UNET}input_blocks.9.0.op.weight" in shapes
        return "sdxl_refiner" if len(readers) == 1 or deep else "sdxl"
    # Of the first version the projections around attention are convolutions.
    projection = next((shapes[name] for name in shapes if name.endswith(".proj_in.weight")), ())
    if len(projection) == 4:
        return "sd1_inpaint" if fills else "sd1"
    return "sd2_inpaint" if fills else "sd2"


def _flux_architecture(plain: Shapes) -> Architecture | None:
    """Return FLUX's kind; those with more input channels are told masks, depths or edges."""
    if plain.get("img_in.weight", (0, 0))[1] != plain.get("final_layer.linear.weight", (1,))[0]:
        return None
    if "distilled_guidance_layer.in_proj.bias" in plain:
        return None
    return "flux" if "guidance_in.in_layer.weight" in plain else "flux_schnell"


def parts_of(shapes: Shapes) -> frozenset[str]:
    """Return the parts of a checkpoint that a single file holds; none of no known family."""
    if architecture_of(shapes) is None:
        return frozenset()
    begun = {
        part
        for part, starts in HELD_BY_NAME.items()
        if any(name.startswith(starts) for name in shapes)
    }
    return frozenset(begun | set(DENOISERS))


def plainest(architecture: Architecture) -> Family:
    """Return the first family of the table that is built so."""
    return next(each for each in FAMILIES.values() if each.architecture == architecture)
