"""What accepting an order asks of those who make pictures, wherever they are."""

from typing import Protocol

from generation.executor.config import ExecutorStats
from generation.request import ImageRequest


class Prices(Protocol):
    """An executor of this process's own, or what workers report of theirs.

    All but ``stats`` raise InvalidRequestError when the pipeline is unknown.
    """

    def cost_ms(self, request: ImageRequest) -> int:
        """Return the device milliseconds that a request is expected to cost by itself."""

    def estimate_s(self, request: ImageRequest) -> float:
        """Return in how many seconds a request would be finished if it were submitted now."""

    def model_of(self, request: ImageRequest) -> str:
        """Return the checkpoint or method that a request runs on."""

    def stats(self) -> ExecutorStats:
        """Return what is going on now."""
