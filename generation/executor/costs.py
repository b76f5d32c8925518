"""What requests cost, learned from what they did cost."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from generation.errors import InvalidRequestError
from generation.registry import PipelineSpec
from generation.request import EDGES, ImageRequest

TYPICAL_PIXELS = 512 * 512
SIZE_CLASS_PIXELS = 64 * 1024
WEIGHT_OF_NEWEST = 0.3

BESIDE = {"control": 1.4, "estimate": 1.1, "like": 1.1}
"""Times the cost: a ControlNet is the denoiser's first half once more, an estimator runs once, an
IP-Adapter reads some words more."""

Model = tuple[str, str]
"""A pipeline and the checkpoint that it runs on."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """Requests that cost about the same.

    Args:
        steps: 0 where they are left to the model.
        beside: what runs beside the model, keys of ``BESIDE`` with + between.
    """

    pipeline: str
    model: str
    pixels: int
    steps: int
    beside: str = ""

    @property
    def share(self) -> float:
        """How many times the model's own cost this is, until it has been measured."""
        return math.prod(BESIDE.get(each, 1.0) for each in self.beside.split("+"))


class Costs:
    """Device milliseconds by pipeline, model, size and steps, as a moving average; and of loading.

    What was never measured is scaled by pixels, by what runs beside the model, and by steps where
    both say how many, from the nearest that was; or by pixels from the registry's first guess.
    """

    def __init__(self, pipelines: Mapping[str, PipelineSpec]) -> None:
        self._pipelines = pipelines
        self._measured: dict[_Kind, float] = {}
        self._loads: dict[Model, float] = {}
        self.changes = 0

    def expected_ms(self, request: ImageRequest) -> float:
        """Return what a request will cost by itself.

        Raises:
            InvalidRequestError: the pipeline is unknown.
        """
        kind = self._kind(request)
        if kind in self._measured:
            return self._measured[kind]
        alike = [
            other
            for other in self._measured
            if (other.pipeline, other.model) == (kind.pipeline, kind.model)
        ]
        if alike:
            nearest = min(
                alike,
                key=lambda other: (
                    other.beside != kind.beside,
                    abs(other.steps - kind.steps),
                    abs(other.pixels - kind.pixels),
                ),
            )
            steps = kind.steps / nearest.steps if kind.steps and nearest.steps else 1.0
            scale = steps * kind.share / nearest.share
            return self._measured[nearest] * scale * kind.pixels / nearest.pixels
        typical_ms = self.spec_of(request).typical_device_ms
        return typical_ms * kind.share * kind.pixels / TYPICAL_PIXELS

    def price_ms(self, request: ImageRequest) -> int:
        """Return the whole device milliseconds that a request is expected to cost by itself.

        Raises:
            InvalidRequestError: the pipeline is unknown.
        """
        return max(1, round(self.expected_ms(request)))

    def learn(self, request: ImageRequest, *, device_ms: int) -> None:
        """Take in what a request has cost."""
        kind = self._kind(request)
        self._measured[kind] = _moved(self._measured.get(kind), device_ms)
        self.changes += 1

    def load_ms(self, model: Model) -> float:
        """Return how long loading a model will take."""
        return self._loads.get(model, self._pipelines[model[0]].typical_load_ms)

    def learn_load(self, model: Model, *, took_ms: float) -> None:
        """Take in how long loading a model has taken."""
        self._loads[model] = _moved(self._loads.get(model), took_ms)
        self.changes += 1

    def model_of(self, request: ImageRequest) -> Model:
        """Return what has to be loaded for a request.

        Raises:
            InvalidRequestError: the pipeline is unknown.
        """
        return request.pipeline, request.model or self.spec_of(request).model

    def spec_of(self, request: ImageRequest) -> PipelineSpec:
        """Return what is known of the pipeline that a request names.

        Raises:
            InvalidRequestError: there is none.
        """
        try:
            return self._pipelines[request.pipeline]
        except KeyError:
            known = ", ".join(self._pipelines)
            message = f"there is no pipeline {request.pipeline!r}; known: {known}"
            raise InvalidRequestError(message) from None

    def learned(self) -> dict[str, object]:
        """Return all that was learned, as values for JSON."""
        costs = [{**asdict(kind), "ms": ms} for kind, ms in self._measured.items()]
        loads = [
            {"pipeline": pipeline, "model": model, "ms": ms}
            for (pipeline, model), ms in self._loads.items()
        ]
        return {"costs": costs, "loads": loads}

    def recall(self, learned: Mapping[str, Any]) -> None:
        """Take in what ``learned`` has returned before.

        Raises:
            KeyError, TypeError, ValueError: it has not; what comes before the fault is taken in.
        """
        for entry in learned["costs"]:
            kind = _Kind(
                str(entry["pipeline"]),
                str(entry["model"]),
                int(entry["pixels"]),
                int(entry["steps"]),
                str(entry.get("beside", "")),
            )
            self._measured[kind] = _plausible_ms(entry["ms"])
        for entry in learned["loads"]:
            model = str(entry["pipeline"]), str(entry["model"])
            self._loads[model] = _plausible_ms(entry["ms"])

    def _kind(self, request: ImageRequest) -> _Kind:
        pixels = request.image.width * request.image.height
        classes = max(1, round(pixels / SIZE_CLASS_PIXELS))
        return _Kind(
            *self.model_of(request),
            pixels=SIZE_CLASS_PIXELS * classes,
            steps=request.num_inference_steps or 0,
            beside="+".join(_beside(request)),
        )


def _beside(request: ImageRequest) -> Iterator[str]:
    """Yield what a request has run beside the model."""
    control, like = request.control, request.like
    if control is not None and control.weight:
        yield "control"
        if control.drawn and control.kind != EDGES:
            yield "estimate"
    if like is not None and like.weight:
        yield "like"


def _moved(before: float | None, newest: float) -> float:
    """Return the moving average after one more value."""
    return newest if before is None else before + WEIGHT_OF_NEWEST * (newest - before)


def _plausible_ms(value: object) -> float:
    milliseconds = float(value)  # type: ignore[arg-type]
    if not (math.isfinite(milliseconds) and milliseconds >= 0):
        raise ValueError(f"{value!r} are no milliseconds")
    return milliseconds
