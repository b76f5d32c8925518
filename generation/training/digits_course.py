"""What the trainings on digits have in common: their data, batches and epochs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import torch
from torch import Tensor

from generation.devices import torch_device
from generation.training.course import Precision, batch_of, require_batch, require_positive
from generation.training.digit_data import PAINTED, DigitData, digit_data
from generation.training.digits import Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitsConfig:
    """How a model of digits is trained.

    Args:
        epochs: times that every digit is seen.
        batch: digits of a step.
        learning_rate: of Adam.
        painted: digits that are painted when no folder is given.
        seed: of everything that is drawn.
        precision: that the networks calculate in.
        device: "cpu", "cuda:0", or "auto".
    """

    epochs: int
    batch: int
    learning_rate: float
    painted: int = PAINTED
    seed: int = 1
    precision: Precision = "float32"
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse what nothing can be trained with."""
        require_positive(self, "epochs", "batch", "learning_rate", "painted")


ConfigT = TypeVar("ConfigT", bound=DigitsConfig)


class DigitsCourse(Generic[ConfigT]):
    """The data's side of a ``Course``; networks are made after this, from the seed."""

    def __init__(self, config: ConfigT, *, data: DigitData) -> None:
        require_batch(len(data.train), size=config.batch)
        self.config = config
        self.data = data
        self.device = torch_device(config.device)
        torch.manual_seed(config.seed)

    @classmethod
    def begun(cls, config: ConfigT, *, data: Path | None, work: Path) -> Self:
        """Return the training on a folder's digits, or on painted ones."""
        found = digit_data(data, kept=work, count=config.painted, seed=config.seed)
        return cls(config, data=found)

    @property
    def recipe(self) -> Mapping[str, Any]:
        """Return the configuration and where the digits are from."""
        return {**asdict(self.config), "data": self.data.origin}

    @property
    def report_every(self) -> int:
        """Steps of an epoch."""
        return len(self.data.train) // self.config.batch

    @property
    def total_steps(self) -> int:
        """Steps of all epochs."""
        return self.config.epochs * self.report_every

    def batch(self, number: int) -> Tensor:
        """Return the digits of a step.

        Shape:
            - returns: ``(batch, 1, 28, 28)``, in [0, 1].
        """
        count, config = len(self.data.train), self.config
        chosen = batch_of(count, size=config.batch, seed=config.seed, number=number)
        return self.pictures(self.data.train[chosen.numpy()])

    def pictures(self, values: Bytes) -> Tensor:
        """Return digits as the networks take them."""
        return torch.from_numpy(values).to(self.device).float().div(255).unsqueeze(1)
