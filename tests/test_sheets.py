"""The README's sheets show what the program makes today."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.sheets import SHEETS, file_of

IMAGES = Path(__file__).parents[1] / "docs" / "images"
ALLOWED = 0.5
"""Levels of 255 on average, for processors round differently."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(it, marks=pytest.mark.slow) if it == "remix-edits" else it for it in SHEETS],
)
def test_a_sheet_is_what_the_program_makes(name: str) -> None:
    """`python -m tests.sheets docs/images NAME` makes it anew."""
    made, shown = (
        np.asarray(Image.open(file), np.float32)
        for file in (BytesIO(file_of(SHEETS[name]())), IMAGES / f"{name}.jpg")
    )
    assert made.shape == shown.shape
    assert np.abs(made - shown).mean() < ALLOWED
