"""What the engines count, as Prometheus' counters; read when it is asked for."""

from collections.abc import Callable, Iterator
from dataclasses import fields

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

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
}


class EngineCounters(Collector):
    """Every field of the engines' counters: ``step_ms`` is ``atelier_engine_step_seconds``.

    Occupancy is ``rows_used / rows_offered``, padding waste ``1 - rows_used / rows_run``.
    """

    def __init__(self, read: Callable[[], Counters]) -> None:
        self._read = read

    def describe(self) -> Iterator[CounterMetricFamily]:
        """Return nothing: what is counted is known once it is asked for."""
        return iter(())

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Return one counter for each field."""
        counters = self._read()
        for each in fields(counters):
            value, name = float(getattr(counters, each.name)), each.name
            if name.endswith("_ms"):
                value, name = value / 1000, f"{name.removesuffix('_ms')}_seconds"
            yield CounterMetricFamily(f"atelier_engine_{name}", ABOUT[each.name], value=value)
