"""/remix with new margins and several pictures; and refusals by what models can do."""

import json
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from bot.limits import arena_for
from generation.outpainting import outpainted
from generation.request import Pixels
from generation.weights import STARTER
from tests.bot.checkpoints import painter
from tests.bot.members import job_of, labels, text_of
from tests.bot.stage import Stage, rows

LISTENING = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight"


@pytest.fixture
def painters(stage: Stage) -> Path:
    """Return the models folder, in which one lies that paints."""
    return painter(stage.folder / "data" / "models" / "mine").parent


async def test_a_remix_with_margins_comes_several_times_in_its_new_shape(
    stage: Stage, painters: Path
) -> None:
    bot = await stage.start()
    await stage.ada.remix("a beach", extend="16 : 9", count=2, seed=8, negative="people")
    message = await stage.ada.result()
    assert "mine · seeds 8, 9 · strength 1 · extended to 16:9 · " in text_of(message)
    assert labels(message) == ["Vary 1", "Vary 2", "Again", "Edit", "Details", "Delete"]
    for seed, attachment in enumerate(message["attachments"], start=8):
        with Image.open(BytesIO(await stage.ada.fetch(attachment["url"]))) as picture:
            assert picture.size == (114, 64)
            assert picture.getpixel((57, 32)) == (90, 140, 200)
            assert picture.getpixel((2, 32)) == picture.getpixel((111, 32)) == (seed, 7, 255)
    job = await bot.stores.jobs.get(job_of(message))
    assert list(job.inputs) == ["image"]
    await stage.ada.press(message, "Again")
    again = (await stage.ada.results(2))[1]
    assert "extended to 16:9" in text_of(again)
    await stage.ada.press(message, "Vary 2")
    varied = await bot.stores.jobs.get(job_of((await stage.ada.results(3))[2]))
    assert varied.image == job.outputs[1]
    assert varied.parameters is not None
    assert (varied.parameters["width"], varied.parameters["ratio"]) == (114, None)


async def test_margins_that_cannot_be_made_are_refused_before_anything_is_queued(
    stage: Stage, painters: Path
) -> None:
    bot = await stage.start(max_side=64)
    for options, said in (
        ({"extend": "wide"}, "wide is no shape that I know."),
        ({"extend": "9:1"}, "9:1 is no shape that I know."),
        ({"extend": "3:2"}, "cannot be extended to 3:2: it has that shape already"),
        ({"extend": "4:1"}, "a side would have more than 128 pixels"),
        ({"extend": "16:9", "model": "remix"}, "The model remix changes what is in a picture"),
        ({"extend": "16:9", "preset": "product"}, "No model that is installed here can do that"),
        ({"count": 9}, "I make 4 pictures at once here at most."),
    ):
        await stage.ada.remix("a beach", **options)
        await stage.ada.text(said)
    assert rows(bot, "SELECT count(*) FROM jobs") == [(0,)]
    image = await stage.ada.upload()
    typing = {"kind": "autocomplete", "name": "remix", "focused": "model"}
    answer = await stage.ada.interact(
        options={"image": image, "extend": "16:9", "model": ""}, **typing
    )
    assert [choice["value"] for choice in answer["choices"]] == ["mine"]


async def test_a_prompt_that_another_model_could_follow_is_refused_with_its_name(
    stage: Stage, painters: Path
) -> None:
    painter(painters / "wide")
    config = painters / "wide" / "unet" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"cross_attention_dim": 40}))
    (painters / "loras").mkdir()
    save_file({LISTENING: np.zeros((4, 40), np.float32)}, painters / "loras" / "ink.safetensors")
    bot = await stage.start()
    await stage.ada.remix("a beach <ink:1>", model="mine")
    said = text_of(await stage.ada.text("the LoRA ink was made for another kind of model"))
    assert said.endswith("These models can: wide.")
    await stage.ada.remix("a beach <ink:1>", model="wide")
    await stage.ada.result()
    assert rows(bot, "SELECT model FROM jobs") == [("wide",)]


async def test_again_is_refused_unqueued_when_the_model_has_become_another(
    stage: Stage, painters: Path
) -> None:
    bot = await stage.start()
    await stage.ada.command("imagine", None, prompt="a castle")
    message = await stage.ada.result()
    shutil.rmtree(painters / "mine")
    shutil.copytree(STARTER / "remix", painters / "mine")
    painter(painters / "other")
    await bot.models.refresh()
    await stage.ada.press(message, "Again")
    await stage.ada.text("The model mine changes what is in a picture")
    assert rows(bot, "SELECT count(*) FROM jobs") == [(1,)]


async def test_vary_says_what_is_wrong_with_the_model_before_it_fetches_anything(
    stage: Stage,
) -> None:
    models = stage.folder / "data" / "models"
    painter(models / "shade")
    shutil.rmtree(models / "shade" / "unet")
    await stage.start()
    image = await stage.ada.upload()
    await stage.ada.command("vary", None, image=image)
    await stage.ada.text("The model shade cannot be used right now.")
    assert not [path for path in (stage.folder / "data" / "files").rglob("*") if path.is_file()]


@pytest.mark.parametrize("side", [64, 1000, 1024, 1536])
def test_the_largest_order_fits_into_what_is_shared_with_an_engine(side: int) -> None:
    picture = Pixels(width=side, height=side, data=bytes(3 * side**2))
    image, mask = outpainted(picture, ratio=2.0)
    geometry = arena_for(max_side=side)
    given = (image, mask, picture, picture)
    assert sum(-(-len(each.data) // geometry.slot_bytes) for each in given) <= geometry.slots
