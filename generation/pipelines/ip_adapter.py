"""IP-Adapter: denoisers that look at a picture beside the words.

Ye et al., "IP-Adapter: Text Compatible Image Prompt Adapter for Text-to-Image Diffusion Models"
(2023, arXiv:2308.06721). diffusers reads the files, of every variant but those for faces.

Differs from the library: a picture's tokens are made once for a request instead of at every step,
and every row of a call has a weight of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor2_0
from diffusers.models.embeddings import ImageProjection
from torch import Tensor, nn
from torch.nn import functional

from generation.checkpoints import Checkpoint
from generation.companions import IMAGE_ENCODER, Companion
from generation.devices import ready
from generation.errors import InvalidRequestError
from generation.heads import elements, read_head
from generation.imaging import to_pil
from generation.pipelines.adapters import MISFITS, library_of, quiet
from generation.request import Pixels

PLAIN: Any = AttnProcessor2_0
"""Diffusers' class, which carries no types."""

Processors = Mapping[str, Any]
"""What a denoiser's layers of attention do, by their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a denoiser is told of a picture, and of no picture.

    Shape:
        - tokens, nothing: ``(1, tokens, width)``.
    """

    tokens: Tensor
    nothing: Tensor

    @property
    def bytes(self) -> int:
        """The memory that it takes."""
        return self.tokens.nbytes + self.nothing.nbytes


class Looking:
    """Attention to words, and beside them to a picture (the paper's equation 5).

    Where the library hands over words alone, it gets them with the picture's tokens and weights.
    """

    def __init__(self, keys: nn.Module, values: nn.Module) -> None:
        self._keys = keys
        self._values = values

    def __call__(
        self,
        attn: Any,  # noqa: ANN401 - diffusers' own
        hidden_states: Tensor,
        encoder_hidden_states: tuple[Tensor, Tensor, Tensor],
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """Return what a layer makes of the words and the picture.

        Shape:
            - hidden_states: ``(N, pixels, C)``; returns likewise.
            - encoder_hidden_states: words ``(N, length, width)``, tokens ``(N, tokens, width)``
              and weights ``(N, 1, 1)``.
        """
        del attention_mask, temb
        words, tokens, weights = encoder_hidden_states
        query = _heads(attn.to_q(hidden_states), attn.heads)
        said = _attended(query, attn.to_k(words), attn.to_v(words))
        seen = _attended(query, self._keys(tokens), self._values(tokens))
        answer: Tensor = attn.to_out[1](attn.to_out[0](said + weights * seen))
        return answer


def _heads(values: Tensor, heads: int) -> Tensor:
    return values.view(*values.shape[:2], heads, -1).transpose(1, 2)


def _attended(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    heads = query.shape[1]
    found = functional.scaled_dot_product_attention(query, _heads(key, heads), _heads(value, heads))
    return found.transpose(1, 2).flatten(2)


class IPAdapter:
    """A loaded IP-Adapter.

    Args:
        encoder: sees pictures; ``projection`` makes tokens of what it says.
        processors: for the denoiser's layers that read words.
        layers: of these, the networks.
    """

    def __init__(
        self,
        *,
        encoder: Any,  # noqa: ANN401 - transformers' own
        processor: Any,  # noqa: ANN401 - transformers' own
        projection: nn.Module,
        processors: Processors,
        layers: nn.Module,
    ) -> None:
        self._encoder = encoder
        self._processor = processor
        self._projection = projection
        self.processors = processors
        self._layers = layers

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """Its networks."""
        return self._encoder, self._projection, self._layers

    def see(self, picture: Pixels) -> Seen:
        """Return a picture's tokens, and those of no picture."""
        shown = self._processor(to_pil(picture), return_tensors="pt").pixel_values
        shown = shown.to(self._encoder.device, self._encoder.dtype)
        if isinstance(self._projection, ImageProjection):
            said = self._encoder(shown).image_embeds
            silence = torch.zeros_like(said)
        else:
            said, silence = (
                self._encoder(each, output_hidden_states=True).hidden_states[-2]
                for each in (shown, torch.zeros_like(shown))
            )
        return Seen(tokens=self._projection(said), nothing=self._projection(silence))


def load_ip_adapter(companion: Companion, *, model: Checkpoint) -> IPAdapter:
    """Load an IP-Adapter for a checkpoint, whose denoiser stays as it is; nothing is fetched.

    Raises:
        InvalidRequestError: it is damaged, or does not fit the checkpoint after all.
    """
    unet, folder, library = model.denoiser, companion.file.parent, library_of(model)
    before = dict(unet.attn_processors)
    # The library makes new processors of the old ones' classes, which those in slices do not take.
    unet.set_attn_processor(PLAIN())
    try:
        with quiet():
            library.load_ip_adapter(
                str(folder), subfolder="", weight_name=companion.file.name,
                image_encoder_folder=IMAGE_ENCODER, local_files_only=True,
            )  # fmt: skip
        return _taken(library, companion, model=model)
    except MISFITS as err:
        if isinstance(err, torch.OutOfMemoryError):
            raise
        raise InvalidRequestError(
            f"the IP-Adapter {companion.name} does not fit {model.name}, or is damaged"
        ) from err
    finally:
        # A projection that attends has processors of its own, which are none of the denoiser's.
        unet.encoder_hid_proj = None
        unet.config.encoder_hid_dim_type = None
        unet.set_attn_processor(before)


def _taken(library: Any, companion: Companion, *, model: Checkpoint) -> IPAdapter:  # noqa: ANN401 - diffusers' own
    """Take what diffusers has loaded out of its denoiser.

    Raises:
        ValueError: the file holds weights of more or fewer layers than the denoiser has, or some
            of the image encoder's are in no file: the library makes such weights up.
    """
    unet = library.unet
    (projection,) = unet.encoder_hid_proj.image_projection_layers
    loaded = {name: it for name, it in unet.attn_processors.items() if hasattr(it, "to_k_ip")}
    layers = nn.ModuleList(
        [nn.ModuleList([it.to_k_ip[0], it.to_v_ip[0]]) for it in loaded.values()]
    )
    held = sum(weight.numel() for each in (projection, layers) for weight in each.parameters())
    if elements(read_head(companion.file)) != held:
        raise ValueError("it is made for other layers")
    there = elements(read_head(companion.file.parent / IMAGE_ENCODER / "model.safetensors"))
    if there < sum(weight.numel() for weight in library.image_encoder.parameters()):
        raise ValueError("some weights of its image encoder are in no file")
    for each in (projection, layers, library.image_encoder):
        ready(each.to(model.dtype), model.device)
    return IPAdapter(
        encoder=library.image_encoder,
        processor=library.feature_extractor,
        projection=projection,
        processors=_processors(loaded, layers),
        layers=layers,
    )


def _processors(names: Sequence[str] | Processors, layers: nn.ModuleList) -> Processors:
    pairs: Sequence[Any] = list(layers)
    return {name: Looking(*pair) for name, pair in zip(names, pairs, strict=True)}
