"""What a checkpoint can be asked for, told from its files; nothing here imports torch.

So a request that nothing could come of is refused before it waits for an engine.
"""

import re
from pathlib import Path

from generation.errors import InvalidRequestError, ModelUnavailableError
from generation.heads import read_head
from generation.loras import lora_file, split_loras
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
    family = family_of(folder)
    return family.by_rows and not family.edits and read_manifest(folder).finish is None


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


def require_loras(prompt: str, *, model: str, models_dir: Path) -> None:
    """Refuse a prompt that asks for LoRA which are not there or cannot fit a checkpoint.

    Their heads tell how wide the words are that they were trained with. Whatever else may not
    fit shows when they are loaded.

    Raises:
        InvalidRequestError: one is not there, or was made for another kind of model.
        ModelUnavailableError: there is no such checkpoint, or it or a LoRA is damaged.
    """
    _, loras = split_loras(prompt)
    if not loras:
        return
    folder = checkpoint_folder(model, models_dir=models_dir)
    if not family_of(folder).by_rows:
        raise InvalidRequestError(f"{model} runs without LoRA")
    width = read_config(folder, "unet/config.json").get("cross_attention_dim")
    for lora in loras:
        head = read_head(lora_file(lora.name, models_dir=models_dir))
        widths = {shape[1] for name, shape in head.items() if _LISTENING.search(name)}
        if isinstance(width, int) and widths - {width}:
            raise InvalidRequestError(
                f"the LoRA {lora.name} was made for another kind of model than {model}: it reads"
                f" words {min(widths)} wide, not {width}"
            )
