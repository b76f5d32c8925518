"""What requests cost, learned from what they did cost."""

from collections.abc import Mapping
from dataclasses import dataclass

from generation.registry import PipelineSpec
from generation.request import ImageRequest

TYPICAL_PIXELS = 512 * 512
SIZE_CLASS_PIXELS = 64 * 1024
WEIGHT_OF_NEWEST = 0.3


@dataclass(frozen=True, slots=True)
class _Kind:
    pipeline: str
    model: str
    pixels: int


class Costs:
    """Device milliseconds by pipeline, model and size, as a moving average.

    What was never measured is scaled by pixels from the nearest size that was, or from the
    registry's first guess.
    """

    def __init__(self, pipelines: Mapping[str, PipelineSpec]) -> None:
        self._pipelines = pipelines
        self._measured: dict[_Kind, float] = {}

    def expected_ms(self, request: ImageRequest) -> float:
        """Return what a request will cost by itself."""
        kind = self._kind(request)
        if kind in self._measured:
            return self._measured[kind]
        alike = [
            other
            for other in self._measured
            if (other.pipeline, other.model) == (kind.pipeline, kind.model)
        ]
        if alike:
            nearest = min(alike, key=lambda other: abs(other.pixels - kind.pixels))
            return self._measured[nearest] * kind.pixels / nearest.pixels
        typical_ms = self._pipelines[request.pipeline].typical_device_ms
        return typical_ms * kind.pixels / TYPICAL_PIXELS

    def learn(self, request: ImageRequest, *, device_ms: int) -> None:
        """Take in what a request has cost."""
        kind = self._kind(request)
        before = self._measured.get(kind, float(device_ms))
        self._measured[kind] = before + WEIGHT_OF_NEWEST * (device_ms - before)

    def _kind(self, request: ImageRequest) -> _Kind:
        pixels = request.image.width * request.image.height
        return _Kind(
            pipeline=request.pipeline,
            model=request.model or self._pipelines[request.pipeline].model,
            pixels=SIZE_CLASS_PIXELS * max(1, round(pixels / SIZE_CLASS_PIXELS)),
        )
