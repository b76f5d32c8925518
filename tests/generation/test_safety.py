"""Classifiers look at the whole of a picture, leave it as it is, and are refused if not whole."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from generation.classifiers import examine
from generation.errors import ModelUnavailableError
from generation.pipelines.base import EngineConfig, Finished
from generation.pipelines.safety import SafetyPipeline, squares
from generation.registry import SAFETY, looking, resolve
from generation.request import ImageRequest, Pixels
from tests.generation.classifiers import plain_picture, save_checker, save_classifier

SAFE, UNSAFE = plain_picture(20, 60, 200), plain_picture(250, 120, 90)
CONFIG = EngineConfig(device="cpu")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("classifiers")
    return {
        "checker": save_checker(base / "sd", safe=SAFE, unsafe=UNSAFE),
        "labels": save_classifier(base / "vit", safe=SAFE, unsafe=UNSAFE),
    }


@pytest.fixture(scope="module", params=["checker", "labels"])
def pipeline(request: pytest.FixtureRequest, folders: dict[str, Path]) -> SafetyPipeline:
    return loaded(folders[request.param])


def loaded(folder: Path) -> SafetyPipeline:
    spec = looking(folder)
    found: Any = resolve(spec.target)
    assert found is SafetyPipeline
    return SafetyPipeline.load(model=spec.model, config=CONFIG)


def looked_at(pipeline: SafetyPipeline, picture: Pixels) -> Finished:
    row = pipeline.admit(ImageRequest(job_id="x", pipeline=SAFETY, image=picture))
    while row.step < row.total_steps:
        pipeline.advance([row])
    return pipeline.retire(row)


def unsafe_share(pipeline: SafetyPipeline, picture: Pixels) -> float:
    finished = looked_at(pipeline, picture)
    assert finished.image is picture
    return float(dict(finished.parameters)["nsfw"])


def test_both_kinds_tell_the_two_pictures_apart(pipeline: SafetyPipeline) -> None:
    assert unsafe_share(pipeline, SAFE) < 0.01
    assert unsafe_share(pipeline, UNSAFE) > 0.99
    assert pipeline.weight_bytes > 0


@pytest.mark.parametrize("end", ["left", "bottom"])
def test_what_is_at_an_end_of_a_long_picture_is_seen(pipeline: SafetyPipeline, end: str) -> None:
    safe, unsafe = ([bytes(it.data[:3]) for _ in range(64)] for it in (SAFE, UNSAFE))
    strip = [*unsafe, *safe * 9]
    strip = strip if end in ("left", "top") else strip[::-1]
    if end in ("left", "right"):
        picture = Pixels(width=640, height=64, data=b"".join(strip) * 64)
    else:
        picture = Pixels(width=64, height=640, data=b"".join(pixel * 64 for pixel in strip))
    assert unsafe_share(pipeline, picture) > 0.99
    plain = plain_picture(*SAFE.data[:3], width=picture.width, height=picture.height)
    assert unsafe_share(pipeline, plain) < 0.01


def test_the_published_checkers_names_and_its_old_preprocessor_are_read(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    base = Path(shutil.copytree(folders["checker"].parent, tmp_path / "published"))
    place = base / "safety_checker" / "model.safetensors"
    named = {
        re.sub(r"^vision_model\.(?!vision_model\.)", "vision_model.vision_model.", name): weight
        for name, weight in load_file(place).items()
    }
    named["vision_model.vision_model.embeddings.position_ids"] = torch.arange(5)[None]
    save_file(named, place, metadata={"format": "pt"})
    old = {
        "crop_size": 16, "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True,
        "do_resize": True, "feature_extractor_type": "CLIPFeatureExtractor", "resample": 3,
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "size": 16,
        "image_std": [0.26862954, 0.26130258, 0.27577711],
    }  # fmt: skip
    (base / "feature_extractor" / "preprocessor_config.json").write_text(json.dumps(old))
    published = loaded(base / "safety_checker")
    assert [unsafe_share(published, it) for it in (SAFE, UNSAFE)] == [0, 1]


def test_squares_cover_every_pixel_and_a_square_is_one() -> None:
    for width, height in ((64, 64), (100, 64), (64, 100), (1024, 16), (129, 64)):
        views = squares(plain_picture(1, 2, 3, width=width, height=height))
        assert {view.size for view in views} == {(min(width, height),) * 2}
        assert len(views) * min(width, height) >= max(width, height)
    assert len(squares(SAFE)) == 1


def test_scores_add_up_where_labels_are_shares_of_one(tmp_path: Path) -> None:
    folder = save_classifier(
        tmp_path / "three", safe=SAFE, unsafe=UNSAFE, labels=("fine", "porn", "gore")
    )
    classifier = examine(folder)
    scores = {label: float(it) for label, it in looked_at(loaded(folder), UNSAFE).parameters}
    assert list(scores) == ["fine", "porn", "gore"]
    assert sum(scores.values()) == pytest.approx(1, abs=1e-4)
    assert classifier.unsafe_score({"fine": 0.4, "porn": 0.3, "gore": 0.3}, ["porn", "gore"]) == 0.6
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps({**config, "problem_type": "multi_label_classification"})
    )
    alone = examine(folder)
    assert alone.unsafe_score({"fine": 0.9, "porn": 0.3, "gore": 0.4}, ["porn", "gore"]) == 0.4
    several = {label: float(it) for label, it in looked_at(loaded(folder), SAFE).parameters}
    assert several["fine"] == pytest.approx(0.5)


def test_labels_have_to_be_the_classifiers_own(folders: dict[str, Path]) -> None:
    examine(folders["checker"]).require(["nsfw"])
    with pytest.raises(ModelUnavailableError, match="no label 'porn'; it has: normal, nsfw"):
        examine(folders["labels"]).require(["nsfw", "porn"])
    with pytest.raises(ModelUnavailableError, match="no label that is named"):
        examine(folders["labels"]).require([])


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ("no config.json", "there is no classifier"),
        ("config.json []", "cannot be read"),
        ('config.json {"architectures": ["BertModel"]}', "tells no labels"),
        ("no model.safetensors", "lacks model.safetensors"),
        ("half model.safetensors", "damaged weights"),
        ("no preprocessor_config.json", "lacks preprocessor_config.json"),
    ],
)
def test_what_is_not_whole_is_refused_with_a_sentence(
    folders: dict[str, Path], tmp_path: Path, damage: str, why: str
) -> None:
    folder = Path(shutil.copytree(folders["labels"], tmp_path / "copy"))
    what, _, rest = damage.partition(" ")
    if what == "no":
        (folder / rest).unlink()
        (folder / "pytorch_model.bin").write_bytes(b"a pickle is never read")
    elif what == "half":
        whole = (folder / rest).read_bytes()
        (folder / rest).write_bytes(whole[: len(whole) // 2])
    else:
        (folder / what).write_text(rest)
    with pytest.raises(ModelUnavailableError, match=why):
        examine(folder)
    with pytest.raises(ModelUnavailableError, match=why):
        SafetyPipeline.load(model=str(folder), config=CONFIG)


def test_weights_that_are_in_no_file_are_not_made_up(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(folders["labels"], tmp_path / "copy"))
    weights = load_file(folder / "model.safetensors")
    del weights["classifier.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelUnavailableError, match=r"lacks weights: classifier\.weight"):
        SafetyPipeline.load(model=str(folder), config=CONFIG)


def test_no_program_in_a_folder_is_ever_run(folders: dict[str, Path], tmp_path: Path) -> None:
    folder, marker = Path(shutil.copytree(folders["labels"], tmp_path / "copy")), tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(marker)!r}, 'w')")
    config = json.loads((folder / "config.json").read_text())
    mapped = {"AutoConfig": "evil.C", "AutoModelForImageClassification": "evil.M"}
    config |= {"model_type": "evil", "auto_map": mapped}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelUnavailableError, match="could not be loaded"):
        SafetyPipeline.load(model=str(folder), config=CONFIG)
    given = json.loads((folder / "preprocessor_config.json").read_text())
    given |= {"image_processor_type": "Evil", "auto_map": {"AutoImageProcessor": "evil.P"}}
    shutil.copy(folders["labels"] / "config.json", folder / "config.json")
    (folder / "preprocessor_config.json").write_text(json.dumps(given))
    with pytest.raises(ModelUnavailableError, match="could not be loaded"):
        SafetyPipeline.load(model=str(folder), config=CONFIG)
    assert not marker.exists()
