"""/remix with a control and a picture to be like: kept with the job, or refused before it."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from generation.companions import CONTROLS, IP_ADAPTERS
from tests.bot.checkpoints import painter
from tests.bot.members import job_of, text_of
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
    wished = {"model": "mine", "control": "depth/any:0.6", "like_strength": 0.4, **pictures}
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
