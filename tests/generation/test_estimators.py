"""Depths and poses told of ordinary pictures, by the operator's networks, for ControlNets."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForDepthEstimation, DPTImageProcessor

from generation.abilities import require_companions
from generation.cards import read_card
from generation.catalogue import entry_named, networks
from generation.errors import InvalidRequestError, ModelUnavailableError, NobodySeenError
from generation.estimators import TITLES, estimators, estimators_for, examine
from generation.imaging import to_pil
from generation.pipelines.base import EngineConfig
from generation.pipelines.estimating import Estimating, drawn, load_estimator
from generation.pipelines.img2img import Img2ImgPipeline
from generation.pipelines.skeletons import COLOURS, FAINT, LIMBS, body_of, skeletons
from generation.portraits import portraitists
from generation.request import Canvas, Control, ImageRequest, Pixels
from generation.trial import ESTIMATING, pipeline_of, trial_here
from generation.upkeep import add, verify
from generation.vaes import vaes
from tests.generation.checkpoints import save_control_net, save_img2img
from tests.generation.estimators import (
    save_depth,
    save_depth_anything,
    save_detector,
    save_pose,
)
from tests.generation.rows import row_beside

# Diffusers hands tensors to numpy in a way that numpy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

torch.set_num_threads(1)
CPU = torch.device("cpu")
WEIGHTS = "model.safetensors"


def _picture(seed: int, *, width: int = 32, height: int = 32) -> Pixels:
    """Return blocks of colours."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    data = blocks.repeat(8, axis=0).repeat(8, axis=1).tobytes()
    return Pixels(width=width, height=height, data=data)


