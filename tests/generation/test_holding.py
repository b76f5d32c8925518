"""What is done to networks to hold them: what it saves, and what becomes of the pictures."""

import shutil
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from generation.devices import weight_bytes
from generation.errors import ModelTooLargeError
from generation.holding import Seats, narrow
from generation.memory import Look, Place
from generation.pipelines.base import EngineConfig
from generation.pipelines.img2img import Img2ImgPipeline
from generation.pipelines.whole import WholePipeline
from generation.planning import place_of, plan_for, said_of
from generation.request import ImageRequest, Pixels
from tests.generation.checkpoints import save_img2img
from tests.generation.live_bytes import peak_of

torch.set_num_threads(1)

# Diffusers hands tensors to numpy in a way that numpy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

NAME = "wide"
MB = 10**6


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    save_img2img(folder / NAME, block_out_channels=(64, 128), sample_size=32)
    return folder


@pytest.fixture(scope="module")
def plainly(models: Path) -> Img2ImgPipeline:
    return _load(models, {})


def _config(models: Path, **changes: Any) -> EngineConfig:  # noqa: ANN401 - of any field
    return EngineConfig(device="cpu", models_dir=models, **changes)


@cache
def _shared(models: Path, *names: str) -> Img2ImgPipeline:
    """Return the checkpoint with some measures, the same to every test that asks for it."""
    return _load(models, dict.fromkeys(names, True))


def _load(models: Path, look: dict[str, bool]) -> Img2ImgPipeline:
    """Load the checkpoint with what is told of its look, as if that had been settled before."""

    class Settled(Img2ImgPipeline):
        @classmethod
        def plan(cls, *, model: str, config: EngineConfig) -> Any:  # noqa: ANN401 - a plan
            found = plan_for(model, config=config)
            return replace(found, look=replace(found.look, **look))

    return Settled.load(model=NAME, config=_config(models))


def _picture(pipeline: Img2ImgPipeline, **changes: Any) -> NDArray[np.int16]:  # noqa: ANN401
    grid = np.random.default_rng(0).integers(0, 256, (6, 8, 3))
    data = np.kron(grid, np.ones((8, 8, 1))).astype(np.uint8).tobytes()
    fields: dict[str, Any] = {"prompt": "night", "num_inference_steps": 3, **changes}
    row = pipeline.admit(
        ImageRequest(
            job_id="one",
            pipeline="remix",
            image=Pixels(width=64, height=48, data=data),
            strength=0.8,
            **fields,
        )
    )
    while row.step < row.total_steps:
        pipeline.advance([row])
    return np.frombuffer(pipeline.retire(row).image.data, np.uint8).astype(np.int16)


def _unlike(one: NDArray[np.int16], other: NDArray[np.int16]) -> tuple[int, float]:
    """Return the largest difference in levels of 255, and the mean one."""
    apart = np.abs(one - other)
    return int(apart.max()), float(apart.mean())


def test_weights_in_8_bits_take_two_fifths_and_hardly_change_the_picture(
    models: Path, plainly: Img2ImgPipeline
) -> None:
    small = _shared(models, "int8")
    assert small.weight_bytes < 0.4 * plainly.weight_bytes
    most, mean = _unlike(_picture(small), _picture(plainly))
    assert (most <= 4, 0 < mean < 0.5) == (True, True), (most, mean)
    again = _load(models, {"int8": True})
    assert np.array_equal(_picture(again), _picture(small))


def test_a_weight_in_8_bits_is_within_half_a_level_of_what_it_was() -> None:
    torch.manual_seed(0)
    for layer in (nn.Linear(256, 160), nn.Conv2d(64, 128, 3), nn.Linear(512, 512).bfloat16()):
        before = layer.weight.detach().float().clone()
        narrow(layer)
        after = layer.weight.detach().float()
        level = before.abs().amax(dim=tuple(range(1, before.ndim)), keepdim=True) / 127
        rounding = 2.0**-8 * before.abs() if layer.weight.dtype is torch.bfloat16 else 1e-6
        assert bool(((after - before).abs() <= level * 0.51 + 2 * rounding).all())
    zeros = nn.Linear(256, 160)
    nn.init.zeros_(zeros.weight)
    narrow(zeros)
    assert not zeros.weight.any()


def test_small_weights_and_lookups_stay_as_they_are() -> None:
    network = nn.Sequential(nn.Embedding(1000, 64), nn.Linear(64, 64), nn.LayerNorm(64))
    before = weight_bytes([network])
    assert weight_bytes([narrow(network)]) == before


def test_lora_lie_beside_weights_in_8_bits(models: Path) -> None:
    small = _load(models, {"int8": True})
    name, layer = next(
        (name, it)
        for name, it in small.checkpoint.denoiser.named_modules()
        if name.endswith("attn1.to_q")
    )
    rng = torch.Generator().manual_seed(0)
    wide = layer.weight.shape[1]
    (models / "loras").mkdir(exist_ok=True)
    save_file(
        {
            f"unet.{name}.lora_A.weight": torch.randn(4, wide, generator=rng),
            f"unet.{name}.lora_B.weight": torch.randn(wide, 4, generator=rng),
        },
        models / "loras" / "strokes.safetensors",
    )
    bare = _picture(small)
    assert not np.array_equal(_picture(small, prompt="night <strokes:1.5>"), bare)
    assert np.array_equal(_picture(small, prompt="night <strokes:0>"), bare)
    assert np.array_equal(_picture(small), bare)


