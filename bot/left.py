"""Telling members whose commands a process has acknowledged and left that they were cut off."""

import asyncio
from functools import partial

import structlog

from bot.delivery import Delivery
from storage.acknowledgements import TELLER, Acknowledgements
from storage.unwritten import Unwritten

log = structlog.get_logger()


class Left:
    """Answers what processes that are gone have acknowledged and left, here or in the database."""

    def __init__(
        self,
        *,
        owner: str,
        kept: Acknowledgements,
        unwritten: Unwritten,
        delivery: Delivery,
        lease_s: float,
    ) -> None:
        self._owner = TELLER + owner
        self._kept = kept
        self._unwritten = unwritten
        self._delivery = delivery
        self._lease_s = lease_s

    async def look(self) -> None:
        """Tell those members to ask again, then rest; what cannot be said now is tried again."""
        await self._unwritten.hand_over(partial(self._kept.open, owner="", lease_s=0.0))
        found = await self._kept.claim_left(owner=self._owner, lease_s=self._lease_s)
        for left in found:
            telling = self._delivery.cut_off(left)
            (fault,) = await asyncio.gather(telling, return_exceptions=True)
            if fault is None:
                await self._kept.close([left.interaction_id], owner=self._owner)
            else:
                reason = type(fault).__name__
                log.warning("not told yet", interaction=left.interaction_id, reason=reason)
        await asyncio.sleep(self._lease_s / 3)
