"""LoRA: diffusers' own, beside everybody else's rows, and as if they had never been there."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from generation.abilities import require_readable
from generation.errors import InvalidRequestError
from generation.loras import Lora, lora_names, split_loras
from generation.pipelines import adapters, img2img
from generation.pipelines.base import EngineConfig
from generation.pipelines.img2img import Img2ImgPipeline, Img2ImgRow
from generation.request import Canvas, ImageRequest, Pixels
from tests.generation.checkpoints import real, save_img2img, save_instruct, save_lora, save_xl

torch.set_num_threads(1)
REQUEST = ImageRequest(
    job_id="one", pipeline="remix", image=Canvas(width=64, height=64), prompt="night",
    num_inference_steps=2, guidance_scale=4.0, seed=5, scheduler="ddim",
)  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("models")
    save_img2img(base / "plain")
    save_xl(base / "xl")
    save_instruct(base / "instruct")
    save_lora(base / "loras/ink.safetensors", base=base / "plain")
    save_lora(base / "loras/neon.safetensors", base=base / "plain", seed=2, words=False)
    save_lora(base / "loras/large.safetensors", base=base / "xl", words=False)
    save_file({"foo.weight": torch.zeros(2)}, base / "loras/foreign.safetensors")
    (base / "loras/torn.safetensors").write_bytes(b"torn")
    layer = "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_{}.lora_{}.weight"
    half = {
        layer.format(*it): torch.zeros(2, wide) for *it, wide in (("q", "A", 32), ("k", "A", 16))
    }
    half[layer.format("q", "B")] = torch.zeros(32, 2)
    save_file(half, base / "loras/half.safetensors")
    return base


@pytest.fixture(scope="module")
def plain(models: Path) -> Img2ImgPipeline:
    config = EngineConfig(device="cpu", models_dir=models, batch_rows=6)
    return Img2ImgPipeline.load(model="plain", config=config)


def _row(pipeline: Img2ImgPipeline, prompt: str) -> Img2ImgRow:
    row = pipeline.admit(replace(REQUEST, prompt=prompt))
    while row.step < row.total_steps:
        pipeline.advance([row])
    return row


def _image(pipeline: Img2ImgPipeline, prompt: str) -> Pixels:
    return pipeline.retire(_row(pipeline, prompt)).image


@pytest.mark.parametrize("name", ["plain", pytest.param("xl", marks=pytest.mark.slow)])
def test_a_lora_does_what_it_does_in_diffusers(models: Path, name: str) -> None:
    config = EngineConfig(device="cpu", models_dir=models)
    pipeline = Img2ImgPipeline.load(model=name, config=config)
    lora = {"plain": "ink", "xl": "large"}[name]
    row = _row(pipeline, f"night <{lora}:0.7>")
    assert row.edit is not None
    reference = real.DiffusionPipeline.from_pretrained(models / name, safety_checker=None)
    if name == "plain":
        parts = reference.components
        reference = real.StableDiffusionPipeline(**parts, requires_safety_checker=False)
    reference.scheduler = row.edit.schedule.scheduler
    reference.set_progress_bar_config(disable=True)
    file = f"{lora}.safetensors"
    reference.load_lora_weights(models / "loras", weight_name=file, adapter_name="it")
    reference.set_adapters(["it"], [0.7])
    height, width = row.source.shape[-2:]
    expected = reference(
        "night", height=height, width=width, num_inference_steps=2, guidance_scale=4.0,
        generator=torch.Generator("cpu").manual_seed(5), output_type="latent",
    ).images  # fmt: skip
    assert float((row.edit.latents - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


def test_a_lora_changes_the_picture_and_one_of_weight_0_does_not(plain: Img2ImgPipeline) -> None:
    without = _image(plain, "night")
    changed = [_image(plain, f"night <{name}>") for name in ("ink:1", "ink:0.5", "neon:1")]
    assert len({without.data, *(image.data for image in changed)}) == 4
    for same in ("night <ink:0>", "<lora:neon:0.0> night", "night"):
        assert _image(plain, same) == without


def test_a_lora_leaves_nothing_in_networks_that_another_has_no_part_in(
    plain: Img2ImgPipeline, models: Path
) -> None:
    fresh = Img2ImgPipeline.load(
        model="plain", config=EngineConfig(device="cpu", models_dir=models, batch_rows=6)
    )
    expected = _image(fresh, "fog <neon:1>")
    _image(plain, "fog <ink:1>")
    assert _image(plain, "fog <neon:1>") == expected
    assert _image(plain, "fog <neon:0.5> <ink:0.5>") == _image(plain, "<ink:0.5> fog <neon:0.5>")


def test_a_lora_changes_nothing_of_a_checkpoint_but_its_answers(models: Path) -> None:
    pipeline = Img2ImgPipeline.load(
        model="instruct", config=EngineConfig(device="cpu", models_dir=models)
    )
    request = replace(REQUEST, image=Pixels(width=8, height=8, data=bytes(range(192))))
    request = replace(request, strength=1.0, scheduler=None)
    images = []
    for prompt in ("night", "night <ink:1>", "night"):
        row = pipeline.admit(replace(request, prompt=prompt))
        while row.step < row.total_steps:
            pipeline.advance([row])
        images.append(pipeline.retire(row).image)
        pipeline._planner._schedules.clear()
    assert images[0] == images[2] != images[1]
    assert pipeline.checkpoint.scheduler.config.steps_offset == 0


def test_rows_of_different_loras_take_turns_and_keep_their_bytes(plain: Img2ImgPipeline) -> None:
    prompts = ["night", "night <ink:1>", "night <ink:0.5>", "night <neon:1>"]
    alone = [_image(plain, prompt) for prompt in prompts]
    rows = [plain.admit(replace(REQUEST, prompt=prompt)) for prompt in prompts]
    assert len({row.bucket for row in rows}) == 4
    while rows[0].step < rows[0].total_steps:
        for row in rows:
            plain.advance([row])
    assert [plain.retire(row).image for row in rows] == alone


def test_loras_come_back_after_they_were_let_go_of(
    plain: Img2ImgPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [_image(plain, f"night <{name}:1>") for name in ("ink", "neon")]
    monkeypatch.setattr(adapters, "MAX_LOADED", 1)
    rows = [plain.admit(replace(REQUEST, prompt=f"night <{name}:1>")) for name in ("ink", "neon")]
    while rows[0].step < rows[0].total_steps:
        for row in rows:
            plain.advance([row])
    assert [plain.retire(row).image for row in rows] == expected
    with pytest.raises(InvalidRequestError, match="at most 1"):
        plain.admit(replace(REQUEST, prompt="night <ink:1> <neon:1>"))


def test_a_member_who_tries_every_weight_takes_no_more_memory(
    plain: Img2ImgPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(img2img, "KEPT_CALLS", 3)
    prompts = [f"night <ink:0.{tenths}>" for tenths in range(1, 7)]
    plain._apart.clear()
    alone = [_image(plain, prompt) for prompt in prompts]
    assert (len(plain._calls), len(plain._apart)) == (3, 1)
    rows = [plain.admit(replace(REQUEST, prompt=prompt)) for prompt in prompts]
    while rows[0].step < rows[0].total_steps:
        for row in rows:
            plain.advance([row])
    assert [plain.retire(row).image for row in rows] == alone


def test_a_file_that_takes_anothers_place_is_read_by_those_who_come_after(
    plain: Img2ImgPipeline, models: Path
) -> None:
    file = models / "loras/changing.safetensors"
    images = [_image(plain, f"night <{name}:1>") for name in ("ink", "neon")]
    shutil.copy(models / "loras/ink.safetensors", file)
    under_way = plain.admit(replace(REQUEST, prompt="night <changing:1>"))
    plain.advance([under_way])
    shutil.copy(models / "loras/neon.safetensors", file)
    assert _image(plain, "night <changing:1>") == images[1]
    plain.advance([under_way])
    assert plain.retire(under_way).image == images[0]


def _laid(pipeline: Img2ImgPipeline) -> set[str]:
    """Return the names of all that lies beside a checkpoint's weights."""
    networks = pipeline.checkpoint.modules
    return {name for each in networks for name, _ in each.named_parameters() if ".lora_" in name}


