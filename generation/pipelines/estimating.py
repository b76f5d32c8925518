"""Estimating what a ControlNet follows from an ordinary picture, by networks of the operator's.

Depth: Ranftl, Bochkovskiy & Koltun, "Vision Transformers for Dense Prediction" (ICCV 2021), or
Yang et al., "Depth Anything" (CVPR 2024); near is white, as MiDaS' maps are. Poses: Xu et al.,
"ViTPose" (NeurIPS 2022), person by person.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import (
    AutoImageProcessor,
    AutoModelForDepthEstimation,
    AutoModelForObjectDetection,
    VitPoseForPoseEstimation,
)

from generation.errors import InvalidRequestError, ModelUnavailableError, NobodySeenError
from generation.estimators import Estimator
from generation.imaging import to_pil
from generation.pipelines.adapters import quiet
from generation.pipelines.seeing import load_seeing
from generation.pipelines.skeletons import COCO_POINTS, Points, body_of, skeletons
from generation.recognition import PEOPLE, PERSON
from generation.request import Pixels
from generation.sums import require_recorded

MOST_PEOPLE = 16
"""The largest of those that are found."""
FOUND = 0.3
"""How sure a detector has to be."""
UNUSED = (".layers.0.residual_layer1.",)
"""Weights that published files lack, and that no picture passes through."""

KINDS: dict[str, Any] = {
    "depth": AutoModelForDepthEstimation,
    "pose": VitPoseForPoseEstimation,
    PEOPLE: AutoModelForObjectDetection,
}


class Estimating:
    """A loaded estimator. It calculates in float32, whatever a checkpoint does beside it.

    Args:
        network: transformers' own.
        processor: likewise, which lays pictures before it.
    """

    def __init__(
        self,
        network: Any,  # noqa: ANN401 - transformers' own
        processor: Any,  # noqa: ANN401 - transformers' own
        *,
        kind: str,
    ) -> None:
        self._network = network
        self._processor = processor
        self.kind = kind

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """Its networks."""
        return (self._network,)

    def look(self, picture: Pixels) -> None:
        """Look at a picture, whatever comes of it."""
        whole = [0.0, 0.0, float(picture.width), float(picture.height)]
        looks: dict[str, Callable[[], object]] = {
            "depth": lambda: self.depth(picture),
            "pose": lambda: self.bodies(picture, boxes=[whole]),
            PEOPLE: lambda: self.people(picture),
        }
        looks[self.kind]()

    @torch.no_grad()
    def depth(self, picture: Pixels) -> Pixels:
        """Return how near everything in a picture is: white is nearest, black farthest."""
        size = (picture.height, picture.width)
        given = self._processor(images=to_pil(picture), return_tensors="pt")
        told = self._network(given["pixel_values"].to(self._network.device))
        (found,) = self._processor.post_process_depth_estimation(told, target_sizes=[size])
        near = found["predicted_depth"].float().cpu()
        if getattr(self._network.config, "depth_estimation_type", "relative") == "metric":
            # Metres grow with the distance; what controls were trained with is their reciprocal.
            near = 1 / near.clamp(min=1e-3)
        span = near.max() - near.min()
        near = (near - near.min()) / span if span > 0 else torch.zeros_like(near)
        grey = near.mul(255).round().to(torch.uint8)[..., None].expand(*size, 3)
        return Pixels(width=size[1], height=size[0], data=grey.contiguous().numpy().tobytes())

    @torch.no_grad()
    def people(self, picture: Pixels) -> list[list[float]]:
        """Return the boxes of people, the largest first: left, top, width, height in pixels."""
        given = self._processor(images=to_pil(picture), return_tensors="pt")
        told = self._network(**given.to(self._network.device))
        (found,) = self._processor.post_process_object_detection(
            told, threshold=FOUND, target_sizes=[(picture.height, picture.width)]
        )
        names = self._network.config.id2label
        boxes = [
            [left, top, right - left, bottom - top]
            for (left, top, right, bottom), label in zip(
                found["boxes"].tolist(), found["labels"].tolist(), strict=True
            )
            if names[label] == PERSON and right > left and bottom > top
        ]
        return sorted(boxes, key=lambda box: -box[2] * box[3])[:MOST_PEOPLE]

    @torch.no_grad()
    def bodies(self, picture: Pixels, *, boxes: Sequence[Sequence[float]]) -> list[Points]:
        """Return OpenPose's points of the people in boxes."""
        given = self._processor(images=to_pil(picture), boxes=[boxes], return_tensors="pt")
        pixels, more = given["pixel_values"].to(self._network.device), {}
        if getattr(self._network.config.backbone_config, "num_experts", 1) > 1:
            # Of the data that its experts were trained for, the first are COCO's.
            more["dataset_index"] = torch.zeros(len(boxes), dtype=torch.long, device=pixels.device)
        told = self._network(pixels, **more)
        (found,) = self._processor.post_process_pose_estimation(told, boxes=[boxes])
        return [
            body_of(np.column_stack([each["keypoints"], each["scores"]]).astype(np.float64))
            for each in found
        ]


def load_estimator(estimator: Estimator, *, device: torch.device) -> Estimating:
    """Load an estimator; nothing is fetched.

    Raises:
        InvalidRequestError: it is damaged, or other than it came; the sentence names it.
    """
    folder = estimator.folder
    try:
        require_recorded(estimator.name, folder, models_dir=folder.parent)
        with quiet():
            network, processor = load_seeing(
                folder,
                kinds=(KINDS[estimator.kind], AutoImageProcessor),
                preprocessor=folder,
                device=device,
                unused=UNUSED,
            )
    except ModelUnavailableError as err:
        raise InvalidRequestError(f"{estimator.name} cannot be used: {err}") from err
    if estimator.kind == "pose" and network.config.num_labels != COCO_POINTS:
        raise InvalidRequestError(
            f"{estimator.name} names {network.config.num_labels} points of a body, not COCO's"
            f" {COCO_POINTS}"
        )
    return Estimating(network, processor, kind=estimator.kind)


def drawn(kind: str, picture: Pixels, *, loaded: Callable[[str], Estimating | None]) -> Pixels:
    """Return what a ControlNet for a kind follows of a picture.

    Args:
        kind: "depth" or "pose".
        picture: an ordinary one.
        loaded: returns the estimator of a kind; None where a picture is taken to show one person.

    Raises:
        NobodySeenError: poses are to be followed, and nobody is in the picture.
    """
    estimating = loaded(kind)
    assert estimating is not None, "it was asked for before"
    if kind == "depth":
        return estimating.depth(picture)
    finder = loaded(PEOPLE)
    everything = [[0.0, 0.0, float(picture.width), float(picture.height)]]
    boxes = everything if finder is None else finder.people(picture)
    people = estimating.bodies(picture, boxes=boxes) if boxes else []
    drawing = skeletons(people, width=picture.width, height=picture.height)
    if not drawing.any():
        raise NobodySeenError("nobody whose pose could be followed is seen in the picture")
    return Pixels(width=picture.width, height=picture.height, data=drawing.tobytes())
