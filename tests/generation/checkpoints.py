"""Tiny checkpoints of the real classes, written to disk in diffusers' layout."""

from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from safetensors.torch import save_file
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from generation.training.vocabulary import write_vocabulary

WIDTH = 16

real: Any = diffusers
"""The library, whose classes carry no types."""
readers: Any = transformers
"""Likewise, where its classes carry none."""


def _components(
    folder: Path, *, in_channels: int, scheduler: object, **unet: object
) -> dict[str, Any]:
    torch.manual_seed(0)
    write_vocabulary(folder / "tokenizer", words=["night", "fog"], max_length=12)
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    return {
        "unet": real.UNet2DConditionModel(
            in_channels=in_channels,
            out_channels=4,
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            **{
                "block_out_channels": (16, 32),
                "sample_size": 8,
                "cross_attention_dim": WIDTH,
                "attention_head_dim": 2,
                "norm_num_groups": 8,
                **unet,
            },
        ),
        "vae": real.AutoencoderKL(
            block_out_channels=(16, 16),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=4,
            norm_num_groups=8,
        ),
        "text_encoder": CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=WIDTH,
                intermediate_size=32,
                num_hidden_layers=1,
                num_attention_heads=2,
                max_position_embeddings=12,
                eos_token_id=tokenizer.eos_token_id,
            )
        ),
        "tokenizer": tokenizer,
        "scheduler": scheduler,
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }


def save_instruct(folder: Path, *, in_channels: int = 8) -> Path:
    """Write a tiny InstructPix2Pix checkpoint."""
    parts = _components(
        folder, in_channels=in_channels, scheduler=real.DDIMScheduler(clip_sample=False)
    )
    real.StableDiffusionInstructPix2PixPipeline(**parts).save_pretrained(folder)
    return folder


def save_img2img(folder: Path, *, scheduler: object | None = None, **unet: object) -> Path:
    """Write a tiny Stable Diffusion 1.x checkpoint, its scheduler PNDM as there."""
    scheduler = scheduler or real.PNDMScheduler(skip_prk_steps=True, steps_offset=1)
    parts = _components(folder, in_channels=4, scheduler=scheduler, **unet)
    real.StableDiffusionImg2ImgPipeline(**parts).save_pretrained(folder)
    return folder


def save_inpaint(folder: Path, *, scheduler: object | None = None, **unet: object) -> Path:
    """Write a tiny Stable Diffusion checkpoint that fills holes: nine channels go in."""
    scheduler = scheduler or real.DDIMScheduler(clip_sample=False, steps_offset=1)
    parts = _components(folder, in_channels=9, scheduler=scheduler, **unet)
    real.StableDiffusionInpaintPipeline(**parts).save_pretrained(folder)
    return folder


def save_turbo(folder: Path) -> Path:
    """Write a tiny SD-Turbo checkpoint: few steps without guidance, as its manifest says."""
    save_img2img(folder, scheduler=euler(timestep_spacing="trailing"))
    (folder / "atelier.json").write_text('{"guidance_scale": 0, "num_inference_steps": 2}')
    return folder


def euler(**options: object) -> object:
    """Return the scheduler that Stable Diffusion XL comes with."""
    return real.EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, **options
    )


def save_xl(
    folder: Path,
    *,
    zero_negative: bool = True,
    in_channels: int = 4,
    second_width: int = WIDTH,
    scheduler: object | None = None,
    **unet: object,
) -> Path:
    """Write a tiny Stable Diffusion XL checkpoint: two text encoders, pooled words, sizes.

    With nine channels it is one that fills holes.
    """
    scheduler = scheduler or euler()
    parts = _components(
        folder,
        in_channels=in_channels,
        scheduler=scheduler,
        cross_attention_dim=WIDTH + second_width,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + WIDTH,
        **unet,
    )
    for name in ("safety_checker", "requires_safety_checker"):
        del parts[name]
    second = _projecting(parts, width=second_width)
    parts |= {"text_encoder_2": second, "tokenizer_2": parts["tokenizer"]}
    kind = (
        real.StableDiffusionXLPipeline
        if in_channels == 4
        else real.StableDiffusionXLInpaintPipeline
    )
    kind(**parts, force_zeros_for_empty_prompt=zero_negative).save_pretrained(folder)
    return folder


