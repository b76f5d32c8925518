"""Members name a model: offered as they type, refused before it is queued, kept with the job."""

import json
import shutil
from pathlib import Path

import pytest

from bot.choices import NAME_LENGTH
from bot.errors import UnknownModelError
from bot.models import Models
from bot.texts import load_texts
from generation.cards import read_card
from generation.registry import PIPELINES
from generation.upkeep import mark, verify
from generation.weights import STARTER
from generation.wholeness import SUMS
from tests.bot.members import text_of
from tests.bot.pipelines import PIPELINES as TINY
from tests.bot.stage import Stage, rows, running, settings_for

BIG_NAME = "@everyone *big*"


@pytest.fixture
def mine(stage: Stage) -> Path:
    """Return the models folder, in which two checkpoints lie beside the starter."""
    models = stage.folder / "data" / "models"
    for name in ("mine", "broken"):
        shutil.copytree(STARTER / "remix", models / name, ignore=shutil.ignore_patterns(SUMS))
    (models / "mine" / "atelier.json").write_text(json.dumps({"title": "A model of mine"}))
    shutil.rmtree(models / "broken" / "unet")
    return models


@pytest.mark.slow
async def test_a_model_that_finds_no_room_costs_nothing_and_is_not_offered_for_a_while(
    stage: Stage, mine: Path
) -> None:
    settings = settings_for(stage.sandbox, stage.folder / "data", device_memory_bytes=1000)
    real = {**TINY, "remix": PIPELINES["remix"]}
    async with running(settings, pipelines=real) as bot:
        await stage.ada.remix("night", model="mine")
        await stage.ada.text("The model does not fit into the memory that is free.", wait_s=60)
        await stage.settled(bot)
        assert await bot.stores.quotas.audit() == []
        assert rows(bot, "SELECT state, device_ms FROM jobs") == [("failed", 0)]
        assert "needs about" in read_card("mine", models_dir=mine).too_large
        await bot.models.refresh()
        await stage.ada.remix("night", model="mine")
        await stage.ada.text("The model mine cannot be used right now.")
        assert rows(bot, "SELECT count(*) FROM jobs") == [(1,)]


@pytest.mark.slow
async def test_a_model_whose_file_was_exchanged_is_refunded_and_not_offered_till_it_is_right(
    stage: Stage, mine: Path
) -> None:
    weights = mine / "mine" / "unet" / "diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    verify("mine", models_dir=mine)
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    settings = settings_for(stage.sandbox, stage.folder / "data")
    real = {**TINY, "remix": PIPELINES["remix"]}
    async with running(settings, pipelines=real) as bot:
        await stage.ada.remix("night", model="mine")
        await stage.ada.text("others than those that it came with", wait_s=60)
        await stage.settled(bot)
        assert await bot.stores.quotas.audit() == []
        assert rows(bot, "SELECT state, device_ms FROM jobs") == [("failed", 0)]
        await bot.models.refresh()
        await stage.ada.remix("night", model="mine")
        await stage.ada.text("The model mine cannot be used right now.")
        weights.write_bytes(whole)
        verify("mine", models_dir=mine)
        await bot.models.refresh()
        await stage.ada.remix("night", model="mine")
        await stage.settled(bot)
        assert rows(bot, "SELECT state FROM jobs ORDER BY state") == [("done",), ("failed",)]


async def test_typing_offers_the_models_that_can_be_used_and_others_are_refused_unqueued(
    stage: Stage, mine: Path
) -> None:
    bot = await stage.start()
    image = await stage.ada.upload()
    typing = {"kind": "autocomplete", "name": "remix", "focused": "model"}
    answer = await stage.ada.interact(options={"image": image, "model": ""}, **typing)
    assert answer["choices"] == [
        {"name": "mine \u00b7 A model of mine \u00b7 any words", "value": "mine"},
        {
            "name": "remix \u00b7 Atelier remix starter \u00b7 26 edits: night, sunset, snow ...",
            "value": "remix",
        },
        {"name": "digits-gan \u00b7 Digits GAN", "value": "digits-gan"},
        {"name": "digits-vae \u00b7 Digits VAE", "value": "digits-vae"},
    ]
    answer = await stage.ada.interact(options={"image": image, "model": "OF MINE"}, **typing)
    assert [choice["value"] for choice in answer["choices"]] == ["mine"]
    for model, said in (
        ("absent", "model absent here. There are: mine, remix, digits-gan, digits-vae."),
        ("../../etc", "There is no model ../../etc here."),
        ("broken", "cannot be used right now. These can: mine, remix, digits-gan, digits-vae."),
        (BIG_NAME, "big"),
    ):
        await stage.ada.remix("night", model=model)
        refusal = text_of(await stage.ada.text(said))
        assert "@everyone" not in refusal
        assert "*big*" not in refusal.replace("\\*", "")
    for prompt, said in (
        ("night <ink:1>", "I cannot follow that prompt: there is no LoRA 'ink'; there are: none."),
        ("(night:7)", "I cannot follow that prompt: words weigh 0 to 2, not 7."),
    ):
        await stage.ada.remix(prompt, model="mine")
        await stage.ada.text(said)
    assert rows(bot, "SELECT count(*) FROM jobs") == [(0,)]


async def test_the_model_is_recorded_and_priced_and_kept_until_it_cannot_be_used(
    stage: Stage, mine: Path
) -> None:
    bot = await stage.start()
    await stage.ada.remix("night", model="mine")
    message = await stage.ada.result()
    assert "mine \u00b7 seed" in text_of(message)
    await stage.ada.press(message, "Again")
    await stage.ada.results(2)
    await stage.ada.press(message, "Edit")
    await stage.ada.fill(prompt="fog", strength="0.5")
    await stage.ada.results(3)
    assert rows(bot, "SELECT model FROM jobs") == [("mine",)] * 3
    learned = bot.workers.executor._costs.learned()["costs"]
    assert "mine" in {kind["model"] for kind in learned}  # type: ignore[attr-defined]
    mark("mine", unusable="it has another SHA-256", models_dir=mine)
    await bot.models.refresh()
    await stage.ada.press(message, "Again")
    await stage.ada.text("The model mine cannot be used right now. These can: remix.")
    assert rows(bot, "SELECT count(*) FROM jobs") == [(3,)]


async def test_names_that_discord_could_not_send_are_not_offered_nor_too_many_said(
    tmp_path: Path,
) -> None:
    names = ["a" * NAME_LENGTH, "b" * (NAME_LENGTH + 1), *(f"m{each:02}" for each in range(30))]
    for name in names:
        (tmp_path / name).symlink_to(STARTER / "remix")
    models = Models(models_dir=tmp_path, pipelines=PIPELINES)
    await models.refresh()
    assert {entry.name for entry in models.usable} == {"remix", *names} - {names[1]}
    with pytest.raises(UnknownModelError) as refused:
        models.require("remix", "absent")
    said = str(load_texts().tell(refused.value.values["known"]))
    assert said.startswith(f"remix, {names[0]}, m00, ")
    assert said.endswith("m22, …")
