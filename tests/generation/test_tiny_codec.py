"""Tiny codecs show how pictures form and, where a checkpoint is to be quick, make them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from generation.errors import ModelUnavailableError
from generation.imaging import to_pixels
from generation.pipelines.base import EngineConfig
from generation.pipelines.img2img import Img2ImgPipeline, Img2ImgRow
from generation.pipelines.img2img_finish import resized
from generation.request import ImageRequest, Pixels
from tests.generation.checkpoints import real, save_img2img, save_instruct, save_tiny_codec

# Diffusers hands tensors to numpy in a way that numpy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

torch.set_num_threads(1)


def _load(folder: Path, **changes: object) -> Img2ImgPipeline:
    fields: dict[str, Any] = {"device": "cpu", "models_dir": folder.parent, **changes}
    return Img2ImgPipeline.load(model=folder.name, config=EngineConfig(**fields))


def _finished(pipeline: Img2ImgPipeline, **changes: object) -> Img2ImgRow:
    data = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8).tobytes()
    fields: dict[str, Any] = {
        "job_id": "one", "pipeline": "remix", "image": Pixels(width=24, height=16, data=data),
        "prompt": "night", "strength": 0.8, "num_inference_steps": 5, "seed": 5,
        "guidance_scale": 3.0, "scheduler": "ddim", **changes,
    }  # fmt: skip
    row = pipeline.admit(ImageRequest(**fields))
    while row.step < row.total_steps:
        pipeline.advance([row])
    return row


def _declare(folder: Path, **fields: object) -> None:
    (folder / "atelier.json").write_text(json.dumps(fields))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_img2img(
        tmp_path / "plain", scheduler=real.DDIMScheduler(clip_sample=False, steps_offset=1)
    )


def test_it_shows_how_a_picture_forms_and_leaves_the_picture_alone(folder: Path) -> None:
    before = _finished(_load(folder))
    expected = _load(folder).retire(before).image
    codec: Any = save_tiny_codec(folder)
    pipeline = _load(folder)
    row = _finished(pipeline)
    assert row.edit is not None
    assert row.edit.clean is not None
    with torch.no_grad():
        shown = (codec.decode(row.edit.clean).sample / 2 + 0.5).clamp(0, 1)
    assert pipeline.preview(row) == to_pixels(resized(shown, height=16, width=24))
    finished = pipeline.retire(row)
    assert finished.image == expected
    assert "codec" not in dict(finished.parameters)


def test_a_quick_checkpoint_makes_the_picture_of_diffusers_own_pipeline_with_it(
    folder: Path,
) -> None:
    codec = save_tiny_codec(folder)
    _declare(folder, quick=True)
    pipeline = _load(folder)
    row, model = _finished(pipeline), pipeline.checkpoint
    reference = real.StableDiffusionImg2ImgPipeline(
        vae=codec, text_encoder=model.text_encoder, tokenizer=model.tokenizer, unet=model.denoiser,
        scheduler=model.scheduler, safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    )  # fmt: skip
    reference.set_progress_bar_config(disable=True)
    expected = reference(
        "night", image=row.source, strength=0.8, num_inference_steps=5, guidance_scale=3.0,
        generator=torch.Generator("cpu").manual_seed(5), output_type="pt",
    ).images  # fmt: skip
    pipeline.decode([row])
    assert float((row.decoded[0] - expected).abs().max()) <= 1e-4
    assert dict(pipeline.retire(row).parameters)["codec"] == "tiny"
    assert model.vae not in model.modules


def test_quick_pictures_keep_their_bytes_beside_others(folder: Path) -> None:
    save_tiny_codec(folder)
    _declare(folder, quick=True)
    pipeline = _load(folder, vae_rows=3)
    alone = pipeline.retire(_finished(pipeline)).image
    rows = [_finished(pipeline, seed=seed) for seed in (9, 5)]
    pipeline.decode(rows)
    assert [pipeline.retire(row).image == alone for row in rows] == [False, True]


def test_instruct_checkpoints_see_its_latents_at_the_scale_of_their_own_codecs(
    tmp_path: Path,
) -> None:
    folder = save_instruct(tmp_path / "instruct")
    codec: Any = save_tiny_codec(folder)
    _declare(folder, quick=True)
    row = _finished(_load(folder))
    assert row.edit is not None
    assert row.edit.source is not None
    with torch.no_grad():
        own = codec.encode(2 * row.source - 1).latents
    torch.testing.assert_close(row.edit.source, own / 0.18215)


def test_a_checkpoint_whose_own_codec_is_tiny_runs(tmp_path: Path) -> None:
    folder = save_img2img(tmp_path / "turbo")
    codec: Any = save_tiny_codec(tmp_path)
    codec.save_pretrained(folder / "vae")
    index = json.loads((folder / "model_index.json").read_text())
    index["vae"] = ["diffusers", "AutoencoderTiny"]
    (folder / "model_index.json").write_text(json.dumps(index))
    pipeline = _load(folder)
    row = _finished(pipeline)
    assert dict(pipeline.retire(row).parameters)["codec"] == "tiny"
    assert pipeline.retire(row).image != row.request.image


def test_a_codec_of_other_latents_and_a_missing_one_are_refused(folder: Path) -> None:
    _declare(folder, quick=True)
    with pytest.raises(ModelUnavailableError, match="no tiny_vae"):
        _load(folder)
    save_tiny_codec(folder, levels=3)
    with pytest.raises(ModelUnavailableError, match="does not speak the latents"):
        _load(folder)
    for text in ("{", '{"num_decoder_blocks": [], "decoder_block_out_channels": []}'):
        (folder / "tiny_vae" / "config.json").write_text(text)
        with pytest.raises(ModelUnavailableError, match="could not be loaded"):
            _load(folder)
