"""Image classifiers that tell unsafe pictures: what a folder holds, without torch.

Two kinds are read, both from ``config.json`` and safetensors: the safety checker of diffusers,
which knows one label, and any image classification model of transformers, whose labels are told by
its configuration. Nothing is fetched.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from generation.errors import UNREADABLE, ModelUnavailableError
from generation.heads import elements, read_head
from generation.vision import preprocessor_in, weights_in

CHECKER = "StableDiffusionSafetyChecker"
CHECKER_LABEL = "nsfw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """A classifier that is there and whole, as far as its files tell.

    Args:
        checker: whether it is diffusers' safety checker.
        labels: all that it tells apart.
        exclusive: whether the scores of its labels are shares of one.
        weights: its files of weights.
        preprocessor: the folder that says how pictures are laid before it.
    """

    folder: Path
    checker: bool
    labels: tuple[str, ...]
    exclusive: bool
    weights: tuple[Path, ...]
    preprocessor: Path

    @property
    def elements(self) -> int:
        """How many numbers its weights are."""
        return sum(elements(read_head(path)) for path in self.weights)

    def require(self, labels: Collection[str]) -> None:
        """Refuse labels that it does not know.

        Raises:
            ModelUnavailableError: one is unknown; the sentence lists some of those there are.
        """
        unknown = [label for label in labels if label not in self.labels]
        if unknown or not labels:
            some = ", ".join(self.labels[:12])
            wanted = repr(unknown[0]) if unknown else "that is named"
            raise ModelUnavailableError(
                f"the classifier {self.folder.name} has no label {wanted}; it has: {some}"
            )

    def unsafe_score(self, scores: Mapping[str, float], labels: Collection[str]) -> float:
        """Return how unsafe a picture is, 0 to 1, from the scores of its labels.

        Shares of one add up; of scores that stand for themselves the highest counts.
        """
        found = [scores[label] for label in labels]
        return min(1.0, sum(found)) if self.exclusive else max(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyConfig:
    """What an installation looks at pictures with.

    Args:
        folder: of the classifier; None is none.
        labels: those of unsafe pictures.
        threshold: the score from which a picture is unsafe, above 0 and up to 1.
    """

    folder: Path | None
    labels: tuple[str, ...]
    threshold: float


def find(config: SafetyConfig) -> Classifier:
    """Return the classifier of an installation.

    Raises:
        ModelUnavailableError: there is none, it is not whole, or it lacks a label.
    """
    if config.folder is None:
        raise ModelUnavailableError("no classifier is installed")
    found = examine(config.folder)
    found.require(config.labels)
    return found


def examine(folder: Path) -> Classifier:
    """Return the classifier in a folder; no weights are read.

    Raises:
        ModelUnavailableError: there is none, or it is not whole; the sentence says why.
    """
    if not (folder / "config.json").is_file():
        raise ModelUnavailableError(f"there is no classifier in {folder.name}: no config.json")
    try:
        return _examined(folder)
    except ModelUnavailableError as err:
        raise type(err)(f"the classifier {err}") from err
    except (OSError, *UNREADABLE) as err:
        raise ModelUnavailableError(
            f"the classifier {folder.name} cannot be read ({type(err).__name__})"
        ) from err


def _examined(folder: Path) -> Classifier:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    checker = CHECKER in (*config.get("architectures", ()), config.get("_class_name"))
    if not checker and not any("ForImageClassification" in it for it in config["architectures"]):
        raise ModelUnavailableError(
            f"{folder.name} is a {config['architectures'][0]}, which tells no labels of pictures"
        )
    named = (CHECKER_LABEL,) if checker else _labels(config["id2label"])
    multiple = config.get("problem_type") == "multi_label_classification"
    return Classifier(
        folder=folder,
        checker=checker,
        labels=named,
        exclusive=not (checker or multiple),
        weights=weights_in(folder),
        preprocessor=preprocessor_in(folder, folder.parent / "feature_extractor"),
    )


def _labels(names: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(str(names[number]) for number in sorted(names, key=int))
