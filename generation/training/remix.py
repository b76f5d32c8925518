"""Train the remix checkpoint: InstructPix2Pix (Brooks, Holynski & Efros, CVPR 2023), made small.

Differs from the paper: everything is trained from nothing on painted scenes; the targets are
parametric edits; v-prediction with zero terminal signal (Lin et al., WACV 2024).

``python -m generation.training.remix --out FOLDER [--minutes N] [--resume]``, or with two processes
that train together: ``torchrun --nproc-per-node 2 -m generation.training.remix --out FOLDER``.
"""

import argparse
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTokenizer

from generation.training import team
from generation.training.captions import FILLERS, WORDS
from generation.training.codec import (
    Codec,
    CodecConfig,
    Components,
    encode_all,
    fit_components,
    new_codec,
    train_decoder,
)
from generation.training.course import read_state
from generation.training.pairs import Pairs, PairsConfig, paint_pairs
from generation.training.remix_manifest import write_manifest
from generation.training.remix_model import (
    Editor,
    EditorConfig,
    Stage,
    export,
    new_editor,
    train_stage,
)
from generation.training.vocabulary import write_vocabulary

logger = logging.getLogger(__name__)

COMPONENT_STRIDE = 40
"""Every so many-th target serves to fit the codec's components."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemixConfig:
    """The whole training.

    Args:
        stages: of the denoiser, small pictures first: layout and meaning are learned cheaply.
        max_length: tokens of a prompt, with start and end.
        threads: of torch; an exact resume needs the same number.
    """

    pairs: PairsConfig = field(default_factory=PairsConfig)
    codec: CodecConfig = field(default_factory=CodecConfig)
    editor: EditorConfig = field(default_factory=EditorConfig)
    stages: tuple[Stage, ...] = field(
        default=(
            Stage(name="small", size=64, steps=900, batch=32, learning_rate=9e-4),
            Stage(name="native", size=96, steps=1000, batch=16, learning_rate=6e-4),
        )
    )
    max_length: int = 24
    threads: int = 1


class Deadline:
    """The time that is left of a budget in minutes."""

    def __init__(self, minutes: float | None) -> None:
        self.ends = float("inf") if minutes is None else time.monotonic() + 60 * minutes

    def left_s(self) -> float:
        """Return the seconds left, not below 0."""
        return max(0.0, self.ends - time.monotonic())


def train(out: Path, *, config: RemixConfig, minutes: float | None = None) -> bool:
    """Train or go on training; whatever is done already is taken from the work folder.

    Returns:
        Whether all steps are done. A loadable checkpoint is in ``out`` either way, as soon as the
        denoiser has begun.
    """
    torch.set_num_threads(config.threads)
    deadline = Deadline(minutes)
    work = out.with_name(out.name + ".work")
    work.mkdir(parents=True, exist_ok=True)
    with team.first_alone():
        pairs = paint_pairs(work / "pairs", config.pairs)
    components = fit_components(
        np.array(pairs.targets[::COMPONENT_STRIDE]), latents=config.codec.latents
    )
    with team.first_alone():
        codec = trained_codec(work, pairs, components, config=config.codec, deadline=deadline)
        tokenizer = new_tokenizer(out / "tokenizer", max_length=config.max_length)
    if codec is None:
        return False
    editor, done = trained_editor(
        work, pairs, components, tokenizer, config=config, deadline=deadline
    )
    if team.rank() == 0:
        export(out, editor, codec=codec, tokenizer=tokenizer)
        write_manifest(out)
    return done


def trained_codec(
    work: Path, pairs: Pairs, components: Components, *, config: CodecConfig, deadline: Deadline
) -> Codec | None:
    """Return the codec with its decoder trained as far as the time allows; None if not done."""
    codec = new_codec(config, components)
    final, state = work / "codec.safetensors", work / "codec.pt"
    if final.exists():
        codec.load_state_dict(load_file(final))
        return codec.eval()
    first = 0
    optimizer: torch.optim.Optimizer | None = None
    if state.exists():
        saved = read_state(state)
        codec.load_state_dict(saved["codec"])
        weights = [*codec.decoder.parameters(), *codec.post_quant_conv.parameters()]
        optimizer = torch.optim.AdamW(weights, config.learning_rate)
        optimizer.load_state_dict(saved["optimizer"])
        first = saved["step"]
    step, optimizer = train_decoder(
        codec, pairs.targets, config=config, left_s=deadline.left_s,
        first_step=first, optimizer=optimizer,
    )  # fmt: skip
    if step < config.steps:
        kept = {"codec": codec.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
        torch.save(kept, state)
        return None
    save_file({name: weight.contiguous() for name, weight in codec.state_dict().items()}, final)
    return codec.eval()


def trained_editor(
    work: Path, pairs: Pairs, components: Components, tokenizer: CLIPTokenizer,
    *, config: RemixConfig, deadline: Deadline,
) -> tuple[Editor, bool]:  # fmt: skip
    """Return denoiser and text encoder, trained as the time allows, and whether all is done."""
    tokens = _tokens(tokenizer, pairs.captions, max_length=config.max_length)
    editor = new_editor(config.editor, tokenizer=tokenizer, latents=config.codec.latents)
    for stage in config.stages:
        sources, targets = (
            encode_all(components, pictures, size=stage.size)
            for pictures in (pairs.sources, pairs.targets)
        )
        done = train_stage(
            editor,
            stage,
            latents=(sources, targets),
            tokens=tokens,
            work=work,
            left_s=deadline.left_s,
        )
        if not done:
            return editor, False
    return editor, True


def new_tokenizer(folder: Path, *, max_length: int) -> CLIPTokenizer:
    """Write the vocabulary into a folder and return its tokenizer."""
    words = [*(word for group in WORDS.values() for word in group), *FILLERS, "变成", "照片"]
    write_vocabulary(folder, words=words, max_length=max_length)
    tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(folder)
    return tokenizer


def _tokens(tokenizer: CLIPTokenizer, captions: tuple[str, ...], *, max_length: int) -> Tensor:
    """Return the token ids of all captions, with the empty prompt as the last row."""
    texts = [*captions, ""]
    encoded = tokenizer(texts, padding="max_length", truncation=True, max_length=max_length)
    return torch.from_numpy(np.array(encoded.input_ids, dtype=np.int64))


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description="Train the remix checkpoint.")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint's folder")
    parser.add_argument("--minutes", type=float, help="stop after so long; --resume goes on")
    parser.add_argument("--resume", action="store_true", help="go on with a training under way")
    options = parser.parse_args(arguments)
    team.join()
    level = logging.WARNING if team.rank() else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(message)s")
    work = options.out.with_name(options.out.name + ".work")
    with team.first_alone():
        if work.exists() and not options.resume and not team.rank():
            parser.error(f"{work} holds a training under way: give --resume, or remove it")
        work.mkdir(parents=True, exist_ok=True)
    done = train(options.out, config=RemixConfig(), minutes=options.minutes)
    logger.info(json.dumps({"out": str(options.out), "done": done}))


if __name__ == "__main__":
    main()
