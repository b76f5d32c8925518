"""Fetching a checkpoint from the Hugging Face hub, for ``models pull`` alone.

Nothing else of this program fetches weights. What was fetched lies among the partial checkpoints
until all of it has the sums that the hub names; a pull that broke off goes on where it was.
"""

import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx2
from huggingface_hub import HfApi, ModelInfo, hf_hub_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from generation.cards import Card, read_card
from generation.catalogue import Entry, entries, networks
from generation.errors import ModelUnavailableError
from generation.estimators import examine
from generation.recognition import CONFIG
from generation.upkeep import PARTIAL, alone, checked_name, put
from generation.vision import PREPROCESSOR
from generation.weights import INDEX, MANIFEST, PICKLES
from generation.wholeness import sha256_of

CONFIGURATION = frozenset({".json", ".txt", ".model", ".md"})
"""Endings of what says how a checkpoint is built and how words are cut."""

Watch = Callable[[str, int, int], None]
"""Told a file's name, its bytes so far and all of its bytes, as they come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """One file of the hub's.

    Args:
        sha256: of files that git keeps elsewhere, which all weights are; else empty.
        blob: git's own sum of any other file.
    """

    path: str
    size_bytes: int
    sha256: str
    blob: str

    def is_that_of(self, place: Path) -> bool:
        """Return whether a file here is the hub's, by size and sum."""
        if place.stat().st_size != self.size_bytes:
            return False
        if self.sha256:
            return sha256_of(place) == self.sha256
        data = place.read_bytes()
        # The sum of a git object: git-scm.com, "Git Internals - Git Objects".
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() == self.blob  # noqa: S324


class Hub:
    """A repository of the hub's, at one revision."""

    def __init__(self, repository: str, *, revision: str | None, endpoint: str | None) -> None:
        self._repository = repository
        self._revision = revision
        self._endpoint = endpoint

    def fetch(
        self, folder: Path, *, config_only: bool, watch: Watch
    ) -> tuple[ModelInfo, list[Remote]]:
        """Fetch into a folder what is loaded, and nothing else; return what the hub says of it.

        Raises:
            ModelUnavailableError: the hub has no such checkpoint or wants an account, it breaks
                off, or a file came with other sums.
        """
        try:
            found = HfApi(endpoint=self._endpoint).model_info(
                self._repository, revision=self._revision, files_metadata=True
            )
            remotes = _remotes(found.siblings or ())
            chosen = _chosen(remotes, self._repository, config_only=config_only)
            for file in chosen:
                self._fetch_file(file, folder, commit=str(found.sha), watch=watch)
        except (GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError) as err:
            message = _refusal(self._repository, self._revision, err)
            raise ModelUnavailableError(message) from err
        except HFValidationError as err:
            message = f"{self._repository!r} is no id of the hub's: OWNER/NAME"
            raise ModelUnavailableError(message) from err
        except httpx2.HTTPError as err:
            reason = err or type(err).__name__
            message = f"the hub broke off ({reason}); the same command goes on from there"
            raise ModelUnavailableError(message) from err
        _clear(folder, {each.path for each in chosen})
        return found, chosen

    def _fetch_file(self, file: Remote, folder: Path, *, commit: str, watch: Watch) -> None:
        """Fetch one file, or what is missing of it.

        Raises:
            ModelUnavailableError: it came with other sums; it was deleted.
        """
        fetched = hf_hub_download(
            self._repository,
            file.path,
            revision=commit,
            local_dir=folder,
            tqdm_class=_watching(file, watch),
            endpoint=self._endpoint,
        )
        if not file.is_that_of(Path(fetched)):
            Path(fetched).unlink()
            raise ModelUnavailableError(
                f"{self._repository}: {file.path} came with other sums than the hub names, and"
                " was deleted"
            )
        watch(file.path, file.size_bytes, file.size_bytes)


def pull(
    repository: str,
    *,
    models_dir: Path,
    name: str | None = None,
    revision: str | None = None,
    config_only: bool = False,
    watch: Watch = lambda *_: None,
    endpoint: str | None = None,
) -> Entry:
    """Fetch a checkpoint of diffusers' layout, compare it with the hub's sums, and put it in place.

    An estimator, which is a network of transformers, is fetched likewise.

    Files that the operator put beside those of an earlier pull stay, ``atelier.json`` among them.

    Args:
        repository: its id on the hub.
        models_dir: where the checkpoints are.
        name: what it will be called here; the id's last part if None.
        revision: a commit, branch or tag; whatever is newest if None. The commit is recorded.
        config_only: whether to leave the weights out, for those who have them; those that lie in
            the checkpoint's folder already stay there.
        watch: shown how it goes on.
        endpoint: another hub's address; the library's if None.

    Raises:
        ModelUnavailableError: the hub has no such checkpoint or wants an account, a file came with
            other sums, the name is taken, or another command has it; what was fetched rightly is
            kept for the next pull.
    """
    name = checked_name(name or repository.rpartition("/")[2])
    place, folder = models_dir / name, models_dir / PARTIAL / name
    with alone(name, models_dir=models_dir):
        waiting = config_only and not (place / INDEX).is_file()
        if not waiting:
            _refuse_taken(name, repository, models_dir=models_dir)
        hub = Hub(repository, revision=revision, endpoint=endpoint)
        found, chosen = hub.fetch(folder, config_only=config_only, watch=watch)
        if not (folder / INDEX).is_file():
            examine(folder)
        before, origin = read_card(name, models_dir=models_dir), repository
        replaced = () if config_only else _brought(before.files, chosen)
        for path in (path for path in _paths(place) if path not in replaced):
            _keep(path, place, folder)
        for single in place.glob("*.safetensors") if waiting else ():
            origin = f"{before.origin or single.name}, with the configuration of {repository}"
        card = Card(origin=origin, revision=str(found.sha), licence=_licence(found))
        return put(folder, card, models_dir=models_dir)


