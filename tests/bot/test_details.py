"""Details: how a picture was made, and how much it differs from what it was made from."""

import dataclasses
from typing import Any

import pytest

from bot.details import details_page
from bot.texts import Voice, load_texts
from generation.codecs import CodecPool
from generation.errors import IntakeLimitError
from storage.records import Job, Likeness
from tests.bot.checkpoints import painter
from tests.bot.members import job_of, text_of
from tests.bot.stage import Stage, rows
from tests.bot.test_inpaint import holed
from tests.storage.stores import PICTURE, RESULT

FIGURES = Likeness(mse=0.0148, psnr=18.297, ssim=0.7123, compared="whole")
PARAMETERS = {"strength": 0.5, "width": 96, "height": 64, "max_bytes": 1}


def done(likeness: dict[int, Likeness], *, pictures: int = 1) -> Job:
    """Return a finished job of which nothing else is looked at."""
    blank: dict[str, Any] = dict.fromkeys(field.name for field in dataclasses.fields(Job))
    return Job(
        **{
            **blank,
            "pipeline": "remix",
            "seed": 5,
            "parameters": PARAMETERS,
            "inputs": {"image": PICTURE},
            "outputs": dict.fromkeys(range(pictures), RESULT),
            "likeness": likeness,
        }
    )


def said(job: Job) -> str:
    """Return what Details says of a job."""
    page = details_page(Voice(load_texts()), job)
    return "\n".join(str(getattr(part, "content", "")) for part in page.walk_children())


async def test_details_tell_whoever_asked_what_became_of_their_picture(stage: Stage) -> None:
    bot = await stage.start()
    await stage.ada.remix("night", seed=5, strength=0.3)
    message = await stage.ada.result()
    job = await bot.stores.jobs.get(job_of(message))
    figures: list[Any] = rows(bot, "SELECT mse, psnr, ssim, compared FROM outputs")
    [(mse, psnr, ssim, compared)] = figures
    assert job.likeness == {0: Likeness(mse=mse, psnr=psnr, ssim=ssim, compared=compared)}
    assert (compared, mse > 0) == ("whole", True)
    await stage.ada.press(message, "Details")
    answer = await stage.ada.text("**Details**")
    assert answer["ephemeral_for"] == stage.ada.id
    text = text_of(answer)
    assert "seed 5 · strength 0.3" in text
    assert f"SSIM {ssim:.3f} · PSNR {psnr:.1f} dB · MSE {mse:.3g}" in text
    assert "Compared with the whole picture that it was made from." in text
    await stage.ada.press(message, "Delete")
    await stage.ada.gone(message)
    assert (await bot.stores.jobs.get(job.id)).likeness == {}


@pytest.mark.slow
async def test_each_of_several_pictures_has_figures_of_its_own(stage: Stage) -> None:
    painter(stage.folder / "data" / "models" / "mine")
    bot = await stage.start()
    await stage.ada.remix("a beach", extend="16:9", count=2, seed=8)
    message = await stage.ada.result()
    job = await bot.stores.jobs.get(job_of(message))
    assert [found.compared for found in job.likeness.values()] == ["place", "place"]
    await stage.ada.press(message, "Details")
    text = text_of(await stage.ada.text("**Details**"))
    # The margins alone were painted, so that nothing differs at the picture's place.
    assert "Picture 1: Nothing differs" in text
    assert "Picture 2: Nothing differs" in text
    assert text.count("Compared at the place of your picture") == 1


async def test_a_painted_part_is_compared_and_words_alone_are_not(stage: Stage) -> None:
    painter(stage.folder / "data" / "models" / "mine")
    bot = await stage.start()
    image = await stage.ada.upload(holed())
    await stage.ada.command("inpaint", None, image=image, prompt="a beach", strength=1)
    inpainted = await stage.ada.result()
    likeness = (await bot.stores.jobs.get(job_of(inpainted))).likeness[0]
    assert (likeness.compared, likeness.mse > 0) == ("mask", True)
    await stage.ada.command("imagine", None, prompt="a castle")
    message = (await stage.ada.results(2))[1]
    assert rows(bot, "SELECT count(*) FROM outputs WHERE mse IS NULL") == [(1,)]
    await stage.ada.press(message, "Details")
    await stage.ada.text("Made from words alone, so there is nothing to compare it with.")


async def test_no_picture_is_lost_to_a_figure(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise IntakeLimitError("this takes too much memory")

    monkeypatch.setattr(CodecPool, "compare", broken)
    bot = await stage.start()
    await stage.ada.remix("night")
    job = await bot.stores.jobs.get(job_of(await stage.ada.result()))
    assert job.likeness == {}
    assert "It was not compared with the picture that it was made from." in said(job)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({}, "71 of 100 alike in structure; light and colours differ by 12 % on average."),
        ({"mse": 1e-9, "ssim": 0.9999}, "99 of 100 alike in structure; light and colours differ"),
        ({"ssim": -0.2}, "0 of 100 alike"),
        ({"mse": 0.0004, "ssim": None}, "Light and colours differ by 2.0 % on average.\n-# PSNR"),
        ({"mse": 0.0, "psnr": None, "ssim": 1.0}, "not in a single pixel.\n-# SSIM 1.000 · MSE 0"),
        ({"compared": "reduced"}, "the larger of the two made as small as the other"),
    ],
)
def test_figures_are_said_in_words(change: dict[str, Any], text: str) -> None:
    assert text in said(done({0: dataclasses.replace(FIGURES, **change)}))


def test_ten_pictures_details_fit_into_a_message() -> None:
    text = said(done(dict.fromkeys(range(10), FIGURES), pictures=10))
    assert "Picture 10: 71 of 100" in text
    assert len(text) < 4000
