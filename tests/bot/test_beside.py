"""/remix with a control and a picture to be like: kept with the job, or refused before it."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from bot.errors import PicturesUnfitError
from bot.job_pictures import JobPictures
from bot.room import png_size
from generation.companions import CONTROLS, IP_ADAPTERS
from tests.bot.checkpoints import painter
from tests.bot.members import job_of, text_of
from tests.bot.pictures import photo
from tests.bot.stage import Stage, rows


@pytest.fixture
def models(stage: Stage) -> Path:
    """Return the models folder: a checkpoint that paints, and what goes beside it."""
    folder = painter(stage.folder / "data" / "models" / "mine")
    told = json.loads((folder / "unet/config.json").read_text())
    words, width = told["cross_attention_dim"], told["block_out_channels"][0]
    reads = np.zeros((2, words), np.float32)
    network = {
        "conv_in.weight": np.zeros((width, told["out_channels"], 3, 3), np.float32),
        "controlnet_cond_embedding.conv_in.weight": np.zeros((2, 3, 3, 3), np.float32),
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": reads,
    }
    adapter = {
        "image_proj.proj.weight": np.zeros((4 * words, 6), np.float32),
        "ip_adapter.1.to_k_ip.weight": reads,
    }
    base = folder.parent
    encoder = base / IP_ADAPTERS / "any/image_encoder"
    encoder.mkdir(parents=True)
    (encoder / "config.json").write_text('{"projection_dim": 6}')
    save_file({"x": reads}, encoder / "model.safetensors")
    save_file(adapter, base / IP_ADAPTERS / "any/any.safetensors")
    for kind in ("depth", "edges"):
        (base / CONTROLS / kind).mkdir(parents=True)
        save_file(network, base / CONTROLS / kind / "any.safetensors")
    return base


async def test_a_job_keeps_what_it_is_to_follow_and_again_follows_it(
    stage: Stage, models: Path
) -> None:
    bot = await stage.start()
    pictures = {name: await stage.ada.upload() for name in ("like", "control_picture")}
    steps = {"steps": 3, "guidance": 2.5, "scheduler": "ddim"}
    wished = {
        "model": "mine",
        "control": "depth/any:0.6",
        "like_strength": 0.4,
        **pictures,
        **steps,
    }
    await stage.ada.remix("night", **wished)
    message = await stage.ada.result()
    first = await bot.stores.jobs.get(job_of(message))
    await stage.ada.press(message, "Again")
    again = await bot.stores.jobs.get(job_of((await stage.ada.results(2))[1]))
    for job in (first, again):
        assert set(job.inputs) == {"image", "like", "control"}
        assert job.parameters is not None
        kept = job.parameters["control"], job.parameters["like_strength"]
        assert kept == ("depth/any:0.6", 0.4)
        stepped = ("num_inference_steps", "guidance_scale", "scheduler")
        assert [job.parameters[name] for name in stepped] == [3, 2.5, "ddim"]
    assert first.inputs == again.inputs


async def test_a_picture_from_words_keeps_what_it_is_to_be_like(stage: Stage, models: Path) -> None:
    bot = await stage.start()
    like = await stage.ada.upload()
    await stage.ada.command("imagine", None, prompt="a castle", like=like, like_strength=0.3)
    job = await bot.stores.jobs.get(job_of(await stage.ada.result()))
    assert set(job.inputs) == {"like"}
    assert job.parameters is not None
    assert job.parameters["like_strength"] == 0.3


async def test_what_no_network_follows_is_refused_before_it_is_queued(
    stage: Stage, models: Path
) -> None:
    bot = await stage.start()
    liked = await stage.ada.upload()
    for options, said in (
        ({"control": "edges", "model": "remix"}, "remix follows no control"),
        ({"control": "edges", "model": "remix"}, "these do: mine"),
        ({"control": "pose", "model": "mine", "control_picture": liked}, "no ControlNet for pose"),
        ({"control": "depth", "model": "mine"}, "a control by depth needs a control picture"),
        ({"control": "depth", "model": "mine"}, "nothing here estimates depths"),
        ({"control": "normal", "model": "mine"}, "only edges, depth, pose are drawn"),
        ({"control_from": liked, "control_picture": liked}, "either ready or to be drawn from"),
        ({"control": "../x", "model": "mine"}, "is no kind of control"),
        ({"control": "edges:7", "model": "mine"}, "the weight of a control is 0 to 2"),
        ({"control": "edges/x", "model": "mine"}, "no ControlNet edges/x; there are: edges/any"),
    ):
        await stage.ada.remix("night", **options)
        assert "I cannot follow that: " in text_of(await stage.ada.text(said))
    assert rows(bot, "SELECT count(*) FROM jobs") == [(0,)]
    for typed, offered in (
        ("", ["edges", "depth"]),
        ("edges", ["edges", "edges:0.25", "edges:0.5", "edges:0.75", "edges:1.25"]),
        ("depth:0.5", ["depth:0.5"]),
    ):
        answer = await stage.ada.interact(
            kind="autocomplete", name="remix", focused="control", options={"control": typed}
        )
        assert [choice["value"] for choice in answer["choices"]] == offered
    for control in ("depth", "edges"):
        await stage.ada.command("imagine", None, prompt="a castle", control=control)
        await stage.ada.text(f"without a picture there are no {control} to follow")
    assert rows(bot, "SELECT count(*) FROM jobs") == [(0,)]


async def test_a_scheduler_is_refused_where_a_model_has_its_own(stage: Stage, models: Path) -> None:
    folder = painter(models / "flow")
    (folder / "transformer").mkdir()
    told = {
        "model_index.json": {"_class_name": "FluxPipeline"},
        "transformer/config.json": {"guidance_embeds": True},
        "scheduler/scheduler_config.json": {"_class_name": "FlowMatchEulerDiscreteScheduler"},
    }
    for name, config in told.items():
        (folder / name).write_text(json.dumps(config))
    bot = await stage.start()
    await stage.ada.remix("night", model="flow", scheduler="ddim")
    await stage.ada.text("The model flow runs with its own scheduler only. These take others: mine")
    assert rows(bot, "SELECT count(*) FROM jobs") == [(0,)]


@pytest.fixture
def estimator(models: Path) -> Path:
    """Return an estimator of depths that is listed like a real one."""
    folder = models / "dpt"
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["DPTForDepthEstimation"]}')
    (folder / "preprocessor_config.json").write_text("{}")
    save_file({"x": np.zeros(1, np.float32)}, folder / "model.safetensors")
    return folder


@pytest.mark.slow
async def test_depth_is_drawn_from_a_picture_where_something_estimates_it(
    stage: Stage, estimator: Path
) -> None:
    bot = await stage.start()
    shown = await stage.ada.upload()
    await stage.ada.remix("night", model="mine", control="depth")
    await stage.ada.results(1)
    await stage.ada.remix("night", model="mine", control="depth:0.5", control_from=shown)
    await stage.ada.results(2)
    await stage.ada.command(
        "imagine", None, prompt="a castle", control="depth", control_from=shown, like=shown
    )
    jobs = [await bot.stores.jobs.get(job_of(it)) for it in await stage.ada.results(3)]
    assert [set(job.inputs) for job in jobs] == [
        {"image"},
        {"image", "control_from"},
        {"control_from", "like"},
    ]
    pictures = JobPictures(files=bot.stores.files, codecs=bot.workers.codecs, metrics=bot.metrics)
    requests = [(await pictures.requests(job))[0] for job in jobs]
    controls = [request.control for request in requests]
    assert [it and (it.drawn, it.picture is None) for it in controls] == [
        (True, True),
        (True, False),
        (True, False),
    ]
    assert [it and it.weight for it in controls] == [1, 0.5, 1]
    answer = await stage.ada.interact(
        kind="autocomplete", name="imagine", focused="control", options={"control": "de"}
    )
    assert [choice["value"] for choice in answer["choices"]] == ["depth"]


@pytest.mark.slow
async def test_pictures_that_were_kept_are_measured_again_before_their_job_is_repeated(
    stage: Stage, models: Path
) -> None:
    large = photo(size=(1600, 1500))
    async with stage.running(max_side=1600):
        image, like, control = [await stage.ada.upload(large) for _ in range(3)]
        await stage.ada.remix(
            "night", model="mine", image=image, like=like, control="depth", control_picture=control
        )
        message = await stage.ada.result()
    async with stage.running(max_side=64) as bot:
        await stage.ada.press(message, "Again")
        await stage.ada.text("Together these pictures are larger than what is taken by now.")
        assert rows(bot, "SELECT count(*) FROM jobs") == [(1,)]


def test_a_kept_picture_tells_its_size_or_is_refused() -> None:
    assert png_size(photo(size=(123, 45))) == (123, 45)
    for damaged in (b"", b"GIF89a" + bytes(40), photo()[:20]):
        with pytest.raises(PicturesUnfitError):
            png_size(damaged)
