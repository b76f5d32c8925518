"""What a checkpoint is said to take before it is loaded, against what it takes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from generation.demands import SPARE, demand_of
from generation.devices import weight_bytes
from generation.holding import narrow
from generation.pipelines.base import EngineConfig
from generation.pipelines.img2img import Img2ImgPipeline
from tests.generation.checkpoints import save_img2img, save_instruct, save_xl
from tests.generation.live_bytes import peak_of

real: Any = diffusers


def _config(folder: Path, **changes: Any) -> EngineConfig:  # noqa: ANN401 - of any field
    return EngineConfig(device="cpu", models_dir=folder.parent, **changes)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    save_img2img(folder / "wide", block_out_channels=(64, 128), sample_size=32)
    save_xl(folder / "xl")
    save_instruct(folder / "edit")
    return folder


@pytest.mark.parametrize("name", ["wide", "xl", "edit"])
def test_weights_are_told_part_by_part(models: Path, name: str) -> None:
    config = _config(models / name)
    told = demand_of(models / name, config=config, gpu=False)
    there = Img2ImgPipeline.load(model=name, config=config).checkpoint
    encoders = [it for it in (there.text_encoder, there.text_encoder_2) if it is not None]
    sizes = [weight_bytes([it]) for it in encoders]
    assert told.denoiser == weight_bytes([there.denoiser])
    # Positions are counted in a buffer that no file has.
    assert told.encoders == pytest.approx(sum(sizes), rel=0.01)
    assert told.encoder == pytest.approx(max(sizes), rel=0.01)
    assert told.codec == weight_bytes([there.vae])
    assert told.denoiser_8 == weight_bytes([narrow(there.denoiser)])
    assert told.width == (3 if name == "edit" else 2)


def test_half_precision_takes_half_and_careful_codecs_their_whole(models: Path) -> None:
    for name, careful in (("wide", False), ("xl", True)):
        folder = models / name
        whole = demand_of(folder, config=_config(folder), gpu=False)
        half = demand_of(folder, config=_config(folder, dtype="float16"), gpu=True)
        assert 2 * half.denoiser == whole.denoiser
        assert half.codec * (1 if careful else 2) == whole.codec
        assert half.apart
        assert half.rows == half.pictures == 16


def test_calls_hold_what_the_settings_say(models: Path) -> None:
    folder = models / "wide"

    def rows(**changes: Any) -> tuple[int, int]:  # noqa: ANN401 - of any field
        told = demand_of(folder, config=_config(folder, **changes), gpu=False)
        return told.rows, told.pictures

    assert rows() == (2, 1)
    assert rows(batch_rows=6, vae_rows=3) == (6, 3)
    assert rows(exact=False) == (16, 1)
    assert rows(profile=True) == (16, 16)


def test_configurations_that_say_nothing_leave_the_weights(models: Path, tmp_path: Path) -> None:
    folder = save_img2img(tmp_path / "odd")
    (folder / "vae" / "config.json").write_text("{}")
    (folder / "unet" / "config.json").write_text(
        '{"in_channels": 4, "out_channels": 4, "block_out_channels": "wide"}'
    )
    told = demand_of(folder, config=_config(folder), gpu=False)
    assert told.row == 0
    assert told.denoiser > 0


CROSS = ("CrossAttnDownBlock2D", "DownBlock2D", "CrossAttnUpBlock2D", "UpBlock2D")
LARGE: dict[str, dict[str, Any]] = {
    "sd1": {
        "sample_size": 64,
        "block_out_channels": [320, 640, 1280, 1280],
        "down_block_types": [CROSS[0]] * 3 + [CROSS[1]],
        "up_block_types": [CROSS[3]] + [CROSS[2]] * 3,
        "cross_attention_dim": 768,
        "attention_head_dim": 8,
    },
    "sdxl": {
        "sample_size": 128,
        "block_out_channels": [320, 640, 1280],
        "down_block_types": [CROSS[1], CROSS[0], CROSS[0]],
        "up_block_types": [CROSS[2], CROSS[2], CROSS[3]],
        "cross_attention_dim": 2048,
        "attention_head_dim": [5, 10, 20],
        "transformer_layers_per_block": [1, 2, 10],
        "use_linear_projection": True,
    },
}
CODEC: dict[str, Any] = {
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LARGE)
def test_of_full_size_networks_the_work_is_told_and_not_much_more(
    name: str, tmp_path: Path
) -> None:
    """Run them on tensors without numbers, which take no memory, and count what is alive."""
    side = 8 * LARGE[name]["sample_size"]
    fake = FakeTensorMode()
    with fake, torch.no_grad():
        unet = real.UNet2DConditionModel.from_config(LARGE[name])
        codec = real.AutoencoderKL.from_config(CODEC)

    def denoised(rows: int) -> Callable[[], object]:
        latents = torch.zeros(rows, 4, side // 8, side // 8)
        words = torch.zeros(rows, 77, LARGE[name]["cross_attention_dim"])
        return lambda: unet(latents, torch.zeros(rows), encoder_hidden_states=words)

    with fake:
        row = peak_of(denoised(2)) - peak_of(denoised(1))
        decoded = peak_of(lambda: codec.decode(torch.zeros(1, 4, side // 8, side // 8)))
        encoded = peak_of(lambda: codec.encode(torch.zeros(1, 3, side, side)))
    folder = save_img2img(tmp_path / name)
    for part, config in (("unet", LARGE[name]), ("vae", CODEC)):
        place = folder / part / "config.json"
        place.write_text(json.dumps({**config, "in_channels": 4, "out_channels": 4}))
    told = demand_of(folder, config=_config(folder), gpu=False)
    assert row <= told.row <= 1.1 * SPARE * row
    assert max(decoded, encoded) <= told.picture <= 1.1 * SPARE * max(decoded, encoded)
