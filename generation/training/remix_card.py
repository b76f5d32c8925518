"""What the remix checkpoint says of itself: its ``atelier.json``, and the card to read."""

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from generation.training.captions import FILLERS, MASK_PROMPT, WORDS
from generation.training.cards import CARD, rows_of
from generation.weights import MANIFEST

LAYERS: tuple[dict[str, Any], ...] = (
    {"layer": "stars", "edits": ["night", "aurora"], "mask": "sky"},
    {"layer": "lights", "edits": ["night", "aurora"], "mask": "sky", "outside": True},
    {"layer": "lightning", "edits": ["storm"], "mask": "sky"},
    {"layer": "glow", "edits": ["neon"]},
    {"layer": "flakes", "edits": ["snow"]},
    {"layer": "drops", "edits": ["rain"], "amount": 0.75},
    {"layer": "drops", "edits": ["storm"], "amount": 0.3},
    {"layer": "embers", "edits": ["inferno"]},
    {"layer": "petals", "edits": ["spring"], "amount": 0.7},
    {"layer": "rays", "edits": ["underwater"]},
    {"layer": "bubbles", "edits": ["underwater"]},
    {"layer": "relief", "edits": ["clay"]},
    {"layer": "flat", "edits": ["cartoon"]},
    {"layer": "wash", "edits": ["watercolour"]},
    {"layer": "brush", "edits": ["ink"]},
    {"layer": "pencil", "edits": ["sketch"]},
    {"layer": "grain", "edits": ["vintage", "noir"], "amount": 0.8},
)
"""In the order in which they are drawn: what falls, then what light does, then a medium's lines."""


def remix_manifest() -> dict[str, Any]:
    """Return the declaration: size, steps, guidance, finish, layers, words."""
    return {
        "title": "Atelier remix starter",
        "native_size": 96,
        "num_inference_steps": 6,
        "guidance_scale": 1.3,
        "image_guidance_scale": 1.0,
        "finish": {"method": "guided_filter", "radius": 5, "eps": 0.001},
        "masks": {"sky": MASK_PROMPT},
        "layers": list(LAYERS),
        "words": {edit: list(words) for edit, words in WORDS.items()},
        "fillers": sorted(set(FILLERS)),
    }


def write_manifest(folder: Path) -> None:
    """Write ``atelier.json`` into a checkpoint's folder."""
    text = json.dumps(remix_manifest(), ensure_ascii=False, indent=2) + "\n"
    (folder / MANIFEST).write_text(text, "utf-8")


def write_card(
    folder: Path, *, recipe: Mapping[str, Any], samples: int, history: Sequence[Mapping[str, Any]]
) -> None:
    """Write the card: what it knows, how a picture is made, how it was trained, its limits."""
    edits = "\n".join(f"| {edit} | {', '.join(words)} |" for edit, words in WORDS.items())
    drawn = [f"{layer['layer']} ({', '.join(layer['edits'])})" for layer in LAYERS]
    layers = textwrap.fill(f"they are: {', '.join(drawn)}.", 96, subsequent_indent="   ")
    start = recipe.get("start")
    begun = f", which began from the checkpoint in `{start}`, narrowed" if start else ""
    text = _CARD.format(
        edits=edits, layers=layers, begun=begun, samples=f"{samples:,}",
        figures=rows_of(_last(history)),
        recipe=rows_of({f"`{name}`": value for name, value in recipe.items()}),
    )  # fmt: skip
    (folder / CARD).write_text(text, "utf-8")


def _last(history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the newest of every figure."""
    newest: dict[str, Any] = {}
    for line in history:
        newest.update(line)
    return newest


_CARD = """# Atelier remix starter

A small instruction-following diffusion model: a photograph and a few words in, the photograph in
another light, weather, season or medium out. It is an ordinary
`StableDiffusionInstructPix2PixPipeline` folder (`UNet2DConditionModel`, `AutoencoderKL`,
`CLIPTextModel`, `CLIPTokenizer`, `DDIMScheduler`), safetensors in half precision, and runs with
diffusers alone. `atelier.json` declares how Atelier finishes its pictures and which words it knows.

## What it knows
In any order, several at once ("a snowy night in watercolour", "雪夜 水墨"):

| edit | words |
|---|---|
{edits}

"mask of the sky" makes it answer with a mask, which stars and lightning are kept to.

## How a picture is made
1. The photograph is shrunk to 96 px and edited there in 6 DDIM steps with three rows of guidance
   (words 1.3, picture 1.0). Colour, light and tone are the network's, in every edit: a sky that
   turns, leaves that redden, what ink or pigment would leave of a colour.
2. A guided filter (a local affine model of colour) carries the small result over to the full-size
   photograph, whose detail stays.
3. Layers of plain arithmetic draw what 96 px cannot hold. They are no network, and are called what
   {layers}
   The lines of a medium are taken from the photograph, its colours from the network.

Strength blends the edit with the source (`1 - (1 - s)^2`) and raises the image guidance as it
falls (`1.5 - 0.5 s` times the declared); 0 returns the photograph untouched.

## How it was trained
`python -m bot train remix --out FOLDER` with the settings below: {samples} samples of the denoiser
and text encoder{begun}.

The pictures are procedural: mountains, cities, rooms, people, tables, animals ... painted by
arithmetic (`generation/training/views.py`, `close_ups.py`) with jitter of gamma, colour, light,
blur and grain. Because they are painted, sky, leaves, ground, distance and lamps are known exactly;
the targets are parametric edits (`generation/postprocess/parametric.py`, `media.py`) computed from
that truth. No photograph, no artwork of others and no other model was used. Half of the prompts are
the edits' words alone, in any order; the rest come from templates with strange words that it learns
to pass over; 5 % each are without words, without picture and without both.

| setting | value |
|---|---|
{recipe}

| figure at the end | value |
|---|---|
{figures}

`held out error` is the root mean square distance to the wished edits of scenes that nothing was
trained on, in [0, 1].

## Limits
- It changes light, colour, weather and medium; it makes no new objects. Other words are said back.
- It was taught on painted scenes: in photographs it can take a bright wall for sky.
- Soft blotches of colour can show in large, empty skies; the edit itself has 96 px.
- Known words only: the text encoder has seen nothing else.

Licence: Apache-2.0, as the rest of the project.
"""
