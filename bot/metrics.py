"""What is measured while the bot runs, for Prometheus."""

import asyncio
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge, Histogram

TICK_S = 0.05


class Metrics:
    """The bot's own registry; nothing is global."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.loop_lag = Histogram(
            "atelier_loop_lag_seconds",
            "How late the event loop was for a timer",
            buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
            registry=self.registry,
        )

    def gauge(self, name: str, about: str, read: Callable[[], float]) -> None:
        """Add a value that is read when it is asked for."""
        Gauge(f"atelier_{name}", about, registry=self.registry).set_function(read)

    async def watch_loop(self) -> None:
        """Measure the event loop's lag until cancelled."""
        while True:
            due = time.perf_counter() + TICK_S
            await asyncio.sleep(TICK_S)
            self.loop_lag.observe(max(0.0, time.perf_counter() - due))
