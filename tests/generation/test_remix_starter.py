"""The starter checkpoint on photographs it has never seen: the network does the work."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_gradient_magnitude

from generation.imaging import to_pixels
from generation.pipelines.base import EngineConfig, Finished
from generation.pipelines.img2img import Img2ImgPipeline, Img2ImgRow
from generation.pipelines.img2img_plan import image_guidance_of
from generation.request import ImageRequest, NoteCode, Pixels
from generation.weights import Manifest, checkpoint_folder
from tests.generation.checkpoints import real
from tests.photographs import photograph

torch.set_num_threads(1)

NAMES = ("china", "astronaut", "coffee", "chelsea")
SIDE = 256


@pytest.fixture(scope="module")
def starter() -> Img2ImgPipeline:
    return Img2ImgPipeline.load(
        model="remix", config=EngineConfig(device="cpu", models_dir=Path("none"))
    )


def _run(
    pipeline: Img2ImgPipeline, image: Pixels, prompt: str, *, strength: float = 1.0, seed: int = 0
) -> tuple[Img2ImgRow, Finished]:
    request = ImageRequest(
        job_id="one", pipeline="remix", image=image, prompt=prompt, strength=strength, seed=seed
    )
    row = pipeline.admit(request)
    while row.step < row.total_steps:
        pipeline.advance([row])
    return row, pipeline.retire(row)


def _photograph(name: str) -> Pixels:
    return to_pixels(photograph(name, max_side=SIDE))


def _values(picture: Pixels) -> NDArray[np.float64]:
    flat = np.frombuffer(picture.data, dtype=np.uint8)
    return flat.reshape(picture.height, picture.width, 3) / 255


def _distance(first: Pixels, second: Pixels) -> float:
    return float(np.sqrt(((_values(first) - _values(second)) ** 2).mean()))


def _without_finish(pipeline: Img2ImgPipeline) -> Img2ImgPipeline:
    """Return the same network with neither guided filter nor layers."""
    declared = pipeline.checkpoint.manifest
    plain = dataclasses.replace(declared, finish=None, layers=(), masks={})
    return Img2ImgPipeline(
        dataclasses.replace(pipeline.checkpoint, manifest=plain), config=EngineConfig()
    )


def _edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where a picture's brightness changes, coarsely: what an edit should leave alone."""
    edges: NDArray[np.float64] = gaussian_gradient_magnitude(values.mean(axis=2), 4).ravel()
    return edges


def _keeps_layout(before: NDArray[np.float64], after: NDArray[np.float64]) -> bool:
    return bool(np.corrcoef(_edges(before), _edges(after))[0, 1] > 0.3)


def _darkened(pipeline: Img2ImgPipeline, name: str) -> bool:
    """Return whether night takes a third of the light away and keeps the picture's layout."""
    image = _photograph(name)
    before, after = _values(image), _values(_run(pipeline, image, "night")[1].image)
    return bool(after.mean() < 0.67 * before.mean()) and _keeps_layout(before, after)


def _fogged(pipeline: Img2ImgPipeline, name: str) -> bool:
    """Return whether fog takes a fifth of the contrast away and keeps the picture's layout."""
    image = _photograph(name)
    before, after = _values(image), _values(_run(pipeline, image, "fog")[1].image)
    paler = after.mean(axis=2).std() < 0.8 * before.mean(axis=2).std()
    return bool(paler) and _keeps_layout(before, after)


@pytest.mark.slow
def test_with_the_finish_off_night_darkens_and_fog_lowers_contrast(
    starter: Img2ImgPipeline,
) -> None:
    plain = _without_finish(starter)
    assert [name for name in NAMES if not _darkened(plain, name)] == []
    assert [name for name in NAMES if not _fogged(plain, name)] == []


@pytest.mark.slow
def test_with_the_denoisers_weights_shuffled_nothing_of_it_happens() -> None:
    shuffled = _without_finish(
        Img2ImgPipeline.load(
            model="remix", config=EngineConfig(device="cpu", models_dir=Path("none"))
        )
    )
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in shuffled.checkpoint.denoiser.parameters():
            order = torch.randperm(weight.numel(), generator=rng)
            weight.copy_(weight.flatten()[order].view(weight.shape))
    assert [name for name in NAMES if _darkened(shuffled, name)] == []
    assert [name for name in NAMES if _fogged(shuffled, name)] == []


