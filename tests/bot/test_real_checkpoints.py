"""Tiny checkpoints of the real classes behind members' commands: what comes out of the pixels."""

from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from bot.composition import Bot
from generation.registry import PIPELINES
from tests.bot.members import Message, job_of, text_of
from tests.bot.stage import Stage, rows, running, settings_for
from tests.bot.test_restart import as_if_killed_while_running
from tests.generation.checkpoints import (
    euler,
    save_control_net,
    save_flux,
    save_img2img,
    save_inpaint,
    save_ip_adapter,
)
from tests.generation.estimators import save_depth, save_detector, save_pose

# Diffusers hands tensors to numpy in a way that numpy 2 is going to drop.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning"),
    pytest.mark.slow,
]
PATIENCE_S = 90.0

LEFT = 48
"""The column from which on everything is painted anew, of 96 x 64."""
Array = npt.NDArray[np.uint8]
PHOTO = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a plain checkpoint and one that is told what it fills."""
    folder = tmp_path_factory.mktemp("models")
    save_img2img(folder / "plain", scheduler=euler())
    save_inpaint(folder / "filling", scheduler=euler())
    save_flux(folder / "dev")
    (folder / "dev/atelier.json").write_text('{"native_size": 64}')
    save_control_net(folder / "controls/edges/small", base=folder / "plain")
    save_ip_adapter(folder / "ip_adapters/small", base=folder / "plain")
    return folder


def png(values: Array) -> bytes:
    buffer = BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


async def made(stage: Stage, message: Message, number: int = 0) -> npt.NDArray[np.int64]:
    """Return the values of a message's picture."""
    data = await stage.ada.fetch(message["attachments"][number]["url"])
    return np.asarray(Image.open(BytesIO(data)).convert("RGB")).astype(int)


async def fitted(bot: Bot, message: Message) -> npt.NDArray[np.int64]:
    """Return the values of what a job started from, as it was fitted and stored."""
    job = await bot.stores.jobs.get(job_of(message))
    assert job.image is not None
    data = await bot.stores.files.read(job.image.sha256)
    return np.asarray(Image.open(BytesIO(data)).convert("RGB")).astype(int)


async def test_members_paint_parts_of_pictures_and_whole_ones_with_real_checkpoints(
    stage: Stage, models: Path
) -> None:
    settings = settings_for(stage.sandbox, stage.folder / "data", models_dir=models, threads=1)
    async with running(settings, pipelines={"remix": PIPELINES["remix"]}) as bot:
        mask = np.zeros((64, 96), np.uint8)
        mask[:, LEFT:] = 255
        opened = np.dstack([PHOTO, 255 - mask])
        ways = {
            "plain": {"image": png(PHOTO), "mask": png(mask)},
            "filling": {"image": png(opened)},
            "remix": {"image": png(PHOTO), "mask": png(mask)},
        }
        for count, (model, files) in enumerate(ways.items(), start=1):
            given = {name: await stage.ada.upload(data) for name, data in files.items()}
            words = {"prompt": "night", "model": model, "seed": 3, "steps": 2}
            await stage.ada.command("inpaint", None, **given, **words)
            message = (await stage.ada.results(count, wait_s=PATIENCE_S))[-1]
            before, after = await fitted(bot, message), await made(stage, message)
            assert np.abs(after[:, :LEFT] - before[:, :LEFT]).max() <= 1, model
            assert np.abs(after[:, LEFT:] - before[:, LEFT:]).mean() > 5, model
            assert f"{model} · seed 3" in text_of(message)
        await made_again_to_the_byte(stage, bot, message)
        image = await stage.ada.upload(png(PHOTO))
        await stage.ada.remix("night", image=image, extend="2:1", model="plain", seed=3)
        message = (await stage.ada.results(4, wait_s=PATIENCE_S))[-1]
        before, after = await fitted(bot, message), await made(stage, message)
        assert after.shape == (64, 128, 3)
        assert np.abs(after[:, 16:112] - before).max() <= 1
        assert np.abs(after[:, :16] - before[:, :1]).mean() > 5
        words = {"prompt": "night", "model": "plain", "size": "128x64", "steps": 2, "seed": 7}
        await stage.ada.command("imagine", None, count=2, **words)
        message = (await stage.ada.results(5, wait_s=PATIENCE_S))[-1]
        first, second = [await made(stage, message, number) for number in (0, 1)]
        assert first.shape == second.shape == (64, 128, 3)
        assert np.abs(first - second).mean() > 5
        await made_again_to_the_byte(stage, bot, message)
        like = await stage.ada.upload(png(PHOTO[::-1]))
        results = []
        for number, more in enumerate(({}, {"control": "edges"}, {"like": like}), start=6):
            await stage.ada.remix("night", image=image, model="plain", seed=3, **more)
            message = (await stage.ada.results(number, wait_s=PATIENCE_S))[-1]
            results.append(await made(stage, message))
        for other in results[1:]:
            assert np.abs(other - results[0]).mean() > 1
        await made_again_to_the_byte(stage, bot, message)