def save_refiner(folder: Path) -> Path:
    """Write a tiny refiner of Stable Diffusion XL: the second text encoder alone, and a score."""
    parts = _components(
        folder,
        in_channels=4,
        scheduler=euler(),
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=5 * 8 + WIDTH,
    )
    for name in ("safety_checker", "requires_safety_checker"):
        del parts[name]
    parts |= {"text_encoder_2": _projecting(parts), "tokenizer_2": parts["tokenizer"]}
    parts |= {"text_encoder": None, "tokenizer": None}
    pipe = real.StableDiffusionXLImg2ImgPipeline(**parts, requires_aesthetics_score=True)
    pipe.save_pretrained(folder)
    return folder


def save_sd3(
    folder: Path, *, scheduler: str = "FlowMatchEulerDiscreteScheduler", **transformer: object
) -> Path:
    """Write a tiny Stable Diffusion 3 checkpoint, its third text encoder a T5 of two words."""
    parts = _components(folder, in_channels=4, scheduler=getattr(real, scheduler)(shift=3.0))
    encoders = [_projecting(parts) for _ in range(2)]
    pipe = real.StableDiffusion3Pipeline(
        transformer=real.SD3Transformer2DModel(
            sample_size=8,
            patch_size=2,
            in_channels=4,
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=2 * WIDTH,
            caption_projection_dim=16,
            pooled_projection_dim=2 * WIDTH,
            out_channels=4,
            pos_embed_max_size=16,
            **transformer,
        ),
        scheduler=parts["scheduler"],
        vae=_flow_vae(),
        text_encoder=encoders[0],
        tokenizer=parts["tokenizer"],
        text_encoder_2=encoders[1],
        tokenizer_2=parts["tokenizer"],
        **_t5(3),
    )
    pipe.save_pretrained(folder)
    return folder


def save_flux(
    folder: Path,
    *,
    kind: str = "FluxPipeline",
    guided: bool = True,
    scheduler: str = "FlowMatchEulerDiscreteScheduler",
) -> Path:
    """Write a tiny FLUX checkpoint, with a T5 of two words; schnell's is told no guidance."""
    parts = _components(
        folder, in_channels=4, scheduler=getattr(real, scheduler)(use_dynamic_shifting=True)
    )
    pipe = getattr(real, kind)(
        transformer=real.FluxTransformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=2 * WIDTH,
            pooled_projection_dim=WIDTH,
            axes_dims_rope=(4, 4, 8),
            guidance_embeds=guided,
        ),
        scheduler=parts["scheduler"],
        vae=_flow_vae(),
        text_encoder=parts["text_encoder"],
        tokenizer=parts["tokenizer"],
        **_t5(2),
    )
    pipe.save_pretrained(folder)
    return folder


