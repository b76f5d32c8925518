"""What a checkpoint's denoiser is told beside words: controls and pictures to be like.

Rows of one ControlNet and one IP-Adapter share calls, whatever their pictures and weights are;
the denoiser of all others is left as it is, to the bit.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from generation.checkpoints import Checkpoint
from generation.companions import Companion, control_for, ip_adapter_for
from generation.edges import edges
from generation.errors import InvalidRequestError
from generation.imaging import to_pixels, to_tensor
from generation.pipelines.controlnet import load_control_net
from generation.pipelines.denoising import Guidance
from generation.pipelines.img2img_finish import resized
from generation.pipelines.ip_adapter import IPAdapter, Seen, load_ip_adapter
from generation.pipelines.kept import Kept, digest
from generation.request import Control, ImageRequest, Like, Pixels

MAX_LOADED = 4
"""ControlNets, and IP-Adapters, that stay loaded beside a checkpoint: of each kind one fits it."""

Denoiser = Callable[..., Any]
NetworkT = TypeVar("NetworkT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The networks that a request asks for beside the denoiser; None for those it does not."""

    control: Companion | None = None
    like: Companion | None = None

    def told(self, request: ImageRequest) -> dict[str, str]:
        """Return what a result tells of them."""
        told = {}
        if self.control is not None and request.control is not None:
            told["control"] = f"{self.control.name}:{request.control.weight:g}"
        if self.like is not None and request.like is not None:
            told["like"] = f"{self.like.name}:{request.like.weight:g}"
        return told


NOTHING = Beside()


class Loaded(Generic[NetworkT]):
    """Networks that were loaded, of which those that were used last stay.

    Args:
        load: loads one.
        forgetting: told before one is let go of, for what refers to its place in memory.
    """

    def __init__(
        self, load: Callable[[Companion], NetworkT], *, forgetting: Callable[[], None]
    ) -> None:
        self._load = load
        self._forgetting = forgetting
        self._found: OrderedDict[Companion, NetworkT] = OrderedDict()

    def __getitem__(self, companion: Companion) -> NetworkT:
        """Return a network, loaded if it was not; before that, others are let go of.

        Raises:
            InvalidRequestError: it does not fit, or its files are others than when it was asked
                for: a picture that was begun with it does not go on with another.
        """
        found = self._found.pop(companion, None)
        if found is None and not companion.unchanged:
            raise InvalidRequestError(f"{companion.name} has changed since the picture was begun")
        while len(self._found) >= MAX_LOADED:
            self._forgetting()
            self._found.popitem(last=False)
        self._found[companion] = self._load(companion) if found is None else found
        return self._found[companion]

    def keep(self, wanted: Collection[Companion | None]) -> None:
        """Let go of all networks but these."""
        for companion in [it for it in self._found if it not in wanted]:
            self._forgetting()
            del self._found[companion]

    @property
    def names(self) -> tuple[Companion, ...]:
        """What is there, in the order of its last use."""
        return tuple(self._found)

    @property
    def all(self) -> tuple[NetworkT, ...]:
        """All that are there."""
        return tuple(self._found.values())


