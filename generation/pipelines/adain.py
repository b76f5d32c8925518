"""Arbitrary style transfer at once (Huang & Belongie, ICCV 2017), by rows of the engine.

The networks and equations are in ``adain_nets``; alpha is the request's strength.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from generation.devices import move, torch_device, weight_bytes
from generation.errors import ModelUnavailableError
from generation.imaging import to_pixels, to_tensor
from generation.pipelines.adain_nets import ADAIN, AdainNet, StyleStatistics, mixed, noise_of
from generation.pipelines.base import EngineConfig, Finished, OneByOne
from generation.pipelines.collage_colours import match_colours, with_colours
from generation.pipelines.encoder import REACH
from generation.pipelines.img2img_finish import resized
from generation.pipelines.kept import Kept, digest
from generation.request import ImageRequest, Pixels
from generation.trained import load_trained, trained_folder

NATIVE_SIDE, LEAST_SIDE = 512, 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An artwork as it was looked at.

    Shape:
        - picture: ``(1, 3, h, w)``, for its colours.
        - style: ``(1, C, 1, 1)`` each.
    """

    picture: Tensor
    style: StyleStatistics


@dataclass(slots=True, kw_only=True)
class AdainRow:
    """One picture, painted in one step.

    Shape:
        - picture: ``(1, 3, h, w)``, sides multiples of 8.
        - result: the same, once the step is done.
    """

    request: ImageRequest
    total_steps: int
    picture: Tensor
    artworks: Sequence[tuple[Seen, float]]
    result: Tensor | None = None
    step: int = 0
    width: int = 1
    bucket: Hashable = "adain"


class AdainPipeline(OneByOne):
    """Gives a picture's features the statistics of artworks', and decodes them."""

    def __init__(self, network: AdainNet, *, device: torch.device, kept_bytes: int) -> None:
        self._network = network.to(device).to(memory_format=torch.channels_last)
        self._device = device
        self._seen: Kept[Seen] = Kept(max_bytes=kept_bytes, size_of=lambda it: it.picture.nbytes)

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        """Load the network, whatever the name.

        Raises:
            ModelUnavailableError: it is missing, damaged or foreign.
        """
        del model
        folder = trained_folder(ADAIN, models_dir=config.models_dir)
        if folder is None:
            raise ModelUnavailableError(f"there is no {ADAIN}; `train adain` makes it")
        device = torch_device(config.device)
        network = load_trained(folder, AdainNet)
        return cls(network, device=device, kept_bytes=config.kept_bytes)

    @property
    def weight_bytes(self) -> int:
        """Bytes of the network."""
        return weight_bytes([self._network])

    @property
    def counted(self) -> Mapping[str, int]:
        """Artworks whose style was known, and artworks that were looked at."""
        return {"artwork_hits": self._seen.hits, "artwork_misses": self._seen.misses}

    def put_away(self) -> None:
        """Move the network to the host's memory."""
        self._seen.clear()
        move([self._network], "cpu")

    def bring(self) -> None:
        """Move the network back to the device."""
        move([self._network], self._device)

    @torch.inference_mode()
    def admit(self, request: ImageRequest) -> AdainRow:
        """Look at the artworks.

        Raises:
            InvalidRequestError: there is no artwork.
        """
        return AdainRow(
            request=request,
            total_steps=1 if request.strength > 0 else 0,
            picture=_fitted(request.picture, device=self._device),
            artworks=[(self._look(artwork), weight) for artwork, weight in request.artworks],
        )

    def _look(self, artwork: Pixels) -> Seen:
        """Return an artwork and the statistics of its levels."""
        key = digest(artwork)
        seen = self._seen.get(key)
        if seen is None:
            picture = _fitted(artwork, device=self._device)
            seen = Seen(picture=picture, style=self._network.style(picture))
            self._seen.put(key, seen)
        return seen

    @torch.inference_mode()
    def advance(self, rows: Sequence[AdainRow]) -> None:
        """Paint every row by itself, as far towards the artworks as its strength (equation 14)."""
        for row in rows:
            row.result = self._painted(row).clamp(0, 1)
            row.step += 1

    def _painted(self, row: AdainRow) -> Tensor:
        matched = [
            weight * match_colours(row.picture, seen.picture) for seen, weight in row.artworks
        ]
        alpha = row.request.strength
        rng = torch.Generator().manual_seed(row.request.seed)
        noise = noise_of((1, *row.picture.shape[-2:]), rng=rng)
        made: Tensor = self._network(
            row.picture.lerp(torch.stack(matched).sum(0), alpha),
            mixed([(seen.style, weight) for seen, weight in row.artworks]),
            alpha=torch.tensor(alpha, device=self._device),
            noise={level: each.to(self._device) for level, each in noise.items()},
        )
        return made

    def preview(self, row: AdainRow) -> Pixels | None:
        """Return None: there is one step."""
        del row
        return None

    @torch.inference_mode()
    def retire(self, row: AdainRow) -> Finished:
        """Return the finished picture at its request's size; at strength 0 the input itself."""
        image = row.request.picture
        if row.result is None:
            return Finished(image=image)
        result = resized(row.result, height=image.height, width=image.width)
        if row.request.manner is not None and row.request.manner.keep_colours:
            result = with_colours(result, to_tensor(image, device=self._device))
        height, width = row.result.shape[-2:]
        return Finished(image=to_pixels(result), parameters=(("native_size", f"{width}x{height}"),))


def _fitted(image: Pixels, *, device: torch.device) -> Tensor:
    """Return a picture at most 512 px a side, of whole places of the encoder's last level."""
    scale = min(1.0, NATIVE_SIDE / max(image.width, image.height))
    height, width = (
        max(LEAST_SIDE, round(side * scale / REACH) * REACH) for side in (image.height, image.width)
    )
    picture = resized(to_tensor(image, device=device), height=height, width=width)
    return picture.contiguous(memory_format=torch.channels_last)