def save_qwen_edit(folder: Path, *, kind: str = "QwenImageEditPipeline") -> Path:
    """Write a tiny Qwen-Image-Edit checkpoint; its reader sees the picture beside the words."""
    torch.manual_seed(0)
    special = [
        "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
        "<|image_pad|>", "<|video_pad|>",
    ]  # fmt: skip
    tokenizer = readers.Qwen2Tokenizer(
        vocab={byte: place for place, byte in enumerate(sorted(ByteLevel.alphabet()))},
        merges=[],
        additional_special_tokens=special[1:],
    )
    ids = dict(zip(special, tokenizer.convert_tokens_to_ids(special), strict=True))
    config = readers.Qwen2_5_VLConfig(
        text_config={
            "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": len(tokenizer),
            "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
            "rope_theta": 1e6, "max_position_embeddings": 4096,
        },
        vision_config={
            "depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2,
            "out_hidden_size": 16,
        },
        vocab_size=len(tokenizer),
        hidden_size=16,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )  # fmt: skip
    seen = readers.Qwen2VLImageProcessor(size={"shortest_edge": 28 * 28, "longest_edge": 56 * 56})
    pipe = getattr(real, kind)(
        scheduler=_flow(use_dynamic_shifting=True),
        vae=real.AutoencoderKLQwenImage(
            base_dim=8, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1,
            temperal_downsample=[False, True, True], latents_mean=[0.1] * 4,
            latents_std=[1.0, 0.8, 0.9, 1.2],
        ),
        text_encoder=readers.Qwen2_5_VLForConditionalGeneration(config),
        tokenizer=tokenizer,
        processor=readers.Qwen2VLProcessor(
            image_processor=seen,
            tokenizer=tokenizer,
            video_processor=readers.Qwen2VLVideoProcessor(),
        ),
        transformer=real.QwenImageTransformer2DModel(
            patch_size=2, in_channels=16, out_channels=4, num_layers=1, attention_head_dim=16,
            num_attention_heads=1, joint_attention_dim=16, axes_dims_rope=(8, 4, 4),
        ),
    )  # fmt: skip
    pipe.save_pretrained(folder)
    return folder


def _flow(**options: object) -> object:
    return real.FlowMatchEulerDiscreteScheduler(**options)


def _flow_vae() -> object:
    """Return a codec as flow-matching checkpoints have it: shifted, without quantisation layers."""
    return real.AutoencoderKL(
        block_out_channels=(16, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=8,
        use_quant_conv=False,
        use_post_quant_conv=False,
        scaling_factor=1.5,
        shift_factor=0.06,
    )


def _projecting(parts: dict[str, Any], *, width: int = WIDTH) -> CLIPTextModelWithProjection:
    told = {**parts["text_encoder"].config.to_dict(), "hidden_size": width, "projection_dim": WIDTH}
    return CLIPTextModelWithProjection(CLIPTextConfig(**told))


def _t5(number: int) -> dict[str, object]:
    """Return a text encoder and its tokenizer as a pipeline's components of that number."""
    words = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -5.0), ("▁night", -1.0), ("▁fog", -1.0)]
    config = T5Config(vocab_size=8, d_model=2 * WIDTH, d_kv=8, d_ff=37, num_layers=1, num_heads=2)
    return {
        f"text_encoder_{number}": T5EncoderModel(config),
        f"tokenizer_{number}": T5Tokenizer(vocab=words, extra_ids=0, model_max_length=12),
    }


def save_lora(file: Path, *, base: Path, seed: int = 1, words: bool = True) -> Path:
    """Write a LoRA for a tiny checkpoint, as other programs' trainers do (kohya's names).

    Args:
        words: whether it changes the text encoder, too.
    """
    pipe = real.DiffusionPipeline.from_pretrained(base, safety_checker=None)
    rng = torch.Generator().manual_seed(seed)
    places = {"unet": pipe.unet} | ({"te": pipe.text_encoder} if words else {})
    ends = ("to_q", "to_k", "to_v", "to_out.0", "q_proj", "k_proj", "v_proj", "out_proj")
    tensors: dict[str, torch.Tensor] = {}
    for place, network in places.items():
        for name, layer in network.named_modules():
            if name.endswith(ends):
                whole = (
                    name if place == "unet" else f"text_model.{name.removeprefix('text_model.')}"
                )
                key = f"lora_{place}_{whole.replace('.', '_')}"
                out, seen = layer.weight.shape
                tensors[f"{key}.lora_down.weight"] = torch.randn(2, seen, generator=rng)
                tensors[f"{key}.lora_up.weight"] = torch.randn(out, 2, generator=rng)
                tensors[f"{key}.alpha"] = torch.tensor(1.0)
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, file)
    return file


