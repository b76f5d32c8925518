"""What style transfer sees pictures with: VGG19 where the operator has it, else our own encoder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from generation.errors import ModelUnavailableError
from generation.pipelines.encoder import ENCODER, LEVELS, StyleEncoder
from generation.pipelines.vgg import load_vgg19
from generation.registry import VGG19_FILES
from generation.trained import load_trained, trained_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """One size that a picture is optimised at, after the smaller ones.

    Args:
        side: the longer one, in pixels.
        share: of all steps.
    """

    side: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Eye:
    """A network whose answers say what a picture shows and how it is painted.

    Args:
        name: for the record.
        network: returns its answers by layer.
        content_layer: where content is compared.
        style_layers: where style is compared, with weights that multiply the squared distances
            of Gram matrices.
        content_weight: alpha of the paper's equation 7.
        style_weight: beta, at strength 1.
        tv_weight: of total variation beside them.
        scales: small to large.
        steps: evaluations, if a request does not say.
        least_side: the smallest picture that it can see.
    """

    name: str
    network: nn.Module
    content_layer: str
    style_layers: Mapping[str, float]
    content_weight: float
    style_weight: float
    tv_weight: float
    scales: tuple[Scale, ...]
    steps: int
    least_side: int = 32


def load_eye(*, models_dir: Path, device: torch.device) -> Eye:
    """Return VGG19 if it is there, else our own encoder.

    Raises:
        ModelUnavailableError: neither is there, or what is there is damaged or foreign.
    """
    if any(models_dir.glob(VGG19_FILES)):
        return vgg_eye(models_dir=models_dir, device=device)
    folder = trained_folder(ENCODER, models_dir=models_dir)
    if folder is None:
        raise ModelUnavailableError(
            f"there is neither {VGG19_FILES} (torchvision's VGG19 weights) nor {ENCODER}"
        )
    return own_eye(load_trained(folder, StyleEncoder).to(device))


def vgg_eye(*, models_dir: Path, device: torch.device) -> Eye:
    """Return VGG19 with the weights of the authors' published code, 1000/N^2 for N channels."""
    widths = {"conv1_1": 64, "conv2_1": 128, "conv3_1": 256, "conv4_1": 512, "conv5_1": 512}
    return Eye(
        name="vgg19",
        network=load_vgg19(models_dir=models_dir, device=device),
        content_layer="conv4_2",
        style_layers={layer: 1 / width**2 for layer, width in widths.items()},
        content_weight=1.0,
        style_weight=1000.0,
        tv_weight=10.0,
        scales=(Scale(side=256, share=0.6), Scale(side=512, share=0.4)),
        steps=150,
    )


def own_eye(encoder: StyleEncoder) -> Eye:
    """Return our own encoder, whose channels are of one strength on every layer."""
    return Eye(
        name="style-encoder",
        network=encoder,
        content_layer=LEVELS[3],
        style_layers=dict.fromkeys(LEVELS, 1.0),
        content_weight=0.5,
        style_weight=300.0,
        tv_weight=20.0,
        scales=(
            Scale(side=128, share=0.5),
            Scale(side=256, share=0.42),
            Scale(side=512, share=0.08),
        ),
        steps=52,
    )
