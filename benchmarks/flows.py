"""What it gains that requests share calls of a transformer: `python -m benchmarks.flows`.

A small FLUX.1 schnell of the real classes with random weights is loaded as any checkpoint is.
Eight requests of different lengths are made one after another, each call with one row, and
together, as the engine makes them; who begins takes turns, and the median of the ratios counts.
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from transformers import CLIPTokenizer, T5Config, T5EncoderModel, T5Tokenizer

from benchmarks.checkpoint import quiet, real, text_encoder, vae
from benchmarks.jobs import SIDE, WORDS
from generation.pipelines.base import EngineConfig
from generation.pipelines.img2img import Img2ImgPipeline
from generation.request import Canvas, ImageRequest
from generation.training.vocabulary import write_vocabulary

NAME, ROWS, TURNS = "flow", 8, 5
STEPS = (2, 3, 4, 6)
WIDTH, HEADS, LAYERS = 64, 4, 2


def save_flow(models_dir: Path) -> None:
    """Write the checkpoint: four blocks that see 256 tokens of the prompt and the picture's."""
    quiet()
    folder = models_dir / NAME
    torch.manual_seed(0)
    write_vocabulary(folder / "tokenizer", words=WORDS, max_length=16)
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    reader = text_encoder(tokenizer)
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -5.0)]
    pieces += [(f"\u2581{word}", -1.0) for word in WORDS]
    t5: dict[str, Any] = {"d_model": 32, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 4}
    codec = vae()
    codec.register_to_config(shift_factor=0.1)
    real.FluxPipeline(
        transformer=real.FluxTransformer2DModel(
            in_channels=4 * codec.config.latent_channels,
            num_layers=LAYERS,
            num_single_layers=LAYERS,
            attention_head_dim=WIDTH // HEADS,
            num_attention_heads=HEADS,
            joint_attention_dim=32,
            pooled_projection_dim=reader.config.hidden_size,
            axes_dims_rope=(4, 4, 8),
            guidance_embeds=False,
        ),
        scheduler=real.FlowMatchEulerDiscreteScheduler(),
        vae=codec,
        text_encoder=reader,
        tokenizer=tokenizer,
        text_encoder_2=T5EncoderModel(T5Config(vocab_size=len(pieces), **t5)),
        tokenizer_2=T5Tokenizer(vocab=pieces, extra_ids=0),
    ).save_pretrained(folder)
    (folder / "atelier.json").write_text(f'{{"native_size": {SIDE}}}', encoding="utf-8")


def requests() -> Sequence[ImageRequest]:
    """Return the requests: pictures from words, of two to six steps."""
    canvas = Canvas(width=SIDE, height=SIDE)
    return [
        ImageRequest(
            job_id=str(seed),
            pipeline="remix",
            image=canvas,
            prompt=WORDS[seed % len(WORDS)],
            num_inference_steps=STEPS[seed % len(STEPS)],
            seed=seed,
        )
        for seed in range(ROWS)
    ]


def seconds(pipeline: Img2ImgPipeline, groups: Sequence[Sequence[ImageRequest]]) -> float:
    """Return what the steps of groups take, each begun when the one before has ended."""
    waiting = [[pipeline.admit(request) for request in group] for group in groups]
    started = time.perf_counter()
    for rows in waiting:
        while under_way := [row for row in rows if row.step < row.total_steps]:
            pipeline.advance(under_way)
    return time.perf_counter() - started


def main() -> None:
    """Measure, and say the ratio of every turn."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        save_flow(Path(folder))
        pipeline = Img2ImgPipeline.load(
            model=NAME,
            config=EngineConfig(device="cpu", models_dir=Path(folder), exact=False),
        )
        ratios = []
        for turn in range(TURNS + 1):
            both: list[list[Sequence[ImageRequest]]] = [[[it] for it in requests()], [requests()]]
            order = both if turn % 2 else both[::-1]
            taken = {len(groups): seconds(pipeline, groups) for groups in order}
            ratios.append(taken[ROWS] / taken[1])
    # The first turn warms up.
    found = ", ".join(f"{ratio:.2f}" for ratio in ratios[1:])
    print(f"{ROWS} requests together: {median(ratios[1:]):.2f} times as fast ({found})")


if __name__ == "__main__":
    main()
