"""What the remix checkpoint declares about itself in its ``atelier.json``."""

import json
from pathlib import Path
from typing import Any

from generation.training.captions import FILLERS, MASK_PROMPT, WORDS
from generation.weights import MANIFEST

LAYERS: tuple[dict[str, Any], ...] = (
    {"layer": "stars", "edits": ["night", "aurora"], "mask": "sky"},
    {"layer": "lights", "edits": ["night", "aurora", "neon"], "mask": "sky", "outside": True},
    {"layer": "flakes", "edits": ["snow"]},
    {"layer": "drops", "edits": ["rain"], "amount": 0.75},
    {"layer": "drops", "edits": ["storm"], "amount": 0.45},
    {"layer": "embers", "edits": ["inferno"]},
    {"layer": "petals", "edits": ["spring"], "amount": 0.7},
    {"layer": "bubbles", "edits": ["underwater"]},
    {"layer": "grain", "edits": ["vintage", "noir"], "amount": 0.8},
)


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
        "fillers": list(FILLERS),
    }


def write_manifest(folder: Path) -> None:
    """Write ``atelier.json`` into a checkpoint's folder."""
    text = json.dumps(remix_manifest(), ensure_ascii=False, indent=2) + "\n"
    (folder / MANIFEST).write_text(text, "utf-8")
