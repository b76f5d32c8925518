"""What a network sees in a picture, in numbers: by these two sets of pictures are compared.

A feature net is told by its name. All are trained networks, for the answers of one with random
weights mean nothing; which there are depends on the files that are there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torchvision
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from generation.errors import InvalidRequestError, ModelUnavailableError
from generation.evaluation.makers import SIDE, WEIGHTS, trained_folder
from generation.imaging import to_tensor
from generation.pipelines.encoder import ENCODER, LEVELS, StyleEncoder
from generation.pipelines.vae import DigitsVae
from generation.pipelines.vgg import fill, load_vgg19
from generation.registry import ENCODER_FILE, VGG19_FILES, there
from generation.request import Pixels
from generation.trained import load_trained

INCEPTION_FILES = "inception_v3_google-????????.pth"
BATCH = 16

Net = Callable[[Tensor], Tensor]
"""Turns ``(N, 3, side, side)`` in [0, 1] into ``(N, D)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureNet:
    """A network by whose answers pictures are compared.

    Args:
        name: what it is told by.
        title: what it is, for people.
        side: of the squares that pictures are brought to, in pixels.
        files: a pattern of files in the operator's models folder, or among our starters, without
            which there is none.
        load: returns the network, given that folder.
    """

    name: str
    title: str
    side: int
    files: str
    load: Callable[[Path], Net]


def _inception(models_dir: Path) -> Net:
    """Return Inception v3 up to its last pooling, 2048 numbers (Szegedy et al., CVPR 2016).

    Differs from the FID of the paper: the weights are torchvision's, not TensorFlow's of 2015, so
    that figures compare with one another and not with published ones.
    """
    with torch.device("meta"):
        network = torchvision.models.inception_v3(
            weights=None, init_weights=False, aux_logits=False, transform_input=False
        )
    network.fc = nn.Identity()
    fill(network, INCEPTION_FILES, models_dir=models_dir, title="Inception v3")
    network.eval().requires_grad_(requires_grad=False)
    # What torchvision's own preparation and ``transform_input`` come to.
    return lambda pictures: network(2 * pictures - 1)


def _vgg19(models_dir: Path) -> Net:
    """Return the means of VGG19's answers at four depths, 960 numbers."""
    network = load_vgg19(models_dir=models_dir, device=torch.device("cpu"))
    layers = ("conv1_1", "conv2_1", "conv3_1", "conv4_1")

    def seen(pictures: Tensor) -> Tensor:
        answers = network(pictures)
        return torch.cat([answers[layer].mean(dim=(2, 3)) for layer in layers], dim=1)

    return seen


def _encoder(models_dir: Path) -> Net:
    """Return the means and deviations of our own style encoder's answers at four levels.

    It was trained to tell textures and artworks apart: it sees manner and material, and knows
    nothing of what things are.
    """
    folder = trained_folder(ENCODER, models_dir=models_dir)
    if folder is None:
        raise ModelUnavailableError(f"encoder needs {ENCODER_FILE} in {models_dir}")
    network = load_trained(folder, StyleEncoder)

    def seen(pictures: Tensor) -> Tensor:
        answers = [network(pictures)[level].flatten(2) for level in LEVELS]
        return torch.cat([it for each in answers for it in (each.mean(2), each.std(2))], dim=1)

    return seen


def _digits_vae(folder: Path, models_dir: Path) -> Net:
    """Return the means of the latents of a VAE for digits."""
    del models_dir
    network = load_trained(folder, DigitsVae)
    return lambda pictures: network.encode(pictures.mean(dim=1, keepdim=True)).mu


NETS: Mapping[str, FeatureNet] = {
    net.name: net
    for net in (
        FeatureNet(
            name="inception",
            title="Inception v3 with torchvision's weights",
            side=299,
            files=INCEPTION_FILES,
            load=_inception,
        ),
        FeatureNet(
            name="vgg19",
            title="VGG19 with torchvision's weights, means of four depths",
            side=224,
            files=VGG19_FILES,
            load=_vgg19,
        ),
        FeatureNet(
            name="encoder",
            title="our own style encoder, means and deviations of four levels",
            side=128,
            files=ENCODER_FILE,
            load=_encoder,
        ),
    )
}
"""The feature nets by name, the one to be taken first before the others."""


def chosen(name: str | None, *, models_dir: Path) -> FeatureNet | None:
    """Return the feature net of a name; without a name the first whose files are there, if any.

    The folder of a VAE of ours is one, too, for digits: what a digit's latents may be tells digits
    apart that its pixels do not.

    Raises:
        InvalidRequestError: there is none of that name.
        ModelUnavailableError: its files are not there.
    """
    if name is None:
        return next((it for it in NETS.values() if there(it.files, models_dir=models_dir)), None)
    folder = trained_folder(name, models_dir=models_dir)
    if name not in NETS and folder is not None:
        load = partial(_digits_vae, folder)
        title = f"{folder.name}, the means of a VAE's latents"
        return FeatureNet(name=name, title=title, side=SIDE, files=WEIGHTS, load=load)
    if name not in NETS:
        known = f"{', '.join(NETS)}, or the folder of a VAE for digits"
        raise InvalidRequestError(f"there is no feature net {name!r}; known: {known}")
    if not there(NETS[name].files, models_dir=models_dir):
        raise ModelUnavailableError(f"{name} needs {NETS[name].files} in {models_dir}")
    return NETS[name]


@dataclass(slots=True)
class Seen:
    """The features of pictures that come one by one; they are looked at a few at a time.

    A picture's take four bytes for each number, 8 kB of Inception's.
    """

    net: Net
    side: int
    _waiting: list[Tensor] = field(default_factory=list)
    _found: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, picture: Pixels) -> None:
        """Take a picture in, brought to a square whatever its shape."""
        size = (self.side, self.side)
        tensor = to_tensor(picture, device=torch.device("cpu"))
        self._waiting.append(
            functional.interpolate(tensor, size=size, mode="bicubic", antialias=True).clamp(0, 1)
        )
        if len(self._waiting) == BATCH:
            self._look()

    @property
    def features(self) -> NDArray[np.float32]:
        """The features of all pictures so far.

        Shape:
            - returns: ``(N, D)``.
        """
        if self._waiting:
            self._look()
        return np.concatenate(self._found)

    @torch.inference_mode()
    def _look(self) -> None:
        self._found.append(self.net(torch.cat(self._waiting)).float().numpy())
        self._waiting = []


def seers(net: FeatureNet, *, models_dir: Path) -> Callable[[], Seen]:
    """Load a feature net, and return what makes collectors of its features.

    Raises:
        ModelUnavailableError: its file is damaged, or of another network.
    """
    return partial(Seen, net.load(models_dir), net.side)
