"""/blend, /design, and /remix by a VAE: from a member's command to the picture."""

from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bot.composition import Bot
from bot.orders import Parameters
from generation.registry import PIPELINES as ALL_PIPELINES
from generation.registry import PipelineSpec
from tests.bot.members import Message, job_of, text_of
from tests.bot.pictures import photo
from tests.bot.pipelines import PIPELINES
from tests.bot.stage import Stage, rows
from tests.generation.vaes import save_kl, save_rooms

BY_VAE = {name: ALL_PIPELINES[name] for name in ("vae", "design")}
PATIENCE_S = 60.0


QUICK = {name: replace(PIPELINES["remix"], model=spec.model) for name, spec in BY_VAE.items()}
"""Without torch: the commands, and not the pictures."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    save_rooms(folder / "rooms")
    save_kl(folder / "mine")
    return folder


async def started(
    stage: Stage, models: Path, *, pipelines: Mapping[str, PipelineSpec] = QUICK
) -> Bot:
    return await stage.start(beside=pipelines, models_dir=models, threads=1, quota_device_s=100_000)


async def made(stage: Stage, command: str, **options: object) -> tuple[Message, bytes]:
    """Say a command, and return the reply and its file."""
    before = {message["id"] for message in await stage.ada.results(0)}
    answer = await stage.ada.command(command, None, **options)
    assert answer["status"] < 300, answer
    (message,) = await stage.ada.until(
        lambda it: bool(it["attachments"]) and "Again" in str(it) and it["id"] not in before,
        wait_s=PATIENCE_S,
    )
    return message, await stage.ada.picture(message)


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


@pytest.mark.slow
async def test_two_pictures_are_blended_still_and_moving(stage: Stage, models: Path) -> None:
    bot = await started(stage, models, pipelines=BY_VAE)
    pictures = {
        "image": await stage.ada.upload(photo(colour=(200, 40, 40))),
        "other": await stage.ada.upload(photo(colour=(20, 40, 220))),
    }
    message, still = await made(stage, "blend", ratio=0.4, model="mine", **pictures)
    assert "**Blend**" in text_of(message)
    assert opened(still).format == "PNG"
    job = await bot.stores.jobs.get(job_of(message))
    assert (job.pipeline, job.model) == ("vae", "mine")
    assert set(job.inputs) == {"image", "style_image"}
    message, moving = await made(stage, "blend", frames=3, model="mine", **pictures)
    with opened(moving) as animation:
        assert animation.format == "GIF"
        assert getattr(animation, "n_frames", 1) == 4
    assert message["attachments"][0]["filename"].endswith(".gif")
    await stage.ada.press(message, "Vary")
    (again,) = await stage.ada.until(
        lambda it: "**Vary**" in text_of(it) and bool(it["attachments"])
    )
    assert (await bot.stores.jobs.get(job_of(again))).pipeline == "vae"


@pytest.mark.slow
async def test_a_room_is_designed_by_words_a_direction_and_a_seed(
    stage: Stage, models: Path
) -> None:
    bot = await started(stage, models, pipelines=BY_VAE)
    asked = {"room": "bedroom, blue walls", "seed": 5}
    message, plain = await made(stage, "design", **asked)
    assert "bedroom, blue walls" in text_of(message)
    assert opened(plain).size == (512, 512)
    _, repeated = await made(stage, "design", **asked)
    _, unmoved = await made(stage, "design", direction="Evening", amount=0, **asked)
    moved_message, moved = await made(stage, "design", direction="Evening", **asked)
    pixels = [np.asarray(opened(each).convert("RGB")) for each in (plain, repeated, unmoved, moved)]
    assert np.array_equal(pixels[0], pixels[1])
    assert np.array_equal(pixels[0], pixels[2])
    assert not np.array_equal(pixels[0], pixels[3])
    assert "bedroom, blue walls → evening" in text_of(moved_message)
    await stage.ada.press(moved_message, "Again")
    (again,) = await stage.ada.until(
        lambda it: bool(it["attachments"]) and int(it["id"]) > int(moved_message["id"]),
        wait_s=PATIENCE_S,
    )
    kept = Parameters.of_job(await bot.stores.jobs.get(job_of(again)))
    assert (kept.direction, kept.strength) == ("evening", 1.0)


async def test_a_blend_is_written_down_whole_and_again_repeats_all_of_it(
    stage: Stage, models: Path
) -> None:
    bot = await started(stage, models)
    pictures = {"image": await stage.ada.upload(), "other": await stage.ada.upload()}
    message, _ = await made(stage, "blend", frames=4, **pictures)
    await stage.ada.press(message, "Again")
    (again,) = await stage.ada.until(
        lambda it: bool(it["attachments"]) and int(it["id"]) > int(message["id"])
    )
    for job_id in (job_of(message), job_of(again)):
        job = await bot.stores.jobs.get(job_id)
        assert (job.command, job.pipeline) == ("blend", "vae")
        assert set(job.inputs) == {"image", "style_image"}
        assert Parameters.of_job(job).frames == 4
    assert (await stage.ada.command("blend", None, frames=99, **pictures))["status"] >= 400


async def test_what_a_design_does_not_know_is_refused_before_anything_is_queued(
    stage: Stage, models: Path
) -> None:
    bot = await started(stage, models)
    await stage.ada.command("design", None, room="zebras")
    await stage.ada.text("It knows: bedroom, blue walls, evening.")
    await stage.ada.command("design", None, direction="cosy")
    await stage.ada.until(lambda it: "It knows: bedroom" in text_of(it), count=2)
    await stage.ada.command("design", None, model="mine")
    await stage.ada.text("There is no model mine here. There are: rooms.")
    assert rows(bot, "SELECT count(*) FROM jobs") == [(0,)]


@pytest.mark.slow
async def test_without_a_prior_the_painter_designs_and_says_so(stage: Stage) -> None:
    await stage.start(beside=BY_VAE, threads=1)
    message, painted = await made(stage, "design", room="bedroom, blue walls", seed=5)
    assert "Painted by rules, without a network." in str(message)
    assert opened(painted).size == (512, 512)
    assert len(opened(painted).convert("RGB").getcolors(2**24) or []) > 1000
    answer = await stage.ada.interact(
        kind="autocomplete", name="design", options={"model": ""}, focused="model"
    )
    (choice,) = answer["choices"]
    assert choice["name"] == "rooms · painted by rules, without a network"


async def test_typing_offers_words_directions_and_vaes(stage: Stage, models: Path) -> None:
    await started(stage, models)

    async def offered(command: str, focused: str, **options: object) -> list[str]:
        answer = await stage.ada.interact(
            kind="autocomplete", name=command, options=options, focused=focused
        )
        return [choice["value"] for choice in answer["choices"]]

    assert await offered("design", "room", room="bedroom, EVE") == ["bedroom, evening"]
    assert await offered("design", "direction", direction="w") == ["blue walls"]
    assert await offered("design", "model", model="") == ["rooms"]
    assert {"mine", "remix", "rooms"} <= set(await offered("blend", "model", model=""))
    named = await offered("remix", "model", model="autoencoder", prompt="night")
    assert named == ["mine", "vae"]


async def test_vae_in_remix_is_the_usual_one_which_is_the_starters_codec(
    stage: Stage, models: Path
) -> None:
    bot = await started(stage, models)
    image = await stage.ada.upload()
    message, _ = await made(stage, "remix", image=image, model="vae", strength=0.5, seed=2)
    job = await bot.stores.jobs.get(job_of(message))
    assert (job.pipeline, job.model) == ("vae", "remix")
    await stage.ada.command("remix", None, image=image, model="vae", preset="night")
    await stage.ada.text("can do that preset")


async def test_a_vae_named_in_remix_varies_the_picture(stage: Stage, models: Path) -> None:
    bot = await started(stage, models)
    image = await stage.ada.upload()
    message, _ = await made(stage, "remix", image=image, model="mine", strength=0.5, seed=2)
    job = await bot.stores.jobs.get(job_of(message))
    assert (job.pipeline, job.model) == ("vae", "mine")
    await stage.ada.command("remix", None, image=image, model="mine", preset="night")
    await stage.ada.text("can do that preset")
    await stage.ada.command("remix", None, image=image, model="mine", like=image)
    await stage.ada.text("a VAE follows no control and no likeness")
