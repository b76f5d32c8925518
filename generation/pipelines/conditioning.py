"""What a checkpoint's denoiser is told beside words: controls and pictures to be like.

Rows of one ControlNet and one IP-Adapter share calls, whatever their pictures and weights are;
the denoiser of all others is left as it is, to the bit.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from generation.checkpoints import Checkpoint
from generation.companions import Companion, control_for, ip_adapter_for
from generation.edges import edges
from generation.errors import InvalidRequestError
from generation.estimators import Estimator, estimators_for
from generation.imaging import to_pixels, to_tensor
from generation.pipelines.controlnet import load_control_net
from generation.pipelines.denoising import Guidance
from generation.pipelines.estimating import Estimating, drawn, load_estimator
from generation.pipelines.img2img_finish import resized
from generation.pipelines.ip_adapter import IPAdapter, Seen, load_ip_adapter
from generation.pipelines.kept import Kept, digest
from generation.request import EDGES, Control, ImageRequest, Like, Pixels

MAX_LOADED = 4
"""ControlNets, and IP-Adapters, that stay loaded beside a checkpoint: of each kind one fits it."""

Denoiser = Callable[..., Any]


class Told(Protocol):
    """What a network is loaded from, as far as its files tell."""

    @property
    def name(self) -> str:
        """How it is told from others of its sort."""

    @property
    def unchanged(self) -> bool:
        """Whether its files are still those that it was told from."""


ToldT = TypeVar("ToldT", bound=Told)
NetworkT = TypeVar("NetworkT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The networks that a request asks for beside the denoiser; None for those it does not.

    Args:
        estimators: draw what the control follows, before the first step; rows that differ in them
            share calls all the same.
    """

    control: Companion | None = None
    like: Companion | None = None
    estimators: tuple[Estimator, ...] = field(default=(), compare=False)

    def told(self, request: ImageRequest) -> dict[str, str]:
        """Return what a result tells of them."""
        told = {}
        if self.control is not None and request.control is not None:
            told["control"] = f"{self.control.name}:{request.control.weight:g}"
            if self.estimators:
                told["control_by"] = ", ".join(each.name for each in self.estimators)
        if self.like is not None and request.like is not None:
            told["like"] = f"{self.like.name}:{request.like.weight:g}"
        return told


NOTHING = Beside()


