"""Looking at finished pictures: how an image classifier scores them, label by label.

The picture comes back as it went in; the scores are the parameters of the result. What is looked
at are squares that cover the whole picture, because classifiers see squares, and the highest score
of each label counts. The safety checker of diffusers says yes or no (Rombach et al., CVPR 2022,
published code), which is 1 or 0 here.

Differs from the published pipelines: the checker there sees the middle square alone.
"""

import logging
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import ceil
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from PIL import Image
from torch import Tensor
from transformers import AutoImageProcessor, AutoModelForImageClassification, CLIPImageProcessor

from generation.classifiers import CHECKER_LABEL, Classifier, examine
from generation.devices import move, torch_device, weight_bytes
from generation.errors import ModelUnavailableError
from generation.pipelines.base import EngineConfig, Finished, OneByOne
from generation.pipelines.seeing import load_seeing
from generation.request import ImageRequest, Pixels

VIEWS_OF_A_CALL = 8
BYTES_OF_A_NUMBER = 4

_serials = count()


@dataclass(slots=True, kw_only=True)
class SafetyRow:
    """One picture being looked at.

    Args:
        views: squares that cover it.
        scores: the highest so far, by label.
    """

    request: ImageRequest
    views: Sequence[Image.Image]
    total_steps: int
    scores: dict[str, float] = field(default_factory=dict)
    step: int = 0
    width: int = 1
    bucket: Hashable = field(default_factory=lambda: next(_serials))


class SafetyPipeline(OneByOne):
    """Scores pictures with a classifier of the operator's.

    It always calculates in float32, so that no verdict depends on the numbers of a device.

    Args:
        network: diffusers' safety checker, or transformers' model for image classification.
        processor: transformers' own, which lays pictures before it.
    """

    def __init__(
        self,
        network: Any,  # noqa: ANN401 - diffusers' or transformers' own
        *,
        processor: Any,  # noqa: ANN401 - transformers' own
        classifier: Classifier,
        device: torch.device,
    ) -> None:
        self._network = network
        self._processor = processor
        self._classifier = classifier
        self._device = device

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        """Load the classifier in a folder; ``model`` is its path.

        Raises:
            ModelUnavailableError: it is missing, damaged or incomplete, or no classifier.
        """
        classifier = examine(Path(model))
        device = torch_device(config.device)
        # The checker says in the log that it blackened a picture; ours is none of its own.
        logging.getLogger(StableDiffusionSafetyChecker.__module__).setLevel(logging.ERROR)
        kinds: tuple[Any, Any] = (AutoModelForImageClassification, AutoImageProcessor)
        if classifier.checker:
            kinds = StableDiffusionSafetyChecker, CLIPImageProcessor
        try:
            network, processor = load_seeing(
                classifier.folder, kinds=kinds, preprocessor=classifier.preprocessor, device=device
            )
        except ModelUnavailableError as err:
            raise ModelUnavailableError(f"the classifier {err}") from err
        return cls(network, processor=processor, classifier=classifier, device=device)

    @classmethod
    def weigh(cls, *, model: str, config: EngineConfig) -> int:
        """Return about how many bytes a classifier will take.

        Raises:
            ModelUnavailableError: it is missing or damaged.
        """
        del config
        return examine(Path(model)).elements * BYTES_OF_A_NUMBER

    @classmethod
    def files(cls, *, model: str, config: EngineConfig) -> Sequence[Path]:
        """Return the files that a classifier is read from.

        Raises:
            ModelUnavailableError: it is missing or damaged.
        """
        del config
        return examine(Path(model)).weights

    @property
    def weight_bytes(self) -> int:
        """Bytes of the network."""
        return weight_bytes([self._network])

    def put_away(self) -> None:
        """Move the network to the host's memory."""
        move([self._network], "cpu")

    def bring(self) -> None:
        """Move the network back to the device."""
        move([self._network], self._device)

    def admit(self, request: ImageRequest) -> SafetyRow:
        """Cut a finished picture into the squares that are looked at."""
        views = squares(request.picture)
        steps = ceil(len(views) / VIEWS_OF_A_CALL)
        return SafetyRow(request=request, views=views, total_steps=steps)

    @torch.no_grad()
    def advance(self, rows: Sequence[SafetyRow]) -> None:
        """Look at some more squares of every row."""
        for row in rows:
            start = row.step * VIEWS_OF_A_CALL
            seen = self._scores(row.views[start : start + VIEWS_OF_A_CALL])
            row.scores = {
                label: max(row.scores.get(label, 0.0), score) for label, score in seen.items()
            }
            row.step += 1

    def preview(self, row: SafetyRow) -> Pixels | None:
        """Return None: nothing forms."""
        del row
        return None

    def retire(self, row: SafetyRow) -> Finished:
        """Return the picture as it came, with its scores."""
        told = tuple((label, f"{score:.6f}") for label, score in row.scores.items())
        return Finished(image=row.request.picture, parameters=told)

    def _scores(self, views: Sequence[Image.Image]) -> dict[str, float]:
        """Return the highest score of each label."""
        given = self._processor(images=list(views), return_tensors="pt")
        pixels = given["pixel_values"].to(self._device, torch.float32)
        if self._classifier.checker:
            # It blackens what it finds; these are not the pictures.
            blank = [np.zeros((1, 1, 3), np.float32) for _ in views]
            _, found = self._network(clip_input=pixels, images=blank)
            return {CHECKER_LABEL: float(any(found))}
        logits: Tensor = self._network(pixel_values=pixels).logits.float()
        shares = logits.softmax(-1) if self._classifier.exclusive else logits.sigmoid()
        highest = shares.amax(0).tolist()
        return dict(zip(self._classifier.labels, highest, strict=True))


def squares(picture: Pixels) -> list[Image.Image]:
    """Return squares that cover a picture, as few as do: side by side, and overlapping."""
    image = Image.frombytes("RGB", (picture.width, picture.height), picture.data)
    side, longer = min(image.size), max(image.size)
    number = ceil(longer / side)
    starts = [round(each * (longer - side) / max(1, number - 1)) for each in range(number)]
    boxes = (
        (start, 0, start + side, side) if image.width > side else (0, start, side, start + side)
        for start in starts
    )
    return [image.crop(box) for box in boxes]
