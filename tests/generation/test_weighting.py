"""Weights of words: compel's, and as if there were none where they are 1."""

from dataclasses import replace

import pytest
import torch
from compel import Compel, ReturnedEmbeddingsType

from generation.errors import InvalidRequestError
from generation.pipelines.base import EngineConfig
from generation.pipelines.img2img import Img2ImgPipeline
from generation.pipelines.prompting import weighed_words
from generation.prompts import Fragment, fragments_of, unweighted
from generation.request import Canvas, ImageRequest, NoteCode, Pixels
from tests.generation.checkpoints import save_img2img, save_xl

torch.set_num_threads(1)
REQUEST = ImageRequest(
    job_id="one", pipeline="remix", image=Canvas(width=64, height=64), num_inference_steps=1,
    guidance_scale=4.0, seed=5, scheduler="ddim",
)  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Img2ImgPipeline]:
    base = tmp_path_factory.mktemp("models")
    save_img2img(base / "plain")
    save_xl(base / "xl")
    config = EngineConfig(device="cpu", models_dir=base)
    return {name: Img2ImgPipeline.load(model=name, config=config) for name in ("plain", "xl")}


def _image(pipeline: Img2ImgPipeline, prompt: str, **changes: str) -> Pixels:
    row = pipeline.admit(replace(REQUEST, prompt=prompt, **changes))  # type: ignore[arg-type]
    while row.step < row.total_steps:
        pipeline.advance([row])
    return pipeline.retire(row).image


@pytest.mark.parametrize("name", ["plain", "xl"])
@pytest.mark.parametrize(
    ("prompt", "compels"),
    [("(night:1.5) fog", "(night)1.5 fog"), ("night (fog:.4)", "night (fog)0.4")],
)
@torch.no_grad()
def test_weighted_words_mean_what_they_mean_to_compel(
    models: dict[str, Img2ImgPipeline], name: str, prompt: str, compels: str
) -> None:
    model = models[name].checkpoint
    if name == "plain":
        expected = Compel(tokenizer=model.tokenizer, text_encoder=model.text_encoder)(compels)
    else:
        kind = ReturnedEmbeddingsType.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED
        expected, _ = Compel(
            tokenizer=[model.tokenizer, model.tokenizer_2],
            text_encoder=[model.text_encoder, model.text_encoder_2],
            returned_embeddings_type=kind,
            requires_pooled=[False, True],
        )(compels)
    assert torch.equal(weighed_words(model, fragments_of(prompt)), expected)


@pytest.mark.parametrize("name", ["plain", "xl"])
def test_weights_change_the_picture_and_those_of_1_do_not_change_a_byte(
    models: dict[str, Img2ImgPipeline], name: str
) -> None:
    pipeline = models[name]
    plain = _image(pipeline, "night fog", negative_prompt="fog")
    for same in ("(night:1) fog", "night(:1.0) (fog:1.00)"):
        assert _image(pipeline, same, negative_prompt="(fog:1)") == plain
    heavier = [
        _image(pipeline, "(night:1.5) fog", negative_prompt="fog"),
        _image(pipeline, "(night:0.5) fog", negative_prompt="fog"),
        _image(pipeline, "night fog", negative_prompt="(fog:1.5)"),
    ]
    assert len({plain.data, *(image.data for image in heavier)}) == 4


@pytest.mark.parametrize(
    ("odd", "plainly"),
    [
        ("( :0.5)", " "),
        ("night ( :1.5)", "night"),
        ("<|startoftext|>night (fog:0.5)", "night (fog:0.5)"),
        ("night <|startoftext|>(<|startoftext|>fog:0.5)", "night (fog:0.5)"),
        ("(<|startoftext|>:0.5)", ","),
        ("<|StartOfText|>night (fog:0.5)", "night (fog:0.5)"),
    ],
)
def test_weights_of_nothing_and_starts_that_are_spelt_out_do_no_harm(
    models: dict[str, Img2ImgPipeline], odd: str, plainly: str
) -> None:
    assert _image(models["plain"], odd) == _image(models["plain"], plainly)
    _image(models["xl"], odd)


def test_a_weighted_prompt_is_cut_where_a_plain_one_is(models: dict[str, Img2ImgPipeline]) -> None:
    pipeline = models["plain"]
    for prompt, cut in (("(night:1.3) fog", False), (" ".join(["(night:1.3) fog"] * 9), True)):
        row = pipeline.admit(replace(REQUEST, prompt=prompt))
        pipeline.advance([row])
        codes = {note.code for note in pipeline.retire(row).notes}
        assert (NoteCode.PROMPT_CUT in codes) is cut


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("a lake", [("a lake", 1.0)]),
        ("a (blue lake:1.2), (x)", [("a ", 1.0), ("blue lake", 1.2), (", (x)", 1.0)]),
        ("(a:0)(b: .5 )", [("a", 0.0), ("b", 0.5)]),
        ("at 10:30 (or so) :)", [("at 10:30 (or so) :)", 1.0)]),
        ("", []),
    ],
)
def test_prompts_fall_into_parts(prompt: str, parts: list[tuple[str, float]]) -> None:
    expected = tuple(Fragment(text=text, weight=weight) for text, weight in parts)
    assert fragments_of(prompt) == expected
    assert unweighted(prompt) == "".join(text for text, _ in parts)


def test_a_weight_beyond_reason_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="0 to 2, not 9"):
        fragments_of("(night:9)")