class Conditioning:
    """Finds, loads and runs what goes beside a checkpoint.

    Args:
        models_dir: the operator's folder.
        max_bytes: of what is kept of pictures that were looked at.
        forgetting: told before a network is let go of.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        models_dir: Path,
        max_bytes: int,
        forgetting: Callable[[], None],
    ) -> None:
        self._checkpoint = checkpoint
        self._models_dir = models_dir
        self._controls: Loaded[Any] = Loaded(
            lambda it: load_control_net(it, model=checkpoint), forgetting=forgetting
        )
        self._adapters: Loaded[IPAdapter] = Loaded(
            lambda it: load_ip_adapter(it, model=checkpoint), forgetting=forgetting
        )
        self._seen: Kept[Seen] = Kept(max_bytes=max_bytes, size_of=lambda it: it.bytes)
        self._plain: Mapping[str, Any] = {}
        self._looking: IPAdapter | None = None

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """The networks that are loaded now."""
        adapters = [module for adapter in self._adapters.all for module in adapter.modules]
        return (*self._controls.all, *adapters)

    @property
    def loaded(self) -> frozenset[Companion]:
        """What the loaded networks were loaded from."""
        return frozenset((*self._controls.names, *self._adapters.names))

    def clear(self) -> None:
        """Keep nothing of what was looked at."""
        self._seen.clear()

    def keep(self, wanted: Sequence[Beside]) -> None:
        """Let go of all networks but these; they are loaded again when they are asked for."""
        self._controls.keep({beside.control for beside in wanted})
        self._adapters.keep({beside.like for beside in wanted})
        if self._looking not in self._adapters.all:
            self._look_with(None)
        self._seen.clear()

    def asked(self, request: ImageRequest) -> Beside:
        """Return the networks that a request asks for, as their files are now.

        Raises:
            InvalidRequestError: there is none that fits the checkpoint.
        """
        wished, model, models_dir = request, self._checkpoint.name, self._models_dir
        control = like = None
        if wished.control is not None and wished.control.weight:
            control = control_for(
                wished.control.kind, model=model, models_dir=models_dir,
                network=wished.control.network,
            )  # fmt: skip
        if wished.like is not None and wished.like.weight:
            like = ip_adapter_for(model=model, models_dir=models_dir)
        return Beside(control=control, like=like)

    def fetch(self, beside: Beside) -> None:
        """Load networks that are not loaded.

        Raises:
            InvalidRequestError: one does not fit the checkpoint after all.
        """
        if beside.control is not None:
            self._controls[beside.control]
        if beside.like is not None:
            self._adapters[beside.like]

    def conditions(
        self, beside: Beside, *, request: ImageRequest, source: Tensor, guidance: Guidance
    ) -> Mapping[str, Tensor]:
        """Return what the denoiser is told, one entry for each row of guidance.

        Without the words a row is not told of the picture to be like, either.

        Shape:
            - source: ``(1, 3, h, w)`` in [0, 1], the request's picture at the size it is run at.
        """
        self.fetch(beside)
        found = {}
        if beside.control is not None and request.control is not None:
            picture = control_picture(request.control, source=source).to(self._checkpoint.dtype)
            found["control_picture"] = picture.repeat(guidance.rows, 1, 1, 1)
            found["control_weight"] = self._weights(request.control, guidance.rows, sides=3)
        if beside.like is not None and request.like is not None:
            seen = self._see(request.like.picture, adapter=beside.like)
            rows = [seen.nothing] * guidance.rows
            rows[guidance.told] = seen.tokens
            found["like_tokens"] = torch.cat(rows)
            found["like_weight"] = self._weights(request.like, guidance.rows, sides=2)
        return found

    def _weights(self, wished: Control | Like, rows: int, *, sides: int) -> Tensor:
        return torch.full(
            (rows, *[1] * sides), wished.weight, device=self._checkpoint.device,
            dtype=self._checkpoint.dtype,
        )  # fmt: skip

    def _see(self, picture: Pixels, *, adapter: Companion) -> Seen:
        key: Hashable = (adapter, digest(picture))
        found = self._seen.get(key)
        if found is None:
            found = self._adapters[adapter].see(picture)
            self._seen.put(key, found)
        return found

    def denoiser(self, beside: Beside) -> Denoiser:
        """Return what denoises rows with these networks beside it, ready for its next call."""
        self._look_with(beside.like)
        if beside == NOTHING:
            return self._checkpoint.predicts
        unet: Denoiser = self._checkpoint.denoiser
        control = None if beside.control is None else self._controls[beside.control]
        latents = int(self._checkpoint.denoiser.config.out_channels)
        return Conditioned(unet, control=control, latents=latents)

    def _look_with(self, adapter: Companion | None) -> None:
        """Have the denoiser's layers look at pictures as an IP-Adapter does, or at words alone."""
        wanted = None if adapter is None else self._adapters[adapter]
        if wanted is self._looking:
            return
        unet = self._checkpoint.denoiser
        if self._looking is None:
            self._plain = dict(unet.attn_processors)
        looking = {} if wanted is None else wanted.processors
        unet.set_attn_processor({**self._plain, **looking})
        self._looking = wanted


class Conditioned:
    """A denoiser with a ControlNet beside it, or words with a picture beside them, or both.

    Args:
        latents: how many channels of what goes in are noise; a ControlNet sees no others.
    """

    def __init__(
        self,
        unet: Denoiser,
        *,
        control: Any | None,  # noqa: ANN401 - diffusers' own
        latents: int,
    ) -> None:
        self._unet = unet
        self._control = control
        self._latents = latents

    def __call__(
        self,
        sample: Tensor,
        times: Tensor,
        *,
        encoder_hidden_states: Tensor,
        added_cond_kwargs: Mapping[str, Tensor],
        timestep_cond: Tensor | None,
    ) -> Any:  # noqa: ANN401 - diffusers' own
        """Call the denoiser as diffusers' own pipelines do."""
        more, words = dict(added_cond_kwargs), encoder_hidden_states
        picture, weight = more.pop("control_picture", None), more.pop("control_weight", None)
        tokens, weights = more.pop("like_tokens", None), more.pop("like_weight", None)
        residuals = {}
        if self._control is not None:
            down, mid = self._control(
                sample[:, : self._latents],
                times,
                encoder_hidden_states=words,
                controlnet_cond=picture,
                conditioning_scale=weight,
                added_cond_kwargs=more,
                return_dict=False,
            )
            residuals = {
                "down_block_additional_residuals": down,
                "mid_block_additional_residual": mid,
            }
        return self._unet(
            sample,
            times,
            encoder_hidden_states=words if tokens is None else (words, tokens, weights),
            timestep_cond=timestep_cond,
            added_cond_kwargs=more or None,
            **residuals,
        )


def control_picture(control: Control, *, source: Tensor) -> Tensor:
    """Return what a ControlNet looks at: the picture that was given, or edges of the source.

    Shape:
        - source: ``(1, 3, h, w)`` in [0, 1]; returns likewise.
    """
    height, width = source.shape[-2:]
    if control.picture is not None:
        given = to_tensor(control.picture, device=source.device)
        return resized(given, height=height, width=width)
    shown = to_pixels(source)
    values = np.frombuffer(shown.data, np.uint8).reshape(height, width, 3)
    found = torch.from_numpy(edges(values)).to(source)
    return found.expand(1, 3, height, width)
