"""Published StyleGAN2 generators: told from their tensors' names and shapes, and taken over.

Two layouts are known, by the programs that write them: NVIDIA's stylegan2-ada-pytorch
(``training/networks.py``), whose names are ours, and rosinality's stylegan2-pytorch (``model.py``).
Both calculate what Karras et al. (CVPR 2020) say, and so does ``pipelines.stylegan2``; they differ
in this:

- rosinality keeps sides of length 1, which are dropped, and gives every noise a buffer of its own.
- rosinality scales a convolution's weights by 1/sqrt(inputs * k^2) before they are demodulated.
  That takes the scale out again, all but epsilon: less than 1e-8 of any value, so they stay as they
  are. Of the layers for colours, which are not demodulated, all three have that scale.
- Both give transposed convolutions their kernels unturned; the filters are symmetric. Another
  filter than [1, 3, 3, 1] is refused.
- Biases, noise, activation (gain sqrt(2)), the mapping's learning rate (0.01) and the styles of
  layers (a resolution's colours share theirs with the next one's first layer) are alike.
- NVIDIA keeps feature maps within 256 where it calculates in half precision; here nothing does.
- ``w_avg`` is ``latent_avg`` beside rosinality's weights; files of its training have none, and it
  is calculated as that program does, from 4096 latents.

Nothing here imports torch.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from generation.errors import UNREADABLE, ModelUnavailableError
from generation.heads import Shapes, read_head
from generation.portraits import CONFIG, WEIGHTS

REPORT = "conversion.json"
NETWORK = "generation.pipelines.stylegan2:StyleGan2"
W_AVG = "mapping.w_avg"
FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64
AVERAGED, RATE = 4096, 0.01
SHOWN = 3
KINDS = ("f2", "f4", "f8")

Array = NDArray[np.float32]


class Fate(StrEnum):
    """What becomes of a tensor."""

    TAKEN = "taken"
    LEFT = "left: a fixed filter"
    CALCULATED = "calculated from the mapping"
    MISSING = "missing"
    MISFIT = "of another shape"
    UNKNOWN = "unknown"


GOOD = frozenset({Fate.TAKEN, Fate.LEFT, Fate.CALCULATED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One tensor's line of the report.

    Args:
        source: its name in the file; empty if it is not there.
        name: ours; empty if there is none.
        shape: in the file.
        wanted: ours.
    """

    fate: Fate
    source: str = ""
    name: str = ""
    shape: tuple[int, ...] = ()
    wanted: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a file's tensors become ours.

    Args:
        layout: the program that wrote them.
        arguments: what our network is built with.
        reason: why it is of another kind, half a sentence; empty if it is not.
    """

    layout: str
    arguments: Mapping[str, Any]
    lines: tuple[Line, ...]
    reason: str = ""

    @property
    def wrong(self) -> str:
        """Why nothing is taken, half a sentence; empty if all fits."""
        wrong = [_said(line) for line in self.lines if line.fate not in GOOD]
        more = f", and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        return self.reason or ("; ".join(wrong[:SHOWN]) + more if wrong else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Names of a program.

    Args:
        sign: a name that its generators have, and nothing else.
        source: returns its name for one of ours.
        filters: names of fixed filters, which are in the file and not in our networks.
    """

    title: str
    sign: str
    source: Callable[[str], str]
    filters: re.Pattern[str]


def _rosinality(name: str) -> str:
    """Return rosinality's name for one of ours."""
    if name == W_AVG:
        return "latent_avg"
    part, first, rest = name.split(".", 2)
    if part == "mapping":
        return f"style.{int(first.removeprefix('fc')) + 1}.{rest}"
    if rest == "const":
        return "input.input"
    level = int(first.removeprefix("b")).bit_length() - 3
    layer, _, what = rest.partition(".")
    inner = what.replace("affine", "conv.modulation")
    if layer == "torgb":
        place = f"to_rgbs.{level - 1}" if level else "to_rgb1"
        return f"{place}.{'conv.weight' if what == 'weight' else inner}"
    number = 2 * level - (layer == "conv0")
    if what == "noise_const":
        return f"noises.noise_{number}"
    place = f"convs.{number - 1}" if number else "conv1"
    parts = {"weight": "conv.weight", "bias": "activate.bias", "noise_strength": "noise.weight"}
    return f"{place}.{parts.get(what, inner)}"


