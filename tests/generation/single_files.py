"""Single files as the families are published in: the names of CompVis, Stability and Black Forest.

The networks are diffusers' own, tiny or as large as the real ones without any weights; here their
tensors get the names, and the fused shapes, that diffusers' loader of single files takes apart.
"""

import json
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

Tensors = dict[str, Tensor]

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
_UNET = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_CONTROL = {
    "controlnet_cond_embedding.conv_in": "input_hint_block.0",
    "controlnet_cond_embedding.conv_out": "input_hint_block.14",
    "controlnet_mid_block": "middle_block_out.0",
}


def unet_tensors(unet: Any) -> Tensors:  # noqa: ANN401 - diffusers carries no types
    """Return a UNet's tensors under the names of the first Stable Diffusion."""
    layers = int(unet.config.layers_per_block) + 1
    return {
        f"model.diffusion_model.{_unet_name(name, layers)}": each
        for name, each in unet.state_dict().items()
    }


def _unet_name(name: str, layers: int) -> str:
    for new, old in _UNET.items():
        if name.startswith(f"{new}."):
            return name.replace(new, old, 1)
    if found := re.match(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.*)", name):
        way, block, part, index, rest = found.groups()
        return _block_name(way, int(block), part, int(index), rest, layers)
    found = re.match(r"mid_block\.(\w+)\.(\d+)\.(.*)", name)
    assert found, name
    part, index, rest = found.groups()
    place = 1 if part == "attentions" else 2 * int(index)
    return f"middle_block.{place}.{_inside(part, rest)}"


def _block_name(way: str, block: int, part: str, index: int, rest: str, layers: int) -> str:
    if part == "downsamplers":
        return f"input_blocks.{layers * (block + 1)}.0.op.{rest.removeprefix('conv.')}"
    if part == "upsamplers":
        # Where a block has no attention, its sampler comes second.
        return f"output_blocks.{layers * block + layers - 1}.UP.{rest}"
    place = layers * block + index + (1 if way == "down" else 0)
    side = "input" if way == "down" else "output"
    return f"{side}_blocks.{place}.{int(part == 'attentions')}.{_inside(part, rest)}"


def _inside(part: str, rest: str) -> str:
    if part == "attentions":
        return rest
    head, _, tail = rest.partition(".")
    return f"{_RESNET[head]}.{tail}"


def _with_samplers_placed(tensors: Tensors) -> Tensors:
    """Give samplers the place after what their block holds besides."""
    placed = {}
    for name, each in tensors.items():
        start, found, rest = name.partition(".UP.")
        attention = any(other.startswith(f"{start}.1.") for other in tensors) if found else False
        placed[f"{start}.{2 if attention else 1}.{rest}" if found else name] = each
    return placed


def vae_tensors(vae: Any, *, prefix: str = "first_stage_model.") -> Tensors:  # noqa: ANN401
    """Return a picture codec's tensors under CompVis' names; its attention is convolutions."""
    last = len(vae.config.block_out_channels) - 1
    tensors = {}
    for name, each in vae.state_dict().items():
        old = re.sub(r"(?<=down_blocks\.)(\d+)\.resnets\.", r"\1.block.", name)
        old = old.replace("down_blocks.", "down.").replace("downsamplers.0.", "downsample.")
        old = re.sub(r"up_blocks\.(\d+)\.", lambda found: f"up.{last - int(found.group(1))}.", old)
        old = re.sub(r"(up\.\d+)\.resnets\.", r"\1.block.", old)
        old = old.replace("upsamplers.0.", "upsample.").replace("conv_shortcut", "nin_shortcut")
        old = re.sub(
            r"mid_block\.resnets\.(\d)", lambda found: f"mid.block_{int(found.group(1)) + 1}", old
        )
        old = old.replace("mid_block.attentions.0.", "mid.attn_1.").replace(
            "conv_norm_out", "norm_out"
        )
        if ".attn_1." in old:
            old = old.replace("group_norm", "norm").replace("to_out.0", "proj_out")
            old = re.sub(r"to_([qkv])\.", r"\1.", old)
            each = each[..., None, None] if each.ndim == 2 else each
        tensors[prefix + old] = each
    return tensors


