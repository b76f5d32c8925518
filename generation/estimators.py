"""Networks that tell of an ordinary picture what a ControlNet follows: depth, or poses.

They are the operator's, folders of transformers among the models, and told from their
``config.json``; several of a kind are taken by name, the first first. Edges need none of them.
Nothing here imports torch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from generation.cards import read_card
from generation.errors import UNREADABLE, InvalidRequestError, ModelUnavailableError
from generation.recognition import (
    CONFIG,
    ESTIMATOR_CLASSES,
    INDEX,
    PEOPLE,
    architecture_name,
    estimator_kind,
    read_config,
)
from generation.request import EDGES
from generation.vision import preprocessor_in, weights_in

TITLES = {
    "depth": "estimates depths",
    "pose": "estimates poses",
    PEOPLE: "finds people, for poses",
}
"""What each kind is called."""
NAMES = ", ".join((*ESTIMATOR_CLASSES, "any ...ForObjectDetection that finds a person"))
"""The classes of transformers that are taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimator:
    """One network that is there and whole, as far as its files tell.

    Args:
        name: of its folder among the models.
        kind: what it tells of pictures, a key of ``TITLES``.
        architecture: its class of transformers.
        weights: its files of weights.
        version: what tells its files from those that take their place.
    """

    name: str
    folder: Path
    kind: str
    architecture: str
    weights: tuple[Path, ...]
    version: tuple[int, ...]

    @property
    def unchanged(self) -> bool:
        """Whether its files are still those that it was told from."""
        try:
            return _version(self.folder, self.weights) == self.version
        except OSError:
            return False


def examine(folder: Path) -> Estimator:
    """Return the estimator in a folder; no weights are read.

    Raises:
        ModelUnavailableError: there is none, or it is not whole; the sentence says why.
    """
    try:
        told = read_config(folder, CONFIG)
        if not (kind := estimator_kind(told)):
            raise ModelUnavailableError(
                f"{folder.name} is a {architecture_name(told)}; of networks of transformers these"
                f" are taken: {NAMES}"
            )
        weights = weights_in(folder)
        preprocessor_in(folder)
        version = _version(folder, weights)
    except (OSError, *UNREADABLE) as err:
        why = f"{folder.name} cannot be read ({type(err).__name__})"
        raise ModelUnavailableError(why) from err
    return Estimator(
        name=folder.name,
        folder=folder,
        kind=kind,
        architecture=architecture_name(told),
        weights=weights,
        version=version,
    )


def estimators(kind: str, *, models_dir: Path) -> Iterator[Estimator]:
    """Yield the estimators of a kind that can be used, by name."""
    for folder in sorted(models_dir.iterdir()) if models_dir.is_dir() else ():
        if folder.name.startswith(".") or (folder / INDEX).is_file():
            continue
        try:
            told = read_config(folder, CONFIG) if (folder / CONFIG).is_file() else {}
            if (
                estimator_kind(told) != kind
                or read_card(folder.name, models_dir=models_dir).unusable
            ):
                continue
            yield examine(folder)
        except ModelUnavailableError:
            continue


def estimators_for(kind: str, *, models_dir: Path) -> tuple[Estimator, ...]:
    """Return what is needed to draw a kind of control from a picture: nothing for edges.

    Poses are estimated person by person; where nothing finds people, a picture is taken to show
    one.

    Raises:
        InvalidRequestError: there is no estimator of that kind.
    """
    if kind == EDGES:
        return ()
    found = next(estimators(kind, models_dir=models_dir), None)
    if found is None:
        raise InvalidRequestError(
            f"a control by {kind} needs a control picture that shows it, for nothing here"
            f" estimates {kind}s",
            why="control_not_estimated",
            kind=kind,
        )
    finder = next(estimators(PEOPLE, models_dir=models_dir), None) if kind == "pose" else None
    return (found,) if finder is None else (found, finder)


def _version(folder: Path, weights: tuple[Path, ...]) -> tuple[int, ...]:
    """Return the times and sizes of what is read.

    Raises:
        OSError: something is not there.
    """
    found = [path.stat() for path in (*weights, *sorted(folder.glob("*.json")))]
    return tuple(number for it in found for number in (it.st_mtime_ns, it.st_size))
