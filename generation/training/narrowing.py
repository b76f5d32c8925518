"""Beginning from a checkpoint that was trained before: its channels that matter most, its words.

Li, Kadav, Durdanovic, Samet & Graf, "Pruning Filters for Efficient ConvNets" (ICLR 2017): whole
channels are left out, those with the smallest weights, and the network is trained on.

Differs from the paper: the channels of a level are left out alike wherever they are read or
written, so many of each group of the normalisation, and so that skips go on to fit.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from generation.errors import InvalidRequestError
from generation.training.remix_model import Editor

Weights = Mapping[str, Tensor]
Levels = Sequence[int]


def begin_from(editor: Editor, folder: Path, *, tokenizer: CLIPTokenizer) -> None:
    """Give an editor the weights of a checkpoint, as far as there is a place for them.

    Raises:
        InvalidRequestError: the checkpoint is built otherwise.
    """
    told: dict[str, Any] = {"local_files_only": True, "use_safetensors": True}
    unet: Any = UNet2DConditionModel.from_pretrained(folder / "unet", **told)  # type: ignore[no-untyped-call]
    text = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32, **told)
    widths = unet.config.block_out_channels, editor.unet.config.block_out_channels
    groups = unet.config.norm_num_groups, editor.unet.config.norm_num_groups
    if (
        len(widths[0]) != len(widths[1])
        or any(wide < narrow for wide, narrow in zip(*widths, strict=True))
        or groups[0] != groups[1]
    ):
        raise InvalidRequestError(f"{folder} has levels {widths[0]} in {groups[0]} groups each")
    kept = narrowed(
        unet.float().state_dict(), like=editor.unet.state_dict(), widths=widths, groups=groups[0]
    )
    editor.unet.load_state_dict(kept)
    words = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    editor.text_encoder.load_state_dict(
        _renumbered(text.state_dict(), editor.text_encoder.state_dict(), (words, tokenizer))
    )


def narrowed(
    weights: Weights, *, like: Weights, widths: tuple[Levels, Levels], groups: int
) -> dict[str, Tensor]:
    """Return a network's weights without the channels that a narrower one has no place for.

    Args:
        weights: of the wide network.
        like: of the narrow one, by the same names.
        widths: of the levels, of the wide network and of the narrow one.
        groups: of the normalisation; of each as many channels are left out.

    Raises:
        InvalidRequestError: the networks differ in more than their widths.
    """
    if weights.keys() != like.keys():
        raise InvalidRequestError("the checkpoint to begin from is built otherwise")
    kept = _kept(weights, like, widths=widths, groups=groups)
    found = dict[str, Tensor]()
    for name, weight in weights.items():
        part = weight
        for axis, size in enumerate(like[name].shape):
            parts = _parts(weight.shape[axis], size, widths=widths)
            part = part.index_select(axis, _places(parts, kept, widths[0], weight.shape[axis]))
        found[name] = part.contiguous()
    return found


def _kept(
    weights: Weights, like: Weights, *, widths: tuple[Levels, Levels], groups: int
) -> list[Tensor]:
    """Return for every level which of its channels stay: the heaviest of each group."""
    norms = [torch.zeros(width) for width in widths[0]]
    for name, weight in weights.items():
        for axis, size in enumerate(like[name].shape):
            parts = _parts(weight.shape[axis], size, widths=widths)
            if len(parts) == 1 and weight.ndim > 1:
                others = [other for other in range(weight.ndim) if other != axis]
                norms[parts[0]] += weight.float().square().sum(dim=others).sqrt()
    places = []
    for norm, width in zip(norms, widths[1], strict=True):
        each = norm.view(groups, -1)
        best = each.topk(width // groups, dim=1).indices.sort(dim=1).values
        places.append((best + torch.arange(groups)[:, None] * each.shape[1]).flatten())
    return places


def _parts(wide: int, narrow: int, *, widths: tuple[Levels, Levels]) -> tuple[int, ...]:
    """Return of which levels' channels an axis consists; of none if it stays as it is.

    They are one's, a multiple of one's, or two's after each other: what comes up from a deeper
    level, then what was skipped to.

    Raises:
        InvalidRequestError: of no such ones.
    """
    if wide == narrow:
        return ()
    levels = range(len(widths[0]))
    many = ((level,) * times for times in (1, 2, 4, 8) for level in levels)
    pairs = (pair for pair in product(levels, levels) if pair[0] > pair[1])
    for parts in (*many, *pairs):
        if all(
            sum(side[level] for level in parts) == size
            for side, size in zip(widths, (wide, narrow), strict=True)
        ):
            return tuple(parts)
    raise InvalidRequestError(f"{wide} channels cannot be narrowed to {narrow}")


def _places(parts: Sequence[int], kept: Sequence[Tensor], widths: Levels, size: int) -> Tensor:
    if not parts:
        return torch.arange(size)
    starts = [sum(widths[level] for level in parts[:place]) for place in range(len(parts))]
    return torch.cat([kept[level] + start for level, start in zip(parts, starts, strict=True)])


def _renumbered(
    weights: Weights, fresh: Weights, tokenizers: tuple[CLIPTokenizer, CLIPTokenizer]
) -> dict[str, Tensor]:
    """Return a text encoder's weights with the rows of the words that the other one knows too."""
    before, after = (tokenizer.get_vocab() for tokenizer in tokenizers)
    found = dict(weights)
    for name, rows in fresh.items():
        if "token_embedding" in name:
            found[name] = rows.clone()
            for token, place in after.items():
                if token in before:
                    found[name][place] = weights[name][before[token]]
    return found