def clip_tensors(encoder: nn.Module, *, prefix: str) -> Tensors:
    """Return a text encoder's tensors as transformers names them."""
    return {
        f"{prefix}text_model.{name.removeprefix('text_model.')}": each
        for name, each in encoder.state_dict().items()
        if not name.startswith("text_projection")
    }


def open_clip_tensors(encoder: nn.Module, *, prefix: str) -> Tensors:
    """Return a text encoder's tensors as OpenCLIP names them: three projections are one."""
    state = {name.removeprefix("text_model."): each for name, each in encoder.state_dict().items()}
    tensors = {}
    for name, each in state.items():
        old = re.sub(r"encoder\.layers\.(\d+)\.", r"transformer.resblocks.\1.", name)
        old = old.replace("self_attn.out_proj", "attn.out_proj").replace("layer_norm", "ln_")
        old = old.replace("mlp.fc1", "mlp.c_fc").replace("mlp.fc2", "mlp.c_proj")
        old = old.replace("final_ln_", "ln_final").replace("embeddings.token_e", "token_e")
        old = old.replace("embeddings.position_embedding.weight", "positional_embedding")
        if found := re.match(r"(.*)self_attn\.([qkv])_proj\.(\w+)", old):
            start, which, kind = found.groups()
            if which == "q":
                three = [state[name.replace("q_proj", f"{it}_proj")] for it in "qkv"]
                tensors[f"{prefix}{start}attn.in_proj_{kind}"] = torch.cat(three)
        elif name == "text_projection.weight":
            tensors[f"{prefix}text_projection"] = each.T.contiguous()
        else:
            tensors[prefix + old] = each
    return tensors


def sd_tensors(parts: Mapping[str, Any], *, open_clip: bool = False) -> Tensors:
    """Return a whole Stable Diffusion 1.x's tensors, or with ``open_clip`` a 2.x's."""
    named = (
        open_clip_tensors(parts["text_encoder"], prefix="cond_stage_model.model.")
        if open_clip
        else clip_tensors(parts["text_encoder"], prefix="cond_stage_model.transformer.")
    )
    unet = _with_samplers_placed(unet_tensors(parts["unet"]))
    return {**unet, **vae_tensors(parts["vae"]), **named}


def xl_tensors(parts: Mapping[str, Any]) -> Tensors:
    """Return a whole Stable Diffusion XL's tensors, or those of its refiner."""
    first, second = parts.get("text_encoder"), parts["text_encoder_2"]
    named: Tensors = {}
    if first is not None:
        named = clip_tensors(first, prefix="conditioner.embedders.0.transformer.")
    place = 0 if first is None else 1
    named |= open_clip_tensors(second, prefix=f"conditioner.embedders.{place}.model.")
    unet = _with_samplers_placed(unet_tensors(parts["unet"]))
    return {**unet, **vae_tensors(parts["vae"]), **named}


