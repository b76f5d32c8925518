"""/portrait from a member's command to the picture, and /remix with a model of seeds."""

from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image

from generation.pipelines.gan import DigitsGenerator
from generation.registry import PIPELINES
from tests.bot.members import Message, is_result, job_of, text_of
from tests.bot.stage import Stage
from tests.generation.test_portrait import written

PATIENCE_S = 120.0
BESIDE = {"portrait": PIPELINES["portrait"]}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    written(tmp_path / "tiny-digits", DigitsGenerator(channels=4), {"channels": 4})
    return tmp_path


@pytest.mark.slow
async def test_seeds_are_avatars_and_models_are_offered_refused_and_project(
    stage: Stage, models: Path
) -> None:
    bot = await stage.start(beside=BESIDE, models_dir=models)

    async def results(count: int) -> list[Message]:
        return await stage.ada.until(is_result, count=count, wait_s=PATIENCE_S)

    async def picture(message: Message) -> Image.Image:
        job = await bot.stores.jobs.get(job_of(message))
        return Image.open(BytesIO(await bot.stores.files.read(job.outputs[0].sha256)))

    for _ in range(2):
        await stage.ada.command("portrait", None, seed=7, truncation=0.8, mix=9)
    first, again = await results(2)
    assert "**Portrait** · avatars · mixed with 9" in text_of(first)
    assert "seed 7" in text_of(first)
    assert "truncation 0.8" in text_of(first)
    avatar = await picture(first)
    assert avatar.size == (512, 512)
    assert avatar.tobytes() == (await picture(again)).tobytes()

    answer = await stage.ada.interact(
        kind="autocomplete", name="portrait", options={"model": "tiny"}, focused="model"
    )
    assert answer["choices"] == [{"name": "tiny-digits · Digits GAN", "value": "tiny-digits"}]
    await stage.ada.command("portrait", None, model="nobody")
    await stage.ada.text("There is no model nobody here. There are: avatars, ")
    image = await stage.ada.upload()
    await stage.ada.remix("night", image=image, model="tiny-digits")
    await stage.ada.text("The model tiny-digits looks for the picture nearest to yours")
    await stage.ada.command("remix", None, image=image, model="tiny-digits", seed=3)
    found = (await results(3))[-1]
    assert "tiny-digits" in text_of(found)
    assert "seed 3" in text_of(found)