def _licence(found: ModelInfo) -> str:
    """Return the licence as the hub's card of a model names it, empty if it does not."""
    told = (getattr(found.card_data, name, None) for name in ("license_name", "license"))
    return str(next(filter(None, told), ""))


def _refuse_taken(name: str, repository: str, *, models_dir: Path) -> None:
    """Refuse a name that is another checkpoint's; the same may be fetched anew."""
    for entry in (*entries(models_dir=models_dir), *networks(models_dir=models_dir)):
        if entry.name == name and not entry.starter and entry.card.origin != repository:
            raise ModelUnavailableError(f"there is a checkpoint {name!r} already; give a --name")


def _clear(folder: Path, wanted: Collection[str]) -> None:
    """Delete what earlier pulls left of other files, and of the library's own notes."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.relative_to(folder).as_posix() not in wanted:
            path.unlink()


def _brought(recorded: Iterable[str], chosen: Sequence[Remote]) -> frozenset[str]:
    """Return what an earlier pull brought of the parts that this one brings anew."""
    parts = {Path(each.path).parent for each in chosen}
    return frozenset(
        path
        for path in recorded
        if Path(path).parent in parts and (_is_configuration(path) or _is_plain_weights(path))
    )


def _paths(place: Path) -> Iterator[str]:
    """Yield all files of a checkpoint, behind links, too."""
    for folder, _, names in os.walk(place, followlinks=True):
        yield from (Path(folder, name).relative_to(place).as_posix() for name in names)


def _keep(path: str, place: Path, folder: Path) -> None:
    """Give a file of the operator's its place in what was fetched; it stays where it is, too.

    What was fetched has precedence, but over what the operator declares.
    """
    source, target = (place / path).resolve(), folder / path
    if path == MANIFEST:
        target.unlink(missing_ok=True)
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_relative_to(place.resolve()) and not place.is_symlink():
        target.hardlink_to(source)
    else:
        # It lies elsewhere, and there it will not be deleted.
        target.symlink_to(source)


def _remotes(siblings: Iterable[Any]) -> list[Remote]:
    return [
        Remote(
            path=each.rfilename,
            size_bytes=each.size or 0,
            sha256=each.lfs.sha256 if each.lfs else "",
            blob=each.blob_id or "",
        )
        for each in siblings
    ]


def _chosen(remotes: Sequence[Remote], repository: str, *, config_only: bool) -> list[Remote]:
    """Return the files that are loaded: configurations, and the plain weights of the parts.

    Raises:
        ModelUnavailableError: it is not of diffusers' layout, or a part is a pickle alone.
    """
    paths = {each.path for each in remotes}
    if INDEX not in paths and {CONFIG, PREPROCESSOR} <= paths:
        return [each for each in remotes if _is_of_estimator(each.path)]
    if INDEX not in paths:
        raise ModelUnavailableError(f"{repository} has no {INDEX}: it is not of diffusers' layout")
    small = [each for each in remotes if _is_configuration(each.path)]
    if config_only:
        return small
    weights = [each for each in remotes if _is_plain_weights(each.path)]
    whole = {Path(each.path).parent for each in weights}
    for each in remotes:
        path = Path(each.path)
        if path.suffix in PICKLES and path.parent != Path() and path.parent not in whole:
            raise ModelUnavailableError(
                f"{repository} has {each.path} as a pickle alone; fetch and `models convert` it"
            )
    return small + weights


def _is_of_estimator(path: str) -> bool:
    """Return whether a file is loaded of a network of transformers that looks at pictures."""
    if path in (CONFIG, PREPROCESSOR, "model.safetensors.index.json"):
        return True
    return re.fullmatch(r"model(-\d+-of-\d+)?\.safetensors", path) is not None


def _is_configuration(path: str) -> bool:
    place = Path(path)
    hidden = any(part.startswith(".") for part in place.parts)
    return place.suffix in CONFIGURATION and not hidden and len(place.parts) <= 2


def _is_plain_weights(path: str) -> bool:
    """Return whether a file is weights of a part, and not the same once more in other numbers."""
    place = Path(path)
    return place.suffix == ".safetensors" and len(place.parts) == 2 and "." not in place.stem


def _watching(file: Remote, watch: Watch) -> Any:  # noqa: ANN401 - what the library takes for tqdm
    """Return what stands in for a progress bar of the library's."""

    class Bar:
        def __init__(self, *_: object, initial: int = 0, **__: object) -> None:
            self.n = initial

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            return

        def update(self, n: float | None = 1) -> None:
            self.n += int(n or 0)
            watch(file.path, self.n, file.size_bytes)

        def __getattr__(self, _: str) -> Callable[..., None]:
            return lambda *_, **__: None

    return Bar


def _refusal(repository: str, revision: str | None, error: Exception) -> str:
    if isinstance(error, GatedRepoError):
        return (
            f"{repository} is gated: accept its licence on the hub, and log in with"
            " `.venv/bin/hf auth login`"
        )
    if isinstance(error, RevisionNotFoundError):
        return f"{repository} has no revision {revision}"
    return f"the hub has no {repository}, or only for others"
