"""Tiny classifiers of the real classes, taught to tell two pictures apart."""

from pathlib import Path
from typing import Any

import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from PIL import Image
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

from generation.request import Pixels

SIDE = 16


def plain_picture(*colour: int, width: int = 64, height: int = 64) -> Pixels:
    return Pixels(width=width, height=height, data=bytes(colour) * (width * height))


def save_classifier(
    folder: Path, *, safe: Pixels, unsafe: Pixels, labels: tuple[str, ...] = ("normal", "nsfw")
) -> Path:
    """Write a model of transformers whose second label is that of one of two pictures."""
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        image_size=SIDE, patch_size=8, id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
    )  # fmt: skip
    network: Any = ViTForImageClassification(config)
    network.eval()
    processor: Any = ViTImageProcessor(size={"height": SIDE, "width": SIDE})
    seen = [
        processor(images=_pil(it), return_tensors="pt")["pixel_values"] for it in (safe, unsafe)
    ]
    with torch.no_grad():
        low, high = (network.vit(pixels).last_hidden_state[0, 0] for pixels in seen)
        way = (high - low) / (high - low).square().sum()
        network.classifier.weight.zero_()
        network.classifier.bias.fill_(-20.0)
        network.classifier.bias[0] = 0.0
        network.classifier.weight[1] = 20 * way
        network.classifier.bias[1] = -20 * (way @ (low + high) / 2)
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def save_checker(folder: Path, *, safe: Pixels, unsafe: Pixels) -> Path:
    """Write diffusers' safety checker, which finds one of two pictures unsafe."""
    torch.manual_seed(0)
    vision = {
        "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,
        "num_attention_heads": 1, "image_size": SIDE, "patch_size": 8,
    }  # fmt: skip
    network: Any = StableDiffusionSafetyChecker(
        CLIPConfig(projection_dim=8, vision_config=vision, text_config={"hidden_size": 8,
                   "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8})
    )  # fmt: skip
    network.eval()
    processor: Any = CLIPImageProcessor(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )
    seen = [
        processor(images=_pil(it), return_tensors="pt")["pixel_values"] for it in (safe, unsafe)
    ]
    with torch.no_grad():
        low, high = (
            network.visual_projection(network.vision_model(pixels)[1])[0] for pixels in seen
        )
        nearness = torch.cosine_similarity(low, high, dim=0)
        network.concept_embeds.copy_(high.expand_as(network.concept_embeds))
        network.concept_embeds_weights.fill_((1 + nearness) / 2)
        network.special_care_embeds_weights.fill_(2.0)
    network.save_pretrained(folder / "safety_checker")
    processor.save_pretrained(folder / "feature_extractor")
    return folder / "safety_checker"


def _pil(pixels: Pixels) -> Image.Image:
    return Image.frombytes("RGB", (pixels.width, pixels.height), pixels.data)
