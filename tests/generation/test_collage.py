"""The patch collage: what it leaves as it was, what it repeats, and what it refuses."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from generation.errors import InvalidRequestError
from generation.pipelines.base import EngineConfig
from generation.pipelines.collage import CollageConfig, CollagePipeline, CollageRow
from generation.registry import PIPELINES, resolve
from generation.request import ImageRequest, Pixels

PATCHES = (16, 9)

BANK_PARTS = ("centres", "angles", "features", "means", "bias")


def pixels(array: np.ndarray) -> Pixels:
    height, width, _ = array.shape
    return Pixels(width=width, height=height, data=array.astype(np.uint8).tobytes())


def array(picture: Pixels) -> np.ndarray:
    flat = np.frombuffer(picture.data, np.uint8)
    return flat.reshape(picture.height, picture.width, 3).astype(np.float32)


def landscape(width: int = 72, height: int = 56, *, seed: int = 0) -> Pixels:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    sky = np.stack([90 + y, 130 + y, 220 - y], -1)
    hill = np.stack([60 + x, 120 + 0 * x, 50 + 0 * x], -1)
    scene = np.where((y > height * 0.6 + 6 * np.sin(x / 9))[..., None], hill, sky)
    return pixels(np.clip(scene + rng.normal(0, 6, scene.shape), 0, 255))


def stripes(size: int = 96) -> Pixels:
    y, x = np.mgrid[:size, :size]
    wave = 0.5 + 0.5 * np.sin(x / 2.2 + 3 * np.sin(y / 17))
    shade = (0.4 + 0.6 * y / size) * wave
    return pixels(np.stack([40 + 200 * shade, 30 + 150 * shade, 90 + 60 * wave], -1))


def request(image: Pixels | None = None, **more: object) -> ImageRequest:
    settings: dict[str, object] = {"style_image": stripes(), "strength": 0.7, "seed": 5, **more}
    return ImageRequest(
        job_id="job",
        pipeline="collage",
        image=image or landscape(),
        **settings,  # type: ignore[arg-type]
    )


def run(pipeline: CollagePipeline, wanted: ImageRequest) -> Pixels:
    row = pipeline.admit(wanted)
    while row.step < row.total_steps:
        pipeline.advance([row])
    return pipeline.retire(row).image


@pytest.fixture(scope="module")
def pipeline() -> Iterator[CollagePipeline]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    config = CollageConfig(bank_size=64, patches=PATCHES, thresholds=(-1.0, 0.01))
    yield CollagePipeline(device=torch.device("cpu"), config=config)
    torch.set_num_threads(threads)


def test_the_registry_leads_to_it() -> None:
    assert resolve(PIPELINES["collage"].target) is CollagePipeline
    assert PIPELINES["collage"].takes_style_image


def test_loading_needs_no_weights_and_gives_a_pipeline_on_the_device() -> None:
    loaded = CollagePipeline.load(model="collage", config=EngineConfig(device="cpu"))
    row = loaded.admit(request())
    assert row.canvas.device == torch.device("cpu")
    assert row.total_steps == 5


def test_strength_0_returns_the_input_exactly(pipeline: CollagePipeline) -> None:
    image = landscape()
    row = pipeline.admit(request(image, strength=0.0))
    assert row.total_steps == 0
    assert pipeline.retire(row).image == image


def test_the_result_has_the_size_of_the_input_and_differs(pipeline: CollagePipeline) -> None:
    image = landscape()
    made = run(pipeline, request(image))
    assert (made.width, made.height) == (image.width, image.height)
    assert np.abs(array(made) - array(image)).mean() > 5


def test_more_strength_goes_further(pipeline: CollagePipeline) -> None:
    image = landscape()
    distances = [
        np.abs(array(run(pipeline, request(image, strength=strength))) - array(image)).mean()
        for strength in (0.0, 0.15, 0.3, 0.5, 0.7, 1.0)
    ]
    assert distances == sorted(distances)
    assert distances[1] < 0.6 * distances[-1]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_painting(
    pipeline: CollagePipeline,
) -> None:
    first, again = run(pipeline, request()), run(pipeline, request())
    other = run(pipeline, request(seed=6))
    assert first == again
    assert np.abs(array(first) - array(other)).mean() > 1


def test_a_fresh_pipeline_gives_the_same_bytes_as_one_with_its_banks_cut(
    pipeline: CollagePipeline,
) -> None:
    config = CollageConfig(bank_size=64, patches=PATCHES, thresholds=(-1.0, 0.01))
    fresh = CollagePipeline(device=torch.device("cpu"), config=config)
    run(pipeline, request())
    assert run(fresh, request()) == run(pipeline, request())


def test_a_picture_does_not_depend_on_its_neighbours(pipeline: CollagePipeline) -> None:
    wanted = request()
    others = [request(landscape(40, 90, seed=3), seed=9, strength=1.0), request(seed=77)]
    rows = [pipeline.admit(one) for one in (others[0], wanted, others[1])]
    assert len({row.bucket for row in rows}) == 1
    while rows[1].step < rows[1].total_steps:
        pipeline.advance(rows)
    assert pipeline.retire(rows[1]).image == run(pipeline, wanted)


def test_a_failed_step_can_be_repeated(pipeline: CollagePipeline) -> None:
    good, bad = pipeline.admit(request()), pipeline.admit(request())
    bad.canvas = bad.canvas[:, :2]
    with pytest.raises(RuntimeError, match="size"):
        pipeline.advance([good, bad])
    assert good.step == 0
    while good.step < good.total_steps:
        pipeline.advance([good])
    assert pipeline.retire(good).image == run(pipeline, request())


def test_previews_are_small_and_show_the_picture_forming(pipeline: CollagePipeline) -> None:
    row = pipeline.admit(request(landscape(300, 40)))
    before = pipeline.preview(row)
    pipeline.advance([row])
    after = pipeline.preview(row)
    assert (before.width, before.height) == (256, 34)
    assert before != after


def test_a_request_without_an_artwork_is_refused(pipeline: CollagePipeline) -> None:
    with pytest.raises(InvalidRequestError, match="artwork"):
        pipeline.admit(request(style_image=None))


def plain(width: int, height: int, colour: tuple[int, int, int]) -> Pixels:
    return Pixels(width=width, height=height, data=bytes(colour) * (width * height))


@pytest.mark.parametrize(
    ("image", "style_image"),
    [
        pytest.param(landscape(16, 16), stripes(), id="smallest upload"),
        pytest.param(landscape(1, 1), stripes(), id="one pixel"),
        pytest.param(landscape(1024, 17), stripes(), id="a strip"),
        pytest.param(landscape(17, 400), stripes(), id="a column"),
        pytest.param(plain(60, 44, (128, 128, 128)), stripes(), id="flat grey"),
        pytest.param(plain(60, 44, (0, 0, 0)), stripes(), id="black"),
        pytest.param(landscape(), stripes(5), id="artwork smaller than a patch"),
        pytest.param(landscape(), landscape(200, 3), id="artwork as a thread"),
        pytest.param(landscape(), plain(1, 1, (200, 30, 60)), id="artwork of one pixel"),
        pytest.param(landscape(), plain(80, 80, (200, 30, 60)), id="artwork of one colour"),
        pytest.param(plain(40, 40, (9, 9, 9)), plain(80, 80, (250, 250, 250)), id="flat both"),
    ],
)
def test_odd_pictures_and_artworks_work(
    pipeline: CollagePipeline, image: Pixels, style_image: Pixels
) -> None:
    made = run(pipeline, request(image, style_image=style_image))
    assert (made.width, made.height) == (image.width, image.height)


def test_an_artwork_of_one_colour_gives_that_colour(pipeline: CollagePipeline) -> None:
    made = array(run(pipeline, request(style_image=plain(64, 64, (200, 30, 60)), strength=1.0)))
    assert np.abs(made - (200, 30, 60)).max() < 12


def test_artworks_are_kept_ready_but_only_so_many(pipeline: CollagePipeline) -> None:
    one = CollagePipeline(device=torch.device("cpu"), config=CollageConfig(bank_size=16))
    run(one, request(style_image=landscape(seed=1)))
    taken = one._styles.bytes
    limited = CollagePipeline(
        device=torch.device("cpu"), config=CollageConfig(bank_size=16, kept_bytes=2 * taken)
    )
    first: CollageRow = limited.admit(request(style_image=landscape(seed=1)))
    while first.step < first.total_steps:
        limited.advance([first])
    parts = [
        *(getattr(bank, name) for bank in first.style.banks.values() for name in BANK_PARTS),
        first.style.image,
    ]
    assert sum(part.nbytes for part in parts) == taken
    assert limited.admit(request(style_image=landscape(seed=1))).style is first.style
    for seed in (2, 3):
        limited.admit(request(style_image=landscape(seed=seed)))
    assert limited.admit(request(style_image=landscape(seed=1))).style is not first.style
    assert limited.counted == {"artwork_hits": 1, "artwork_misses": 4}
