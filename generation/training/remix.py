"""Train the remix checkpoint: InstructPix2Pix (Brooks, Holynski & Efros, CVPR 2023), made small.

Differs from the paper: everything is trained from nothing on painted scenes; the targets are
parametric edits; v-prediction with zero terminal signal (Lin et al., WACV 2024).
"""

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import CLIPTokenizer

from generation.devices import torch_device
from generation.errors import InvalidRequestError
from generation.training.captions import CHINESE_FILLERS, FILLERS, WORDS
from generation.training.codec import (
    Codec,
    CodecConfig,
    components_of,
    decoded,
    decoder_loss,
    decoder_optimizer,
    encode_all,
    fit_components,
    load_codec,
    new_codec,
    one_cycle,
    random_crops,
)
from generation.training.course import Figures, Mixed, Precision, require_positive
from generation.training.narrowing import begin_from
from generation.training.pairs import Pairs, PairsConfig, paint_pairs
from generation.training.remix_card import write_card, write_manifest
from generation.training.remix_model import (
    AVERAGE_EVERY,
    Averaged,
    Batch,
    EditorConfig,
    Stage,
    draw_batch,
    edited,
    editor_loss,
    export,
    new_editor,
    new_scheduler,
)
from generation.training.sheets import sheet
from generation.training.vocabulary import write_vocabulary

COMPONENT_STRIDE = 40
"""Every so many-th target serves to fit the codec's components."""
HELD_OUT, EXAMINED = 16, 4
"""Scenes, the last ones, that nothing is trained on, and how many edits of each are compared."""
ROWS = 5
SHOWN = ("night", "sunset", "snow", "autumn", "watercolour", "cartoon", "sketch")
MAX_LENGTH = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class RemixConfig:
    """How the remix checkpoint is trained; small pictures come first.

    Args:
        scenes: pictures to start from.
        edits: targets for each of them.
        size: side of the pictures in pixels.
        small_size: the same, of the first stage, where layout and meaning are learned cheaply.
        decoder_steps: of the codec's decoder, the first steps of all; 0 with a codec.
        small_steps: of the denoiser at the small size.
        steps: of the denoiser at the full size.
        small_batch: pictures of a step at the small size.
        batch: pictures of a step at the full size.
        learning_rate: of AdamW, at the small size.
        last_rate: the same, at the full size.
        channels: widths of the denoiser's levels.
        text_width: of the text encoder.
        codec: folder of a trained codec to take as it is; none trains one.
        start: folder of a checkpoint to begin from, with its codec; none begins from nothing.
        painters: processes that paint the scenes.
        report_steps: steps after which it is examined, and its state kept.
        seed: of everything that is drawn.
        precision: that the networks calculate in.
        device: "cpu", "cuda:0", or "auto".
    """

    scenes: int = 7000
    edits: int = 6
    size: int = 96
    small_size: int = 64
    decoder_steps: int = 1500
    small_steps: int = 3000
    steps: int = 1500
    small_batch: int = 16
    batch: int = 12
    learning_rate: float = 1e-3
    last_rate: float = 7e-4
    channels: str = "32,64,112"
    text_width: int = 128
    codec: str = ""
    start: str = ""
    painters: int = 2
    report_steps: int = 250
    seed: int = 1
    precision: Precision = "float32"
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse what nothing can be trained with."""
        require_positive(
            self, "scenes", "edits", "size", "small_size", "small_steps", "steps", "small_batch",
            "batch", "learning_rate", "last_rate", "text_width", "painters", "report_steps",
        )  # fmt: skip
        if bool(self.codec) == bool(self.decoder_steps):
            raise InvalidRequestError("decoder_steps are 0 with a codec, and above 0 without one")

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The denoiser's stages, in their order."""
        small = Stage(
            size=self.small_size, steps=self.small_steps, batch=self.small_batch,
            learning_rate=self.learning_rate,
        )  # fmt: skip
        full = Stage(
            size=self.size, steps=self.steps, batch=self.batch, learning_rate=self.last_rate
        )
        return small, full


