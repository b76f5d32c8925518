"""Make every picture of the data with a model, and measure what comes of it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import log
from pathlib import Path

import numpy as np
from PIL import Image

from generation.comparing import compare, pair_of
from generation.errors import (
    GenerationError,
    InvalidRequestError,
    ModelUnavailableError,
)
from generation.evaluation.data import Data
from generation.evaluation.features import Seen
from generation.evaluation.figures import (
    Figure,
    Found,
    Row,
    of_bounds,
    of_costs,
    of_diversity,
    of_pairs,
    of_sets,
)
from generation.evaluation.makers import Maker, Outcome
from generation.evaluation.sheets import Shown
from generation.postprocess.metrics import Spread
from generation.request import ImageRequest, Pixels

SMALL = 64
"""Side in pixels at which pictures of all sizes are compared with one another."""

Show = Callable[[int, str], None]
"""Is told how many pictures are done, and which comes next."""


@dataclass(slots=True, kw_only=True)
class Sides:
    """What is collected of the data and of the results, to compare them as sets."""

    net: str = ""
    data: Seen | None = None
    made: Seen | None = None
    data_spread: Spread = field(default_factory=Spread)
    made_spread: Spread = field(default_factory=Spread)
    count: int = 0

    def add(self, picture: Pixels, result: Pixels) -> None:
        """Take a picture of the data and a result in."""
        self.count += 1
        for image, seen, spread in (
            (picture, self.data, self.data_spread),
            (result, self.made, self.made_spread),
        ):
            spread.add(_small(image))
            if seen is not None:
                seen.add(image)


async def evaluate(
    maker: Maker, data: Data, *, model: str, sides: Sides, max_side: int, show: Show
) -> tuple[Found, Shown]:
    """Return what an evaluation found, and the pictures for its sheets.

    Args:
        maker: the model.
        data: what it is given, and compared with.
        model: its name.
        sides: with feature nets, if there are any.
        max_side: of pictures, in pixels; larger ones are made smaller first.
        show: is told how far it is.

    Raises:
        GenerationError: no picture could be made, or none of the data be read.
    """
    rows, shown, failed = list[Row](), Shown(), dict[str, str]()
    async with maker:
        async for name, picture in data.pictures(max_side=max_side):
            show(len(rows) + len(failed) + len(data.skipped), name)
            start = maker.fitted(picture)
            try:
                outcome = await maker.make(start, len(rows) + len(failed))
            except GenerationError as err:
                # What is wrong with the model or the wish is wrong with all pictures.
                if not rows and isinstance(err, ModelUnavailableError | InvalidRequestError):
                    raise
                failed[name] = str(err)
                continue
            rows.append(_row(name, outcome))
            sides.add(start, outcome.result)
            shown.add(rows[-1], start=start, result=outcome.result, paired=maker.from_pictures)
        memory_bytes = peak_bytes(maker.process)
    if not rows:
        name, why = next(iter(failed.items()))
        raise GenerationError(f"no picture could be made; {name}: {why}")
    found = Found(
        model=Path(model).name,
        about=maker.about,
        data=f"{len(rows)} of {data.found} pictures of {data.folder.name or data.folder}",
        when=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        device=maker.device,
        rows=rows,
    )
    found.figures = _figures(rows, sides=sides, maker=maker, memory_bytes=memory_bytes)
    found.notes = _notes(data, failed=failed, sides=sides)
    return found, shown


def peak_bytes(process: int | None) -> int | None:
    """Return the most memory of the host that a process has held, this one for None.

    None where the system does not tell.
    """
    try:
        told = Path(f"/proc/{process or 'self'}/status").read_text("utf-8")
    except OSError:
        return None
    line = next((line for line in told.splitlines() if line.startswith("VmHWM:")), None)
    return None if line is None else int(line.split()[1]) * 1024


def _row(name: str, outcome: Outcome) -> Row:
    row = Row(name=name, wall_ms=1000 * outcome.wall_s, device_ms=outcome.device_ms)
    if outcome.nats is not None:
        missed, beyond = outcome.nats
        nats = missed + beyond
        bits = nats / outcome.values / log(2)
        row = replace(row, nats=nats, missed=missed, beyond=beyond, bits=bits)
    if outcome.start is None:
        return row
    asked = ImageRequest(job_id=name, pipeline="", image=outcome.start)
    pair = pair_of(asked, outcome.result)
    if pair is None:
        return row
    found = compare(pair, step=1)
    return replace(
        row, mse=found.mse, psnr=found.psnr, ssim=found.ssim, compared=found.compared.value
    )


def _figures(
    rows: list[Row], *, sides: Sides, maker: Maker, memory_bytes: int | None
) -> list[Figure]:
    figures = [*of_pairs(rows), *of_bounds(rows)]
    if sides.data is not None and sides.made is not None:
        figures += of_sets(sides.data.features, sides.made.features, net=sides.net)
    if sides.count > 1:
        figures += of_diversity(
            data=sides.data_spread.diversity,
            made=sides.made_spread.diversity,
            count=sides.count,
        )
    return [*figures, *of_costs(rows, memory_bytes=memory_bytes)]


def _notes(data: Data, *, failed: dict[str, str], sides: Sides) -> list[str]:
    notes = [f"{name} was left out: {why}" for name, why in {**data.skipped, **failed}.items()]
    if data.count < data.found:
        notes.append(f"The first {data.count} of {data.found} pictures by name were looked at.")
    if sides.data is None:
        notes.append(
            "FID, precision and recall were left out: there is no feature net. An operator's file "
            "of Inception v3 or VGG19 from torchvision, in the models folder, is one."
        )
    return notes


def _small(picture: Pixels) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    image = Image.frombytes("RGB", (picture.width, picture.height), picture.data)
    small = image.resize((SMALL, SMALL), Image.Resampling.BOX)
    return np.asarray(small, np.float32) / np.float32(255)
