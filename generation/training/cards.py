"""A trained model as it ships: weights in half precision, what they are, and a card to read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a card says of a training.

    Args:
        network: ``module:Class`` that the weights are of, built with ``arguments``.
        recipe: the training's whole configuration.
        origin: the data, in words.
        history: the reports, oldest first.
        limits: what it cannot do, a sentence.
    """

    title: str
    about: str
    network: str
    arguments: Mapping[str, Any]
    recipe: Mapping[str, Any]
    origin: str
    history: list[dict[str, Any]]
    limits: str


def write_model(folder: Path, network: nn.Module, *, trained: Trained) -> None:
    """Write a network's weights (float16), its configuration and its card into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        name: _half(value).detach().cpu().contiguous()
        for name, value in network.state_dict().items()
    }
    save_file(weights, folder / WEIGHTS)
    told = {"network": trained.network, **trained.arguments}
    (folder / CONFIG).write_text(json.dumps(told, indent=2) + "\n", "utf-8")
    (folder / CARD).write_text(card_of(trained, parameters=_count(network)), "utf-8")


def card_of(trained: Trained, *, parameters: int) -> str:
    """Return the card's text, in Markdown."""
    last = trained.history[-1] if trained.history else {}
    figures = rows_of(last)
    recipe = rows_of({f"`{name}`": value for name, value in trained.recipe.items()})
    return (
        f"# {trained.title}\n\n{trained.about} {parameters:,} parameters, in float16.\n\n"
        f"- **Data**: {trained.origin}.\n- **Limits**: {trained.limits}\n\n"
        f"## Figures at the end\n\n| what | value |\n|---|---|\n{figures}\n\n"
        f"## Recipe\n\n| setting | value |\n|---|---|\n{recipe}\n"
    )


def rows_of(values: Mapping[str, Any]) -> str:
    """Return the rows of a table in Markdown; an underscore in a plain name is a space."""
    return "\n".join(f"| {_words(name)} | {_told(value)} |" for name, value in values.items())


def _half(value: torch.Tensor) -> torch.Tensor:
    return value.half() if value.is_floating_point() else value


def _count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def _words(name: str) -> str:
    return name if name.startswith("`") else name.replace("_", " ")


def _told(value: Any) -> str:  # noqa: ANN401 - a figure or a setting
    return f"{value:g}" if isinstance(value, float) else str(value)
