"""What a checkpoint can be asked for, told from its files; nothing here imports torch.

So a request that nothing could come of is refused before it waits for an engine.
"""

import json
from pathlib import Path

from generation.errors import InvalidRequestError, ModelUnavailableError
from generation.weights import INDEX, checkpoint_folder, checkpoint_names, read_manifest

PAINTERS = frozenset(
    {
        "StableDiffusionPipeline",
        "StableDiffusionImg2ImgPipeline",
        "StableDiffusionInpaintPipeline",
        "StableDiffusionXLPipeline",
        "StableDiffusionXLImg2ImgPipeline",
        "StableDiffusionXLInpaintPipeline",
        "LatentConsistencyModelPipeline",
        "LatentConsistencyModelImg2ImgPipeline",
    }
)
"""The classes, by the name in a checkpoint's index, whose rows may begin with noise alone."""


def paints(name: str, *, models_dir: Path) -> bool:
    """Return whether a checkpoint makes pictures from words alone.

    Raises:
        ModelUnavailableError: there is no such checkpoint, or it is damaged.
    """
    folder = checkpoint_folder(name, models_dir=models_dir)
    try:
        index = json.loads((folder / INDEX).read_text("utf-8"))
        return index["_class_name"] in PAINTERS and read_manifest(folder).finish is None
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise ModelUnavailableError(f"{name}/{INDEX} is not understood: {err}") from err


def painters(*, models_dir: Path) -> tuple[str, ...]:
    """Return the names of the checkpoints that make pictures from words alone."""
    return tuple(
        name
        for name in checkpoint_names(models_dir=models_dir)
        if _paints_at_all(name, models_dir=models_dir)
    )


def _paints_at_all(name: str, *, models_dir: Path) -> bool:
    try:
        return paints(name, models_dir=models_dir)
    except ModelUnavailableError:
        return False


def require_painter(name: str, *, models_dir: Path) -> None:
    """Refuse a checkpoint that makes no pictures from words alone, naming those that do.

    Raises:
        InvalidRequestError: it makes none.
        ModelUnavailableError: there is no such checkpoint, or it is damaged.
    """
    if paints(name, models_dir=models_dir):
        return
    others = ", ".join(painters(models_dir=models_dir))
    hint = f"these do: {others}" if others else "no checkpoint here does"
    raise InvalidRequestError(f"{name} makes no picture from words alone; {hint}")
