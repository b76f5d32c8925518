"""What a checkpoint can be asked for, told from its files; nothing here imports torch.

So a request that nothing could come of is refused before it waits for an engine.
"""

import re
from pathlib import Path

from generation.errors import InvalidRequestError, ModelUnavailableError
from generation.heads import read_head
from generation.loras import lora_file, split_loras
from generation.prompts import fragments_of
from generation.recognition import family_of, read_config
from generation.weights import checkpoint_folder, checkpoint_names, read_manifest

# What a LoRA changes of how pictures listen to words, by the names of every trainer.
_LISTENING = re.compile(r"attn2[._](?:processor[._])?to_k[._]?(?:lora)?[._](?:lora_)?(?:down|A)\b")


def paints(name: str, *, models_dir: Path) -> bool:
    """Return whether a checkpoint makes pictures from words alone.

    Raises:
        ModelUnavailableError: there is no such checkpoint, or it is damaged.
    """
    folder = checkpoint_folder(name, models_dir=models_dir)
    return family_of(folder).paints and read_manifest(folder).finish is None


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


def require_readable(prompt: str, *, model: str, models_dir: Path) -> None:
    """Refuse a prompt that asks a checkpoint for what it cannot do: weights, or LoRA.

    Of LoRA the heads tell how wide the words are that they were trained with. Whatever else may
    not fit shows when they are loaded.

    Raises:
        InvalidRequestError: a weight is beyond reason, a LoRA is not there, damaged or made for
            another kind of model, or the checkpoint is run without either.
        ModelUnavailableError: there is no such checkpoint, or it is damaged.
    """
    text, loras = split_loras(prompt)
    weighed = any(fragment.weight != 1 for fragment in fragments_of(text))
    if not loras and not weighed:
        return
    folder = checkpoint_folder(model, models_dir=models_dir)
    if not family_of(folder).by_rows:
        raise InvalidRequestError(f"{model} runs without LoRA and without weights of words")
    width = read_config(folder, "unet/config.json").get("cross_attention_dim")
    for lora in loras:
        widths = _widths(lora_file(lora.name, models_dir=models_dir))
        if isinstance(width, int) and widths - {width}:
            raise InvalidRequestError(
                f"the LoRA {lora.name} was made for another kind of model than {model}: it reads"
                f" words {min(widths)} wide, not {width}"
            )


def _widths(file: Path) -> set[int]:
    """Return how wide the words are that a LoRA was trained with."""
    try:
        head = read_head(file)
    except ModelUnavailableError as err:
        raise InvalidRequestError(f"the LoRA {file.stem} is damaged") from err
    return {shape[1] for name, shape in head.items() if _LISTENING.search(name) and len(shape) > 1}
