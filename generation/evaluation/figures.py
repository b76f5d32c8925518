"""The figures of an evaluation: each with how sure it is and of how many pictures."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

import numpy as np

from generation.postprocess.metrics import (
    NEIGHBOURS,
    Array,
    fid,
    mean_and_error,
    precision_recall,
)

FEWEST_HALVES = 20
"""Pictures from which on the data's own halves are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One picture's figures; those that it has none of are None.

    Args:
        nats: the negative evidence lower bound, of a VAE.
        missed, beyond: its parts: what the decoder missed, and the divergence from the prior.
        bits: the bound for each of the picture's values.
    """

    name: str
    wall_ms: float
    device_ms: float | None = None
    mse: float | None = None
    psnr: float | None = None
    ssim: float | None = None
    compared: str | None = None
    nats: float | None = None
    missed: float | None = None
    beyond: float | None = None
    bits: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure over all pictures.

    Args:
        key: its name for programs.
        title: its name for people.
        value: the mean, or the figure itself where it is one of sets.
        error: half of the interval in which the true mean lies at 95 % confidence; None of sets.
        unit: what it is counted in.
        count: of how many pictures.
        low, high: the least and the greatest; None of sets.
        about: what it says, in a sentence.
    """

    key: str
    title: str
    value: float
    error: float | None = None
    unit: str = ""
    count: int
    low: float | None = None
    high: float | None = None
    about: str


@dataclass(slots=True, kw_only=True)
class Found:
    """What an evaluation found; the report and the JSON file are made of it."""

    model: str
    about: str
    data: str
    when: str
    device: str
    figures: list[Figure] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, without what is not finite."""
        told = asdict(self)
        for row in (*told["figures"], *told["rows"]):
            row |= {k: None for k, v in row.items() if isinstance(v, float) and not isfinite(v)}
        return told


def of_pairs(rows: Sequence[Row]) -> list[Figure]:
    """Return how much results differ from their pictures; none without pictures."""
    found = [
        _mean(rows, "mse", title="MSE", about="mean squared difference of values in [0, 1]"),
        _mean(
            rows,
            "psnr",
            title="PSNR",
            unit="dB",
            about="the same against the full range; "
            "pictures without any difference, whose figure is infinite, are left out",
        ),
        _mean(
            rows,
            "ssim",
            title="SSIM",
            about="structural similarity of luma (Wang et al. 2004), 1 where it is the same",
        ),
    ]
    return [figure for figure in found if figure is not None]


def of_bounds(rows: Sequence[Row]) -> list[Figure]:
    """Return a VAE's bound and its parts; none of other models."""
    said = "upper bound of what a picture costs (Kingma & Welling 2014), by one sample of latents"
    found = (
        _mean(rows, "nats", title="Negative ELBO", unit="nats", about=said),
        _mean(
            rows,
            "missed",
            title="Its reconstruction",
            unit="nats",
            about="what the decoder misses of it, by how the model takes pixels to be spread",
        ),
        _mean(
            rows,
            "beyond",
            title="Its divergence",
            unit="nats",
            about="what the latents say beyond the prior",
        ),
        _mean(
            rows,
            "bits",
            title="Bits for each value",
            about="the bound over all values; of pixels in colour it is that of a density over "
            "[0, 1], which may be below 0: 8 more are the bits of an 8-bit value",
        ),
    )
    return [figure for figure in found if figure is not None]


def of_costs(rows: Sequence[Row], *, memory_bytes: int | None) -> list[Figure]:
    """Return what pictures took; the first, which may have waited for the model, is left out."""
    usual = rows[1:] if len(rows) > 1 else rows
    found = [
        _mean(
            usual,
            "device_ms",
            title="Device time",
            unit="ms",
            about="of the device for one picture, as quotas are charged",
        ),
        _mean(
            usual, "wall_ms", title="Time", unit="ms", about="from asking to having it, one by one"
        ),
    ]
    figures = [figure for figure in found if figure is not None]
    if rows[0].device_ms is not None:
        figures.append(
            Figure(
                key="first_s",
                title="First picture",
                value=rows[0].wall_ms / 1000,
                unit="s",
                count=1,
                about="loading the model included",
            )
        )
    if memory_bytes is not None:
        figures.append(
            Figure(
                key="memory_mb",
                title="Memory",
                value=memory_bytes / 2**20,
                unit="MB",
                count=len(rows),
                about="most that the model's process held of the host's",
            )
        )
    return figures


def of_sets(real: Array, made: Array, *, net: str) -> list[Figure]:
    """Return how two sets of features differ; what needs more pictures is left out.

    Shape:
        - real, made: ``(N, D)`` and ``(M, D)``.
    """
    count, figures = min(len(real), len(made)), list[Figure]()
    if count >= 2:
        figures.append(
            Figure(
                key="fid",
                title="FID",
                value=fid(real, made),
                count=count,
                about=f"Fréchet distance (Heusel et al. 2017) by {real.shape[1]} features of "
                f"{net}; it falls with the number of pictures, so compare at equal numbers",
            )
        )
    if len(real) >= FEWEST_HALVES:
        figures.append(
            Figure(
                key="fid_of_halves",
                title="FID of the data's halves",
                value=fid(*_halves(real)),
                count=len(real) // 2,
                about="what two sets of the data themselves are apart: nothing can be told below",
            )
        )
    if count > NEIGHBOURS:
        precision, recall = precision_recall(real, made)
        k = f"(Kynkäänniemi et al. 2019, k = {NEIGHBOURS})"
        figures += [
            Figure(
                key="precision",
                title="Precision",
                value=precision,
                count=len(made),
                about=f"share of results that lie among the data {k}",
            ),
            Figure(
                key="recall",
                title="Recall",
                value=recall,
                count=len(real),
                about=f"share of the data that lie among the results {k}",
            ),
        ]
    return figures


def _halves(real: Array) -> tuple[Array, Array]:
    """Return two halves that chance has made, whatever the order of the data."""
    order = np.random.default_rng(0).permutation(len(real))
    middle = len(real) // 2
    return real[order[:middle]], real[order[middle:]]


def of_diversity(*, data: float, made: float, count: int) -> list[Figure]:
    """Return how much pictures differ among themselves."""
    apart = "root mean square distance of any two, values in [0, 1]"
    return [
        Figure(
            key="diversity",
            title="Diversity",
            value=made,
            count=count,
            about=f"{apart}; 0 where all are the same",
        ),
        Figure(
            key="diversity_of_data",
            title="Diversity of the data",
            value=data,
            count=count,
            about="the same of the data",
        ),
    ]


def _mean(
    rows: Sequence[Row], key: str, *, title: str, about: str, unit: str = ""
) -> Figure | None:
    known = [value for row in rows if (value := getattr(row, key)) is not None]
    if not known:
        return None
    values = np.array(known, np.float64)
    mean, error = mean_and_error(values)
    return Figure(
        key=key,
        title=title,
        value=mean,
        error=error if isfinite(error) else None,
        unit=unit,
        count=len(known),
        low=float(values.min()),
        high=float(values.max()),
        about=about,
    )
