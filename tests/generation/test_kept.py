"""What is kept: bounded by bytes, found by content, and the same as what is made anew."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from generation.pipelines.base import EngineConfig
from generation.pipelines.img2img import Img2ImgPipeline
from generation.pipelines.kept import Kept, digest
from generation.request import ImageRequest, Pixels
from tests.generation.checkpoints import save_instruct, save_xl

torch.set_num_threads(1)

# Diffusers hands tensors to numpy in a way that numpy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")


def _picture(seed: int) -> Pixels:
    data = np.random.default_rng(seed).integers(0, 256, (16, 24, 3), dtype=np.uint8).tobytes()
    return Pixels(width=24, height=16, data=data)


def _request(*, picture: int = 0, **changes: object) -> ImageRequest:
    plain = ImageRequest(
        job_id="one", pipeline="remix", image=_picture(picture), prompt="night", strength=1.0,
        num_inference_steps=2, seed=5,
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def _load(folder: Path, **changes: int) -> Img2ImgPipeline:
    config = EngineConfig(device="cpu", models_dir=folder.parent, **changes)  # type: ignore[arg-type]
    return Img2ImgPipeline.load(model=folder.name, config=config)


def _made(pipeline: Img2ImgPipeline, request: ImageRequest) -> Pixels:
    row = pipeline.admit(request)
    while row.step < row.total_steps:
        pipeline.advance([row])
    return pipeline.retire(row).image


def test_the_oldest_go_when_there_are_too_many_bytes() -> None:
    kept: Kept[bytes] = Kept(max_bytes=10, size_of=len)
    for key in "abc":
        kept.put(key, key.encode() * 4)
        assert kept.get("a") == b"aaaa"
    assert (kept.get("b"), kept.get("c"), kept.bytes, len(kept)) == (None, b"cccc", 8, 2)
    kept.put("a", b"a")
    kept.put("large", bytes(11))
    assert (kept.get("large"), kept.bytes, kept.hits, kept.misses) == (None, 5, 4, 2)
    kept.clear()
    assert (len(kept), kept.bytes) == (0, 0)


def test_pictures_of_equal_bytes_and_other_sides_are_told_apart() -> None:
    data = bytes(6 * 4 * 3)
    wide, high = Pixels(width=6, height=4, data=data), Pixels(width=4, height=6, data=data)
    assert digest(wide) != digest(high)
    assert digest(wide) == digest(replace(wide))


@pytest.mark.parametrize("save", [save_instruct, save_xl])
def test_what_is_kept_changes_no_byte(tmp_path: Path, save: type) -> None:
    folder = save(tmp_path / "model")
    keeping, forgetful = _load(folder, vae_rows=2), _load(folder, vae_rows=2, kept_bytes=0)
    asked = [
        _request(), _request(seed=6), _request(picture=1), _request(prompt="fog"), _request(),
        _request(negative_prompt="night", prompt=""), _request(negative_prompt="fog"),
    ]  # fmt: skip
    for request in asked:
        assert _made(keeping, request) == _made(forgetful, request)
    counted = keeping.counted
    assert (counted["picture_misses"], counted["picture_hits"]) == (2, 5)
    # "", "night" and "fog", read as what is wanted and as what is not.
    assert (counted["prompt_misses"], counted["prompt_hits"]) == (6, 8)
    assert forgetful.counted["picture_hits"] == forgetful.counted["prompt_hits"] == 0


def test_a_second_try_does_not_ask_the_encoder_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = _load(save_instruct(tmp_path / "model"))
    _made(pipeline, _request())

    def unexpected(*_args: object, **_more: object) -> None:
        raise AssertionError("it was encoded already")

    monkeypatch.setattr(pipeline.checkpoint.vae, "encode", unexpected)
    monkeypatch.setattr(pipeline.checkpoint.text_encoder, "forward", unexpected)
    assert pipeline.admit(_request(seed=9)).edit is not None
    pipeline.put_away()
    pipeline.bring()
    with pytest.raises(AssertionError, match="already"):
        pipeline.admit(_request(seed=9))
