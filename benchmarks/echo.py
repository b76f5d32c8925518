"""A pipeline that gives the picture back: what is left is the way there and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from generation.pipelines.base import EngineConfig, Finished, OneByOne
from generation.request import ImageRequest, Pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoRow:
    """A request that is finished when it comes."""

    request: ImageRequest
    bucket: str = "echo"
    step: int = 0
    width: int = 1
    total_steps: int = 0


class EchoPipeline(OneByOne):
    """Does nothing at all."""

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        """Return the pipeline; there is nothing to load."""
        return cls()

    def admit(self, request: ImageRequest) -> EchoRow:
        """Return a row without steps."""
        return EchoRow(request=request)

    def advance(self, rows: Sequence[EchoRow]) -> None:
        """Do nothing: there are no steps."""

    def preview(self, row: EchoRow) -> Pixels | None:
        """Return nothing: there is no time for it."""
        return None

    def retire(self, row: EchoRow) -> Finished:
        """Return the picture that came."""
        return Finished(image=row.request.picture)
