"""Tiny real pipelines for the engine; none needs torch unless it says so."""

import os
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from weakref import WeakSet

from generation.errors import (
    InvalidRequestError,
    ModelTooLargeError,
    ModelUnavailableError,
)
from generation.pipelines.base import EngineConfig, Finished, OneByOne, Row
from generation.registry import PipelineSpec
from generation.request import ImageRequest, Note, NoteCode, Pixels


def spec(name: str, *, typical_device_ms: int = 50) -> PipelineSpec:
    return PipelineSpec(
        target=f"{__name__}:{name}", model="tiny", typical_device_ms=typical_device_ms
    )


@dataclass(kw_only=True, eq=False)
class NoiseRow:
    request: ImageRequest
    total_steps: int
    rng: random.Random
    bucket: str = "noise"
    step: int = 0
    width: int = 1
    image: bytearray = field(default_factory=bytearray)


ALIVE: "WeakSet[NoiseRow]" = WeakSet()
"""The rows that this process still holds."""


class NoisePipeline(OneByOne):
    """Stirs seeded noise into the picture, ``num_inference_steps`` times, slowly."""

    step_s = 0.0

    def __init__(self, config: EngineConfig) -> None:
        self.config = config

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        if model == "missing":
            raise ModelUnavailableError("there is no checkpoint 'missing'")
        return cls(config)

    def admit(self, request: ImageRequest) -> NoiseRow:
        if request.prompt == "refuse":
            raise InvalidRequestError("this prompt is refused")
        steps = 4 if request.num_inference_steps is None else request.num_inference_steps
        return NoiseRow(
            request=request,
            total_steps=steps,
            rng=random.Random(request.seed),
            width=round(request.guidance_scale or 1),
            image=bytearray(request.picture.data),
        )

    def capacity(self, row: Row) -> int:
        return self.config.batch_rows or row.width

    def padded(self, rows: Sequence[Row]) -> int:
        return self.capacity(rows[0])

    def advance(self, rows: Sequence[NoiseRow]) -> None:
        for row in rows:
            time.sleep(self.step_s)
            noise = row.rng.randbytes(64)
            for index, value in enumerate(noise[: len(row.image)]):
                row.image[index] = (row.image[index] + value) % 256
            row.step += 1

    def preview(self, row: NoiseRow) -> Pixels | None:
        return Pixels(width=1, height=1, data=bytes((row.step, 0, 0)))

    def retire(self, row: NoiseRow) -> Finished:
        source = row.request.image
        return Finished(
            image=Pixels(width=source.width, height=source.height, data=bytes(row.image)),
            notes=(Note(code=NoteCode.FITTED, words=("1",)),),
            parameters=(("steps", str(row.total_steps)),),
        )


class SlowPipeline(NoisePipeline):
    """Takes 20 ms a step."""

    step_s = 0.02


class BusyPipeline(NoisePipeline):
    """Keeps a core busy for 20 ms a step."""

    def advance(self, rows: Sequence[NoiseRow]) -> None:
        end = time.perf_counter() + 0.02
        while time.perf_counter() < end:
            sum(range(1000))
        super().advance(rows)


class MarkingPipeline(NoisePipeline):
    """Leaves a file when it has been loaded."""

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        (config.models_dir / "loaded").touch()
        return super().load(model=model, config=config)


class LopsidedPipeline(NoisePipeline):
    """Finds no room on the device "cpu", and with the model "giant" on none."""

    @classmethod
    def plan(cls, *, model: str, config: EngineConfig) -> None:
        if config.station == "cpu" or model == "giant":
            raise ModelTooLargeError(f"{model} needs more than {config.station} has")


class HeavyPipeline(SlowPipeline):
    """Takes half a second to be loaded, and 20 ms a step."""

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        time.sleep(0.5)
        return super().load(model=model, config=config)


class FetchingPipeline(NoisePipeline):
    """Takes half a second to load what a likeness needs, once; without any it fails."""

    fetched = False

    def fetch(self, request: ImageRequest) -> None:
        if not self.fetched:
            time.sleep(0.5)
        self.fetched = True

    def admit(self, request: ImageRequest) -> NoiseRow:
        if not self.fetched:
            raise InvalidRequestError("nothing was fetched")
        return super().admit(request)


