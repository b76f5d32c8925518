"""What the engine asks of a pipeline: rows that advance step by step."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, TypeVar

from generation.request import ImageRequest, Note, Pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """What an engine process is started with.

    Args:
        device: a torch device, "cpu" or "cuda:0"; "auto" takes the GPU when there is one.
        threads: torch's threads on a CPU; fixed, because bytes may differ across counts.
        models_dir: folder with the operator's checkpoints.
    """

    device: str = "auto"
    threads: int = 1
    models_dir: Path = Path("data/models")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a retired row leaves: its picture, remarks and the parameters settled on."""

    image: Pixels
    notes: tuple[Note, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()


class Row(Protocol):
    """One request inside an engine.

    ``bucket`` says which rows may advance in one call (same model, size and dtype).
    ``step`` counts the steps done; the row is retired when it reaches ``total_steps``.
    """

    @property
    def request(self) -> ImageRequest:
        """The request it came from."""

    @property
    def bucket(self) -> Hashable:
        """Rows of equal buckets may advance together."""

    @property
    def step(self) -> int:
        """Steps done."""

    @property
    def total_steps(self) -> int:
        """Steps to do; 0 when the input is the answer."""


RowT = TypeVar("RowT", bound=Row)


class Pipeline(Protocol[RowT]):
    """A loaded method. It keeps its weights and caches; everything else is in its rows."""

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        """Load a checkpoint, or set the method up.

        Raises:
            ModelUnavailableError: the checkpoint is missing or incomplete.
        """

    def admit(self, request: ImageRequest) -> RowT:
        """Make a row: fit and encode the input, draw the noise from the request's seed.

        Raises:
            InvalidRequestError: the request does not fit this pipeline.
        """

    def advance(self, rows: Sequence[RowT]) -> None:
        """Take one step with every row; all are of one bucket.

        A row's picture does not depend on the others. State changes only after the call that
        may run out of memory, so that a failed call can be repeated.
        """

    def preview(self, row: RowT) -> Pixels | None:
        """Return the picture as it forms, at most 256 px a side, or None."""

    def retire(self, row: RowT) -> Finished:
        """Decode a row whose steps are done, and finish its picture."""
