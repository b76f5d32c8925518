"""Tiny estimators of the real classes, written to disk as transformers writes them."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    DPTConfig,
    DPTForDepthEstimation,
    DPTImageProcessor,
    VitPoseConfig,
    VitPoseForPoseEstimation,
    VitPoseImageProcessor,
    YolosConfig,
    YolosForObjectDetection,
    YolosImageProcessor,
)

SIDE = 32
BOX = (0.25, 0.5, 0.5, 1.0)
"""Where the tiny detector finds a person: the middle and the size, in shares of the picture."""


def save_depth(folder: Path, *, seed: int = 0) -> Path:
    """Write a DPT of two fusion layers."""
    torch.manual_seed(seed)
    network: Any = DPTForDepthEstimation(
        DPTConfig(
            hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16,
            image_size=SIDE, patch_size=8, backbone_out_indices=[0, 1, 2, 3],
            neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8, reassemble_factors=[2, 1, 1, 0.5],
            is_hybrid=False, auxiliary_loss_weight=0.0, use_auxiliary_head=False,
        )
    )  # fmt: skip
    network.save_pretrained(folder)
    DPTImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def save_depth_anything(folder: Path, *, metric: bool = False) -> Path:
    """Write a Depth Anything over a DINOv2, of relative depths or of metres."""
    torch.manual_seed(1)
    told: dict[str, Any] = {
        "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "mlp_ratio": 1,
        "image_size": 28, "patch_size": 14, "reshape_hidden_states": False,
        "out_features": [f"stage{each}" for each in range(1, 5)],
    }  # fmt: skip
    backbone = Dinov2Config(**told)
    more: dict[str, Any] = {"depth_estimation_type": "metric", "max_depth": 20} if metric else {}
    network: Any = DepthAnythingForDepthEstimation(
        DepthAnythingConfig(
            backbone_config=backbone, patch_size=14, reassemble_hidden_size=16,
            neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8, head_hidden_size=4, **more,
        )
    )  # fmt: skip
    network.save_pretrained(folder)
    DPTImageProcessor(
        size={"height": 28, "width": 28}, keep_aspect_ratio=True, ensure_multiple_of=14
    ).save_pretrained(folder)
    return folder


def save_pose(folder: Path, *, sure: float = 8.0, experts: int = 1) -> Path:
    """Write a ViTPose of COCO's points, which is as sure of them as it is told."""
    torch.manual_seed(2)
    backbone = {
        "model_type": "vitpose_backbone", "hidden_size": 16, "num_hidden_layers": 2,
        "num_attention_heads": 2, "image_size": [32, 24], "patch_size": [8, 8], "mlp_ratio": 1,
        "out_indices": [2], "num_experts": experts, "part_features": 4 if experts > 1 else 0,
    }  # fmt: skip
    told: dict[str, Any] = {"backbone_config": backbone, "num_labels": 17}
    network: Any = VitPoseForPoseEstimation(VitPoseConfig(**told))
    with torch.no_grad():
        network.head.conv.weight.normal_(std=1.0)
        network.head.conv.bias.fill_(sure)
    network.save_pretrained(folder)
    VitPoseImageProcessor(size={"height": 32, "width": 24}).save_pretrained(folder)
    return folder


def save_detector(folder: Path, *, finds: str = "person") -> Path:
    """Write a YOLOS that finds one thing in every picture, in the same place."""
    torch.manual_seed(3)
    names = {0: "person", 1: "cat"}
    network: Any = YolosForObjectDetection(
        YolosConfig(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
            image_size=[SIDE, SIDE], patch_size=16, num_detection_tokens=1, id2label=names,
            label2id={name: number for number, name in names.items()},
        )
    )  # fmt: skip
    with torch.no_grad():
        for head in (network.class_labels_classifier, network.bbox_predictor):
            head.layers[-1].weight.zero_()
        network.class_labels_classifier.layers[-1].bias.copy_(
            torch.tensor([5.0 * (finds == names[each]) for each in names] + [0.0])
        )
        network.bbox_predictor.layers[-1].bias.copy_(torch.tensor(BOX).logit(eps=1e-4))
    network.save_pretrained(folder)
    YolosImageProcessor(size={"shortest_edge": SIDE, "longest_edge": 64}).save_pretrained(folder)
    return folder
