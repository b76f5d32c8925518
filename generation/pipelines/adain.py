"""Arbitrary style transfer at once (Huang & Belongie, ICCV 2017), by rows of the engine.

The networks and equations are in ``adain_nets``; alpha is the request's strength.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from generation.devices import move, torch_device, weight_bytes
from generation.errors import ModelUnavailableError
from generation.imaging import to_pixels, to_tensor
from generation.pipelines.adain_nets import (
    DECODER,
    LAST,
    Statistics,
    StyleDecoder,
    mixed_styles,
    statistics,
)
from generation.pipelines.base import EngineConfig, Finished, OneByOne
from generation.pipelines.encoder import ENCODER, REACH, StyleEncoder
from generation.pipelines.img2img_finish import resized
from generation.pipelines.kept import Kept, digest
from generation.pipelines.style_transfer import with_colours
from generation.request import ImageRequest, Pixels
from generation.trained import fingerprint, load_trained, read_trained, trained_folder

NATIVE_SIDE, LEAST_SIDE = 512, 32


@dataclass(slots=True, kw_only=True)
class AdainRow:
    """One picture, decoded in one step.

    Shape:
        - content: ``(1, C, h, w)``, the encoder's last level.
        - result: ``(1, 3, 8 h, 8 w)``, once the step is done.
    """

    request: ImageRequest
    total_steps: int
    content: Tensor
    styles: Sequence[tuple[Statistics, float]]
    result: Tensor | None = None
    step: int = 0
    width: int = 1
    bucket: Hashable = "adain"


class AdainPipeline(OneByOne):
    """Gives a picture's features the statistics of artworks', and decodes them."""

    def __init__(
        self, encoder: StyleEncoder, decoder: StyleDecoder, *, device: torch.device, kept_bytes: int
    ) -> None:
        self._encoder, self._decoder = encoder.to(device), decoder.to(device)
        self._device = device
        self._styles: Kept[Statistics] = Kept(
            max_bytes=kept_bytes, size_of=lambda found: sum(it.nbytes for it in found)
        )

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        """Load the decoder and the encoder that it was trained with, whatever the name.

        Raises:
            ModelUnavailableError: one is missing, damaged or foreign, or they do not belong
                together.
        """
        del model
        encoder, decoder = load_pair(config.models_dir)
        device = torch_device(config.device)
        return cls(encoder, decoder, device=device, kept_bytes=config.kept_bytes)

    @property
    def weight_bytes(self) -> int:
        """Bytes of both networks."""
        return weight_bytes([self._encoder, self._decoder])

    @property
    def counted(self) -> Mapping[str, int]:
        """Artworks whose style was known, and artworks that were looked at."""
        return {"artwork_hits": self._styles.hits, "artwork_misses": self._styles.misses}

    def put_away(self) -> None:
        """Move the networks to the host's memory."""
        self._styles.clear()
        move([self._encoder, self._decoder], "cpu")

    def bring(self) -> None:
        """Move the networks back to the device."""
        move([self._encoder, self._decoder], self._device)

    @torch.inference_mode()
    def admit(self, request: ImageRequest) -> AdainRow:
        """Look at the picture and the artworks.

        Raises:
            InvalidRequestError: there is no artwork.
        """
        styles = [(self._style(artwork), weight) for artwork, weight in request.artworks]
        picture = _fitted(request.picture, device=self._device)
        return AdainRow(
            request=request,
            total_steps=1 if request.strength > 0 else 0,
            content=self._encoder(picture)[LAST],
            styles=styles,
        )

    def _style(self, artwork: Pixels) -> Statistics:
        """Return the statistics of an artwork's last level."""
        key = digest(artwork)
        found = self._styles.get(key)
        if found is None:
            found = statistics(self._encoder(_fitted(artwork, device=self._device))[LAST])
            self._styles.put(key, found)
        return found

    @torch.inference_mode()
    def advance(self, rows: Sequence[AdainRow]) -> None:
        """Decode every row by itself, as far towards the artworks as its strength (equation 14)."""
        for row in rows:
            target = mixed_styles(row.content, row.styles)
            row.result = self._decoder(row.content.lerp(target, row.request.strength)).clamp(0, 1)
            row.step += 1

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


def load_pair(models_dir: Path) -> tuple[StyleEncoder, StyleDecoder]:
    """Return the encoder and the decoder that was trained with it.

    Raises:
        ModelUnavailableError: one is missing, damaged or foreign, or they do not belong together.
    """
    places = [trained_folder(name, models_dir=models_dir) for name in (ENCODER, DECODER)]
    if places[0] is None or places[1] is None:
        raise ModelUnavailableError(f"there are no {ENCODER} and {DECODER}; `train adain` makes it")
    encoder = load_trained(places[0], StyleEncoder)
    decoder = load_trained(places[1], StyleDecoder)
    if read_trained(places[1]).get("encoder") != fingerprint(encoder):
        raise ModelUnavailableError(f"{DECODER} was trained with another encoder than {places[0]}")
    return encoder, decoder


def _fitted(image: Pixels, *, device: torch.device) -> Tensor:
    """Return a picture at most 512 px a side, of whole places of the encoder's last level."""
    scale = min(1.0, NATIVE_SIDE / max(image.width, image.height))
    height, width = (
        max(LEAST_SIDE, round(side * scale / REACH) * REACH) for side in (image.height, image.width)
    )
    return resized(to_tensor(image, device=device), height=height, width=width)