REQUEST = ImageRequest(
    job_id="one", pipeline="remix", image=_picture(1, width=16, height=16), prompt="night",
    num_inference_steps=3, seed=5,
)  # fmt: skip
DEPTH, POSE = Control(kind="depth", weight=0.7), Control(kind="pose", weight=0.7)
SHOWN = _picture(2, width=64, height=48)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a models folder that has one of each kind, brought in as an operator does."""
    base = tmp_path_factory.mktemp("estimators")
    folder = base / "models"
    save_img2img(folder / "plain")
    for kind in ("depth", "pose"):
        save_control_net(folder / f"controls/{kind}/any.safetensors", base=folder / "plain")
    for name, save in (("dpt", save_depth), ("vitpose", save_pose), ("yolos", save_detector)):
        add(save(base / name), models_dir=folder, name=name)
    return folder


def _loaded(folder: Path) -> Estimating:
    return load_estimator(examine(folder), device=CPU)


def _values(picture: Pixels) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.frombuffer(picture.data, np.uint8).reshape(picture.height, picture.width, 3)


def test_they_are_in_the_catalogue_and_nothing_else_takes_them_for_its_own(models: Path) -> None:
    found = {entry.name: entry for entry in networks(models_dir=models) if not entry.starter}
    titles = {name: entry.title for name, entry in found.items()}
    assert titles == {
        "dpt": "estimates depths (DPTForDepthEstimation)",
        "vitpose": "estimates poses (VitPoseForPoseEstimation)",
        "yolos": "finds people, for poses (YolosForObjectDetection)",
    }
    assert all(entry.usable and entry.card.files for entry in found.values())
    assert not {"dpt", "vitpose", "yolos"} & {it.name for it in portraitists(models_dir=models)}
    assert not {"dpt", "vitpose", "yolos"} & {it.name for it in vaes(models_dir=models)}


@pytest.mark.parametrize("name", ["dpt", "vitpose", "yolos"])
def test_models_verify_looks_at_a_picture_with_each(models: Path, name: str) -> None:
    assert verify(name, models_dir=models).usable
    assert pipeline_of(name, models_dir=models) == ESTIMATING
    config = EngineConfig(device="cpu", models_dir=models)
    trial = trial_here(name, pipeline=ESTIMATING, config=config)
    assert trial.weight_bytes == pytest.approx((models / name / WEIGHTS).stat().st_size, rel=0.4)


def test_depth_is_the_networks_own_with_near_as_white(models: Path) -> None:
    network = AutoModelForDepthEstimation.from_pretrained(models / "dpt").eval()
    processor: Any = DPTImageProcessor.from_pretrained(models / "dpt")
    with torch.no_grad():
        near = network(**processor(images=to_pil(SHOWN), return_tensors="pt")).predicted_depth
    size = (SHOWN.height, SHOWN.width)
    wide = torch.nn.functional.interpolate(near[None], size=size, mode="bicubic")[0, 0].numpy()
    expected = 255 * (wide - wide.min()) / (wide.max() - wide.min())
    found = _values(_loaded(models / "dpt").depth(SHOWN))
    assert (found.min(), found.max()) == (0, 255)
    assert (found == found[..., :1]).all()
    assert np.abs(found[..., 0] - expected).max() <= 0.51


def test_metres_are_turned_round_and_a_flat_picture_is_black(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimating = _loaded(save_depth_anything(tmp_path / "metric", metric=True))
    far = torch.linspace(1, 20, SHOWN.width).expand(SHOWN.height, -1)
    monkeypatch.setattr(
        estimating._processor,
        "post_process_depth_estimation",
        lambda *_, **__: [{"predicted_depth": far}],
    )
    row = _values(estimating.depth(SHOWN))[0, :, 0].astype(int)
    assert (row[0], row[-1]) == (255, 0)
    assert (np.diff(row) <= 0).all()
    assert row[SHOWN.width // 2] < 20
    monkeypatch.undo()
    relative = _loaded(save_depth_anything(tmp_path / "relative"))
    assert _values(relative.depth(SHOWN)).max() == 255
    monkeypatch.setattr(
        relative._processor,
        "post_process_depth_estimation",
        lambda *_, **__: [{"predicted_depth": torch.ones(SHOWN.height, SHOWN.width)}],
    )
    assert _values(relative.depth(SHOWN)).max() == 0


def test_points_are_openposes_and_the_neck_is_between_the_shoulders() -> None:
    coco = np.array([(10.0 * each, each, 0.5 + each / 100) for each in range(17)])
    body = body_of(coco)
    assert body[1].tolist() == [55.0, 5.5, 0.55]
    # Nose, then the right arm, the left leg, and the eyes and ears with the right ones first.
    assert [body[each, 1] for each in (0, 2, 3, 4, 11, 12, 13)] == [0, 6, 8, 10, 11, 13, 15]
    assert [body[each, 1] for each in (14, 15, 16, 17)] == [2, 1, 4, 3]


def test_a_skeleton_has_openposes_colours_and_only_what_is_seen() -> None:
    body = np.zeros((18, 3))
    body[2], body[3], body[4] = (40, 60, 0.9), (140, 60, 0.9), (140, 160, 0.1)
    drawing = skeletons([body], width=256, height=200)
    arm = LIMBS.index((2, 3))
    assert drawing[60, 90].tolist() == [int(FAINT * part) for part in COLOURS[arm]]
    assert drawing[60, 40].tolist() == list(COLOURS[2])
    assert drawing[60, 140].tolist() == list(COLOURS[3])
    assert not drawing[62:, 100].any()
    assert not drawing[110:].any()
    half = 4 * 200 / 512
    assert abs(np.count_nonzero(drawing[:, 90].max(axis=1)) - 2 * half) <= 1
    assert len(set(COLOURS)) == 18
    assert len(LIMBS) == 17


def test_people_are_found_where_they_are_and_others_are_not_people(
    models: Path, tmp_path: Path
) -> None:
    (box,) = _loaded(models / "yolos").people(SHOWN)
    assert box == pytest.approx([0, 0, SHOWN.width / 2, SHOWN.height], abs=0.1)
    assert _loaded(save_detector(tmp_path / "cats", finds="cat")).people(SHOWN) == []


def test_a_pose_is_drawn_person_by_person_or_of_the_whole_picture(models: Path) -> None:
    posing, finding = _loaded(models / "vitpose"), _loaded(models / "yolos")
    there = {"pose": posing, "people": finding}
    beside = drawn("pose", SHOWN, loaded=there.get)
    boxes = finding.people(SHOWN)
    size = {"width": SHOWN.width, "height": SHOWN.height}
    assert (_values(beside) == skeletons(posing.bodies(SHOWN, boxes=boxes), **size)).all()
    alone = drawn("pose", SHOWN, loaded={"pose": posing}.get)
    whole = [[0.0, 0.0, float(SHOWN.width), float(SHOWN.height)]]
    assert (_values(alone) == skeletons(posing.bodies(SHOWN, boxes=whole), **size)).all()
    assert alone != beside


@pytest.mark.parametrize("unsure", [True, False])
def test_where_nobody_is_seen_nothing_is_made(models: Path, tmp_path: Path, unsure: bool) -> None:
    there = {
        "pose": _loaded(save_pose(tmp_path / "unsure", sure=-99) if unsure else models / "vitpose"),
        "people": _loaded(save_detector(tmp_path / "cats", finds="person" if unsure else "cat")),
    }
    with pytest.raises(NobodySeenError, match="nobody whose pose"):
        drawn("pose", SHOWN, loaded=there.get)


def test_experts_are_asked_as_for_coco(tmp_path: Path) -> None:
    posing = _loaded(save_pose(tmp_path / "experts", experts=2))
    (body,) = posing.bodies(SHOWN, boxes=[[0.0, 0.0, 32.0, 48.0]])
    assert body.shape == (18, 3)


@pytest.fixture(scope="module")
def pipeline(models: Path) -> Img2ImgPipeline:
    config = EngineConfig(device="cpu", models_dir=models, batch_rows=6)
    return Img2ImgPipeline.load(model="plain", config=config)


def _image(pipeline: Img2ImgPipeline, request: ImageRequest, *others: ImageRequest) -> Pixels:
    return pipeline.retire(row_beside(pipeline, request, *others)).image


@pytest.mark.parametrize("control", [DEPTH, POSE], ids=["depth", "pose"])
def test_a_control_that_is_drawn_is_the_ready_one_to_the_byte(
    models: Path, pipeline: Img2ImgPipeline, control: Control
) -> None:
    request = replace(REQUEST, control=control)
    row = pipeline.admit(request)
    # It is drawn at the size that the picture is run at.
    assert row.source.shape[-2:] == (REQUEST.picture.height, REQUEST.picture.width)
    there = {"depth": "dpt", "pose": "vitpose", "people": "yolos"}
    ready = drawn(control.kind, REQUEST.picture, loaded=lambda it: _loaded(models / there[it]))
    made = _image(pipeline, request)
    assert made == _image(pipeline, replace(request, control=replace(control, picture=ready)))
    assert made != _image(pipeline, REQUEST)
    finished = pipeline.retire(row_beside(pipeline, request))
    by = "dpt" if control is DEPTH else "vitpose, yolos"
    assert dict(finished.parameters)["control_by"] == by
    other = replace(request, job_id="two", seed=9, image=_picture(6, width=16, height=16))
    assert _image(pipeline, request, other) == made
    assert pipeline.admit(request).bucket == pipeline.admit(
        replace(other, control=replace(control, picture=ready))
    ).bucket  # fmt: skip


def test_another_picture_is_drawn_from_where_it_is_named(pipeline: Img2ImgPipeline) -> None:
    from_it = replace(DEPTH, picture=_picture(3), ready=False)
    first = _image(pipeline, replace(REQUEST, control=from_it))
    assert first != _image(pipeline, replace(REQUEST, control=DEPTH))
    assert first != _image(pipeline, replace(REQUEST, control=replace(from_it, ready=True)))
    canvas = replace(REQUEST, image=Canvas(width=64, height=64), control=from_it)
    assert _image(pipeline, canvas) != _image(
        pipeline, replace(canvas, control=replace(from_it, picture=_picture(4)))
    )


def test_estimators_are_asked_once_and_let_go_of_when_memory_is_short(
    models: Path, pipeline: Img2ImgPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = replace(REQUEST, image=_picture(7), control=DEPTH)
    asked = 0
    depth = Estimating.depth

    def counted(self: Estimating, picture: Pixels) -> Pixels:
        nonlocal asked
        asked += 1
        return depth(self, picture)

    monkeypatch.setattr(Estimating, "depth", counted)
    rows = [pipeline.admit(replace(request, seed=seed)) for seed in range(3)]
    assert asked == 1
    held = pipeline.weight_bytes
    pipeline.lighten(rows)
    assert held - pipeline.weight_bytes > 0.5 * (models / "dpt" / WEIGHTS).stat().st_size
    for row in rows:
        pipeline.advance([row])
    pipeline._conditioning.clear()
    before = _image(pipeline, request)
    pipeline.put_away()
    pipeline.bring()
    assert _image(pipeline, request) == before


def test_without_an_estimator_it_is_said_before_anything_waits(models: Path) -> None:
    bare = models.parent / "bare"
    shutil.copytree(models / "plain", bare / "plain")
    shutil.copytree(models / "controls", bare / "controls")

    def require(control: Control, *, folder: Path = bare) -> None:
        require_companions(control=control, like=False, model="plain", models_dir=folder)

    with pytest.raises(InvalidRequestError, match="nothing here estimates depths"):
        require(DEPTH)
    require(replace(DEPTH, picture=SHOWN))
    with pytest.raises(InvalidRequestError, match="nothing here estimates poses"):
        require(replace(POSE, picture=SHOWN, ready=False))
    require(DEPTH, folder=models)
    assert estimators_for("edges", models_dir=bare) == ()
    with pytest.raises(InvalidRequestError, match="no depth to follow"):
        replace(REQUEST, image=Canvas(width=64, height=64), control=DEPTH)
    with pytest.raises(InvalidRequestError, match="only edges, depth, pose are drawn"):
        Control(kind="normal")


def test_what_is_damaged_or_none_is_refused_in_words_and_left_aside(
    models: Path, tmp_path: Path
) -> None:
    def copy(name: str) -> Path:
        return Path(shutil.copytree(models / "dpt", tmp_path / name))

    whole = load_file(models / "dpt" / WEIGHTS)
    unused = {name for name in whole if ".layers.0.residual_layer1." in name}
    assert unused
    published = copy("published")
    _save({name: value for name, value in whole.items() if name not in unused}, published)
    assert _loaded(published).depth(SHOWN) == _loaded(models / "dpt").depth(SHOWN)
    lacking = copy("lacking")
    _save({name: it for name, it in whole.items() if "head.head.0" not in name}, lacking)
    with pytest.raises(InvalidRequestError, match=r"lacking cannot be used: .* lacks weights"):
        _loaded(lacking)
    torn, foreign, bare = copy("torn"), copy("foreign"), copy("unprepared")
    (torn / WEIGHTS).write_bytes((torn / WEIGHTS).read_bytes()[:-9])
    told = json.loads((foreign / "config.json").read_text())
    (foreign / "config.json").write_text(json.dumps({**told, "architectures": ["BertModel"]}))
    (bare / "preprocessor_config.json").unlink()
    for folder, why in (
        (torn, "damaged weights"),
        (foreign, "is a BertModel; of networks of transformers these are taken: DPTFor"),
        (bare, "lacks preprocessor_config.json"),
    ):
        with pytest.raises(ModelUnavailableError, match=why):
            add(folder, models_dir=tmp_path / "models")
    (tmp_path / "models").mkdir(exist_ok=True)
    for folder in (torn, bare):
        folder.rename(tmp_path / "models" / folder.name)
        assert not entry_named(folder.name, models_dir=tmp_path / "models").usable
    found = [each for kind in TITLES for each in estimators(kind, models_dir=tmp_path / "models")]
    assert found == []
    other = save_pose(tmp_path / "hands")
    told = json.loads((other / "config.json").read_text())
    names = {str(number): f"LABEL_{number}" for number in range(17)} | {"17": "tail"}
    (other / "config.json").write_text(json.dumps({**told, "id2label": names}))
    with pytest.raises(InvalidRequestError, match="hands"):
        _loaded(other)


def test_one_whose_bits_changed_is_not_used(models: Path, tmp_path: Path) -> None:
    add(save_depth(tmp_path / "mine"), models_dir=tmp_path / "models")
    place = tmp_path / "models/mine" / WEIGHTS
    data = bytearray(place.read_bytes())
    data[-1] ^= 1
    place.write_bytes(bytes(data))
    with pytest.raises(InvalidRequestError, match=r"mine cannot be used: .* another SHA-256"):
        _loaded(tmp_path / "models/mine")
    with pytest.raises(ModelUnavailableError, match="another SHA-256"):
        verify("mine", models_dir=tmp_path / "models")
    assert read_card("mine", models_dir=tmp_path / "models").unusable
    assert not list(estimators("depth", models_dir=tmp_path / "models"))


def _save(tensors: dict[str, torch.Tensor], folder: Path) -> None:
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
