"""Checkpoints that are listed like real ones, for engines that do not look into them."""

import json
import shutil
from pathlib import Path

from generation.weights import STARTER
from generation.wholeness import SUMS


def painter(folder: Path, *, title: str = "A painter") -> Path:
    """Write a checkpoint that paints from words: the starter, said to be Stable Diffusion 1.x."""
    shutil.copytree(STARTER / "remix", folder, ignore=shutil.ignore_patterns(SUMS))
    (folder / "atelier.json").write_text(json.dumps({"title": title}))
    for name, changes in (
        ("model_index.json", {"_class_name": "StableDiffusionPipeline"}),
        ("unet/config.json", {"in_channels": 8}),
    ):
        config = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(config | changes))
    return folder