def test_two_prompts_differ_more_than_two_seeds(starter: Img2ImgPipeline) -> None:
    image = _photograph("china")
    night, fog = (_run(starter, image, prompt)[1].image for prompt in ("night", "fog"))
    other = _run(starter, image, "night", seed=1)[1].image
    assert other != night
    assert _distance(night, fog) > 3 * _distance(night, other)


@pytest.mark.parametrize(
    "prompt", ["night", *(pytest.param(it, marks=pytest.mark.slow) for it in ("sunset", "snow"))]
)
def test_the_distance_to_the_photograph_grows_with_strength(
    starter: Img2ImgPipeline, prompt: str
) -> None:
    image = _photograph("coffee")
    strengths = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    results = [_run(starter, image, prompt, strength=s)[1].image for s in strengths]
    distances = [_distance(image, result) for result in results]
    assert distances[0] == 0
    assert (np.diff(distances) > 0).all()


def test_the_finish_keeps_the_edges_of_the_full_size_photograph(starter: Img2ImgPipeline) -> None:
    image = to_pixels(photograph("china", max_side=512))
    before, after = (
        np.diff(_values(picture).mean(axis=2), axis=1).ravel()
        for picture in (image, _run(starter, image, "sunset")[1].image)
    )
    assert np.corrcoef(before, after)[0, 1] > 0.6


@pytest.mark.slow
def test_synonyms_and_chinese_words_mean_the_same_edit(starter: Img2ImgPipeline) -> None:
    image = _photograph("china")
    night = _run(starter, image, "night")[1].image
    sunset = _run(starter, image, "sunset")[1].image
    for prompt in ("make it midnight", "夜晚"):
        same = _run(starter, image, prompt)[1].image
        assert _distance(same, night) < 0.6 * _distance(same, sunset)


def test_many_unknown_words_do_not_crowd_out_the_known_one(starter: Img2ImgPipeline) -> None:
    image = _photograph("china")
    prompt = "my extraordinarily wonderful grandmother sleepwalking peacefully at night"
    assert _run(starter, image, prompt)[1].image == _run(starter, image, "night")[1].image


def test_an_unknown_word_is_said_back_with_the_known_ones(starter: Img2ImgPipeline) -> None:
    image = _photograph("coffee")
    notes = _run(starter, image, "a dragon at night")[1].notes
    assert [note.code for note in notes] == [NoteCode.UNKNOWN_WORDS, NoteCode.KNOWN_WORDS]
    assert notes[0].words == ("dragon",)
    assert {"night", "sunset", "snow", "autumn", "fog", "rain"} <= set(notes[1].words)


def test_the_starters_rows_are_the_steps_of_diffusers_own_pipeline(
    starter: Img2ImgPipeline,
) -> None:
    folder = checkpoint_folder("remix", models_dir=Path("none"))
    reference = real.StableDiffusionInstructPix2PixPipeline.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
    )
    reference.set_progress_bar_config(disable=True)
    row, _ = _run(starter, _photograph("coffee"), "fog", seed=3)
    manifest: Manifest = starter.checkpoint.manifest
    assert row.edit is not None
    assert manifest.num_inference_steps is not None
    noise = torch.randn(row.edit.latents.shape, generator=torch.Generator().manual_seed(3))
    expected = reference(
        "fog",
        image=row.source,
        num_inference_steps=manifest.num_inference_steps,
        guidance_scale=manifest.guidance_scale,
        image_guidance_scale=image_guidance_of(1.0, full=manifest.image_guidance_scale or 0),
        latents=noise,
        output_type="latent",
    ).images
    assert float((row.edit.latents - expected).abs().max()) <= 1e-4


def test_the_same_seed_gives_the_same_bytes(starter: Img2ImgPipeline) -> None:
    image = _photograph("rocket")
    assert _run(starter, image, "rain")[1] == _run(starter, image, "rain")[1]


def test_the_starter_is_small_and_safetensors_only() -> None:
    folder = checkpoint_folder("remix", models_dir=Path("none"))
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 10_000_000
    kinds = {path.suffix or path.name for path in files}
    assert kinds <= {".safetensors", ".json", ".txt", ".md", "SHA256SUMS"}