def test_a_codec_in_tiles_works_with_less_and_pictures_differ_slightly(
    models: Path, plainly: Img2ImgPipeline
) -> None:
    tiled = _shared(models, "tiles")
    latents = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    whole, tiles = (peak_of(partial(it.checkpoint.decode, latents)) for it in (plainly, tiled))
    assert tiles < 0.45 * whole
    most, mean = _unlike(_picture(tiled), _picture(plainly))
    # Random weights have no tones that hold across a picture; a trained codec's tiles agree more.
    assert (most <= 40, 0 < mean < 4) == (True, True), (most, mean)


def test_attention_in_slices_works_with_less_where_it_writes_its_scores_down(
    models: Path, plainly: Img2ImgPipeline
) -> None:
    sliced = _shared(models, "slices")
    latents, words = torch.zeros(1, 4, 64, 64), torch.zeros(1, 12, 16)

    def peak(pipeline: Img2ImgPipeline) -> int:
        unet = pipeline.checkpoint.denoiser
        return peak_of(lambda: unet(latents, torch.zeros(1), encoder_hidden_states=words))

    with sdpa_kernel(SDPBackend.MATH):
        assert peak(sliced) < 0.8 * peak(plainly)
    assert peak(plainly) < peak(sliced)
    assert _unlike(_picture(sliced), _picture(plainly))[0] <= 1


def test_here_attention_never_writes_its_scores_down() -> None:
    keys = torch.zeros(1, 2, 512, 40)
    attend = torch.nn.functional.scaled_dot_product_attention
    assert place_of(EngineConfig(device="cpu")).fused
    assert peak_of(lambda: attend(keys, keys, keys)) < 2 * 512 * 512 * 4


def test_a_picture_says_what_was_done_that_it_depends_on(
    models: Path, plainly: Img2ImgPipeline
) -> None:
    def told(pipeline: Img2ImgPipeline) -> str | None:
        image = Pixels(width=16, height=16, data=bytes(768))
        row = pipeline.admit(
            ImageRequest(job_id="one", pipeline="remix", image=image, num_inference_steps=2)
        )
        while row.step < row.total_steps:
            pipeline.advance([row])
        return dict(pipeline.retire(row).parameters).get("memory")

    assert told(plainly) is None
    assert told(_shared(models, "tiles")) == "tiles"
    assert told(_shared(models, "int8")) == "int8"


@pytest.mark.slow
def test_networks_take_turns_and_pictures_stay_the_same(
    models: Path, plainly: Img2ImgPipeline
) -> None:
    """Who is inside is told by the seats; that others are elsewhere needs a device apart."""

    class Moving(Img2ImgPipeline):
        @classmethod
        def plan(cls, *, model: str, config: EngineConfig) -> Any:  # noqa: ANN401 - a plan
            return replace(plan_for(model, config=config), encoders=True, turns=True)

    pipeline = Moving.load(model=NAME, config=_config(models))
    model, seats = pipeline.checkpoint, pipeline.checkpoint.seats
    assert pipeline.weight_bytes == weight_bytes([model.denoiser])
    assert len(seats.moving) == 3
    model.embed("night")
    assert list(seats.inside) == [model.text_encoder]
    latents = model.encode(torch.zeros(1, 3, 64, 64))
    assert list(seats.inside) == [model.vae]
    model.decode(latents)
    assert list(seats.inside) == [model.vae]
    expected = _picture(plainly)
    assert np.array_equal(_picture(pipeline), expected)
    pipeline.put_away()
    assert list(seats.inside) == []
    pipeline.bring()
    assert np.array_equal(_picture(pipeline), expected)


def test_of_those_that_stay_none_is_ever_moved(models: Path) -> None:
    parts = {"unet": nn.Linear(2, 2), "vae": nn.Linear(2, 2), "text_encoder": nn.Linear(2, 2)}
    found = plan_for(NAME, config=_config(models))
    seats = Seats(parts, plan=replace(found, encoders=True), device=torch.device("cpu"))
    assert seats.staying == (parts["unet"], parts["vae"])
    parts["text_encoder"](torch.zeros(2))
    assert list(seats.inside) == [parts["text_encoder"]]
    parts["unet"](torch.zeros(2))
    assert list(seats.inside) == []


class Crowded(nn.Linear):
    """Notes where it is sent; the first time there is no room for it on the device."""

    def __init__(self) -> None:
        super().__init__(2, 2)
        self.went: list[str] = []

    def to(self, place: Any) -> "Crowded":  # type: ignore[override]  # noqa: ANN401 - a device
        self.went.append(str(place))
        if self.went.count("meta") == 1 and str(place) == "meta":
            raise torch.OutOfMemoryError("no memory is left")
        return self


