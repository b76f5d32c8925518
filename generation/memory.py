"""What is done so that a checkpoint finds room on a device: a written policy, pure arithmetic.

A checkpoint's ``Demand`` is known before it is loaded, from the heads of its files and from its
configurations. Of ``MEASURES`` one after another is taken, in that order, until the largest of
three figures fits: what is on the device while prompts are read, while the denoiser works, and
while the codec works. Which measure comes next depends on the demand alone and never on the memory,
so that less memory never drops a measure.

Some measures leave every bit as it is, others change pictures. Those of the second kind are a
plan's *look*; an installation keeps it (``generation.planning``), because a picture's bytes must
not depend on how much memory happened to be free.
"""

from dataclasses import dataclass, replace
from typing import Literal

SHAPES = (1, 2, 4, 8, 12, 16)
"""Rows of a call that are worth having; wider ones are never better."""

Name = Literal["rows", "encoders", "tiles", "slices", "turns", "int8"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One thing that can be done.

    Args:
        does: what it does, a clause.
        costs: in time.
        changes: what becomes of pictures; empty if their bytes stay the same.
    """

    name: Name
    does: str
    costs: str
    changes: str = ""


MEASURES: tuple[Measure, ...] = (
    Measure(
        name="rows",
        does="calls hold fewer rows, at last those of one request, and the codec's one picture",
        costs="requests wait for each other more; one alone takes as long",
        changes="by one level in few places, as between any two shapes of calls",
    ),
    Measure(
        name="encoders",
        does="the text encoders wait in the host's memory until a prompt is read",
        costs="their way to the device and back for every prompt that is not kept",
    ),
    Measure(
        name="tiles",
        does="the codec works on overlapping tiles of half the side",
        costs="half as much of the codec's time again",
        changes="slightly, where tiles meet and in tones, which a tile judges by itself",
    ),
    Measure(
        name="slices",
        does="attention is calculated one head at a time",
        costs="attention takes longer, the more heads the more",
        changes="by one level at most",
    ),
    Measure(
        name="turns",
        does="denoiser, codec and text encoders take turns on the device",
        costs="all weights' way to the device once or twice for every picture",
    ),
    Measure(
        name="int8",
        does="large weights of the denoiser and the text encoders are kept in 8 bits",
        costs="they are widened again in every call",
        changes="a little, in details",
    ),
)
"""In the order they are taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a checkpoint asks of a device's memory, in bytes, when nothing is done.

    Args:
        denoiser, encoders, codec: of weights; ``encoders`` of all text encoders, of which
            ``encoder`` is the largest.
        row: that the denoiser works with, for each row of a call.
        scores: more of that, for each row, where attention writes its scores down.
        slice_scores: what is left of those when heads are taken one at a time.
        picture: that the codec works with, for each picture of a call.
        tile: the same when it works on tiles.
        tile_side: in pixels.
        rows, pictures: of one call.
        width: rows that one request takes.
        apart: whether the host's memory is another than the device's.
        denoiser_8, encoders_8, encoder_8: the weights when large ones are kept in 8 bits.
        widened: the largest weight, widened again.
    """

    denoiser: int
    encoders: int
    encoder: int
    codec: int
    row: int
    picture: int
    tile: int
    tile_side: int
    rows: int
    pictures: int
    width: int
    denoiser_8: int
    encoders_8: int
    encoder_8: int
    widened: int = 0
    scores: int = 0
    slice_scores: int = 0
    apart: bool = False

    @property
    def weights(self) -> int:
        """Bytes of all weights as they are."""
        return self.denoiser + self.encoders + self.codec


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The part of a plan that pictures depend on.

    Args:
        rows, pictures: the most of one call of the denoiser, and of the codec.
    """

    rows: int
    pictures: int
    tiles: bool = False
    slices: bool = False
    int8: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is done for a checkpoint, and what it then takes.

    Args:
        encoders: whether the text encoders wait in the host's memory.
        turns: whether every part does, while another works.
    """

    demand: Demand
    look: Look
    encoders: bool = False
    turns: bool = False

    @property
    def taken(self) -> tuple[Name, ...]:
        """The measures that are taken, in the order of ``MEASURES``."""
        demand, look = self.demand, self.look
        fewer = look.rows < demand.rows or look.pictures < demand.pictures
        said: dict[Name, bool] = {
            "rows": fewer,
            "encoders": self.encoders,
            "tiles": look.tiles,
            "slices": look.slices,
            "turns": self.turns,
            "int8": look.int8,
        }
        return tuple(each.name for each in MEASURES if said[each.name])

    @property
    def altering(self) -> tuple[Name, ...]:
        """Of those the ones that pictures depend on and no other parameter tells."""
        telling = {each.name for each in MEASURES if each.changes} - {"rows"}
        return tuple(name for name in self.taken if name in telling)

    @property
    def resident(self) -> int:
        """Bytes of weights that are on the device whatever it works at; taking turns, the most."""
        denoiser, encoders, _ = self._weights
        codec = self.demand.codec
        if self.turns:
            return max(denoiser, self._reader, codec)
        return denoiser + codec + (0 if self.encoders else encoders)

    @property
    def phases(self) -> tuple[int, int, int]:
        """Bytes on the device while it reads prompts, while it denoises, and at the codec."""
        demand, look = self.demand, self.look
        denoiser, encoders, widened = self._weights
        scores = demand.slice_scores if look.slices else demand.scores
        denoising = look.rows * (demand.row + scores) + widened
        coding = look.pictures * (demand.tile if look.tiles else demand.picture)
        reading = encoders if not (self.turns or self.encoders) else self._reader
        if self.turns:
            return reading + widened, denoiser + denoising, demand.codec + coding
        stays = denoiser + demand.codec
        beside = stays + (0 if self.encoders else encoders)
        return stays + reading + widened, beside + denoising, beside + coding

    @property
    def needed(self) -> int:
        """The most bytes that are on the device at any time."""
        return max(self.phases)

    @property
    def work(self) -> int:
        """Bytes besides the weights that stay."""
        return self.needed - self.resident

    @property
    def _weights(self) -> tuple[int, int, int]:
        """Bytes of the denoiser, of the text encoders, and of a weight that is widened."""
        demand = self.demand
        if self.look.int8:
            return demand.denoiser_8, demand.encoders_8, demand.widened
        return demand.denoiser, demand.encoders, 0

    @property
    def _reader(self) -> int:
        """Bytes of the text encoders that are on the device together when they come one by one."""
        return self.demand.encoder_8 if self.look.int8 else self.demand.encoder


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A device, as far as room on it is concerned.

    Args:
        device: its name.
        title: what tells it from devices of another make or size.
        memory: bytes that a checkpoint may take, its work included.
        weights: bytes of that which may be weights.
        steady: ``memory`` and ``weights`` as they are whatever else is on the device; a look that
            is not kept is chosen by these.
        free: whether ``memory`` is what was found free, and not what somebody allows.
        apart: whether it has a memory of its own beside the host's.
        fused: whether attention is calculated there without writing its scores down.
    """

    device: str
    title: str
    memory: int
    weights: int
    steady: tuple[int, int]
    free: bool = True
    apart: bool = False
    fused: bool = True

    @property
    def always(self) -> "Place":
        """The place as it is with nothing else on the device."""
        memory, weights = self.steady
        return replace(self, memory=memory, weights=weights)

    def holds(self, plan: Plan) -> bool:
        """Return whether a plan stays within what there is."""
        return plan.needed <= self.memory and plan.resident <= self.weights


def plain(demand: Demand) -> Plan:
    """Return the plan in which nothing is done."""
    return Plan(demand=demand, look=Look(rows=demand.rows, pictures=demand.pictures))
