"""Any VAE as one thing: pictures in [0, 1] to latents, and back.

Our own come as a training wrote them, ``AutoencoderKL`` (Rombach et al., CVPR 2022) and
``AutoencoderTiny`` (TAESD, Bollin Bohan, 2023) as diffusers does.
"""

from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional

from generation.errors import UNREADABLE, ModelUnavailableError
from generation.pipelines.latent_prior import LatentPrior
from generation.pipelines.picture_vae import FACTOR, PictureVae
from generation.trained import load_trained, unloadable
from generation.vaes import PRIOR, Vae

DAMAGE = (*UNREADABLE, OSError, RuntimeError, SafetensorError)


class VaeCodec:
    """A loaded VAE, and its prior if it has one.

    Args:
        factor: pixels in each direction that share a place of the latents.
    """

    def __init__(
        self,
        network: Any,  # noqa: ANN401 - diffusers' classes carry no types
        *,
        vae: Vae,
        factor: int,
        prior: LatentPrior | None = None,
    ) -> None:
        self.network, self.vae, self.factor, self.prior = network, vae, factor, prior

    @property
    def networks(self) -> list[nn.Module]:
        """Everything that has weights."""
        return [self.network, *([self.prior] if self.prior else [])]

    @torch.no_grad()
    def encode(self, picture: Tensor) -> Tensor:
        """Return the latents that stand for a picture, the mode of what they may be.

        Shape:
            - picture: ``(1, 3, H, W)``, sides multiples of the factor, in [0, 1].
            - returns: ``(1, C, H/factor, W/factor)``.
        """
        if self.vae.make == "pictures":
            latents: Tensor = self.network.encode(picture).mu
            return latents
        coded = self.network.encode(2 * picture - 1)
        found: Tensor = coded.latent_dist.mode() if self.vae.make == "kl" else coded.latents
        return found

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Return the picture of latents, in [0, 1]."""
        if self.vae.make == "pictures":
            picture: Tensor = self.network.decode(latents)
        else:
            picture = self.network.decode(latents).sample / 2 + 0.5
        return picture.clamp(0, 1)

    def direction(self, word: str, *, like: Tensor) -> Tensor:
        """Return where a word leads, as latents of the size of others.

        Without a prior, or where that does not know the word, it leads nowhere.
        """
        if self.prior is None or word not in self.prior.words:
            return torch.zeros_like(like)
        found = self.prior.directions[self.prior.words.index(word)][None] * self.prior.deviation
        return functional.interpolate(found, size=like.shape[-2:], mode="bilinear")


def load_vae(vae: Vae, *, device: torch.device) -> VaeCodec:
    """Load a VAE and its prior, in float32 and for use alone.

    Raises:
        ModelUnavailableError: its files are damaged, or of something else.
    """
    if vae.make == "pictures":
        network = load_trained(vae.folder, PictureVae).to(device)
        prior = load_trained(vae.folder / PRIOR, LatentPrior).to(device) if vae.designs else None
        return VaeCodec(network, vae=vae, factor=FACTOR, prior=prior)
    loaded = _of_diffusers(vae)
    factor = 2 ** (len(loaded.config.get("block_out_channels")) - 1)
    still = loaded.to(device).eval().requires_grad_(requires_grad=False)
    return VaeCodec(still, vae=vae, factor=factor)


def _of_diffusers(vae: Vae) -> Any:  # noqa: ANN401 - diffusers' classes carry no types
    import diffusers

    name = {"kl": "AutoencoderKL", "tiny": "AutoencoderTiny"}[vae.make]
    try:
        loaded, told = getattr(diffusers, name).from_pretrained(
            vae.folder,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            low_cpu_mem_usage=False,
            output_loading_info=True,
        )
        if odd := [*told["missing_keys"], *told["unexpected_keys"], *told["mismatched_keys"]]:
            raise ValueError(f"{odd[0]} is missing, or not its own")
    except (*DAMAGE, ImportError) as err:
        raise ModelUnavailableError(unloadable(vae.folder, name, err)) from err
    return loaded
