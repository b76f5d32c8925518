"""A loaded checkpoint: what its words mean to its denoiser, and its pictures to its codec.

How it is loaded is said in ``generation.loading``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from generation.families import Family
from generation.holding import Seats
from generation.recognition import longer_side
from generation.tiny_codec import TinyCodec
from generation.weights import Manifest

SCORES = (2.5, 6.0)
"""How well a picture is to be liked, for a refiner: without the words, and with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """What a prompt means to a denoiser.

    Shape:
        - words: ``(1, length, width)``.
        - pooled: ``(1, projection)``, of the last text encoder; None where there is only one.
    """

    words: Tensor
    pooled: Tensor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The components of a loaded checkpoint, ready to run; here those with a UNet.

    What other denoisers are told, and how they are called, is said by classes of their own, which
    the families name. Diffusers' classes carry no types, hence Any: ``UNet2DConditionModel``,
    ``AutoencoderKL``, and a scheduler.

    Args:
        denoiser: the UNet, of other classes a transformer.
        scheduler: the checkpoint's own; rows take copies of it, because schedulers keep state.
        text_encoder_2, tokenizer_2: Stable Diffusion XL's second ones, else None; its refiner's
            only ones are the first here.
        text_encoder_3, tokenizer_3: Stable Diffusion 3's third ones, else None.
        processor: what prepares words and pictures for a text encoder that sees, else None.
        seats: brings the networks to the device, as the plan of its memory says.
        scored: whether the denoiser is told how well a picture is to be liked, instead of its size.
        zero_negative: whether no negative prompt means zeros instead of an empty prompt.
        tiny: a codec of less detail for far less work, if there is one: it shows how a picture
            forms, and makes the picture where the checkpoint says that it is to be quick.
    """

    DENOISER: ClassVar[str] = "unet"
    """Its name among a pipeline's components, in diffusers."""
    REQUIRED: ClassVar[tuple[str, ...]] = ("vae", "text_encoder", "tokenizer", "scheduler")
    """The other components that it cannot do without."""
    SEES: ClassVar[bool] = False
    """Whether its text encoder sees the picture beside the words."""
    HELD: ClassVar[int] = 0
    """Side, in latents, of the squares in which guidance leaves a prediction as strong as the words
    alone make it; 0 where it does not."""

    name: str
    family: Family
    manifest: Manifest
    denoiser: Any
    vae: Any
    text_encoder: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    scheduler: Any
    device: torch.device
    dtype: torch.dtype
    seats: Seats
    text_encoder_2: PreTrainedModel | None = None
    tokenizer_2: PreTrainedTokenizerBase | None = None
    text_encoder_3: PreTrainedModel | None = None
    tokenizer_3: PreTrainedTokenizerBase | None = None
    processor: Any = None
    zero_negative: bool = False
    scored: bool = False
    tiny: TinyCodec | None = None

    @property
    def quick(self) -> TinyCodec | None:
        """The codec that takes the place of the checkpoint's own, None if none does."""
        if self.tiny is None or not (self.manifest.quick or self.tiny.network is self.vae):
            return None
        return self.tiny

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """The networks that are used."""
        tiny = None if self.tiny is None else self.tiny.network
        codecs = (tiny, None if self.quick else self.vae)
        readers = (self.text_encoder, self.text_encoder_2, self.text_encoder_3)
        found = (self.denoiser, *codecs, *readers)
        return tuple(module for module in found if module is not None)

    @property
    def predicts(self) -> Callable[..., Any]:
        """What predicts, called as diffusers' UNets are, with latents as planes."""
        found: Callable[..., Any] = self.denoiser
        return found

    @property
    def library(self) -> str:
        """The name of diffusers' pipeline of these networks, which knows files of LoRA."""
        large = self.denoiser.config.addition_embed_type == "text_time"
        return "StableDiffusionXLPipeline" if large else "StableDiffusionPipeline"

    @property
    def guided_inside(self) -> bool:
        """Whether the denoiser is told how strictly to follow the words."""
        return self.denoiser.config.time_cond_proj_dim is not None

    @property
    def vae_factor(self) -> int:
        """Pixels per latent."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def multiple(self) -> int:
        """What sides in pixels have to be a multiple of, so that every level divides evenly."""
        return int(self.vae_factor * 2 ** (len(self.denoiser.config.block_out_channels) - 1))

    @property
    def native_size(self) -> int:
        """Side in pixels of the square that the checkpoint is run at."""
        latents = self.denoiser.config.sample_size
        trained = longer_side(latents) * self.vae_factor if latents else self.family.side
        return self.manifest.native_size or trained

    @property
    def max_tokens(self) -> int:
        """Tokens of a prompt, start and end included."""
        return min(int(self.tokenizer.model_max_length), self.family.tokens)

    def cuts(self, prompt: str) -> bool:
        """Return whether a prompt is longer than the text encoder reads."""
        tokens = self.tokenizer(prompt, truncation=True, max_length=self.max_tokens + 1)
        return len(tokens.input_ids) > self.max_tokens

    def embed(self, prompt: str) -> Embedding:
        """Return a prompt's embedding."""
        if self.denoiser.config.addition_embed_type != "text_time":
            read = self.text_encoder(self._tokens(prompt, self.tokenizer))
            return Embedding(words=read.last_hidden_state.to(self.dtype), pooled=None)
        # SDXL (Podell et al., 2023): the encoders' last layers but one, side by side.
        encoders = [(self.text_encoder, self.tokenizer)]
        if self.text_encoder_2 is not None and self.tokenizer_2 is not None:
            encoders.append((self.text_encoder_2, self.tokenizer_2))
        found = [
            encoder(self._tokens(prompt, tokenizer), output_hidden_states=True)
            for encoder, tokenizer in encoders
        ]
        words = torch.cat([each.hidden_states[-2] for each in found], dim=-1)
        return Embedding(words=words.to(self.dtype), pooled=found[-1].text_embeds.to(self.dtype))

    def embed_negative(self, prompt: str) -> Embedding:
        """Return a negative prompt's embedding; without one, what the checkpoint has for that."""
        found = self.embed(prompt)
        if prompt or not self.zero_negative or found.pooled is None:
            return found
        return Embedding(words=torch.zeros_like(found.words), pooled=torch.zeros_like(found.pooled))

    def read(self, prompt: str, *, source: Tensor, negative: bool) -> Embedding:
        """Return the embedding of a prompt, or a negative one, for the picture it comes with.

        Shape:
            - source: ``(1, 3, h, w)`` in [0, 1], at the size that the picture is run at.
        """
        del source
        return self.embed_negative(prompt) if negative else self.embed(prompt)

    def side_by_side(self, rows: Sequence[Embedding]) -> Tensor:
        """Return the words of rows that share a call.

        Shape:
            - returns: ``(rows, length, width)``.
        """
        return torch.cat([row.words for row in rows])

    def conditions(
        self, rows: Sequence[Embedding], *, size: Sequence[int], scale: float | None
    ) -> Mapping[str, Tensor]:
        """Return what the denoiser is told beside the words, by its names for it, row by row.

        Args:
            rows: what each row's words mean.
            size: height and width of the latents.
            scale: how strictly to follow the words, for a denoiser that is told; else None.
        """
        told: dict[str, Tensor] = {}
        pooled = [row.pooled for row in rows if row.pooled is not None]
        if pooled:
            sides = [side * self.vae_factor for side in size]
            known: list[list[float]] = [[*sides, 0, 0, *sides]] * len(pooled)
            if self.scored:
                known = [[*sides, 0, 0, score] for score in SCORES[-len(pooled) :]]
            told["text_embeds"] = torch.cat(pooled)
            told["time_ids"] = torch.tensor(known).to(self.device, self.dtype)
        if scale is not None:
            waves = guidance_embedding(scale - 1, size=int(self.denoiser.config.time_cond_proj_dim))
            told["timestep_cond"] = waves.to(self.device, self.dtype)
        return told

    def spacing(self, *, steps: int, size: Sequence[int]) -> Mapping[str, object]:
        """Return what the scheduler is told beside the number of steps; of values with a hash.

        Args:
            steps: of the whole schedule.
            size: height and width of the latents.
        """
        del steps, size
        return {}

    def shown(self, latents: Tensor) -> Tensor:
        """Return a picture's latents as the denoisers of edit families want to see them."""
        return latents

    def _tokens(self, prompt: str, tokenizer: PreTrainedTokenizerBase) -> Tensor:
        tokens = tokenizer(
            prompt,
            padding="max_length",
            truncation=True,
            max_length=self.max_tokens,
            return_tensors="pt",
        )
        ids: Tensor = tokens.input_ids.to(self.device)
        return ids

    def encode(self, picture: Tensor) -> Tensor:
        """Return the modes of pictures' latents, unscaled.

        Shape:
            - picture: ``(N, 3, H, W)`` in [0, 1].
            - returns: ``(N, C, H/f, W/f)``.
        """
        if self.quick is not None:
            return self.unscaled(self.quick.encode(picture))
        latents: Tensor = self.vae.encode((2 * picture - 1).to(self.vae.dtype)).latent_dist.mode()
        return latents

    def decode(self, latents: Tensor) -> Tensor:
        """Return the pictures of unscaled latents.

        Shape:
            - latents: ``(N, C, h, w)``.
            - returns: ``(N, 3, h*f, w*f)`` in [0, 1], float32.
        """
        if self.quick is not None:
            return self.quick.decode(self.scaled(latents))
        picture: Tensor = self.vae.decode(latents.to(self.vae.dtype)).sample
        return (picture.float() / 2 + 0.5).clamp(0, 1)

    def glimpse(self, latents: Tensor) -> Tensor:
        """Return about what ``decode`` will make of the denoiser's latents, as cheaply as may be.

        A finish compares with what the checkpoint's own codec returns, and so needs that one.
        """
        if self.tiny is None or self.manifest.finish is not None:
            return self.decode(self.unscaled(latents))
        return self.tiny.decode(latents)

    def scaled(self, latents: Tensor) -> Tensor:
        """Return latents as the denoiser wants them, float32."""
        factor = float(self.vae.config.scaling_factor)
        if getattr(self.vae.config, "latents_mean", None) is None:
            return latents.float() * factor
        mean, std = self._statistics(latents)
        return (latents.float() - mean) * factor / std

    def unscaled(self, latents: Tensor) -> Tensor:
        """Return the denoiser's latents as the decoder wants them."""
        factor = float(self.vae.config.scaling_factor)
        if getattr(self.vae.config, "latents_mean", None) is None:
            return latents / factor
        mean, std = self._statistics(latents)
        return latents * std / factor + mean

    def _statistics(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        config = self.vae.config
        mean, std = (
            torch.tensor(values, device=latents.device).view(1, -1, 1, 1)
            for values in (config.latents_mean, config.latents_std)
        )
        return mean, std


def guidance_embedding(scale: float, *, size: int) -> Tensor:
    """Return what a distilled denoiser is told of the guidance (Meng et al., CVPR 2023).

    Shape:
        - returns: ``(1, size)``, sines and cosines as for timesteps.
    """
    half = size // 2
    rates = torch.exp(torch.arange(half) * -(torch.log(torch.tensor(10000.0)) / (half - 1)))
    angles = torch.tensor([scale])[:, None] * 1000 * rates[None]
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)
    return functional.pad(waves, (0, size % 2))
