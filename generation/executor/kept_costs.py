"""What was learned of costs, kept in the data folder from one start to the next.

A file that is damaged, or was written with other devices, is as good as none.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from generation.executor.costs import Costs
from generation.replacing import replaced

WRITTEN_EVERY_S = 30.0
MOST_BYTES = 2**20

logger = logging.getLogger(__name__)


class KeptCosts:
    """The file; it is read and written outside the loop.

    Args:
        devices: of the engines; what one device has learned says nothing about another.
    """

    def __init__(self, costs: Costs, *, data_dir: Path, devices: Sequence[str]) -> None:
        self._costs = costs
        self._path = data_dir / "costs.json"
        self._devices = list(devices)
        self._written = costs.changes
        self._writing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Read what is there, and write now and then from now on."""
        kept = await asyncio.to_thread(self._read)
        try:
            if kept.get("devices") == self._devices:
                self._costs.recall(kept)
        except (KeyError, TypeError, ValueError) as err:
            logger.warning("what %s says of costs is damaged: %s", self._path, err)
        self._writing = asyncio.create_task(self._keep(), name="costs")

    async def close(self) -> None:
        """Write the newest."""
        if self._writing is not None:
            self._writing.cancel()
            with suppress(asyncio.CancelledError):
                await self._writing
            self._writing = None
            await self._write()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(WRITTEN_EVERY_S)
            await self._write()

    async def _write(self) -> None:
        if self._written != self._costs.changes:
            self._written = self._costs.changes
            text = json.dumps({"devices": self._devices, **self._costs.learned()})
            await asyncio.to_thread(self._replace, text)

    def _read(self) -> dict[str, Any]:
        try:
            if self._path.stat().st_size > MOST_BYTES:
                raise ValueError("it is too large")
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            if not isinstance(kept, dict):
                raise TypeError("it is no object")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, RecursionError) as err:
            logger.warning("%s cannot be read: %s", self._path, err)
            return {}
        return kept

    def _replace(self, text: str) -> None:
        """Put the file in place as a whole."""
        try:
            with replaced(self._path) as file:
                file.write(text.encode())
        except OSError as err:
            logger.warning("%s cannot be written: %s", self._path, err)