@pytest.mark.parametrize("name", ["large", "foreign", "torn", "half"])
def test_what_does_not_fit_is_refused_with_a_sentence_and_leaves_nothing(
    plain: Img2ImgPipeline, name: str
) -> None:
    before, laid = _image(plain, "night"), _laid(plain)
    with pytest.raises(InvalidRequestError, match=f"the LoRA {name} does not fit plain"):
        plain.admit(replace(REQUEST, prompt=f"night <{name}:1>"))
    assert _laid(plain) == laid
    assert _image(plain, "night") == before
    assert _image(plain, "night <ink:1>") != before


def test_a_lora_that_finds_no_memory_leaves_nothing_and_is_tried_again(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = EngineConfig(device="cpu", models_dir=models)
    pipeline = Img2ImgPipeline.load(model="plain", config=config)
    without = _image(pipeline, "night")

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("there is no room for it")

    with monkeypatch.context() as patch:
        patch.setattr(adapters, "_tensors", full)
        with pytest.raises(torch.OutOfMemoryError):
            pipeline.admit(replace(REQUEST, prompt="night <ink:1>"))
    assert not _laid(pipeline)
    assert _image(pipeline, "night") == without != _image(pipeline, "night <ink:1>")


def test_a_lora_that_fits_in_part_only_is_refused(plain: Img2ImgPipeline, models: Path) -> None:
    tensors = load_file(models / "loras/ink.safetensors")
    elsewhere = {
        name.replace("mid_block_attentions_0", "mid_block_attentions_7"): value
        for name, value in tensors.items()
    }
    save_file(elsewhere, models / "loras/part.safetensors")
    with pytest.raises(InvalidRequestError, match="the LoRA part does not fit plain"):
        plain.admit(replace(REQUEST, prompt="night <part:1>"))


def test_one_that_is_not_there_is_refused_naming_those_that_are(
    plain: Img2ImgPipeline, models: Path
) -> None:
    with pytest.raises(InvalidRequestError, match=r"no LoRA 'oil'; there are: .*ink.*neon"):
        plain.admit(replace(REQUEST, prompt="night <oil:1>"))
    with pytest.raises(InvalidRequestError, match="there is no LoRA"):
        plain.admit(replace(REQUEST, prompt="night <../plain/unet/x:1>"))
    assert "neon" in lora_names(models_dir=models)


def test_what_cannot_fit_is_refused_before_anything_is_loaded(models: Path) -> None:
    require_readable("night <ink:1>", model="plain", models_dir=models)
    require_readable("night <large:1>", model="xl", models_dir=models)
    require_readable("night <oil:0>", model="remix", models_dir=models)
    with pytest.raises(InvalidRequestError, match=r"large was made for another .* 32 wide, not 16"):
        require_readable("night <large:1>", model="plain", models_dir=models)
    with pytest.raises(InvalidRequestError, match="no LoRA 'oil'"):
        require_readable("night <oil:1>", model="plain", models_dir=models)
    with pytest.raises(InvalidRequestError, match="the LoRA torn is damaged"):
        require_readable("night <torn:1>", model="plain", models_dir=models)


@pytest.mark.parametrize(
    "name",
    [
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight",
        "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.lora.down.weight",
        "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight",
        "unet.mid_block.attentions.0.transformer_blocks.0.attn2.processor.to_k_lora.down.weight",
    ],
)
def test_every_trainers_names_tell_how_wide_the_words_are(
    models: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "plain").symlink_to(models / "plain")
    (tmp_path / "loras").mkdir()
    save_file({name: torch.zeros(2, 768)}, tmp_path / "loras/wide.safetensors")
    with pytest.raises(InvalidRequestError, match="768 wide, not 16"):
        require_readable("<wide:1>", model="plain", models_dir=tmp_path)


@pytest.mark.parametrize(
    ("prompt", "text", "loras"),
    [
        ("a lake", "a lake", ()),
        ("a <ink:.5> lake <lora:neon v2:-1>", "a lake", (("ink", 0.5), ("neon v2", -1.0))),
        ("<b:1><a:1> x <b:0.25>", "x", (("a", 1.0), ("b", 1.25))),
        ("<:smile:123> <a:wave:123> 1 < 2 :3>", "<:smile:123> <a:wave:123> 1 < 2 :3>", ()),
        ("x <a:1> <a:-1>", "x", ()),
    ],
)
def test_loras_are_read_out_of_prompts(
    prompt: str, text: str, loras: tuple[tuple[str, float], ...]
) -> None:
    expected = tuple(Lora(name=name, weight=weight) for name, weight in loras)
    assert split_loras(prompt) == (text, expected)


def test_a_weight_beyond_reason_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="-2 to 2; ink has another"):
        split_loras("night <ink:7>")