def save_transformer_lora(file: Path, *, base: Path, seed: int = 1, reader: bool = True) -> Path:
    """Write a LoRA for a tiny checkpoint of a transformer, under diffusers' own names.

    Args:
        reader: whether it changes the first text encoder, too.
    """
    pipe = real.DiffusionPipeline.from_pretrained(base)
    rng = torch.Generator().manual_seed(seed)
    places = {"transformer": pipe.transformer} | (
        {"text_encoder": pipe.text_encoder} if reader else {}
    )
    tensors: dict[str, torch.Tensor] = {}
    for place, network in places.items():
        for name, layer in network.named_modules():
            if name.endswith(("to_q", "to_k", "to_v", "to_out.0", "q_proj", "k_proj", "v_proj")):
                out, seen = layer.weight.shape
                key = f"{place}.{name}"
                tensors[f"{key}.lora_A.weight"] = torch.randn(2, seen, generator=rng)
                tensors[f"{key}.lora_B.weight"] = torch.randn(out, 2, generator=rng)
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, file)
    return file


def save_tiny_codec(folder: Path, *, levels: int = 2) -> object:
    """Write a tiny codec beside a checkpoint's own, and return it."""
    torch.manual_seed(1)
    codec = real.AutoencoderTiny(
        encoder_block_out_channels=(8,) * levels,
        decoder_block_out_channels=(8,) * levels,
        num_encoder_blocks=(1,) * levels,
        num_decoder_blocks=(1,) * levels,
    )
    codec.save_pretrained(folder / "tiny_vae")
    return codec


def save_kandinsky(folder: Path) -> Path:
    """Write a tiny Kandinsky 2.2 checkpoint: a prior, which reads, and a decoder, which paints."""
    parts = _components(folder, in_channels=4, scheduler=real.DDIMScheduler(steps_offset=1))
    see = CLIPVisionConfig(
        hidden_size=WIDTH, projection_dim=WIDTH, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, image_size=28, patch_size=14,
    )  # fmt: skip
    torch.manual_seed(0)
    pipe = real.KandinskyV22CombinedPipeline(
        unet=real.UNet2DConditionModel(
            sample_size=8,
            in_channels=4,
            out_channels=8,
            block_out_channels=(16, 32),
            layers_per_block=1,
            down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
            mid_block_type="UNetMidBlock2DSimpleCrossAttn",
            up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
            addition_embed_type="image",
            encoder_hid_dim=WIDTH,
            encoder_hid_dim_type="image_proj",
            cross_attention_dim=WIDTH,
            attention_head_dim=4,
            norm_num_groups=8,
            resnet_time_scale_shift="scale_shift",
        ),
        scheduler=parts["scheduler"],
        movq=real.VQModel(
            block_out_channels=(32, 32),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("AttnUpDecoderBlock2D", "UpDecoderBlock2D"),
            latent_channels=4,
            num_vq_embeddings=12,
            vq_embed_dim=4,
            norm_num_groups=8,
            norm_type="spatial",
        ),
        prior_prior=real.PriorTransformer(
            num_attention_heads=2,
            attention_head_dim=8,
            embedding_dim=WIDTH,
            num_layers=1,
            num_embeddings=12,
        ),
        prior_image_encoder=CLIPVisionModelWithProjection(see),
        prior_text_encoder=_projecting(parts),
        prior_tokenizer=parts["tokenizer"],
        prior_scheduler=real.UnCLIPScheduler(
            variance_type="fixed_small_log", prediction_type="sample", clip_sample_range=10.0
        ),
        prior_image_processor=CLIPImageProcessor(
            size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}
        ),
    )
    pipe.save_pretrained(folder)
    return folder