class WeightyPipeline(SlowPipeline):
    """Takes 100 bytes of the device, and notes in a file where its weights go."""

    def __init__(self, config: EngineConfig, model: str) -> None:
        super().__init__(config)
        self._model = model
        self._note("loaded")

    @property
    def weight_bytes(self) -> int:
        return 100

    def _note(self, what: str) -> None:
        with (self.config.models_dir / "notes").open("a") as file:
            file.write(f"{self._model} {what}\n")

    @classmethod
    def weigh(cls, *, model: str, config: EngineConfig) -> int:
        return 100

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        return cls(config, model)

    @classmethod
    def files(cls, *, model: str, config: EngineConfig) -> Sequence[Path]:
        return [config.models_dir / f"{model}.weights"]

    def put_away(self) -> None:
        self._note("put away")

    def bring(self) -> None:
        self._note("brought")

    def advance(self, rows: Sequence[NoiseRow]) -> None:
        if rows[0].request.prompt == "memory once" and not struck(rows[0].request):
            raise MemoryError("too much")
        super().advance(rows)


class DyingToLoadPipeline(NoisePipeline):
    """Takes its process along when it is loaded."""

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        os.kill(os.getpid(), signal.SIGKILL)
        return super().load(model=model, config=config)


def struck(request: ImageRequest) -> bool:
    """Whether a mark, a file named in ``negative_prompt``, has been hit before; hit it."""
    mark = Path(request.negative_prompt)
    before = mark.exists()
    mark.touch()
    return before


class DeadlyPipeline(SlowPipeline):
    """Kills its process in the second step: always, or only the first time ("once")."""

    def advance(self, rows: Sequence[NoiseRow]) -> None:
        for row in rows:
            once = row.request.prompt == "once"
            if row.step == 1 and not (once and struck(row.request)):
                os.kill(os.getpid(), signal.SIGKILL)
        super().advance(rows)


class HangingPipeline(SlowPipeline):
    """Never comes back from the second step: always, or only the first time ("once")."""

    def advance(self, rows: Sequence[NoiseRow]) -> None:
        for row in rows:
            once = row.request.prompt == "once"
            if row.step == 1 and not (once and struck(row.request)):
                time.sleep(3600)
        super().advance(rows)


class FailingPipeline(NoisePipeline):
    """Fails in the way that the prompt names."""

    def advance(self, rows: Sequence[NoiseRow]) -> None:
        for row in rows:
            match row.request.prompt:
                case "bug":
                    raise ZeroDivisionError("a bug")
                case "memory":
                    raise MemoryError("too much")
                case "memory once" if not struck(row.request):
                    raise MemoryError("too much")
                case "own error":
                    raise OwnError("of this pipeline alone")
        super().advance(rows)


class CrampedPipeline(SlowPipeline):
    """Has memory for as many rows a call as its prompt says, and for thrice so many in all."""

    def admit(self, request: ImageRequest) -> NoiseRow:
        row = super().admit(request)
        ALIVE.add(row)
        return row

    def advance(self, rows: Sequence[NoiseRow]) -> None:
        room = int(rows[0].request.prompt)
        if len(rows) > room or len(ALIVE) > 3 * room:
            raise MemoryError("too many")
        super().advance(rows)


class OwnError(InvalidRequestError):
    """An error that only this module knows."""


PIPELINES = {
    "noise": spec("NoisePipeline"),
    "slow": spec("SlowPipeline", typical_device_ms=400),
    "busy": spec("BusyPipeline"),
    "dying to load": spec("DyingToLoadPipeline"),
    "lopsided": spec("LopsidedPipeline"),
    "heavy": spec("HeavyPipeline"),
    "fetching": spec("FetchingPipeline"),
    "marking": spec("MarkingPipeline"),
    "deadly": spec("DeadlyPipeline"),
    "hanging": spec("HangingPipeline"),
    "failing": spec("FailingPipeline"),
    "cramped": spec("CrampedPipeline"),
    "weighty": spec("WeightyPipeline"),
}
