"""What is measured while the bot runs, for Prometheus."""

import asyncio
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from storage.records import Job, JobState

TICK_S = 0.05
WAITS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
ERRORS_S = (
    -300.0,
    -60.0,
    -30.0,
    -10.0,
    -5.0,
    -2.0,
    -1.0,
    0.0,
    1.0,
    2.0,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
)


class Metrics:
    """The bot's own registry; nothing is global.

    Attributes:
        loop_lag: how late the event loop was for a timer.
        queue_seconds: from the acceptance of a job to its start.
        job_seconds: from the acceptance of a job to its picture.
        estimate_error: how much later than its member was told a picture was there.
        png_seconds: how long a result took to become a file.
        finished: jobs that ended, by their state and pipeline.
        quota_refusals: orders that were refused, by whose quota was used up.
        quota_seconds: device seconds that were reserved, charged and refunded.
        retries: times that an engine had to begin a job again.
        loop_tasks: tasks of the event loop, which only grow where one is forgotten.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.loop_lag = self._histogram(
            "loop_lag_seconds",
            "How late the event loop was for a timer",
            buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
        )
        self.queue_seconds = self._histogram(
            "queue_seconds", "From the acceptance of a job to its start", buckets=WAITS_S
        )
        self.job_seconds = self._histogram(
            "job_seconds", "From the acceptance of a job to its picture", buckets=WAITS_S
        )
        self.estimate_error = self._histogram(
            "wait_estimate_error_seconds",
            "How much later than its member was told a picture was there; below 0 if earlier",
            buckets=ERRORS_S,
        )
        self.png_seconds = self._histogram(
            "png_seconds",
            "How long a result took to become a file",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
        )
        self.finished = Counter(
            "atelier_jobs_finished",
            "Jobs that ended",
            labelnames=("state", "pipeline"),
            registry=self.registry,
        )
        self.quota_refusals = Counter(
            "atelier_quota_refusals",
            "Orders that were refused for want of quota, by whose it was",
            labelnames=("scope",),
            registry=self.registry,
        )
        self.quota_seconds = Counter(
            "atelier_quota_device_seconds",
            "Device seconds that quotas were booked with",
            labelnames=("movement",),
            registry=self.registry,
        )
        self.retries = Counter(
            "atelier_job_retries",
            "Times that an engine had to begin a job again",
            registry=self.registry,
        )
        self.loop_tasks = Gauge(
            "atelier_loop_tasks", "Tasks of the event loop", registry=self.registry
        )

    def started(self, job: Job) -> None:
        """Note how long a job has waited when it is begun for the first time."""
        if job.attempt == 1 and job.wait_ms is not None:
            self.queue_seconds.observe(job.wait_ms / 1000)

    def made(self, job: Job, *, age_s: float, promised_s: float | None) -> None:
        """Note a picture, and how long it took if this process accepted its job.

        Args:
            job: what the picture was made for.
            age_s: the seconds since this process knows the job.
            promised_s: how many its member was told; None when another process told it.
        """
        self.finish(job, JobState.DONE)
        if promised_s is not None:
            self.job_seconds.observe(age_s)
            self.estimate_error.observe(age_s - promised_s)

    def finish(self, job: Job, state: JobState) -> None:
        """Note how a job ended."""
        self.finished.labels(state=state.value, pipeline=job.pipeline).inc()

    def refused(self, scope: str) -> None:
        """Note an order that was refused, and whose quota was used up."""
        self.quota_refusals.labels(scope=scope).inc()

    def booked(self, movement: str, amount_ms: int) -> None:
        """Note what was reserved, charged or refunded."""
        self.quota_seconds.labels(movement=movement).inc(amount_ms / 1000)

    def ended(self, job: Job, *, device_ms: int) -> None:
        """Note what a job's end has charged and given back."""
        self.booked("charged", device_ms)
        self.booked("refunded", max(0, job.reserve_ms - device_ms))

    def _histogram(self, name: str, about: str, *, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"atelier_{name}", about, buckets=buckets, registry=self.registry)

    def gauge(self, name: str, about: str, read: Callable[[], float]) -> None:
        """Add a value that is read when it is asked for."""
        Gauge(f"atelier_{name}", about, registry=self.registry).set_function(read)

    async def watch_loop(self) -> None:
        """Measure the event loop's lag and count its tasks until cancelled."""
        while True:
            due = time.perf_counter() + TICK_S
            await asyncio.sleep(TICK_S)
            self.loop_lag.observe(max(0.0, time.perf_counter() - due))
            self.loop_tasks.set(len(asyncio.all_tasks()))