_JOINT = {
    "norm1.linear": "x_block.adaLN_modulation.1",
    "norm1_context.linear": "context_block.adaLN_modulation.1",
    "attn.to_out.0": "x_block.attn.proj",
    "attn2.to_out.0": "x_block.attn2.proj",
    "attn.to_add_out": "context_block.attn.proj",
    "attn.norm_q": "x_block.attn.ln_q",
    "attn.norm_k": "x_block.attn.ln_k",
    "attn2.norm_q": "x_block.attn2.ln_q",
    "attn2.norm_k": "x_block.attn2.ln_k",
    "attn.norm_added_q": "context_block.attn.ln_q",
    "attn.norm_added_k": "context_block.attn.ln_k",
    "ff.net.0.proj": "x_block.mlp.fc1",
    "ff.net.2": "x_block.mlp.fc2",
    "ff_context.net.0.proj": "context_block.mlp.fc1",
    "ff_context.net.2": "context_block.mlp.fc2",
}
_JOINT_QKV = {
    "attn.to_q": ("x_block.attn.qkv", "attn.to_{}"),
    "attn2.to_q": ("x_block.attn2.qkv", "attn2.to_{}"),
    "attn.add_q_proj": ("context_block.attn.qkv", "attn.add_{}_proj"),
}
_SD3 = {
    "pos_embed.pos_embed": "pos_embed",
    "pos_embed.proj": "x_embedder.proj",
    "time_text_embed.timestep_embedder.linear_1": "t_embedder.mlp.0",
    "time_text_embed.timestep_embedder.linear_2": "t_embedder.mlp.2",
    "time_text_embed.text_embedder.linear_1": "y_embedder.mlp.0",
    "time_text_embed.text_embedder.linear_2": "y_embedder.mlp.2",
    "context_embedder": "context_embedder",
    "proj_out": "final_layer.linear",
    "norm_out.linear": "final_layer.adaLN_modulation.1",
}
_DOUBLE = {
    "norm1.linear": "img_mod.lin",
    "norm1_context.linear": "txt_mod.lin",
    "attn.norm_q.weight": "img_attn.norm.query_norm.scale",
    "attn.norm_k.weight": "img_attn.norm.key_norm.scale",
    "attn.norm_added_q.weight": "txt_attn.norm.query_norm.scale",
    "attn.norm_added_k.weight": "txt_attn.norm.key_norm.scale",
    "attn.to_out.0": "img_attn.proj",
    "attn.to_add_out": "txt_attn.proj",
    "ff.net.0.proj": "img_mlp.0",
    "ff.net.2": "img_mlp.2",
    "ff_context.net.0.proj": "txt_mlp.0",
    "ff_context.net.2": "txt_mlp.2",
}
_DOUBLE_QKV = {
    "attn.to_q": ("img_attn.qkv", "attn.to_{}"),
    "attn.add_q_proj": ("txt_attn.qkv", "attn.add_{}_proj"),
}
_SINGLE = {
    "norm.linear": "modulation.lin",
    "attn.norm_q.weight": "norm.query_norm.scale",
    "attn.norm_k.weight": "norm.key_norm.scale",
    "proj_out": "linear2",
}
_FLUX = {
    "time_text_embed.timestep_embedder.linear_1": "time_in.in_layer",
    "time_text_embed.timestep_embedder.linear_2": "time_in.out_layer",
    "time_text_embed.text_embedder.linear_1": "vector_in.in_layer",
    "time_text_embed.text_embedder.linear_2": "vector_in.out_layer",
    "time_text_embed.guidance_embedder.linear_1": "guidance_in.in_layer",
    "time_text_embed.guidance_embedder.linear_2": "guidance_in.out_layer",
    "context_embedder": "txt_in",
    "x_embedder": "img_in",
    "proj_out": "final_layer.linear",
    "norm_out.linear": "final_layer.adaLN_modulation.1",
}


def _renamed(name: str, table: Mapping[str, str]) -> str | None:
    for new, old in table.items():
        if name == new or name.startswith(f"{new}."):
            return old + name.removeprefix(new)
    return None


def _swapped(each: Tensor) -> Tensor:
    """Return scale and shift in the order of the originals."""
    return torch.cat(each.chunk(2, dim=0)[::-1])


def sd3_tensors(transformer: Any) -> Tensors:  # noqa: ANN401 - diffusers carries no types
    """Return Stable Diffusion 3's transformer under Stability's names."""
    state: Tensors = transformer.state_dict()
    tensors: Tensors = {}
    last = f"transformer_blocks.{transformer.config.num_layers - 1}.norm1_context."
    for name, each in state.items():
        value = _swapped(each) if name.startswith(("norm_out.", last)) else each
        if found := re.match(r"transformer_blocks\.(\d+)\.(.*)", name):
            block, rest = found.groups()
            old = _fused(tensors, state, f"joint_blocks.{block}", name, rest, _JOINT_QKV)
            if old is None and (inner := _renamed(rest, _JOINT)):
                tensors[f"model.diffusion_model.joint_blocks.{block}.{inner}"] = value
        elif outer := _renamed(name, _SD3):
            tensors[f"model.diffusion_model.{outer}"] = value
    return {
        name if name.startswith("model.") else f"model.diffusion_model.{name}": each
        for name, each in tensors.items()
    }


