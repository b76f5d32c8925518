"""What a checkpoint can be asked for, told from its files; nothing here imports torch.

So a request that nothing could come of is refused before it waits for an engine.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from generation.companions import control_for, ip_adapter_for
from generation.errors import InvalidRequestError, ModelUnavailableError
from generation.estimators import estimators_for
from generation.families import UNET_ROWS
from generation.heads import read_head
from generation.loras import Lora, lora_file, split_loras
from generation.prompts import fragments_of
from generation.recognition import INDEX, family_of, has_part, read_config
from generation.request import SCHEDULERS, Control
from generation.weights import checkpoint_folder, checkpoint_names, paints_anew, read_manifest

# What a LoRA changes of how pictures listen to words, by the names of every trainer.
_LISTENING = re.compile(r"attn2[._](?:processor[._])?to_k[._]?(?:lora)?[._](?:lora_)?(?:down|A)\b")


def paints(name: str, *, models_dir: Path) -> bool:
    """Return whether a checkpoint makes pictures from words alone.

    Raises:
        ModelUnavailableError: there is no such checkpoint, or it is damaged.
    """
    folder = checkpoint_folder(name, models_dir=models_dir)
    return paints_anew(family_of(folder), read_manifest(folder))


def painters(*, models_dir: Path) -> tuple[str, ...]:
    """Return the names of the checkpoints that make pictures from words alone."""
    return _those_that(partial(paints, models_dir=models_dir), models_dir=models_dir)


def _those_that(can: Callable[[str], bool], *, models_dir: Path) -> tuple[str, ...]:
    """Return the names of the checkpoints that can; one that is damaged cannot."""
    found = []
    for name in checkpoint_names(models_dir=models_dir):
        with suppress(ModelUnavailableError):
            found += [name] if can(name) else []
    return tuple(found)


def _hint(others: tuple[str, ...]) -> str:
    return f"these do: {', '.join(others)}" if others else "no checkpoint here does"


def require_painter(name: str, *, models_dir: Path) -> None:
    """Refuse a checkpoint that makes no pictures from words alone, naming those that do.

    Raises:
        InvalidRequestError: it makes none.
        ModelUnavailableError: there is no such checkpoint, or it is damaged.
    """
    if paints(name, models_dir=models_dir):
        return
    hint = _hint(painters(models_dir=models_dir))
    raise InvalidRequestError(f"{name} makes no picture from words alone; {hint}")


def require_readable(prompt: str, *, model: str, models_dir: Path, negative: str = "") -> None:
    """Refuse words that ask a checkpoint for what it cannot do: weights, or LoRA.

    Of LoRA for UNets the heads tell how wide the words are that they were trained with. Whatever
    else may not fit shows when they are loaded.

    Raises:
        InvalidRequestError: a weight is beyond reason, a LoRA is not there, damaged or made for
            another kind of model, or the checkpoint's family is run without what is asked for.
        ModelUnavailableError: there is no such checkpoint, or it is damaged.
    """
    text, loras = split_loras(prompt)
    fragments = (*fragments_of(text), *fragments_of(negative))
    weighed = any(fragment.weight != 1 for fragment in fragments)
    if not loras and not weighed:
        return
    folder = checkpoint_folder(model, models_dir=models_dir)
    family = family_of(folder)
    if weighed and not family.weighs_words:
        raise InvalidRequestError(
            f"{model} reads prompts without weights of words", why="words_unweighed", model=model
        )
    if loras and not family.by_rows:
        raise InvalidRequestError(f"{model} runs without LoRA", why="loras_unread", model=model)
    for lora in loras:
        _require_fit(lora, folder=folder, models_dir=models_dir)


def require_scheduler(scheduler: str | None, *, model: str, models_dir: Path) -> None:
    """Refuse a scheduler that a checkpoint does not run with; None is its own.

    Raises:
        InvalidRequestError: there is none of that name, or it has its own alone.
        ModelUnavailableError: there is no such checkpoint, or it is damaged.
    """
    if scheduler is None:
        return
    if scheduler not in SCHEDULERS:
        known = ", ".join(SCHEDULERS)
        raise InvalidRequestError(f"there is no scheduler {scheduler!r}; known: {known}")
    if family_of(checkpoint_folder(model, models_dir=models_dir)).rows != UNET_ROWS:
        raise InvalidRequestError(f"{model} runs with its own scheduler only")


def require_reader(prompt: str, *, model: str, models_dir: Path, negative: str = "") -> None:
    """Refuse a prompt that asks for what a checkpoint cannot do, naming those that can.

    Raises:
        InvalidRequestError: likewise; where others can, the message names them.
        ModelUnavailableError: there is no such checkpoint, or it is damaged.
    """

    def read(name: str) -> None:
        require_readable(prompt, model=name, models_dir=models_dir, negative=negative)

    try:
        read(model)
    except InvalidRequestError as err:
        able = _those_that(partial(_found, read), models_dir=models_dir)
        raise InvalidRequestError(f"{err}; {_hint(able)}" if able else str(err)) from err


def _require_fit(lora: Lora, *, folder: Path, models_dir: Path) -> None:
    """Refuse a LoRA whose head tells that it was made for another kind of model."""
    widths = _widths(lora_file(lora.name, models_dir=models_dir))
    made = f"the LoRA {lora.name} was made for another kind of model than {folder.name}"
    named = {"name": lora.name, "model": folder.name}
    if has_part(read_config(folder, INDEX), "transformer"):
        if widths:
            raise InvalidRequestError(f"{made}, for a UNet", why="lora_for_unet", **named)
        return
    width = read_config(folder, "unet/config.json").get("cross_attention_dim")
    if isinstance(width, int) and widths - {width}:
        raise InvalidRequestError(
            f"{made}: it reads words {min(widths)} wide, not {width}",
            why="lora_width",
            given=min(widths),
            width=width,
            **named,
        )


def require_companions(
    *, control: Control | None, like: bool, model: str, models_dir: Path
) -> None:
    """Refuse a control, or a likeness, that a checkpoint has no network for.

    Raises:
        InvalidRequestError: it has none, and the sentence says why, and which checkpoints have; or
            nothing draws what is to be followed.
        ModelUnavailableError: there is no such checkpoint, or it is damaged.
    """
    if control is not None and control.drawn:
        estimators_for(control.kind, models_dir=models_dir)
    find = partial(_find_companions, control, like=like, models_dir=models_dir)
    try:
        find(model)
    except InvalidRequestError as err:
        able = _those_that(partial(_found, find), models_dir=models_dir)
        raise InvalidRequestError(
            f"{err}; {_hint(able)}",
            why="these_do" if able else "none_does",
            reason=err,
            known=able,
        ) from err


def _found(find: Callable[[str], None], model: str) -> bool:
    with suppress(InvalidRequestError):
        find(model)
        return True
    return False


def _find_companions(control: Control | None, model: str, *, like: bool, models_dir: Path) -> None:
    if control is not None:
        network = control.network
        control_for(control.kind, model=model, models_dir=models_dir, network=network)
    if like:
        ip_adapter_for(model=model, models_dir=models_dir)


def _widths(file: Path) -> set[int]:
    """Return how wide the words are that a LoRA was trained with."""
    try:
        head = read_head(file)
    except ModelUnavailableError as err:
        raise InvalidRequestError(
            f"the LoRA {file.stem} is damaged", why="lora_damaged", name=file.stem
        ) from err
    return {shape[1] for name, shape in head.items() if _LISTENING.search(name) and len(shape) > 1}