class RemixCourse:
    """The training: a ``Course``, of the decoder's steps and then the denoiser's."""

    report_every: int

    def __init__(self, config: RemixConfig, *, pairs: Pairs) -> None:
        self.config, self.pairs = config, pairs
        self.report_every = config.report_steps
        self.device = torch_device(config.device)
        self._mixed = Mixed(device=self.device, precision=config.precision)
        self.codec = self._new_codec().to(self.device)
        self.components = components_of(self.codec)
        with tempfile.TemporaryDirectory() as folder:
            self.tokenizer = new_tokenizer(Path(folder))
        self.tokens = tokens_of(self.tokenizer, pairs.captions)
        self.editor = new_editor(
            EditorConfig(
                channels=tuple(int(width) for width in config.channels.split(",")),
                text_width=config.text_width,
                seed=config.seed,
            ),
            tokenizer=self.tokenizer,
            latents=self.codec.config.latent_channels,
        ).to(self.device)
        if config.start:
            begin_from(self.editor, Path(config.start), tokenizer=self.tokenizer)
        self._averaged = Averaged(self.editor)
        self._alphas = new_scheduler().alphas_cumprod.to(self.device)
        self._optimizer: torch.optim.Optimizer = decoder_optimizer(self.codec)
        self._stage: Stage | None = None
        self._latents: tuple[Tensor, Tensor] | None = None

    @classmethod
    def begun(cls, config: RemixConfig, *, data: Path | None, work: Path) -> Self:
        """Return the training on painted scenes.

        Raises:
            InvalidRequestError: a folder is named; what is in its pictures nobody knows.
        """
        if data is not None:
            raise InvalidRequestError("remix paints its pairs itself: leave --data out")
        wanted = PairsConfig(
            scenes=config.scenes, edits_per_scene=config.edits, size=config.size,
            workers=config.painters, seed=config.seed,
        )  # fmt: skip
        return cls(config, pairs=paint_pairs(work / "pairs", wanted))

    @property
    def recipe(self) -> Mapping[str, Any]:
        """Return the configuration and where the pairs are from."""
        return {**asdict(self.config), "data": "scenes that this training paints"}

    @property
    def total_steps(self) -> int:
        """Steps of the decoder and of all stages."""
        return self.config.decoder_steps + sum(stage.steps for stage in self.config.stages)

    def step(self, number: int) -> Figures:
        """Take the step of a number: one of the decoder, or one of the denoiser."""
        if number < self.config.decoder_steps:
            return self._decoder_step(number)
        stage, place = self._place(number)
        self._enter(stage, afresh=place == 0)
        return self._editor_step(stage, place)

    def _new_codec(self) -> Codec:
        if self.config.codec:
            return load_codec(Path(self.config.codec))
        settings = CodecConfig(steps=self.config.decoder_steps)
        some = np.array(self.pairs.targets[::COMPONENT_STRIDE])
        return new_codec(settings, fit_components(some, latents=settings.latents))

    def _decoder_step(self, number: int) -> Figures:
        settings = CodecConfig(steps=self.config.decoder_steps)
        for group in self._optimizer.param_groups:
            group["lr"] = settings.learning_rate * one_cycle(number / settings.steps)
        crops = random_crops(self.pairs.targets, config=settings, step=number).to(self.device)
        with self._mixed():
            loss = decoder_loss(self.codec, crops)
        self._mixed.minimise(loss, self._optimizer, longest=1.0)
        return {"decoder_loss": loss.item()}

    def _place(self, number: int) -> tuple[Stage, int]:
        """Return the stage that a step belongs to, and its number there."""
        place = number - self.config.decoder_steps
        small, full = self.config.stages
        return (small, place) if place < small.steps else (full, place - small.steps)

    def _enter(self, stage: Stage, *, afresh: bool) -> None:
        """Have a stage's latents at hand; begun afresh it starts from the averaged weights."""
        if afresh:
            self.editor.load_state_dict(self._averaged.editor.state_dict())
            self._averaged = Averaged(self.editor)
            self._optimizer = self._editor_optimizer(stage)
        if self._stage != stage:
            self._stage, self._latents = stage, self._encoded(stage.size)

    def _editor_optimizer(self, stage: Stage) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.editor.parameters(), stage.learning_rate, weight_decay=0.01)

    def _encoded(self, size: int) -> tuple[Tensor, Tensor]:
        """Return the latents of all sources and targets at a size."""
        sources, targets = (
            encode_all(self.components, pictures, size=size)
            for pictures in (self.pairs.sources, self.pairs.targets)
        )
        return sources, targets

    def _editor_step(self, stage: Stage, place: int) -> Figures:
        for group in self._optimizer.param_groups:
            group["lr"] = stage.learning_rate * one_cycle(place / stage.steps)
        assert self._latents is not None
        count = len(self.pairs.targets) - self._held_out * self.pairs.edits_per_scene
        batch = draw_batch(
            self._latents, self.tokens, stage=stage, config=self.editor.config, step=place,
            count=count,
        )  # fmt: skip
        loss = self._loss(batch)
        self._mixed.minimise(loss, self._optimizer, longest=1.0)
        if place % AVERAGE_EVERY == 0:
            self._averaged.follow(self.editor, step=place)
        return {f"loss_{stage.size}": loss.item()}

    def _loss(self, batch: Batch) -> Tensor:
        with self._mixed():
            return editor_loss(self.editor, batch.to(self.device), alphas=self._alphas)

    @property
    def _held_out(self) -> int:
        return min(HELD_OUT, len(self.pairs.sources) // 4)

    @torch.no_grad()
    def examine(self) -> Figures:
        """Return how far the edits of held-out scenes are from what they should be, in pixels."""
        if self._stage is None:
            return {}
        errors = []
        for turn in range(min(EXAMINED, self.pairs.edits_per_scene)):
            rows = self._held_rows(turn)
            found = self._edited(rows, [self.pairs.captions[row] for row in rows])
            errors.append((found - self._pictures(self.pairs.targets[rows])).square().mean())
        return {"held_out_error": float(torch.stack(errors).mean().sqrt())}

    def _held_rows(self, turn: int = 0) -> list[int]:
        """Return the rows of one target of each held-out scene, of another one every turn."""
        each, count = self.pairs.edits_per_scene, len(self.pairs.sources)
        return [row * each + (row + turn) % each for row in range(count - self._held_out, count)]

    def _pictures(self, values: Any) -> Tensor:  # noqa: ANN401 - an array of bytes
        tensor = torch.from_numpy(np.array(values)).permute(0, 3, 1, 2).float().div(255)
        return tensor.to(self.device)

    @torch.no_grad()
    def _edited(self, rows: list[int], prompts: list[str]) -> Tensor:
        """Return the sources of rows, edited as prompts say, in [0, 1]."""
        each, size = self.pairs.edits_per_scene, self.config.size
        sources = np.array(self.pairs.sources[[row // each for row in rows]])
        latents = encode_all(self.components, sources, size=size).float().to(self.device)
        tokens = tokens_of(self.tokenizer, tuple(prompts)).to(self.device)
        return decoded(self.codec, edited(self._averaged.editor, latents, tokens=tokens))

    @torch.no_grad()
    def sheets(self) -> Mapping[str, Image.Image]:
        """Return held-out scenes with some edits beside each other."""
        if self._stage is None:
            return {}
        rows = self._held_rows()[:ROWS]
        each = self.pairs.edits_per_scene
        sources = self._pictures(self.pairs.sources[[row // each for row in rows]])
        prompts = [WORDS[edit][0] for edit in SHOWN] * len(rows)
        found = self._edited([row for row in rows for _ in SHOWN], prompts)
        found = found.reshape(len(rows), len(SHOWN), *found.shape[1:])
        pictures = torch.cat([sources[:, None], found], dim=1)
        return {"edits": sheet(pictures.flatten(0, 1), columns=1 + len(SHOWN))}

    def state(self) -> dict[str, Any]:
        """Return weights, averages, optimiser and loss scale."""
        return {
            "codec": self.codec.state_dict(),
            "editor": self.editor.state_dict(),
            "averaged": self._averaged.editor.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "mixed": self._mixed.state(),
            "stage": 0 if self._stage is None else self._stage.size,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take a state over."""
        self.codec.load_state_dict(state["codec"])
        self.components = components_of(self.codec)
        self.editor.load_state_dict(state["editor"])
        self._averaged.editor.load_state_dict(state["averaged"])
        stage = next((it for it in self.config.stages if it.size == state["stage"]), None)
        if stage is not None:
            self._optimizer = self._editor_optimizer(stage)
            self._enter(stage, afresh=False)
        self._optimizer.load_state_dict(state["optimizer"])
        self._mixed.restore(state["mixed"])

    def export(self, folder: Path, *, history: list[dict[str, Any]]) -> None:
        """Write the checkpoint in diffusers' layout, what it declares, and its card."""
        export(folder, self._averaged.editor, codec=self.codec, tokenizer=self.tokenizer)
        write_manifest(folder)
        samples = sum(stage.steps * stage.batch for stage in self.config.stages)
        write_card(folder, recipe=self.recipe, samples=samples, history=history)


def new_tokenizer(folder: Path) -> CLIPTokenizer:
    """Write the vocabulary into a folder and return its tokenizer."""
    phrases = [word for group in WORDS.values() for word in group]
    words = [*(word for phrase in phrases for word in phrase.split()), *FILLERS, *CHINESE_FILLERS]
    write_vocabulary(folder, words=words, max_length=MAX_LENGTH)
    tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(folder)
    return tokenizer


def tokens_of(tokenizer: CLIPTokenizer, captions: tuple[str, ...]) -> Tensor:
    """Return the token ids of captions, with the empty prompt as one more row, the last.

    Shape:
        - returns: ``(N + 1, length)``.
    """
    texts = [*captions, ""]
    encoded = tokenizer(texts, padding="max_length", truncation=True, max_length=MAX_LENGTH)
    return torch.from_numpy(np.array(encoded.input_ids, dtype=np.int64))
