"""The collage on real photographs: it is more than colour matching, and the picture remains."""

from collections.abc import Callable, Iterator

import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from generation.artworks import artworks
from generation.imaging import to_tensor
from generation.pipelines.base import EngineConfig
from generation.pipelines.collage import CollagePipeline
from generation.pipelines.collage_colours import match_colours
from generation.request import ImageRequest, Pixels
from tests.photographs import photograph

SIDE = 8
MANY = [
    (name, artwork)
    for name in ("astronaut", "chelsea", "coffee", "rocket", "motorcycle", "china", "flower")
    for artwork in ("night", "poppies", "mosaic")
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def artwork_at(name: str, side: int) -> Tensor:
    """Return an artwork at the size from which the pipeline cuts its patches."""
    with Image.open(artworks()[name].path) as opened:
        return to_tensor(opened.convert("RGB").resize((side, side), Image.Resampling.BILINEAR))


def patches(image: Tensor, *, count: int) -> Tensor:
    """Return random patches of 8 px with the mean of each channel removed."""
    unfolded = functional.unfold(image, SIDE)[0].T.view(-1, 3, SIDE, SIDE)
    rng = torch.Generator().manual_seed(1)
    chosen = unfolded[torch.randperm(len(unfolded), generator=rng)[:count]]
    return chosen - chosen.mean((2, 3), keepdim=True)


def distances_to_artwork(image: Tensor, artwork: Tensor) -> tuple[float, float]:
    """Return how far patches are from the artwork's nearest, its quarter turns included.

    The first number is the mean distance; the second is the mean of the distances as shares of
    the patches' own contrast. An empty patch is near every other empty patch, so that the first
    favours pictures without any texture; the second asks what part of a patch's texture is the
    artwork's.
    """
    queries = patches(image, count=40)
    norms = queries.square().sum((1, 2, 3))
    best = torch.full((len(queries),), torch.inf)
    for turn in range(4):
        turned = torch.rot90(artwork, turn, (2, 3))
        means = functional.avg_pool2d(turned, SIDE, stride=1)
        squares = functional.avg_pool2d(turned.square(), SIDE, stride=1)
        energy = SIDE**2 * (squares - means.square()).sum(1)
        for some in torch.split(torch.arange(len(queries)), 12):
            found = energy - 2 * functional.conv2d(turned, queries[some])[0]
            best[some] = torch.minimum(best[some], found.flatten(1).min(1).values)
    distances = (best + norms).clamp_min(0).sqrt()
    return float(distances.mean()), float((distances / norms.sqrt().clamp_min(0.1)).mean())


def edges(image: Tensor) -> Tensor:
    """Return the edges of a picture of 64 px: those of things, not of strokes."""
    small = functional.interpolate(image, scale_factor=64 / max(image.shape[-2:]), mode="area")
    light = small.mean(1)
    down = light[:, 1:, :-1] - light[:, :-1, :-1]
    right = light[:, :-1, 1:] - light[:, :-1, :-1]
    return (down.square() + right.square()).sqrt().flatten()


def painted(picture: Image.Image, artwork: str) -> Tensor:
    with Image.open(artworks()[artwork].path) as opened:
        style = opened.convert("RGB")
    pipeline = CollagePipeline.load(model="collage", config=EngineConfig(device="cpu"))
    row = pipeline.admit(
        ImageRequest(
            job_id="job",
            pipeline="collage",
            image=Pixels(width=picture.width, height=picture.height, data=picture.tobytes()),
            style_image=Pixels(width=style.width, height=style.height, data=style.tobytes()),
        )
    )
    while row.step < row.total_steps:
        pipeline.advance([row])
    return to_tensor(pipeline.retire(row).image)


def check(name: str, artwork: str, record: Callable[[str, object], None]) -> tuple[float, float]:
    """Return the distances to the artwork, absolute and in shares, over colour matching's."""
    picture = photograph(name)
    picture = picture.resize((640, round(640 * picture.height / picture.width)))
    content, result = to_tensor(picture), painted(picture, artwork)
    style = artwork_at(artwork, 768)
    distance, share = distances_to_artwork(result, style)
    plain_distance, plain_share = distances_to_artwork(match_colours(content, style), style)
    correlation = float(torch.corrcoef(torch.stack([edges(content), edges(result)]))[0, 1])
    record("patch_distance_ratio", distance / plain_distance)
    record("patch_share_ratio", share / plain_share)
    record("edge_correlation", correlation)
    assert correlation > 0.4, f"{correlation:.2f}"
    return distance / plain_distance, share / plain_share


@pytest.mark.parametrize(
    ("artwork", "share_limit"),
    [("night", 0.6), pytest.param("points", 0.7, marks=pytest.mark.slow)],
)
def test_it_is_nearer_to_the_artwork_than_colour_matching_and_edges_remain(
    artwork: str, share_limit: float, record_property: Callable[[str, object], None]
) -> None:
    distance, share = check("china", artwork, record_property)
    assert distance < 0.95
    assert share < share_limit


@pytest.mark.slow
def test_more_of_its_texture_is_the_artworks_than_after_colour_matching(
    record_property: Callable[[str, object], None],
) -> None:
    _, share = check("coffee", "pastel", record_property)
    assert share < 0.8


@pytest.mark.slow
@pytest.mark.parametrize(("name", "artwork"), MANY)
def test_every_photograph_is_painted_in_every_manner(
    name: str, artwork: str, record_property: Callable[[str, object], None]
) -> None:
    _, share = check(name, artwork, record_property)
    assert share < 1