class Loaded(Generic[ToldT, NetworkT]):
    """Networks that were loaded, of which those that were used last stay.

    Args:
        load: loads one.
        forgetting: told before one is let go of, for what refers to its place in memory.
    """

    def __init__(
        self, load: Callable[[ToldT], NetworkT], *, forgetting: Callable[[], None]
    ) -> None:
        self._load = load
        self._forgetting = forgetting
        self._found: OrderedDict[ToldT, NetworkT] = OrderedDict()

    def __getitem__(self, companion: ToldT) -> NetworkT:
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

    def keep(self, wanted: Collection[ToldT | None]) -> None:
        """Let go of all networks but these."""
        for companion in [it for it in self._found if it not in wanted]:
            self._forgetting()
            del self._found[companion]

    @property
    def names(self) -> tuple[ToldT, ...]:
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
        self._controls: Loaded[Companion, Any] = Loaded(
            lambda it: load_control_net(it, model=checkpoint), forgetting=forgetting
        )
        self._adapters: Loaded[Companion, IPAdapter] = Loaded(
            lambda it: load_ip_adapter(it, model=checkpoint), forgetting=forgetting
        )
        # No call of a denoiser refers to an estimator.
        self._estimators: Loaded[Estimator, Estimating] = Loaded(
            lambda it: load_estimator(it, device=checkpoint.device), forgetting=lambda: None
        )
        self._seen: Kept[Seen] = Kept(max_bytes=max_bytes, size_of=lambda it: it.bytes)
        self._drawn: Kept[Pixels] = Kept(max_bytes=max_bytes, size_of=lambda it: len(it.data))
        self._plain: Mapping[str, Any] = {}
        self._looking: IPAdapter | None = None

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """The networks that are loaded now."""
        adapters = (module for each in self._adapters.all for module in each.modules)
        estimators = (module for each in self._estimators.all for module in each.modules)
        return (*self._controls.all, *adapters, *estimators)

    @property
    def loaded(self) -> frozenset[Companion | Estimator]:
        """What the loaded networks were loaded from."""
        return frozenset((*self._controls.names, *self._adapters.names, *self._estimators.names))

    def clear(self) -> None:
        """Keep nothing of what was looked at."""
        self._seen.clear()
        self._drawn.clear()

    def keep(self, wanted: Sequence[Beside]) -> None:
        """Let go of all networks but these; they are loaded again when they are asked for."""
        self._controls.keep({beside.control for beside in wanted})
        self._adapters.keep({beside.like for beside in wanted})
        # What is under way has what they drew.
        self._estimators.keep(())
        if self._looking not in self._adapters.all:
            self._look_with(None)
        self._seen.clear()

    def asked(self, request: ImageRequest) -> Beside:
        """Return the networks that a request asks for, as their files are now.

        Raises:
            InvalidRequestError: there is none that fits the checkpoint, or nothing that draws what
                is to be followed.
        """
        wished, model, models_dir = request, self._checkpoint.name, self._models_dir
        control = like = None
        estimators: tuple[Estimator, ...] = ()
        if wished.control is not None and wished.control.weight:
            if wished.control.drawn:
                estimators = estimators_for(wished.control.kind, models_dir=models_dir)
            control = control_for(
                wished.control.kind, model=model, models_dir=models_dir,
                network=wished.control.network,
            )  # fmt: skip
        if wished.like is not None and wished.like.weight:
            like = ip_adapter_for(model=model, models_dir=models_dir)
        return Beside(control=control, like=like, estimators=estimators)

    def fetch(self, beside: Beside) -> None:
        """Load networks that are not loaded.

        Raises:
            InvalidRequestError: one does not fit the checkpoint after all.
        """
        if beside.control is not None:
            self._controls[beside.control]
        if beside.like is not None:
            self._adapters[beside.like]
        for estimator in beside.estimators:
            self._estimators[estimator]

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
            picture = self._followed(request.control, source=source, beside=beside)
            picture = picture.to(self._checkpoint.dtype)
            found["control_picture"] = picture.repeat(guidance.rows, 1, 1, 1)
            found["control_weight"] = self._weights(request.control, guidance.rows, sides=3)
        if beside.like is not None and request.like is not None:
            seen = self._see(request.like.picture, adapter=beside.like)
            rows = [seen.nothing] * guidance.rows
            rows[guidance.told] = seen.tokens
            found["like_tokens"] = torch.cat(rows)
            found["like_weight"] = self._weights(request.like, guidance.rows, sides=2)
        return found

    def _followed(self, control: Control, *, source: Tensor, beside: Beside) -> Tensor:
        """Return what a ControlNet looks at; what an estimator has drawn is kept for the next."""

        def estimated(picture: Pixels) -> Pixels:
            key: Hashable = (control.kind, beside.estimators, digest(picture))
            found = self._drawn.get(key)
            if found is None:
                there = {each.kind: each for each in beside.estimators}

                def loaded(kind: str) -> Estimating | None:
                    return self._estimators[there[kind]] if kind in there else None

                found = drawn(control.kind, picture, loaded=loaded)
                self._drawn.put(key, found)
            return found

        return control_picture(control, source=source, estimated=estimated)

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


def control_picture(
    control: Control, *, source: Tensor, estimated: Callable[[Pixels], Pixels]
) -> Tensor:
    """Return what a ControlNet looks at: a picture as it was given, or what is drawn from one.

    Args:
        control: what is to be followed.
        source: the request's picture.
        estimated: draws what is to be followed, unless that is edges.

    Shape:
        - source: ``(1, 3, h, w)`` in [0, 1]; returns likewise.
    """
    height, width = source.shape[-2:]
    if control.picture is not None:
        given = to_tensor(control.picture, device=source.device)
        source = resized(given, height=height, width=width)
    if not control.drawn:
        return source
    shown = to_pixels(source)
    if control.kind != EDGES:
        return to_tensor(estimated(shown), device=source.device)
    values = np.frombuffer(shown.data, np.uint8).reshape(height, width, 3)
    found = torch.from_numpy(edges(values)).to(source)
    return found.expand(1, 3, height, width)
