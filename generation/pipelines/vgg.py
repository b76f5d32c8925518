"""VGG19 as a loss network (Simonyan & Zisserman, ICLR 2015), in torchvision's checkpoint format.

The weights are not ours and do not ship: the operator puts torchvision's file, whose name carries
the beginning of its SHA-256, into the models folder.
"""

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn

from generation.errors import ModelUnavailableError
from generation.registry import VGG19_FILES

LAYERS: Mapping[str, int] = {
    "conv1_1": 1, "conv2_1": 6, "conv3_1": 11, "conv4_1": 20, "conv4_2": 22, "conv5_1": 29,
}  # fmt: skip
"""Where the rectified answers of these layers come out of ``vgg19().features``."""
TRACKED = "num_batches_tracked"
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Vgg19(nn.Module):
    """The convolutions of VGG19 up to ``conv5_1``, with torchvision's normalisation."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: nn.Sequential) -> None:
        super().__init__()
        self.features = features[: max(LAYERS.values()) + 1]
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1))

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        """Return the answers of the named layers.

        Shape:
            - picture: ``(N, 3, H, W)``, H and W at least 16, in [0, 1].
            - returns: each ``(N, C, h, w)``, not negative.
        """
        answers, places = {}, {place: name for name, place in LAYERS.items()}
        value = (picture - self.mean) / self.deviation
        for place, layer in enumerate(self.features):
            value = layer(value)
            if place in places:
                answers[places[place]] = value
        return answers


def load_vgg19(*, models_dir: Path, device: torch.device) -> Vgg19:
    """Load torchvision's VGG19 from the operator's folder.

    Raises:
        ModelUnavailableError: it is not there, is damaged, or is another network.
    """
    with torch.device("meta"):
        features = torchvision.models.vgg19(weights=None, init_weights=False).features
    fill(features, VGG19_FILES, models_dir=models_dir, title="VGG19", prefix="features.")
    for layer in features:
        if isinstance(layer, nn.ReLU):
            # Answers are kept, so that the next layer may not overwrite them.
            layer.inplace = False
    return Vgg19(features).to(device).eval().requires_grad_(requires_grad=False)


def fill(
    network: nn.Module, pattern: str, *, models_dir: Path, title: str, prefix: str = ""
) -> None:
    """Give a network without weights those of torchvision's file in the operator's folder.

    Args:
        network: on the device "meta"; what the file holds besides is left out.
        pattern: of the file's name, which ends in the beginning of its SHA-256.
        models_dir: the folder.
        title: what people call the network.
        prefix: of the weights' names in the file.

    Raises:
        ModelUnavailableError: it is not there, is damaged, or is another network.
    """
    path = next(iter(sorted(models_dir.glob(pattern))), None)
    if path is None:
        raise ModelUnavailableError(f"there is no {pattern} (torchvision's {title} weights)")
    wanted = path.stem.rpartition("-")[2]
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(wanted):
        raise ModelUnavailableError(f"{path.name} is damaged: its SHA-256 begins with {digest[:8]}")
    try:
        # Nothing but tensors is read: weights_only refuses every other pickle.
        stored = torch.load(path, map_location="cpu", weights_only=True)
        own = {
            # How many batches a norm has seen matters to trainings alone; older files lack it.
            name: torch.tensor(0) if name.endswith(TRACKED) else stored[f"{prefix}{name}"].float()
            for name in network.state_dict()
        }
        network.load_state_dict(own, assign=True)
    except (
        OSError,
        RuntimeError,
        KeyError,
        TypeError,
        AttributeError,
        EOFError,
        ValueError,
    ) as err:
        raise ModelUnavailableError(f"{path.name} could not be loaded: {err}") from err
    except pickle.UnpicklingError as err:
        raise ModelUnavailableError(f"{path.name} holds more than weights: {err}") from err
