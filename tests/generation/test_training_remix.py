"""The training of the remix checkpoint: its parts are exact, and a killed run goes on as it was."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPTokenizer

from generation.postprocess.parametric import EDITS, apply_edits
from generation.training.captions import FILLERS, WORDS, caption
from generation.training.codec import (
    CodecConfig,
    decoder_loss,
    encode_all,
    fit_components,
    new_codec,
    to_batch,
)
from generation.training.pairs import PairsConfig, draw_edits, paint_pairs, place_of
from generation.training.remix import RemixConfig, train
from generation.training.remix_model import EditorConfig, Stage
from generation.training.scenes import PAINTERS, paint_scene
from generation.training.vocabulary import write_vocabulary

torch.set_num_threads(1)

TINY = RemixConfig(
    pairs=PairsConfig(scenes=12, edits_per_scene=2, size=32, workers=1),
    codec=CodecConfig(channels=(32, 64, 64), latents=4, steps=6, batch=2, crop=16),
    editor=EditorConfig(channels=(16, 16, 16), text_width=32, text_layers=1),
    stages=(
        Stage(name="small", size=16, steps=14, batch=4, learning_rate=3e-3),
        Stage(name="native", size=32, steps=4, batch=2, learning_rate=1e-3),
    ),
)


@pytest.mark.parametrize("kind", list(PAINTERS))
def test_a_scene_is_seeded_and_knows_what_it_shows(kind: str) -> None:
    first, second = (paint_scene(np.random.default_rng(1), size=64, kind=kind) for _ in range(2))
    assert np.array_equal(first.rgb, second.rgb)
    assert first.rgb.min() >= 0
    assert first.rgb.max() <= 1
    assert first.truth.min() >= -1e-5
    assert first.truth.max() <= 1 + 1e-5


@pytest.mark.parametrize("edit", list(EDITS))
def test_an_edit_changes_a_scene_within_bounds(edit: str) -> None:
    rng = np.random.default_rng(2)
    scene = paint_scene(rng, size=64, kind="house")
    edited = apply_edits([edit], rgb=scene.rgb, place=place_of(scene, rng))
    assert edited.shape == scene.rgb.shape
    assert np.isfinite(edited).all()
    assert np.abs(edited - scene.rgb).mean() > 0.02


def test_every_edit_is_drawn_and_every_caption_names_its_edits() -> None:
    rng = np.random.default_rng(0)
    drawn = list(draw_edits(rng, 600))
    assert {edit for edits in drawn for edit in edits} == set(EDITS)
    for edits in drawn:
        text = caption(edits, rng)
        for edit in edits:
            assert edit == "sky_mask" or any(word in text for word in WORDS[edit])


def test_known_words_are_single_tokens(tmp_path: Path) -> None:
    words = [*(word for group in WORDS.values() for word in group), *FILLERS]
    write_vocabulary(tmp_path, words=words, max_length=24)
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path)
    assert [word for word in words if len(tokenizer(word).input_ids) != 3] == []
    assert tokenizer.decode(tokenizer("zebra Ünder").input_ids, skip_special_tokens=True)


def test_the_codecs_encoder_computes_the_components() -> None:
    rng = np.random.default_rng(3)
    pictures = np.stack(
        [np.round(paint_scene(rng, size=32).rgb * 255).astype(np.uint8) for _ in range(30)]
    )
    components = fit_components(pictures, latents=8)
    codec = new_codec(CodecConfig(), components)
    expected = encode_all(components, pictures, size=32).float()
    with torch.no_grad():
        latents = codec.encode(to_batch(pictures)).latent_dist.mode()
        loss = decoder_loss(codec, to_batch(pictures[:2]))
    assert float((latents - expected).abs().max()) < 0.05
    assert float(expected.mean().abs()) < 1e-2
    assert abs(float(expected.std()) - 1) < 0.05
    assert torch.isfinite(loss)


def _weights(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.safetensors")
    }


@pytest.mark.slow
def test_a_training_that_was_stopped_goes_on_bit_for_bit(tmp_path: Path) -> None:
    assert train(tmp_path / "whole", config=TINY)
    part = replace(TINY, stages=(replace(TINY.stages[0], steps=14),))
    pairs = tmp_path / "part.work"
    pairs.mkdir()
    paint_pairs(pairs / "pairs", TINY.pairs)
    stops = 0
    while not train(tmp_path / "part", config=part, minutes=0.01) and stops < 200:
        stops += 1
    assert stops > 0
    assert train(tmp_path / "part", config=TINY)
    assert _weights(tmp_path / "part") == _weights(tmp_path / "whole")


@pytest.mark.slow
def test_a_short_training_lowers_the_loss(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage(name="small", size=16, steps=126, batch=8, learning_rate=3e-3)
    with caplog.at_level("INFO"):
        assert train(tmp_path / "short", config=replace(TINY, stages=(stage,)))
    losses = [
        float(record.getMessage().split()[-1])
        for record in caplog.records
        if record.getMessage().startswith("small step")
    ]
    assert np.mean(losses[-2:]) < 0.8 * losses[0]