LAYOUTS = (
    _Layout(
        title="NVIDIA's stylegan2-ada-pytorch",
        sign="synthesis.b4.const",
        source=lambda name: name,
        filters=re.compile(r"synthesis\..*\.resample_filter"),
    ),
    _Layout(
        title="rosinality's stylegan2-pytorch",
        sign="input.input",
        source=_rosinality,
        filters=re.compile(r"(convs|to_rgbs)\..*\.(blur|upsample)\.kernel"),
    ),
)


def plan_of(path: Path) -> Plan | None:
    """Return how a safetensors file becomes a network of ours; None if it is no such generator.

    Raises:
        ModelUnavailableError: the file is damaged or out of reach.
    """
    return planned(read_head(path))


def planned(shapes: Shapes) -> Plan | None:
    """Return how tensors become a network of ours; None if they are no such generator's."""
    layout = next((each for each in LAYOUTS if each.sign in shapes), None)
    if "synthesis.input.freqs" in shapes:
        said = "it is a StyleGAN3, and only StyleGAN2's generator is read"
        return Plan(layout=LAYOUTS[0].title, arguments={}, lines=(), reason=said)
    if layout is None:
        return None
    try:
        arguments = _arguments(shapes, layout)
    except (LookupError, ValueError) as err:
        said = f"its tensors tell no size of the network ({err})"
        return Plan(layout=layout.title, arguments={}, lines=(), reason=said)
    lines = tuple(_lines(shapes, layout, arguments))
    embeds = any(name.startswith("mapping.embed.") for name in shapes)
    said = "it is told labels, and only networks without any are read" if embeds else ""
    return Plan(layout=layout.title, arguments=arguments, lines=lines, reason=said)


def _arguments(shapes: Shapes, layout: _Layout) -> dict[str, Any]:
    """Return what a network of these shapes is built with.

    Raises:
        LookupError: they do not tell.
    """
    source, depth, size = layout.source, 0, 4
    channels = {}
    while (colours := source(f"synthesis.b{size}.torgb.weight")) in shapes:
        channels[size] = shapes[colours][-3]
        size *= 2
    if not channels:
        raise LookupError(f"{source('synthesis.b4.torgb.weight')} is missing")
    while source(f"mapping.fc{depth}.weight") in shapes:
        depth += 1
    w_dim, z_dim = shapes[source("mapping.fc0.weight")]
    return {
        "z_dim": z_dim, "w_dim": w_dim, "resolution": size // 2, "channels": channels,
        "num_layers": depth,
    }  # fmt: skip


def shapes_of(
    *, z_dim: int, w_dim: int, resolution: int, channels: Mapping[int, int], num_layers: int
) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of a network's tensors, without building it."""
    found: dict[str, tuple[int, ...]] = {W_AVG: (w_dim,)}
    for number, (inputs, outputs) in enumerate(pairwise([z_dim, *[w_dim] * num_layers])):
        found[f"mapping.fc{number}.weight"] = (outputs, inputs)
        found[f"mapping.fc{number}.bias"] = (outputs,)
    size, before = 4, 0
    while size <= resolution:
        block, width = f"synthesis.b{size}", channels[size]
        if before == 0:
            found[f"{block}.const"] = (width, size, size)
        for layer, inputs in (("conv0", before), ("conv1", width)):
            if inputs:
                found |= _layer(f"{block}.{layer}", inputs, width, w_dim=w_dim)
                found[f"{block}.{layer}.noise_strength"] = ()
                found[f"{block}.{layer}.noise_const"] = (size, size)
        found |= _layer(f"{block}.torgb", width, 3, w_dim=w_dim, kernel=1)
        size, before = 2 * size, width
    return found


def _layer(
    name: str, inputs: int, outputs: int, *, w_dim: int, kernel: int = 3
) -> dict[str, tuple[int, ...]]:
    return {
        f"{name}.affine.weight": (inputs, w_dim),
        f"{name}.affine.bias": (inputs,),
        f"{name}.weight": (outputs, inputs, kernel, kernel),
        f"{name}.bias": (outputs,),
    }


