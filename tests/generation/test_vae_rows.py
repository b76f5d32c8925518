"""Every make of VAE by one path: told from its files, varied, blended, designed by, to the byte."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from generation.catalogue import entries
from generation.encoding import decode_png, encode_frames, smaller_animation
from generation.errors import InvalidRequestError, ModelUnavailableError, PictureTooLargeError
from generation.pipelines.base import EngineConfig, Finished
from generation.pipelines.enlarging import enlarged, sharpened
from generation.pipelines.vae_rows import VaePipeline
from generation.request import Canvas, ImageRequest, NoteCode, Pixels, Walk
from generation.vaes import heard, vaes
from tests.generation.vaes import WORDS, save_kl, save_rooms, save_tiny

torch.set_num_threads(1)
SIZE = (40, 36)
MAKES = {"rooms": "pictures", "plain": "pictures", "kl": "kl", "tiny": "tiny"}


def photo(seed: int, size: tuple[int, int] = SIZE) -> Pixels:
    width, height = size
    data = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Pixels(width=width, height=height, data=data.tobytes())


def values(picture: Pixels) -> NDArray[np.int64]:
    flat = np.frombuffer(picture.data, np.uint8).astype(np.int64)
    return flat.reshape(picture.height, picture.width, 3)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    save_rooms(folder / "rooms")
    save_rooms(folder / "plain", prior=False)
    save_kl(folder / "kl")
    save_tiny(folder / "tiny")
    return folder


@pytest.fixture(scope="module")
def loaded(models: Path) -> dict[str, VaePipeline]:
    config = EngineConfig(device="cpu", models_dir=models)
    return {name: VaePipeline.load(model=name, config=config) for name in MAKES}


def run(pipeline: VaePipeline, *requests: ImageRequest) -> list[Finished]:
    """Run requests beside each other, as an engine does."""
    rows = [pipeline.admit(request) for request in requests]
    while left := [row for row in rows if row.step < row.total_steps]:
        pipeline.advance(left)
    return [pipeline.retire(row) for row in rows]


def varied(**changes: object) -> ImageRequest:
    given = {"job_id": "v", "pipeline": "vae", "image": photo(1), "strength": 0.5, "seed": 3}
    return ImageRequest(**{**given, **changes})  # type: ignore[arg-type]


def blended(**changes: object) -> ImageRequest:
    return varied(job_id="b", style_image=photo(2, (64, 32)), **changes)


def designed(**changes: object) -> ImageRequest:
    canvas = Canvas(width=128, height=128)
    given = {"job_id": "d", "pipeline": "design", "image": canvas, "strength": 1.0}
    return varied(**{**given, **changes})


def test_vaes_are_told_from_their_files_and_are_no_checkpoints(models: Path) -> None:
    found = {vae.name: vae for vae in vaes(models_dir=models)}
    assert {name: found[name].make for name in MAKES} == MAKES
    assert found["rooms"].words == WORDS
    assert [name for name, vae in found.items() if vae.designs and name in MAKES] == ["rooms"]
    assert (found["remix"].make, found["remix"].alone) == ("kl", False)
    assert not {entry.name for entry in entries(models_dir=models)} & set(MAKES)


@pytest.mark.parametrize("name", MAKES)
def test_every_make_varies_and_blends_at_the_pictures_size(
    name: str, loaded: dict[str, VaePipeline]
) -> None:
    for request in (varied(), blended()):
        (made,) = run(loaded[name], request)
        assert (made.image.width, made.image.height) == SIZE
        assert not np.array_equal(values(made.image), values(photo(1)))


def test_strength_0_returns_the_input_and_more_goes_further(
    loaded: dict[str, VaePipeline],
) -> None:
    for make in (varied, blended):
        unchanged, little, far = run(
            loaded["kl"], make(strength=0.0), make(strength=0.1), make(strength=1.0)
        )
        assert unchanged.image == photo(1)
        barely = run(loaded["kl"], make(strength=1e-6))[0]
        away = [np.abs(values(it.image) - values(barely.image)).mean() for it in (little, far)]
        assert 0 < away[0] < away[1]


def test_the_whole_way_to_the_second_picture_is_that_picture_again(
    loaded: dict[str, VaePipeline],
) -> None:
    square = photo(2, (32, 32))
    request = varied(image=photo(1, (32, 32)), style_image=square, strength=1.0)
    (there,) = run(loaded["kl"], request)
    (again,) = run(loaded["kl"], varied(image=square, style_image=square, strength=0.5))
    assert np.abs(values(there.image) - values(again.image)).max() <= 1


def test_pictures_that_are_carried_over_begin_and_end_as_they_are(tmp_path: Path) -> None:
    pipeline = VaePipeline.load(
        model="remix", config=EngineConfig(device="cpu", models_dir=tmp_path)
    )
    size = (200, 200)
    first, second = photo(1, size), photo(2, size)
    there = varied(image=first, style_image=second, strength=1.0, walk=Walk(frames=2))
    barely = varied(image=first, strength=1e-6)
    middle = varied(image=first, style_image=second, strength=0.5)
    ends, still, half = run(pipeline, there, barely, middle)
    assert ends.image.data == first.data + second.data
    assert still.image.data == first.data
    mixed = (values(first) + values(second)) / 2
    assert 0.5 < np.abs(values(half.image) - mixed).mean() < 60


@pytest.mark.parametrize("make", [varied, blended, designed])
def test_a_picture_does_not_depend_on_who_shares_its_calls(
    make: object, loaded: dict[str, VaePipeline]
) -> None:
    assert callable(make)
    pipeline = loaded["rooms"]
    (alone,) = run(pipeline, make())
    crowd = run(pipeline, designed(seed=9), make(), blended(strength=0.2), make(seed=4))
    assert crowd[1] == alone


def test_a_design_depends_on_its_seed_and_its_words(loaded: dict[str, VaePipeline]) -> None:
    requests = [designed(), designed(seed=4), designed(prompt="a bedroom with blue walls")]
    first, other, told = (values(it.image) for it in run(loaded["rooms"], *requests))
    assert first.shape == (128, 128, 3)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, told)


def test_a_direction_of_0_changes_nothing_and_more_changes_more(
    loaded: dict[str, VaePipeline],
) -> None:
    walk = Walk(direction="evening")
    requests = [designed(walk=walk, strength=amount) for amount in (0.0, 0.3, 1.0)]
    plain, none, little, far = (it.image for it in run(loaded["rooms"], designed(), *requests))
    assert none == plain
    away = [np.abs(values(it) - values(plain)).mean() for it in (little, far)]
    assert 0 < away[0] < away[1]


def test_words_lead_a_varied_picture_and_unknown_ones_are_said_back(
    loaded: dict[str, VaePipeline],
) -> None:
    plain, led = run(loaded["rooms"], varied(), varied(prompt="evening with zebras"))
    assert not np.array_equal(values(plain.image), values(led.image))
    assert [(note.code, note.words) for note in led.notes] == [
        (NoteCode.UNKNOWN_WORDS, ("zebras",)),
        (NoteCode.KNOWN_WORDS, WORDS),
    ]
    (made,) = run(loaded["kl"], varied(prompt="evening"))
    assert [note.words for note in made.notes] == [("evening",)]


def test_frames_go_from_the_first_picture_to_the_end_one_a_step(
    loaded: dict[str, VaePipeline],
) -> None:
    pipeline = loaded["kl"]
    row = pipeline.admit(blended(strength=1.0, walk=Walk(frames=3)))
    assert row.total_steps == 3
    assert pipeline.preview(row) is None
    pipeline.advance([row])
    shown = pipeline.preview(row)
    assert shown is not None
    assert (shown.width, shown.height) == SIZE
    pipeline.advance([row])
    pipeline.advance([row])
    made = pipeline.retire(row)
    assert made.parameters == (("frames", "3"),)
    assert (made.image.width, made.image.height) == (SIZE[0], 3 * SIZE[1])
    frames = np.split(values(made.image), 3)
    (middle,) = run(pipeline, blended(strength=0.5))
    assert np.array_equal(frames[1], values(middle.image))


@pytest.mark.parametrize("walk", [Walk(frames=3), Walk(frames=3, direction="evening")])
def test_a_design_walks_to_another_or_in_a_direction(
    walk: Walk, loaded: dict[str, VaePipeline]
) -> None:
    moving, still = run(loaded["rooms"], designed(walk=walk), designed())
    frames = np.split(values(moving.image), 3)
    assert np.array_equal(frames[0], values(still.image))
    assert not np.array_equal(frames[0], frames[2])


@pytest.mark.parametrize(
    ("name", "request_of", "said"),
    [
        ("kl", designed(), "kl has no prior"),
        ("rooms", designed(walk=Walk(direction="cosy")), "no direction 'cosy'"),
        ("rooms", varied(mask=photo(3)), "takes no mask"),
    ],
)
def test_what_a_vae_cannot_do_is_refused(
    name: str, request_of: ImageRequest, said: str, loaded: dict[str, VaePipeline]
) -> None:
    with pytest.raises(InvalidRequestError, match=said):
        loaded[name].admit(request_of)


def test_a_wrong_or_foreign_file_is_refused_with_a_sentence(models: Path, tmp_path: Path) -> None:
    config = EngineConfig(device="cpu", models_dir=tmp_path)
    for name in ("rooms", "kl", "tiny"):
        shutil.copytree(models / name, tmp_path / name)
    shutil.copy(models / "kl" / "diffusion_pytorch_model.safetensors", tmp_path / "tiny")
    shutil.copy(
        models / "kl" / "diffusion_pytorch_model.safetensors",
        tmp_path / "rooms" / "model.safetensors",
    )
    weights = tmp_path / "kl" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    for name in ("rooms", "kl", "tiny"):
        with pytest.raises(ModelUnavailableError, match=f"{name} holds no .* that can be loaded"):
            VaePipeline.load(model=name, config=config)
    with pytest.raises(ModelUnavailableError, match="there is no VAE 'nowhere'; known: kl"):
        VaePipeline.load(model="nowhere", config=config)


def test_a_prior_of_something_else_is_no_prior(models: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(models / "rooms", tmp_path / "rooms"))
    told = folder / "prior" / "config.json"
    told.write_text(json.dumps({**json.loads(told.read_text()), "network": "os:system"}))
    (found,) = [vae for vae in vaes(models_dir=tmp_path) if vae.name == "rooms"]
    assert not found.designs


def test_prompts_name_attributes_longest_first() -> None:
    words = ("blue walls", "walls", "bedroom")
    assert heard("A bedroom with Blue walls!", words=words) == (("blue walls", "bedroom"), ())
    assert heard("walls of a blue bathroom", words=words) == (("walls",), ("blue", "bathroom"))


def test_an_animation_goes_there_and_back_and_fits(models: Path) -> None:
    strip = Pixels(width=32, height=96, data=b"".join(bytes([n]) * 3072 for n in (0, 120, 250)))
    made = encode_frames(strip, 3, 10**6, {"Seed": "7"})
    assert made.media_type == "image/gif"
    assert (made.width, made.height) == (32, 32)
    assert decode_png(made.data).data[0] == 0
    smaller = smaller_animation(made.data, 10**6)
    assert (smaller.width, smaller.height) == (16, 16)
    with pytest.raises(PictureTooLargeError):
        encode_frames(strip, 3, 10, {})


def test_enlarging_keeps_flat_colours_and_makes_edges_steep() -> None:
    flat = torch.full((1, 3, 8, 8), 0.3)
    torch.testing.assert_close(enlarged(flat, height=32, width=32), torch.full((1, 3, 32, 32), 0.3))
    edge = torch.zeros(1, 3, 8, 8)
    edge[..., 4:] = 1
    made = enlarged(edge, height=32, width=32)
    soft = torch.nn.functional.interpolate(edge, scale_factor=4, mode="bicubic").clamp(0, 1)
    assert made.diff(dim=3).max() > 1.5 * soft.diff(dim=3).max()
    assert enlarged(edge, height=8, width=8) is edge
    noise = torch.rand(1, 3, 16, 16)
    found = sharpened(noise, passes=5)
    assert found.min() >= noise.min()
    assert found.max() <= noise.max()
