"""The drawing on top of the errors shows the tree that is there."""

from storage import errors
from storage.errors import StorageError


def subclasses(error: type[Exception]) -> set[type[Exception]]:
    below = set(error.__subclasses__())
    return below.union(*(subclasses(each) for each in below))


def drawn_parents() -> dict[str, str]:
    """Read the drawing: who is drawn under whom."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        stem, _, rest = line.rpartition("── ")
        if rest and rest.split()[0].endswith("Error"):
            depth = (len(stem) + 3) // 4 if stem or line.startswith(("├", "└")) else 0
            path = [*path[:depth], rest.split()[0]]
            if depth:
                parents[path[-1]] = path[depth - 1]
    return parents


def test_every_error_is_drawn_under_its_parent() -> None:
    real = {error.__name__: error.__mro__[1].__name__ for error in subclasses(StorageError)}
    assert drawn_parents() == real


def test_every_error_says_what_it_is() -> None:
    assert all(error.__doc__ for error in subclasses(StorageError))