def flux_tensors(transformer: Any) -> Tensors:  # noqa: ANN401 - diffusers carries no types
    """Return FLUX's transformer under Black Forest Labs' names."""
    state: Tensors = transformer.state_dict()
    tensors: Tensors = {}
    for name, each in state.items():
        if found := re.match(r"transformer_blocks\.(\d+)\.(.*)", name):
            block, rest = found.groups()
            old = _fused(tensors, state, f"double_blocks.{block}", name, rest, _DOUBLE_QKV)
            if old is None and (inner := _renamed(rest, _DOUBLE)):
                tensors[f"double_blocks.{block}.{inner}"] = each
        elif found := re.match(r"single_transformer_blocks\.(\d+)\.(.*)", name):
            block, rest = found.groups()
            if inner := _renamed(rest, _SINGLE):
                tensors[f"single_blocks.{block}.{inner}"] = each
            elif rest.startswith("attn.to_q."):
                four = [state[name.replace("to_q", f"to_{it}")] for it in "qkv"]
                four.append(state[name.replace("attn.to_q", "proj_mlp")])
                tensors[f"single_blocks.{block}.linear1.{rest.rpartition('.')[2]}"] = torch.cat(
                    four
                )
        elif outer := _renamed(name, _FLUX):
            tensors[outer] = _swapped(each) if name.startswith("norm_out.") else each
    return tensors


def _fused(
    tensors: Tensors,
    state: Mapping[str, Tensor],
    block: str,
    name: str,
    rest: str,
    table: Mapping[str, tuple[str, str]],
) -> str | None:
    """Add the three projections of an attention as one; return its name, None for others."""
    start, _, kind = rest.rpartition(".")
    if start not in table:
        known = [pattern.format(it) for _, pattern in table.values() for it in "kv"]
        return "" if start in known else None
    fused, pattern = table[start]
    three = [state[name.replace(start, pattern.format(it))] for it in "qkv"]
    tensors[f"{block}.{fused}.{kind}"] = torch.cat(three)
    return fused


def write_single(path: Path, tensors: Mapping[str, Tensor]) -> Path:
    """Write tensors as a safetensors file."""
    save_file({name: each.detach().contiguous() for name, each in tensors.items()}, path)
    return path


def write_sparse(path: Path, tensors: Mapping[str, Tensor]) -> Path:
    """Write a file with the head of these tensors and a hole in the disk for their numbers."""
    head, end = {}, 0
    for name, each in tensors.items():
        size = 2 * each.numel()
        head[name] = {
            "dtype": "F16", "shape": list(each.shape), "data_offsets": [end, end + size],
        }  # fmt: skip
        end += size
    told = json.dumps(head).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(told)) + told)
        file.truncate(8 + len(told) + end)
    return path


def control_tensors(network: Any) -> Tensors:  # noqa: ANN401 - diffusers carries no types
    """Return a ControlNet's tensors under its authors' names."""
    layers = int(network.config.layers_per_block) + 1
    return {
        f"control_model.{_control_name(name, layers)}": each
        for name, each in network.state_dict().items()
    }


def _control_name(name: str, layers: int) -> str:
    for new, old in _CONTROL.items():
        if name.startswith(f"{new}."):
            return name.replace(new, old, 1)
    if found := re.match(r"controlnet_cond_embedding\.blocks\.(\d+)\.(.*)", name):
        return f"input_hint_block.{2 * int(found.group(1)) + 2}.{found.group(2)}"
    if found := re.match(r"controlnet_down_blocks\.(\d+)\.(.*)", name):
        return f"zero_convs.{found.group(1)}.0.{found.group(2)}"
    return _unet_name(name, layers)
