"""The training of the remix checkpoint: its parts are exact, and a killed run goes on as it was."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import CLIPTokenizer

from generation.errors import InvalidRequestError
from generation.postprocess.parametric import EDITS, apply_edits
from generation.training.__main__ import configured, main
from generation.training.captions import (
    FILLERS,
    GROUND_EDITS,
    LIGHT_EDITS,
    MEDIUM_EDITS,
    WORDS,
    caption,
)
from generation.training.codec import (
    CodecConfig,
    components_of,
    decoder_loss,
    encode_all,
    fit_components,
    new_codec,
    to_batch,
)
from generation.training.narrowing import narrowed
from generation.training.pairs import Pairs, PairsConfig, draw_edits, paint_pairs, place_of
from generation.training.remix import RemixConfig, RemixCourse
from generation.training.scenes import PAINTERS, paint_scene
from generation.training.vocabulary import write_vocabulary
from generation.weights import read_manifest

torch.set_num_threads(1)

ROOT = Path(__file__).parents[2]
SMALL = (
    "scenes=12", "edits=2", "size=32", "small_size=16", "decoder_steps=3", "small_steps=5",
    "steps=4", "small_batch=4", "batch=2", "channels=16,16,16", "text_width=32", "painters=1",
    "report_steps=6",
)  # fmt: skip


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
    drawn = list(draw_edits(rng, 900))
    assert {edit for edits in drawn for edit in edits} == set(EDITS)
    assert {len(edits) for edits in drawn} == {1, 2, 3}
    for edits in drawn:
        text = caption(edits, rng)
        for edit in edits:
            assert edit == "sky_mask" or any(word in text for word in WORDS[edit])


def test_edits_that_go_together_are_of_different_kinds() -> None:
    kinds = [GROUND_EDITS, LIGHT_EDITS, MEDIUM_EDITS]
    for edits in draw_edits(np.random.default_rng(1), 400):
        if len(edits) > 1:
            found = [next(n for n, kind in enumerate(kinds) if edit in kind) for edit in edits]
            assert found == sorted(set(found))


def test_green_turns_in_autumn_even_where_no_leaves_are_known() -> None:
    """What is learned on painted scenes is to hold in photographs, where nobody knows."""
    rng = np.random.default_rng(4)
    scene = paint_scene(rng, size=32, kind="table")
    place = place_of(scene, rng)
    green = np.full_like(scene.rgb, 0.2)
    green[..., 1] = 0.5
    turned = apply_edits(["autumn"], rgb=green, place=place)
    known = place.sky[..., 0] < 0.05
    assert (turned[known][:, 0] > 1.5 * turned[known][:, 1]).mean() > 0.9


def test_known_words_are_single_tokens(tmp_path: Path) -> None:
    phrases = [word for group in WORDS.values() for word in group]
    words = [*(word for phrase in phrases for word in phrase.split()), *FILLERS]
    assert "it's" in words
    words.remove("it's")
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
    again = components_of(codec)
    assert np.allclose(again.analysis, components.analysis)
    assert np.allclose(again.offset, components.offset)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    config = PairsConfig(scenes=12, edits_per_scene=2, size=32, workers=1, seed=1)
    return paint_pairs(tmp_path_factory.mktemp("work") / "pairs", config)


def _small(*more: str) -> RemixConfig:
    config = configured(RemixConfig, [*SMALL, *more])
    assert isinstance(config, RemixConfig)
    return config


def _after(course: RemixCourse, steps: range) -> dict[str, Any]:
    for number in steps:
        course.step(number)
    state = course.state()
    return {**state["codec"], **state["editor"], **state["averaged"]}


@pytest.mark.slow
def test_whoever_takes_a_state_over_has_the_weights_of_whoever_was_not_stopped(
    pairs: Pairs,
) -> None:
    course, kept = RemixCourse(_small(), pairs=pairs), dict[int, io.BytesIO]()
    for stop in (2, 6, 8):
        _after(course, range(max(kept, default=0), stop))
        torch.save(course.state(), kept.setdefault(stop, io.BytesIO()))
    whole = _after(course, range(8, course.total_steps))
    for stop, state in kept.items():
        torch.manual_seed(99)
        other = RemixCourse(_small(), pairs=pairs)
        state.seek(0)
        other.restore(torch.load(state, weights_only=True))
        again = _after(other, range(stop, other.total_steps))
        assert all(torch.equal(whole[name], again[name]) for name in whole), stop


@pytest.mark.slow
def test_the_loss_falls(pairs: Pairs) -> None:
    more = ("small_steps=60", "steps=1", "small_batch=8", "learning_rate=3e-3", "decoder_steps=1")
    course = RemixCourse(_small(*more), pairs=pairs)
    losses = [next(iter(course.step(number).values())) for number in range(61)][1:]
    assert np.mean(losses[-10:]) < 0.75 * np.mean(losses[:5])


@pytest.mark.slow
def test_a_checkpoint_to_begin_from_is_taken_over_as_far_as_there_is_a_place(
    pairs: Pairs, tmp_path: Path
) -> None:
    first = RemixCourse(_small("channels=16,32,56"), pairs=pairs)
    first.export(tmp_path / "first", history=[])
    start = ("decoder_steps=0", f"codec={tmp_path / 'first/vae'}", f"start={tmp_path / 'first'}")
    same = RemixCourse(_small(*start, "channels=16,32,56"), pairs=pairs)
    wide, taken = (
        {**course.editor.unet.state_dict(), **course.editor.text_encoder.state_dict()}
        for course in (first, same)
    )
    assert all(torch.equal(taken[name], it.half().float()) for name, it in wide.items())
    narrow = RemixCourse(_small(*start, "channels=16,24,40"), pairs=pairs)
    assert len(narrow.editor.unet.conv_norm_out.weight) == 16
    narrow.step(0)
    with pytest.raises(InvalidRequestError, match="has levels"):
        RemixCourse(_small(*start, "channels=16,32,64"), pairs=pairs)


@pytest.mark.slow
def test_a_codec_is_taken_as_it_is_or_trained_but_not_both(pairs: Pairs, tmp_path: Path) -> None:
    first = RemixCourse(_small("small_steps=1", "steps=1"), pairs=pairs)
    _after(first, range(first.total_steps))
    first.codec.save_pretrained(tmp_path / "vae")
    taken = RemixCourse(_small("decoder_steps=0", f"codec={tmp_path / 'vae'}"), pairs=pairs)
    _after(taken, range(2))
    weights = taken.codec.state_dict()
    assert all(torch.equal(weights[name], it) for name, it in first.codec.state_dict().items())
    for wrong in ("decoder_steps=0", f"codec={tmp_path}"):
        with pytest.raises(InvalidRequestError, match="decoder_steps are 0 with a codec"):
            _small(wrong)


def test_of_a_levels_channels_the_heaviest_of_each_group_stay_in_every_layer_alike() -> None:
    shapes = {"write": (8, 4), "norm": (8,), "read": (4, 8), "joined": (4, 8 + 4)}
    wide = {name: torch.randn(shape) * 0.01 for name, shape in shapes.items()}
    heavy = torch.tensor([0, 2, 5, 7])
    wide["write"][heavy] += 3
    narrow = {
        "write": torch.zeros(4, 4), "norm": torch.zeros(4),
        "read": torch.zeros(4, 4), "joined": torch.zeros(4, 8),
    }  # fmt: skip
    found = narrowed(wide, like=narrow, widths=((4, 8), (4, 4)), groups=2)
    assert torch.equal(found["write"], wide["write"][heavy])
    assert torch.equal(found["norm"], wide["norm"][heavy])
    assert torch.equal(found["read"], wide["read"][:, heavy])
    below = torch.cat([heavy, torch.arange(8, 12)])
    assert torch.equal(found["joined"], wide["joined"][:, below])


def _arguments(out: Path, *more: str) -> list[str]:
    settings = [part for setting in SMALL for part in ("--set", setting)]
    return ["remix", "--out", str(out), "--quiet", *settings, *more]


@pytest.mark.slow
def test_the_command_trains_a_checkpoint_that_declares_itself(tmp_path: Path) -> None:
    out = tmp_path / "remix"
    assert main(_arguments(out)) == 0
    manifest = read_manifest(out)
    assert set(manifest.words) == set(WORDS)
    assert {edit for layer in manifest.layers for edit in layer.edits} <= set(WORDS)
    card = (out / "README.md").read_text("utf-8")
    assert all(f"| {edit} | " in card for edit in WORDS)
    assert all(f"`{field}`" in card for field in RemixConfig.__dataclass_fields__)
    assert "28 samples" in card
    work = tmp_path / "remix.work"
    lines = [json.loads(line) for line in (work / "figures.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [6, 12]
    assert all(np.isfinite(value) for line in lines for value in line.values())
    assert [*(work / "sheets").glob("edits-*.png")]
    assert [*(work / "tensorboard").glob("events*")]


def test_a_folder_of_data_is_refused_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(_arguments(tmp_path / "remix", "--data", str(tmp_path))) == 1
    assert "remix paints its pairs itself" in capsys.readouterr().err


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert main(_arguments(whole)) == 0
    figures = tmp_path / "killed.work" / "figures.jsonl"
    program = [sys.executable, "-m", "bot", "train", *_arguments(killed)]
    with subprocess.Popen(program, cwd=ROOT) as child:
        while not figures.exists() and child.poll() is None:
            time.sleep(0.002)
        os.kill(child.pid, signal.SIGKILL)
    assert not killed.exists()
    assert main(_arguments(killed, "--resume")) == 0
    weights = [
        [path.read_bytes() for path in sorted(folder.rglob("*.safetensors"))]
        for folder in (whole, killed)
    ]
    assert weights[0] == weights[1]
