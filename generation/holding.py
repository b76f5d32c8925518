"""Holding a checkpoint's networks as its plan says: in tiles, in slices, in 8 bits, taking turns.

A network in 8 bits is the same network with other weights: each large one is kept as whole numbers
and one factor for every output channel (Jacob et al., CVPR 2018, section 2, with zero at 0), and
widened when it is used. The layers stay what they are, so that LoRA lie beside them as ever.
"""

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from generation.demands import LARGE
from generation.devices import lay_channels_last, ready, weight_bytes
from generation.memory import Plan
from generation.recognition import DENOISERS

logger = logging.getLogger(__name__)


class Widened(nn.Module):
    """A weight in 8 bits and a factor for each of its output channels, widened when it is used.

    Args:
        dtype: what it is widened to.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype

    def forward(self, values: Tensor, factors: Tensor) -> Tensor:
        """Return the weight.

        Shape:
            - values: int8, of the weight's shape; factors: ``(out, 1, ...)``.
        """
        return values.to(self._dtype) * factors

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return what a weight is kept as; it differs by half a level at most.

        A channel's largest value is level 127.
        """
        exact = weight.float()
        largest = exact.abs().amax(dim=tuple(range(1, exact.ndim)), keepdim=True)
        factors = (largest / 127).to(self._dtype)
        levels = exact / factors.float().clamp(min=torch.finfo(torch.float32).tiny)
        return levels.round().clamp(-127, 127).to(torch.int8), factors


def narrow(network: nn.Module) -> nn.Module:
    """Keep a network's large weights in 8 bits; those of lookups and norms stay as they are."""
    for layer in list(network.modules()):
        if isinstance(layer, nn.Linear | nn.Conv2d) and layer.weight.numel() >= LARGE:
            layer.requires_grad_(requires_grad=False)
            parametrize.register_parametrization(layer, "weight", Widened(layer.weight.dtype))
    return network


real: Any = import_module("accelerate.hooks")
"""Accelerate's protocol, which carries no types; diffusers' codecs follow it too."""


class _Arriving(real.ModelHook):  # type: ignore[misc]
    """Has a network brought to the device before it works; accelerate's and diffusers' protocol.

    Args:
        execution_device: where diffusers is to put what the network is given.
    """

    def __init__(self, seats: "Seats", execution_device: torch.device) -> None:
        self._seats = seats
        self.execution_device = execution_device

    def pre_forward(self, module: nn.Module, *args: Any, **kwargs: Any) -> tuple[Any, Any]:  # noqa: ANN401 - whatever a network takes
        """Bring the network."""
        self._seats.enter(module)
        return args, kwargs


class Seats:
    """Which of a checkpoint's networks are on the device.

    Args:
        parts: the networks by their names in diffusers' index.
        plan: how they are held.
        device: where they work; those that wait do so in the host's memory.
    """

    def __init__(
        self, parts: Mapping[str, nn.Module], *, plan: Plan | None, device: torch.device
    ) -> None:
        self.plan = plan
        self._device = device
        self._parts = tuple(parts.values())
        self._waiting = tuple(part for name, part in parts.items() if _waits(name, plan))
        self._inside: list[nn.Module] = []
        for part in self._parts:
            ready(part, torch.device("cpu") if part in self._waiting else device)
            if part in self._waiting and device.type == "cuda":
                lay_channels_last(part)
        if self._waiting:
            for part in self._parts:
                real.add_hook_to_module(part, _Arriving(self, device))

    @property
    def told(self) -> tuple[tuple[str, str], ...]:
        """What pictures depend on of the plan, as a parameter of their results."""
        altering = () if self.plan is None else self.plan.altering
        return (("memory", " ".join(altering)),) if altering else ()

    @property
    def inside(self) -> tuple[nn.Module, ...]:
        """Of the networks that are brought those that are there now."""
        return tuple(self._inside)

    @property
    def staying(self) -> tuple[nn.Module, ...]:
        """The networks that never leave the device while their checkpoint is there."""
        return tuple(part for part in self._parts if part not in self._waiting)

    @property
    def weight_bytes(self) -> int:
        """Bytes of those on the device at rest; where all take turns, of the largest."""
        if self.staying or not self._waiting:
            return weight_bytes(self.staying)
        return max(weight_bytes([part]) for part in self._waiting)

    @property
    def moving(self) -> tuple[nn.Module, ...]:
        """The networks that are brought when they are used."""
        return self._waiting

    def enter(self, part: nn.Module) -> None:
        """Have a network on the device, and of those that wait no other."""
        for other in [it for it in self._inside if it is not part]:
            other.to("cpu")
            self._inside.remove(other)
        if part in self._waiting and part not in self._inside:
            with ExitStack() as undo:
                # Of what finds no room a part would stay on the device.
                undo.callback(part.to, "cpu")
                part.to(self._device)
                undo.pop_all()
            self._inside.append(part)

    def put_away(self) -> None:
        """Move every network to the host's memory."""
        for part in self._parts:
            part.to("cpu")
        self._inside.clear()

    def bring(self) -> None:
        """Move those back that stay on the device."""
        for part in self.staying:
            part.to(self._device)


def held(parts: Mapping[str, nn.Module], *, plan: Plan | None, device: torch.device) -> Seats:
    """Make networks ready for inference as a plan says, and bring them to where they belong.

    Args:
        parts: the networks by their names in diffusers' index.
        plan: None does nothing to them.
        device: where they work.
    """
    if plan is not None and plan.taken:
        logger.info("held with %s", ", ".join(plan.taken))
        for name, part in parts.items():
            _alter(name, part, plan=plan)
    return Seats(parts, plan=plan, device=device)


def _alter(name: str, part: Any, *, plan: Plan) -> None:  # noqa: ANN401 - of any class
    """Do to a network what pictures depend on."""
    look = plan.look
    if look.int8 and (name in DENOISERS or name.startswith("text_encoder")):
        narrow(part)
    if look.slices and name in DENOISERS and hasattr(part, "set_attention_slice"):
        part.set_attention_slice("max")
    if look.tiles and name == "vae":
        lay_tiles(part, side=plan.demand.tile_side)


def lay_tiles(codec: Any, *, side: int) -> None:  # noqa: ANN401 - diffusers' own
    """Have a codec work on tiles of a side in pixels, which overlap by a quarter."""
    codec.enable_tiling()
    codec.tile_sample_min_size = side
    codec.tile_latent_min_size = side // 2 ** (len(codec.config.block_out_channels) - 1)


def _waits(name: str, plan: Plan | None) -> bool:
    if plan is None:
        return False
    return plan.turns or (plan.encoders and name.startswith("text_encoder"))


def networks(parts: Mapping[str, object]) -> dict[str, nn.Module]:
    """Return what of a checkpoint's parts is a network."""
    return {name: part for name, part in parts.items() if isinstance(part, nn.Module)}
