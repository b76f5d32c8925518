"""Nearest-patch synthesis and the collage over it."""

from collections.abc import Iterator

import pytest
import torch

from generation.pipelines import hybrid
from generation.pipelines.collage import CollageConfig
from generation.pipelines.hybrid import (
    ROUNDS,
    SCALES,
    HybridPipeline,
    _averaged,
    _palette,
    _patches,
    synthesised,
)
from generation.registry import PIPELINES, resolve
from generation.request import ImageRequest, Pixels
from tests.generation.test_collage import landscape, run, stripes


def request(**more: object) -> ImageRequest:
    settings: dict[str, object] = {"strength": 0.7, "seed": 5, **more}
    return ImageRequest(
        job_id="job",
        pipeline="hybrid",
        image=landscape(),
        style_image=stripes(),
        **settings,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def pipeline() -> Iterator[HybridPipeline]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    config = CollageConfig(bank_size=64, patches=(24, 12), thresholds=(-1.0, 0.01))
    yield HybridPipeline(device=torch.device("cpu"), config=config)
    torch.set_num_threads(threads)


def test_the_registry_leads_to_it() -> None:
    assert resolve(PIPELINES["hybrid"].target) is HybridPipeline


def test_patches_laid_where_they_were_cut_are_the_picture() -> None:
    image = torch.rand(1, 3, 30, 36, generator=torch.Generator().manual_seed(0))
    laid = _averaged(_patches(image), size=image.shape[-2:])
    torch.testing.assert_close(laid, image, atol=1e-6, rtol=0)


def test_an_artwork_is_made_of_its_own_patches() -> None:
    """With every patch of the picture in the palette, each place finds itself."""
    rng = torch.Generator().manual_seed(1)
    image = torch.rand(1, 3, 27, 33, generator=rng)
    patches = _patches(torch.nn.functional.pad(image, (9, 9, 9, 9), mode="replicate"))
    palette = _palette(image, seed=0)
    features = (patches - palette.mean) @ palette.axes
    whole = hybrid.Palette(
        patches=patches,
        mean=palette.mean,
        axes=palette.axes,
        features=features,
        bias=features.square().sum(1) / 2,
    )
    made, overuse = synthesised(image, whole)
    torch.testing.assert_close(made, image, atol=1e-5, rtol=0)
    assert float(overuse.max()) == 0


def test_the_palettes_axes_are_orthonormal_and_keep_most_of_the_variance() -> None:
    palette = _palette(torch.rand(1, 3, 40, 20, generator=torch.Generator().manual_seed(2)), seed=3)
    square = palette.axes.T @ palette.axes
    torch.testing.assert_close(square, torch.eye(len(square)), atol=1e-5, rtol=0)
    smooth = torch.linspace(0, 1, 40).view(1, 1, 40, 1).expand(1, 3, 40, 30).contiguous()
    gradual = _palette(smooth, seed=3)
    kept = gradual.features.square().sum()
    assert float(kept / (gradual.patches - gradual.mean).square().sum()) > 0.999


def test_it_is_built_in_rounds_then_painted_and_is_the_same_beside_others(
    pipeline: HybridPipeline,
) -> None:
    alone = run(pipeline, request())
    rows = [pipeline.admit(request()), pipeline.admit(request(seed=6))]
    assert rows[0].total_steps == len(SCALES) * ROUNDS + 2
    previews: list[Pixels] = []
    while rows[0].step < rows[0].total_steps:
        pipeline.advance(rows)
        previews.append(pipeline.preview(rows[0]))
    assert pipeline.retire(rows[0]).image == alone
    assert pipeline.retire(rows[1]).image != alone
    assert len(set(previews)) > ROUNDS


def test_strength_0_returns_the_input(pipeline: HybridPipeline) -> None:
    row = pipeline.admit(request(strength=0.0))
    assert row.total_steps == 0
    assert pipeline.retire(row).image == landscape()