async def test_members_paint_and_change_pictures_with_a_transformer(
    stage: Stage, models: Path
) -> None:
    settings = settings_for(stage.sandbox, stage.folder / "data", models_dir=models, threads=1)
    async with running(settings, pipelines={"remix": PIPELINES["remix"]}) as bot:
        words = {"prompt": "night", "model": "dev", "size": "96x64", "steps": 2, "seed": 7}
        await stage.ada.command("imagine", None, count=2, **words)
        message = (await stage.ada.results(1, wait_s=PATIENCE_S))[-1]
        first, second = [await made(stage, message, number) for number in (0, 1)]
        assert first.shape == second.shape == (64, 96, 3)
        assert np.abs(first - second).mean() > 5
        await made_again_to_the_byte(stage, bot, message)
        told = "dev reads prompts without weights of words. These models can: remix, filling"
        for unfit in ({"prompt": "(night:1.5)"}, {"prompt": "night", "negative": "(fog:1.5)"}):
            await stage.ada.command("imagine", None, **{**words, **unfit})
            await stage.ada.text(told)
        image = await stage.ada.upload(png(PHOTO))
        await stage.ada.remix("night", image=image, model="dev", seed=3)
        message = (await stage.ada.results(2, wait_s=PATIENCE_S))[-1]
        before, after = await fitted(bot, message), await made(stage, message)
        assert after.shape == before.shape
        assert np.abs(after - before).mean() > 5
        # What was refused was not queued.
        assert rows(bot, "SELECT count(*) FROM jobs") == [(2,)]


@pytest.mark.timeout(240)
async def test_members_follow_depths_and_poses_that_are_estimated(
    stage: Stage, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    save_img2img(models / "plain", scheduler=euler())
    for kind, save in (("depth", save_depth), ("pose", save_pose)):
        save_control_net(models / f"controls/{kind}/any.safetensors", base=models / "plain")
        save(models / f"estimates-{kind}")
    settings = settings_for(stage.sandbox, stage.folder / "data", models_dir=models, threads=1)
    async with running(settings, pipelines={"remix": PIPELINES["remix"]}) as bot:
        photo, other = [await stage.ada.upload(png(it)) for it in (PHOTO, PHOTO[::-1])]
        words = {"image": photo, "model": "plain", "seed": 3}
        ways: list[dict[str, str]] = [
            {},
            {"control": "depth"},
            {"control": "depth", "control_from": other},
            {"control": "pose"},
        ]
        results = []
        for number, more in enumerate(ways, start=1):
            await stage.ada.remix("night", **words, **more)
            message = (await stage.ada.results(number, wait_s=PATIENCE_S))[-1]
            results.append((await made(stage, message)).tobytes())
        assert len(set(results)) == len(ways)
        save_detector(models / "finds", finds="cat")
        await stage.ada.remix("night", **words, control="pose")
        await stage.ada.text("I see nobody in that picture whose pose I could follow.")
        await stage.settled(bot)
        failed = "SELECT state, error, device_ms FROM jobs WHERE error IS NOT NULL"
        assert rows(bot, failed) == [("failed", "NobodySeenError", 0)]


async def made_again_to_the_byte(stage: Stage, bot: Bot, message: Message) -> None:
    """Take a job up as if its bot had died, and compare."""
    await stage.settled(bot)
    outputs = (await bot.stores.jobs.get(job_of(message))).outputs
    lost = "lease_expires_at = '2000-01-01 00:00:00'"
    rows(bot, *as_if_killed_while_running(job_of(message)), f"UPDATE jobs SET {lost}")
    await stage.settled(bot)
    job = await bot.stores.jobs.get(job_of(message))
    assert (job.attempt, job.outputs) == (2, outputs)