def test_what_found_no_room_on_the_device_is_not_left_there_in_part(models: Path) -> None:
    part = Crowded()
    plan = replace(plan_for(NAME, config=_config(models)), turns=True)
    seats = Seats({"unet": part}, plan=plan, device=torch.device("meta"))
    with pytest.raises(torch.OutOfMemoryError):
        seats.enter(part)
    assert list(seats.inside) == []
    seats.enter(part)
    assert list(seats.inside) == [part]
    assert part.went == ["cpu", "meta", "cpu", "meta"]


def test_a_library_s_own_pipeline_is_held_by_the_same_plan(models: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(models / NAME, tmp_path / NAME)
    (folder / "atelier.json").write_text('{"native_size": 16}')
    whole = WholePipeline.load(model=NAME, config=_config(tmp_path))
    needed = plan_for(NAME, config=_config(tmp_path)).needed
    config = _config(tmp_path, memory_bytes=int(0.8 * needed))
    small = WholePipeline.load(model=NAME, config=config)
    assert small.weight_bytes < 0.4 * whole.weight_bytes
    image = Pixels(width=16, height=16, data=bytes(768))
    row = small.admit(
        ImageRequest(job_id="one", pipeline="remix", image=image, num_inference_steps=2)
    )
    while row.step < row.total_steps:
        small.advance([row])
    assert dict(small.retire(row).parameters)["memory"] == "int8"


def test_what_pictures_depend_on_is_settled_once_for_all_loads(
    models: Path, tmp_path: Path
) -> None:
    plans = tmp_path / "plans.json"

    def look(memory: int, **changes: Any) -> Look:  # noqa: ANN401 - of any field
        place = replace(place_of(EngineConfig(device="cpu")), memory=memory, free=True)
        config = _config(models, plans=plans, place=place, **changes)
        return plan_for(NAME, config=config).look

    assert look(20 * MB).int8
    assert look(10**9).int8, "a moment with more memory changes nothing"
    assert not look(10**9, batch_rows=4).int8, "other calls are settled anew"
    with pytest.raises(ModelTooLargeError, match="10 MB are free on cpu"):
        look(10 * MB)
    plans.unlink()
    assert not look(10**9).int8
    with pytest.raises(ModelTooLargeError, match=r"needs about 25 MB; 20 MB are free on cpu"):
        look(20 * MB)


def test_where_nothing_is_kept_what_is_free_does_not_change_the_look(models: Path) -> None:
    here = place_of(EngineConfig(device="cpu"))
    for memory in (10**9, 30 * MB):
        place: Place = replace(here, memory=memory)
        assert not plan_for(NAME, config=_config(models, place=place)).look.int8
    with pytest.raises(ModelTooLargeError):
        plan_for(NAME, config=_config(models, place=replace(here, memory=20 * MB)))


def test_what_is_said_of_a_checkpoint_settles_nothing(models: Path, tmp_path: Path) -> None:
    plans = tmp_path / "plans.json"
    said = said_of(NAME, config=_config(models, plans=plans))
    assert said[-1] == "nothing has to be done for that"
    small = said_of(NAME, config=_config(models, plans=plans, memory_bytes=20 * MB))
    assert any("kept in 8 bits (saves 8.35 MB" in line for line in small)
    (refused,) = said_of(NAME, config=_config(models, plans=plans, memory_bytes=MB))
    assert "1.00 MB are allowed on cpu" in refused
    assert not plans.exists()
    plan_for(NAME, config=_config(models, plans=plans))
    assert (
        "was settled at an earlier load" in said_of(NAME, config=_config(models, plans=plans))[-1]
    )


@pytest.mark.gpu
@pytest.mark.parametrize("measures", [{"encoders": True}, {"encoders": True, "turns": True}])
def test_on_a_gpu_parts_wait_in_the_host_s_memory_and_pictures_stay_the_same(
    models: Path, measures: dict[str, Any]
) -> None:
    class Moving(Img2ImgPipeline):
        @classmethod
        def plan(cls, *, model: str, config: EngineConfig) -> Any:  # noqa: ANN401 - a plan
            return replace(plan_for(model, config=config), **measures)

    config = EngineConfig(device="cuda", models_dir=models, profile=False)
    expected = _picture(Img2ImgPipeline.load(model=NAME, config=config))
    pipeline = Moving.load(model=NAME, config=config)
    model = pipeline.checkpoint
    assert model.text_encoder.device.type == "cpu"
    for _ in range(3):
        assert np.array_equal(_picture(pipeline), expected)
        for part in model.seats.moving:
            there = next(part.parameters()).device.type
            assert there == ("cuda" if part in model.seats.inside else "cpu")


@pytest.mark.gpu
def test_on_a_gpu_the_plan_s_figure_holds(models: Path) -> None:
    config = EngineConfig(device="cuda", models_dir=models, profile=False)
    plan = plan_for(NAME, config=config)
    pipeline = Img2ImgPipeline.load(model=NAME, config=config)
    torch.cuda.reset_peak_memory_stats()
    _picture(pipeline)
    # The matrix libraries take some megabytes for themselves, whatever the model.
    assert torch.cuda.max_memory_allocated() < plan.needed + 64 * MB
