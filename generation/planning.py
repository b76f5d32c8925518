"""Deciding how a checkpoint is held on a device of this machine, the same way at every load.

What pictures depend on, a plan's look, is settled once for each checkpoint, device and set of
limits, by the memory that is free then, and kept: ``plans.json`` in the data folder. Later loads
keep to it whatever is free; they only decide anew which parts wait in the host's memory, which
leaves every bit as it is. Where nothing can be kept, as on the nodes of a cluster, the look is
chosen by the device's whole memory, which is the same at every load and on every equal device.
"""

from functools import partial
from typing import Any

from generation.deciding import decide
from generation.demands import demand_of
from generation.device_memory import Device, device_of, gpus, host_memory
from generation.errors import ModelTooLargeError
from generation.memory import Demand, Look, Place, Plan
from generation.memory_words import explained
from generation.pipelines.base import EngineConfig
from generation.settled import Settled
from generation.weights import checkpoint_folder

FREE_SHARE = 0.9
"""Of what is free: libraries keep some for themselves, and freed memory lies in pieces."""
HOST_SHARE, DEVICE_SHARE = 0.5, 0.75
"""Of the host's memory, and of a device's free one, that may be weights."""


def place_of(config: EngineConfig, *, own: int = 0) -> Place:
    """Return what there is room for on an engine's device, as it is now unless the engine said.

    Args:
        config: the engine's.
        own: bytes that its models take there, which are free for each of them.
    """
    if config.place is not None:
        return config.place
    device = device_of(config.device)
    allowed = config.memory_bytes
    return Place(
        device=device.name,
        title=device.title,
        memory=int((device.free + own) * FREE_SHARE) if allowed is None else allowed,
        weights=_weights_limit(config, device=device, free=device.free + own),
        steady=(
            int(device.total * FREE_SHARE) if allowed is None else allowed,
            _weights_limit(config, device=device, free=device.total),
        ),
        free=allowed is None,
        apart=device.gpu,
        fused=device.fused,
    )


def host_limit(config: EngineConfig, *, place: Place) -> int:
    """Return how many bytes of models may wait in the host's memory, for one of its GPUs."""
    if config.host_bytes is not None:
        return config.host_bytes
    return int(host_memory() * HOST_SHARE) // max(1, gpus()) if place.apart else 0


def _weights_limit(config: EngineConfig, *, device: Device, free: int) -> int:
    if config.device_bytes is not None:
        return config.device_bytes
    return int(free * DEVICE_SHARE if device.gpu else device.total * HOST_SHARE)


def plan_for(model: str, *, config: EngineConfig, place: Place | None = None) -> Plan:
    """Return how a checkpoint is to be held; what was settled of it before is kept to.

    Args:
        model: its name.
        config: what it is loaded with.
        place: what there is room for; asked of the device if None.

    Raises:
        ModelUnavailableError: the checkpoint is missing or damaged.
        ModelTooLargeError: it finds no room; the sentence has the figures.
    """
    place = place or place_of(config)
    folder = checkpoint_folder(model, models_dir=config.models_dir)
    demand = demand_of(folder, config=config, gpu=place.apart, fused=place.fused)
    kept = _kept(config)

    def settled(seen: Place) -> Look:
        return decide(demand, place=seen, name=model).look

    key = _key(model, demand, place=place, config=config)
    look = kept.recall(key, partial(settled, place), unkept=partial(settled, place.always))
    return decide(demand, place=place, name=model, look=look)


def _key(model: str, demand: Demand, *, place: Place, config: EngineConfig) -> str:
    """Return what a look is settled for; where any of it differs, it is settled anew."""
    limits = "any memory" if place.free else f"{place.memory} bytes allowed"
    weights = f"{demand.weights} bytes of weights"
    if config.device_bytes is not None:
        weights += f" of {config.device_bytes}"
    calls = f"{demand.rows} rows, {demand.pictures} pictures"
    return f"{model}, {weights}, {calls}, {place.title}, {limits}"


def said_of(model: str, *, config: EngineConfig) -> tuple[str, ...]:
    """Return in sentences what would be done for a checkpoint here and now; nothing is settled.

    Raises:
        ModelUnavailableError: the checkpoint is missing or damaged.
    """
    place = place_of(config)
    folder = checkpoint_folder(model, models_dir=config.models_dir)
    demand = demand_of(folder, config=config, gpu=place.apart, fused=place.fused)
    look = _kept(config).kept(_key(model, demand, place=place, config=config))
    try:
        plan = decide(demand, place=place, name=model, look=look)
    except ModelTooLargeError as err:
        return (f"it is not loaded: {err}",)
    settled = "what pictures depend on of this was settled at an earlier load, and stays"
    return (*explained(plan, place=place), *((settled,) if look is not None else ()))


def _kept(config: EngineConfig) -> Settled[Look]:
    return Settled(config.plans, parse=_look)


def _look(told: Any) -> Look:  # noqa: ANN401 - whatever the file says
    look = Look(**told)
    if not (isinstance(look.rows, int) and isinstance(look.pictures, int)):
        raise TypeError("these are no rows")
    if look.rows < 1 or look.pictures < 1:
        raise ValueError("calls have rows")
    return look
