"""The seven natural colour photographs of scikit-image and scikit-learn.

They are for tests alone: nothing is ever trained or tuned on them, and the repository holds no
copy. They are read from the installed packages as files, which costs neither import.
"""

from importlib.util import find_spec
from pathlib import Path

from PIL import Image

_PLACES = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "chelsea": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "china": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
}


def photograph_path(name: str) -> Path:
    """Return where the installed package keeps a photograph."""
    package, place = _PLACES[name]
    spec = find_spec(package)
    assert spec is not None, f"{package} is not installed; it belongs to the extra 'dev'"
    assert spec.origin is not None
    return Path(spec.origin).parent / place


def photograph(name: str, *, max_side: int | None = None) -> Image.Image:
    """Return one photograph in RGB, shrunk to ``max_side`` when that is given."""
    with Image.open(photograph_path(name)) as opened:
        picture = opened.convert("RGB")
    if max_side is not None:
        picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return picture


def photographs(*, max_side: int | None = None) -> dict[str, Image.Image]:
    """Return all seven photographs by name, shrunk to ``max_side`` when that is given."""
    return {name: photograph(name, max_side=max_side) for name in _PLACES}
