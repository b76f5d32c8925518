"""What the engines count, as Prometheus' counters; read when it is asked for."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from generation.executor.config import StationStats
from generation.executor.figures import Counters

ABOUT = {
    "calls": "Calls of a model that advanced rows",
    "rows_used": "Rows of those calls that were somebody's",
    "rows_offered": "Rows that those calls could have held",
    "rows_run": "Rows that those calls were padded to",
    "encode_ms": "Device time that admitting requests took",
    "step_ms": "Device time of the calls",
    "preview_ms": "Device time that previews took",
    "decode_ms": "Device time that finishing pictures took",
    "memory_retries": "What was tried again because memory had not sufficed",
    "model_loads": "Models that were brought to the device",
    "model_evictions": "Models that were taken off it",
    "prompt_hits": "Prompts that had been read already",
    "prompt_misses": "Prompts that had not been read",
    "picture_hits": "Pictures that had been encoded already",
    "picture_misses": "Pictures that had not been encoded",
    "artwork_hits": "Artworks whose style was known",
    "artwork_misses": "Artworks that were new",
    "codec_calls": "Calls of models' codecs",
    "codec_pictures": "Pictures in those calls",
}


class EngineCounters(Collector):
    """Every field of the engines' counters: ``step_ms`` is ``atelier_engine_step_seconds``.

    Occupancy is ``rows_used / rows_offered``, padding waste ``1 - rows_used / rows_run``.
    """

    def __init__(self, read: Callable[[], Sequence[StationStats]]) -> None:
        self._read = read

    def describe(self) -> Iterator[CounterMetricFamily]:
        """Return nothing: what is counted is known once it is asked for."""
        return iter(())

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Return one counter for each field, by device."""
        stations = self._read()
        for each in fields(Counters):
            name, unit = each.name, 1
            if name.endswith("_ms"):
                name, unit = f"{name.removesuffix('_ms')}_seconds", 1000
            family = CounterMetricFamily(
                f"atelier_engine_{name}", ABOUT.get(each.name, each.name), labels=("device",)
            )
            for station in stations:
                value = getattr(station.counters, each.name) / unit
                family.add_metric((station.device,), value)
            yield family