def save_control_net(place: Path, *, base: Path, seed: int = 3, small: bool = False) -> Path:
    """Write a tiny ControlNet for a checkpoint: a folder, or a single file with diffusers' names.

    Its last layers are not zeros, as those of an untrained one are. A small one reads no words.
    """
    unet = real.UNet2DConditionModel.from_pretrained(base / "unet")
    torch.manual_seed(seed)
    network = real.ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16))
    if small:
        less = {"down_block_types": ("DownBlock2D",) * 2, "mid_block_type": "UNetMidBlock2D"}
        network = real.ControlNetModel.from_config({**network.config, **less})
    for layer in (*network.controlnet_down_blocks, network.controlnet_mid_block):
        torch.nn.init.normal_(layer.weight, std=0.5)
    torch.nn.init.normal_(network.controlnet_cond_embedding.conv_out.weight, std=0.5)
    if place.suffix == ".safetensors":
        place.parent.mkdir(parents=True, exist_ok=True)
        save_file(network.state_dict(), place)
    else:
        network.save_pretrained(place)
    return place


def save_ip_adapter(folder: Path, *, base: Path, plus: bool = False) -> Path:
    """Write a tiny IP-Adapter for a checkpoint, by the names of its authors, with its encoder."""
    unet = real.UNet2DConditionModel.from_pretrained(base / "unet")
    torch.manual_seed(4)
    sees = CLIPVisionConfig(
        hidden_size=24, projection_dim=WIDTH, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, image_size=28, patch_size=14,
    )  # fmt: skip
    CLIPVisionModelWithProjection(sees).save_pretrained(folder / "image_encoder")
    words = unet.config.cross_attention_dim
    projection = _resampler(seen=24, words=words) if plus else _projection(seen=WIDTH, words=words)
    tensors = {f"image_proj.{name}": value for name, value in projection.items()}
    reading = [name for name in unet.attn_processors if "attn2" in name]
    for place, name in enumerate(reading):
        wide = unet.get_submodule(name.removesuffix(".processor")).to_k.weight.shape[0]
        for part in ("to_k_ip", "to_v_ip"):
            tensors[f"ip_adapter.{2 * place + 1}.{part}.weight"] = torch.randn(wide, words)
    save_file(tensors, folder / f"{folder.name}.safetensors")
    return folder


def _projection(*, seen: int, words: int) -> dict[str, torch.Tensor]:
    return {
        "proj.weight": torch.randn(4 * words, seen), "proj.bias": torch.randn(4 * words),
        "norm.weight": torch.ones(words), "norm.bias": torch.zeros(words),
    }  # fmt: skip


def _resampler(*, seen: int, words: int, wide: int = 64, queries: int = 3) -> dict[str, Any]:
    """Return the projection of an IP-Adapter "plus", which asks the picture questions."""
    drawn: dict[str, tuple[int, ...]] = {"latents": (1, queries, wide)}
    drawn |= {"proj_in.weight": (wide, seen), "proj_in.bias": (wide,)}
    drawn |= {"proj_out.weight": (words, wide), "proj_out.bias": (words,)}
    drawn |= {"norm_out.weight": (words,), "norm_out.bias": (words,)}
    for layer in range(4):
        asks, thinks = f"layers.{layer}.0", f"layers.{layer}.1"
        drawn |= {
            f"{asks}.norm{it}.{part}": (wide,) for it in (1, 2) for part in ("weight", "bias")
        }
        drawn |= {f"{asks}.to_q.weight": (wide, wide), f"{asks}.to_kv.weight": (2 * wide, wide)}
        drawn |= {f"{asks}.to_out.weight": (wide, wide)}
        drawn |= {f"{thinks}.0.weight": (wide,), f"{thinks}.0.bias": (wide,)}
        drawn |= {f"{thinks}.1.weight": (4 * wide, wide), f"{thinks}.3.weight": (wide, 4 * wide)}
    return {name: torch.randn(shape) / 8 for name, shape in drawn.items()}
