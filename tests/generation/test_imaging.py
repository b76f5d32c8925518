"""Value ranges change in one place, without losing a level."""

import pytest
import torch
from PIL import Image

from generation.errors import GenerationError
from generation.imaging import to_pil, to_pixels, to_tensor
from generation.request import Pixels
from tests.generation import pictures


def test_all_256_levels_survive_the_way_to_a_tensor_and_back() -> None:
    pixels = Pixels(width=16, height=16, data=bytes(v for v in range(256) for _ in range(3)))
    tensor = to_tensor(pixels)
    assert tensor.shape == (1, 3, 16, 16)
    assert tensor.dtype == torch.float32
    assert (float(tensor.min()), float(tensor.max())) == (0.0, 1.0)
    assert to_pixels(tensor) == pixels


def test_rows_columns_and_channels_keep_their_places() -> None:
    image = pictures.corners(6, 4)
    tensor = to_tensor(image)
    assert tensor.shape == (1, 3, 4, 6)
    right_top = (tensor[0, :, 0, -1] * 255).round().int().tolist()
    assert right_top == list(pictures.CORNERS[1])
    assert to_pil(tensor).tobytes() == image.tobytes()
    assert to_pil(to_pixels(image)).tobytes() == image.tobytes()


def test_values_beyond_the_range_are_clamped() -> None:
    tensor = torch.tensor([-0.5, 0.5, 1.5]).view(1, 3, 1, 1)
    assert to_pixels(tensor).data == bytes([0, 128, 255])


def test_a_batch_dimension_is_optional() -> None:
    tensor = torch.rand(1, 3, 5, 7)
    assert to_pixels(tensor) == to_pixels(tensor[0])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_picture_of_no_numbers_is_an_error(value: float) -> None:
    with pytest.raises(GenerationError):
        to_pixels(torch.full((1, 3, 2, 2), value))


def test_a_tensor_of_other_channels_is_an_error() -> None:
    with pytest.raises(ValueError, match="3 channels"):
        to_pixels(torch.zeros(1, 4, 2, 2))


def test_any_pil_mode_becomes_rgb() -> None:
    assert to_pixels(Image.new("L", (2, 2), 9)).data == bytes([9] * 12)
