"""What networks calculate in, how they lie on a device, and how pictures get there."""

from pathlib import Path

import numpy as np
import pytest
import torch

from generation.checkpoints import Checkpoint
from generation.devices import lay_channels_last, ready, torch_device, torch_dtype
from generation.imaging import to_pixels, to_tensor
from generation.loading import load_checkpoint
from generation.pipelines.base import EngineConfig
from generation.pipelines.img2img import Img2ImgPipeline, Img2ImgRow
from generation.request import ImageRequest, Pixels
from tests.generation.checkpoints import save_img2img, save_xl

# Diffusers hands tensors to numpy in a way that numpy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

torch.set_num_threads(1)
CPU = torch.device("cpu")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


def _picture(*, seed: int = 0) -> Pixels:
    data = np.random.default_rng(seed).integers(0, 256, (16, 24, 3), dtype=np.uint8).tobytes()
    return Pixels(width=24, height=16, data=data)


def _request(**changes: object) -> ImageRequest:
    fields: dict[str, object] = {
        "job_id": "one", "pipeline": "remix", "image": _picture(), "prompt": "night",
        "strength": 1.0, "num_inference_steps": 3, "seed": 5, "scheduler": "ddim",
    }  # fmt: skip
    return ImageRequest(**{**fields, **changes})  # type: ignore[arg-type]


def _load(folder: Path, **changes: object) -> Img2ImgPipeline:
    fields: dict[str, object] = {"device": "cpu", "models_dir": folder.parent, "batch_rows": 4}
    config = EngineConfig(**{**fields, **changes})  # type: ignore[arg-type]
    return Img2ImgPipeline.load(model=folder.name, config=config)


def _finish(pipeline: Img2ImgPipeline, *rows: Img2ImgRow) -> list[Pixels]:
    while rows[0].step < rows[0].total_steps:
        pipeline.advance(list(rows))
    return [pipeline.retire(row).image for row in rows]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_img2img(tmp_path_factory.mktemp("models") / "plain")


def test_auto_is_full_precision_on_a_cpu_and_the_familys_half_on_a_gpu() -> None:
    gpu = torch.device("cuda:0")
    assert torch_dtype("auto", device=CPU, half=torch.float16) is torch.float32
    assert torch_dtype("auto", device=gpu, half=torch.float16) is torch.float16
    assert torch_dtype("auto", device=gpu, half=torch.bfloat16) is torch.bfloat16
    assert torch_dtype("bfloat16", device=CPU, half=torch.float16) is torch.bfloat16
    assert torch_device("cuda:1") == torch.device("cuda", 1)


def test_bfloat16_comes_near_and_keeps_its_bytes_in_a_crowd(folder: Path) -> None:
    full, half = _load(folder), _load(folder, dtype="bfloat16")
    assert half.checkpoint.dtype is torch.bfloat16
    rows = [pipeline.admit(_request()) for pipeline in (full, half)]
    (expected,), (image,) = _finish(full, rows[0]), _finish(half, rows[1])
    latents = [row.edit.latents for row in rows if row.edit is not None]
    assert latents[1].dtype is torch.float32
    assert float((latents[0] - latents[1]).norm() / latents[0].norm()) < 0.05
    assert image != expected
    crowd = [half.admit(_request(seed=seed)) for seed in (9, 5)]
    assert _finish(half, *crowd)[1] == image


@pytest.mark.parametrize(
    ("dtype", "expected"), [("float16", torch.float32), ("bfloat16", torch.bfloat16)]
)
def test_only_in_float16_the_codec_of_xl_is_kept_from_overflowing(
    tmp_path: Path, dtype: str, expected: torch.dtype
) -> None:
    folder = save_xl(tmp_path / "xl")
    loaded = _load(folder, dtype=dtype).checkpoint
    assert (loaded.denoiser.dtype, loaded.vae.dtype) == (loaded.dtype, expected)


def _prediction(model: Checkpoint) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    sample = torch.randn(2, 4, 8, 8, generator=rng).to(model.device, model.dtype)
    words = torch.randn(2, 5, 16, generator=rng).to(model.device, model.dtype)
    times = torch.tensor([500.0, 20.0], device=model.device)
    with torch.no_grad():
        answer: torch.Tensor = model.denoiser(sample, times, encoder_hidden_states=words).sample
    return answer


def test_the_order_of_weights_changes_no_result_beyond_rounding(folder: Path) -> None:
    model = load_checkpoint(folder.name, models_dir=folder.parent, device=CPU)
    before = _prediction(model)
    picture = to_tensor(_picture())
    with torch.no_grad():
        latents = model.encode(picture)
        decoded = model.decode(latents)
        for module, first in ((model.denoiser, model.denoiser), (model.vae, model.vae.encoder)):
            lay_channels_last(module)
            assert first.conv_in.weight.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(_prediction(model), before, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(model.encode(picture), latents, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(model.decode(latents), decoded, rtol=1e-4, atol=1e-5)


def test_attention_is_torchs_own_scaled_dot_product(folder: Path) -> None:
    model = load_checkpoint(folder.name, models_dir=folder.parent, device=CPU)
    for module in (model.denoiser, model.vae):
        kinds = {type(processor).__name__ for processor in module.attn_processors.values()}
        assert kinds == {"AttnProcessor2_0"}


def test_convolutions_over_time_are_left_as_they_are() -> None:
    network = torch.nn.Sequential(torch.nn.Conv3d(2, 2, 3), torch.nn.Conv2d(2, 2, 3))
    lay_channels_last(network)
    plane, film = network[1].weight, network[0].weight
    assert isinstance(plane, torch.Tensor)
    assert isinstance(film, torch.Tensor)
    assert plane.is_contiguous(memory_format=torch.channels_last)
    assert film.is_contiguous()


def test_networks_on_a_cpu_keep_the_order_they_are_stored_in() -> None:
    layer = ready(torch.nn.Conv2d(4, 4, 3), CPU)
    assert layer.weight.is_contiguous()
    assert not layer.weight.requires_grad


@pytest.mark.gpu
@needs_gpu
def test_on_a_gpu_convolutions_lie_channels_last_and_answer_alike(folder: Path) -> None:
    there = load_checkpoint(
        folder.name, models_dir=folder.parent, device=torch.device("cuda"), dtype="float32"
    )
    here = load_checkpoint(folder.name, models_dir=folder.parent, device=CPU)
    assert there.denoiser.conv_in.weight.is_contiguous(memory_format=torch.channels_last)
    with torch.backends.cudnn.flags(allow_tf32=False):
        torch.testing.assert_close(
            _prediction(there).cpu(), _prediction(here), rtol=1e-3, atol=1e-4
        )


@pytest.mark.gpu
@needs_gpu
def test_pictures_travel_to_a_gpu_and_back_without_losing_a_level() -> None:
    pixels = Pixels(width=16, height=16, data=bytes(v for v in range(256) for _ in range(3)))
    there = to_tensor(pixels, device="cuda")
    assert (there.device.type, there.dtype) == ("cuda", torch.float32)
    torch.testing.assert_close(there.cpu(), to_tensor(pixels), rtol=0, atol=1e-7)
    assert to_pixels(there) == pixels