def _lines(shapes: Shapes, layout: _Layout, arguments: Mapping[str, Any]) -> list[Line]:
    """Return a line for each of our tensors, then one for each that the file has besides."""
    found, used = [], set()
    for name, wanted in shapes_of(**arguments).items():
        source = layout.source(name)
        there = shapes.get(source)
        used.add(source)
        if there is not None:
            fate = Fate.TAKEN if _long(there) == _long(wanted) else Fate.MISFIT
            line = Line(fate=fate, source=source, name=name, shape=there, wanted=wanted)
        elif name == W_AVG and layout.source is _rosinality:
            line = Line(fate=Fate.CALCULATED, name=name, wanted=wanted)
        else:
            line = Line(fate=Fate.MISSING, name=name, wanted=wanted)
        found.append(line)
    for source in sorted(shapes.keys() - used):
        fate = Fate.LEFT if layout.filters.fullmatch(source) else Fate.UNKNOWN
        found.append(Line(fate=fate, source=source, shape=shapes[source]))
    return found


def _long(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the sides that are longer than 1."""
    return tuple(side for side in shape if side != 1)


def _said(line: Line) -> str:
    if line.fate is Fate.MISSING:
        return f"it lacks {line.name}"
    if line.fate is Fate.UNKNOWN:
        return f"{line.source} is no part of such a generator"
    return f"{line.source} is {line.shape} and not {line.wanted}"


def write_network(path: Path, folder: Path, *, plan: Plan) -> None:
    """Write a file's generator as a network of ours, with the report, into a new folder.

    Raises:
        ModelUnavailableError: something does not fit; nothing was written.
    """
    if plan.wrong:
        raise ModelUnavailableError(f"{path.name} is not taken: {plan.wrong}")
    weights = _weights(path, plan)
    folder.mkdir(parents=True)
    save_file(weights, folder / WEIGHTS)
    told = {"network": NETWORK, **plan.arguments}
    (folder / CONFIG).write_text(json.dumps(told, indent=2) + "\n", "utf-8")
    report = {"file": path.name, "layout": plan.layout, "lines": [asdict(it) for it in plan.lines]}
    (folder / REPORT).write_text(json.dumps(report, indent=1) + "\n", "utf-8")


def _weights(path: Path, plan: Plan) -> dict[str, Array]:
    """Return our tensors in float32.

    Raises:
        ModelUnavailableError: the file is damaged, or holds another filter or no finite numbers.
    """
    try:
        there = load_file(path)
    except (OSError, SafetensorError, *UNREADABLE) as err:
        raise ModelUnavailableError(f"{path.name} cannot be read: {err}") from err
    found: dict[str, Array] = {}
    for line in plan.lines:
        if line.fate is Fate.CALCULATED:
            continue
        value = there[line.source]
        if value.dtype.str[1:] not in KINDS or not np.isfinite(value).all():
            raise ModelUnavailableError(f"{path.name}: {line.source} holds no finite numbers")
        if line.fate is Fate.LEFT:
            _require_filter(path, line.source, value)
        else:
            # An array without sides would come back as a number without ``asarray``.
            shaped = np.asarray(value, np.float32).reshape(line.wanted)
            found[line.name] = np.ascontiguousarray(shaped).reshape(line.wanted)
    if W_AVG not in found:
        found[W_AVG] = mean_w(found, layers=plan.arguments["num_layers"])
    return found


def _require_filter(path: Path, name: str, kernel: NDArray[Any]) -> None:
    if kernel.shape != FILTER.shape or not np.allclose(kernel, FILTER * kernel.sum(), atol=1e-4):
        raise ModelUnavailableError(
            f"{path.name} is not taken: {name} is another filter than [1, 3, 3, 1]"
        )


def mean_w(weights: Mapping[str, Array], *, layers: int) -> Array:
    """Return the mean of w over latents of N(0, 1).

    Shape:
        - weights: of the mapping, by our names; returns ``(w_dim,)``.
    """
    first = weights["mapping.fc0.weight"]
    x = np.random.default_rng(0).standard_normal((AVERAGED, first.shape[1])).astype(np.float32)
    x /= np.sqrt(np.mean(x**2, axis=1, keepdims=True) + 1e-8)
    for number in range(layers):
        weight, bias = (weights[f"mapping.fc{number}.{part}"] for part in ("weight", "bias"))
        x = x @ (weight * (RATE / np.sqrt(weight.shape[1]))).T + bias * RATE
        x = np.where(x < 0, 0.2 * x, x) * np.sqrt(2)
    return np.asarray(x.mean(axis=0), np.float32)


def counted(plan: Plan) -> str:
    """Return how many tensors have which fate, in words."""
    fates = Counter(str(line.fate) for line in plan.lines)
    return ", ".join(f"{count} {fate}" for fate, count in fates.items())
