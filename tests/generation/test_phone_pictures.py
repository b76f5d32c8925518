"""Files as phones send them, through every starter: upright, of their size, still to be seen."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from generation import intake
from generation.artworks import artworks
from generation.encoding import decode_png
from generation.imaging import to_pixels
from generation.pipelines.base import EngineConfig, Pipeline
from generation.postprocess.layers import draw_layer
from generation.registry import pipeline_spec, resolve
from generation.request import ImageRequest, Pixels
from tests.photographs import phone_pictures

torch.set_num_threads(1)
SIDE = 384
WAYS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "golden hour": ("remix", {"prompt": "golden hour"}),
    "night": ("remix", {"prompt": "night"}),
    "storm": ("remix", {"prompt": "storm"}),
    "watercolour": ("remix", {"prompt": "watercolour"}),
    "watercolour night": ("remix", {"prompt": "watercolour night"}),
    "clay": ("remix", {"prompt": "clay"}),
    "sketch": ("remix", {"prompt": "sketch"}),
    "collage": ("collage", {"style_image": "poppies"}),
    "hybrid": ("hybrid", {"style_image": "mosaic"}),
    "gatys": ("gatys", {"style_image": "night", "num_inference_steps": 12}),
    "blend": ("vae", {"style_image": "pastel", "strength": 0.3}),
    "variation": ("vae", {}),
}
LOST = {("collage", "tiny")}
"""What is not to be made out: the finest pieces of a collage are a tenth of so small a picture."""


@cache
def loaded(name: str) -> Pipeline[Any]:
    spec = pipeline_spec(name)
    config = EngineConfig(device="cpu", models_dir=Path("none"))
    return resolve(spec.target).load(model=spec.model, config=config)


@cache
def prepared() -> Mapping[str, Pixels]:
    files = phone_pictures().items()
    return {name: decode_png(intake.prepare(data, SIDE).png) for name, data in files}


def made(name: str, picture: Pixels) -> Pixels:
    pipeline, wish = WAYS[name]
    wish = dict(wish)
    if "style_image" in wish:
        with Image.open(artworks()[wish["style_image"]].path) as opened:
            wish["style_image"] = to_pixels(opened)
    given = {"strength": 0.8, "seed": 1} | wish
    request = ImageRequest(job_id="phone", pipeline=pipeline, image=picture, **given)
    row = loaded(pipeline).admit(request)
    while row.step < row.total_steps:
        loaded(pipeline).advance([row])
    image: Pixels = loaded(pipeline).retire(row).image
    return image


def coarse(picture: Pixels) -> NDArray[np.float64]:
    """Return the brightness of a picture at 48 px, in [0, 1]."""
    image = Image.frombytes("RGB", (picture.width, picture.height), picture.data).convert("L")
    return np.asarray(image.resize((48, 48), Image.Resampling.BOX)) / 255


def contours(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how steep brightness is, but for the outer sixth, where a watercolour has paper."""
    down, right = np.gradient(values)
    steep: NDArray[np.float64] = np.hypot(down, right)[8:-8, 8:-8].ravel()
    return steep


def test_phones_files_come_upright_whole_and_no_larger_than_allowed() -> None:
    sizes = {name: (it.width, it.height) for name, it in prepared().items()}
    assert sizes == {
        "turned": (384, 255),
        "night": (384, 384),
        "12 MP": (384, 288),
        "tall": (216, 384),
        "panorama": (384, 96),
        "screenshot": (216, 384),
        "grey": (384, 259),
        "transparent": (384, 256),
        "tiny": (64, 43),
    }
    assert coarse(prepared()["transparent"])[0, 0] == 1, "what was transparent is white"


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_every_starter_leaves_something_to_see_of_every_phones_picture(way: str) -> None:
    for name, picture in prepared().items():
        result = made(way, picture)
        assert (result.width, result.height) == (picture.width, picture.height), name
        before, after = coarse(picture), coarse(result)
        assert after.mean() > min(0.09, 0.9 * before.mean()), name
        assert after.std() > 0.03, name
        likeness = np.corrcoef(contours(before), contours(after))[0, 1]
        assert likeness > 0.2 or (way, name) in LOST, f"{name}: {likeness:.2f}"


def test_a_margin_is_narrow_where_the_picture_is() -> None:
    blue = np.full((43, 64, 3), (0.2, 0.3, 0.6), np.float32)
    drawn = draw_layer("wash", rgb=blue, source=blue, mask=None, amount=1.0, seed=1)
    bare = (drawn.min(axis=2) > 0.85).mean()
    assert 0 < bare < 0.35
