"""A clock that runs like the wall's and that tests can turn forward."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

DISCORD_EPOCH_MS = 1_420_070_400_000


class Clock:
    """Tell the time, wait for it, and let tests advance it from any thread."""

    def __init__(self) -> None:
        self._offset_s = 0.0
        self._lock = threading.Lock()
        self._last_id = 0
        self._waiters: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def now(self) -> datetime:
        """Return the sandbox's time, aware and in UTC."""
        return datetime.now(UTC) + timedelta(seconds=self._offset_s)

    def time_s(self) -> float:
        """Return the sandbox's time as seconds since 1970."""
        return self.now().timestamp()

    def advance(self, seconds: float) -> None:
        """Turn the clock forward and wake everyone who waits for it."""
        if seconds < 0:
            raise ValueError("a clock only turns forward")
        with self._lock:
            self._offset_s += seconds
            waiters = list(self._waiters)
        for loop, turned in waiters:
            loop.call_soon_threadsafe(turned.set)

    def reset(self) -> None:
        """Go back to the wall's time; identifiers stay unique."""
        self._offset_s = 0.0

    def next_id(self) -> int:
        """Return a new snowflake: the time in its upper bits, always larger than the last."""
        with self._lock:
            stamp = (int(self.time_s() * 1000) - DISCORD_EPOCH_MS) << 22
            self._last_id = max(stamp, self._last_id + 1)
            return self._last_id

    async def sleep(self, seconds: float) -> None:
        """Wait until this much of the sandbox's time has passed."""
        deadline = self.time_s() + seconds
        turned = asyncio.Event()
        waiter = (asyncio.get_running_loop(), turned)
        with self._lock:
            self._waiters.add(waiter)
        try:
            while (remaining := deadline - self.time_s()) > 0:
                turned.clear()
                try:
                    async with asyncio.timeout(remaining):
                        await turned.wait()
                except TimeoutError:
                    continue
        finally:
            with self._lock:
                self._waiters.discard(waiter)

    async def wait_for(self, future: "asyncio.Future[bool]", *, timeout_s: float) -> bool:
        """Return whether the future finished before this much of the sandbox's time passed."""
        sleeping = asyncio.ensure_future(self.sleep(timeout_s))
        waiting: set[asyncio.Future[Any]] = {future, sleeping}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
        return future.done()
