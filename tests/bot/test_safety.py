"""Finished pictures are looked at where a server wants it: covered, or neither shown nor kept."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from safetensors.numpy import save_file

from bot import doctor
from bot.composition import Bot
from bot.doctor import State
from bot.settings import Settings
from generation.classifiers import find
from generation.registry import SAFETY
from generation.request import Pixels, Progress
from generation.request import Stage as Way
from storage.database import Database
from storage.guilds import GuildStore, SafetyPolicy
from storage.migrating import upgrade
from tests.bot.checkpoints import painter
from tests.bot.members import Message, job_of, parts, text_of
from tests.bot.pipelines import eye
from tests.bot.stage import Stage, rows
from tests.bot.test_admin import admin

SAFE, UNSAFE = 0, 255
"""Seeds, which the shade pipeline makes the pictures' red of."""


def written(folder: Path) -> Path:
    """Write what is told of a classifier without loading it; engines here have one of their own."""
    folder.mkdir()
    config = {
        "architectures": ["ViTForImageClassification"],
        "id2label": {"0": "normal", "1": "nsfw"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text("{}")
    save_file({"weight": np.zeros(1, np.float32)}, folder / "model.safetensors")
    return folder


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    return written(tmp_path / "eye")


async def choose(stage: Stage, policy: str, said: str) -> Message:
    await admin(stage.cleo, "safety", policy=policy)
    return await stage.cleo.text(said)


def covered(message: Message) -> list[bool]:
    """Return which of a message's pictures are covered, the file and the gallery of one mind."""
    gallery = next(part for part in parts(message) if part.get("type") == 12)
    shown = [bool(item.get("spoiler")) for item in gallery["items"]]
    files = [it["filename"].startswith("SPOILER_") for it in message["attachments"]]
    assert sorted(shown) == sorted(files)
    return shown


def kept(bot: Bot) -> set[str]:
    """Return the digests of all pictures on the disk."""
    found = bot.settings.files_folder.rglob("*")
    return {hashlib.sha256(it.read_bytes()).hexdigest() for it in found if it.is_file()}


@pytest.mark.slow
async def test_a_server_has_unsafe_pictures_covered_or_blocked_and_pays_for_none_of_those(
    stage: Stage, classifier: Path
) -> None:
    painter(stage.folder / "data" / "models" / "mine")
    bot = await stage.start(safety_model=classifier, beside={SAFETY: eye()})
    await admin(stage.cleo, "safety")
    await stage.cleo.text("Safety here, as the installation has it: Off")
    image = await stage.ada.upload()
    await stage.ada.remix(image=image, seed=UNSAFE)
    assert covered(await stage.ada.result()) == [False]
    told = await choose(stage, "spoiler", "Safety here: Spoiler")
    assert "Unsafe are its labels nsfw, from a score of 0.5" in text_of(told)
    assert told["ephemeral_for"] == stage.cleo.id
    await stage.ada.remix(image=image, seed=UNSAFE)
    assert covered((await stage.ada.results(2))[-1]) == [True]
    await stage.ada.remix(image=image, seed=SAFE)
    assert covered((await stage.ada.results(3))[-1]) == [False]
    made = rows(bot, "SELECT sha256 FROM outputs ORDER BY created_at")
    assert made[0] == made[1] != made[2]

    await choose(stage, "block", "Safety here: Block")
    files, before = kept(bot), rows(bot, "SELECT sum(used_ms) FROM accounts")
    await stage.ada.remix(image=image, seed=UNSAFE, strength=0.7)
    refused = await stage.ada.text("The picture was found unsafe for this server")
    assert "Nothing was charged" in text_of(refused)
    assert refused["attachments"] == []
    assert kept(bot) == files
    assert rows(bot, "SELECT sum(used_ms), sum(reserved_ms) FROM accounts") == [(*before[0], 0)]
    await stage.ada.command("imagine", None, prompt="a cat", seed=UNSAFE, count=2)
    half = (await stage.ada.results(4))[-1]
    assert len(half["attachments"]) == 1
    assert "found unsafe" in text_of(half)
    assert rows(bot, "SELECT act, before, after FROM audit ORDER BY id") == [
        ("safety", None, '"spoiler"'),
        ("safety", '"spoiler"', '"block"'),
    ]
    await stage.ada.go_direct()
    await stage.ada.remix(seed=UNSAFE)
    assert covered(await stage.ada.result()) == [False]


@pytest.mark.slow
async def test_nobody_sees_a_picture_form_that_nobody_has_looked_at(
    stage: Stage, classifier: Path
) -> None:
    await stage.start(safety_model=classifier, safety_policy="spoiler", beside={SAFETY: eye()})
    await stage.ada.remix("slow", seed=SAFE)
    await stage.ada.result()
    shown = [exchange for exchange in stage.sandbox.exchanges if "preview-" in str(exchange)]
    assert shown == []


async def test_without_a_classifier_nothing_is_made_where_one_is_wanted(stage: Stage) -> None:
    bot = await stage.start()
    told = await choose(stage, "block", "No pictures are made here for now")
    assert "no classifier is installed" in text_of(told)
    await stage.ada.remix()
    said = text_of(await stage.ada.text("pictures looked at before they are shown"))
    assert "`/admin safety`" in said
    assert rows(bot, "SELECT count(*) FROM jobs") == [(0,)]
    await stage.ada.go_direct()
    await stage.ada.remix()
    await stage.ada.result()


async def test_what_cannot_be_looked_at_fails_and_is_refunded_and_admins_see_why(
    stage: Stage, classifier: Path
) -> None:
    bot = await stage.start(
        safety_model=classifier, safety_policy="spoiler", beside={SAFETY: eye("blind")}
    )
    await stage.ada.remix()
    await stage.ada.text("pictures looked at before they are shown")
    await stage.settled(bot)
    assert rows(bot, "SELECT state, error FROM jobs") == [("failed", "SafetyUnavailableError")]
    assert rows(bot, "SELECT sum(used_ms), sum(reserved_ms) FROM accounts") == [(0, 0)]
    assert rows(bot, "SELECT count(*) FROM outputs") == [(0,)]
    await admin(stage.cleo, "safety")
    said = text_of(await stage.cleo.text("No pictures are made here for now"))
    assert "the classifier failed when it was last asked" in said
    for refusals in (2, 3):
        await stage.ada.remix()
        await stage.ada.until(
            lambda it: "pictures looked at before they are shown" in text_of(it), count=refusals
        )
    assert rows(bot, "SELECT count(*) FROM jobs") == [(1,)]


async def test_after_a_fault_a_trial_shows_that_pictures_can_be_looked_at_again(
    stage: Stage, classifier: Path
) -> None:
    bot = await stage.start(
        safety_model=classifier, safety_policy="spoiler", beside={SAFETY: eye()}
    )
    bot.guard._failed = "the engine was lost"
    await bot.guard.require_ready(None)
    assert await bot.guard.trouble() is None
    await stage.ada.remix(seed=SAFE)
    assert covered(await stage.ada.result()) == [False]


async def test_a_preview_of_before_is_not_shown_once_pictures_are_looked_at(
    stage: Stage, classifier: Path
) -> None:
    bot = await stage.start(safety_model=classifier, beside={SAFETY: eye()})
    await stage.ada.remix(seed=SAFE)
    job = await bot.stores.jobs.get(job_of(await stage.ada.result()))
    preview = Pixels(width=8, height=8, data=bytes(192))
    progress = Progress(job_id=job.id, stage=Way.RUNNING, step=1, total_steps=4, preview=preview)
    herald = bot.herald
    assert len((await herald.page(job, progress)).files) == 1
    await choose(stage, "block", "Safety here: Block")
    assert (await herald.page(job, progress)).files == ()


@pytest.mark.slow
async def test_a_classifier_of_the_real_classes_looks_at_what_members_get(
    stage: Stage, tmp_path: Path
) -> None:
    from tests.generation.classifiers import plain_picture, save_checker

    folder = save_checker(
        tmp_path / "sd", safe=plain_picture(SAFE, 5, 204), unsafe=plain_picture(UNSAFE, 5, 204)
    )
    await stage.start(safety_model=folder, safety_policy="spoiler")
    await stage.ada.remix(seed=SAFE)
    assert covered(await stage.ada.result(wait_s=90)) == [False]
    await stage.ada.remix(seed=UNSAFE)
    assert covered((await stage.ada.results(2))[-1]) == [True]
    await choose(stage, "block", "Safety here: Block")
    await stage.ada.remix(seed=UNSAFE)
    await stage.ada.text("The picture was found unsafe")


def test_the_doctor_says_whether_pictures_can_be_looked_at(
    tmp_path: Path, classifier: Path
) -> None:
    def found(**values: object) -> tuple[State, str]:
        settings = Settings(_env_file=None, data_dir=tmp_path, **values)  # type: ignore[call-arg,arg-type]
        finding = doctor.safety(settings)
        assert finding.cure or finding.state is State.FINE
        return finding.state, finding.found

    assert found() == (State.FINE, "pictures are not looked at")
    assert found(safety_policy="block")[0] is State.BROKEN
    assert found(safety_model=tmp_path)[0] is State.ODD
    state, told = found(safety_model=classifier, safety_labels="nsfw, gore")
    assert (state, "no label 'gore'" in told) == (State.ODD, True)
    assert found(safety_model=classifier) == (State.FINE, "eye looks for nsfw; policy off")
    settings = Settings(_env_file=None, data_dir=tmp_path, safety_model=classifier)  # type: ignore[call-arg]
    assert find(settings.safety).labels == ("normal", "nsfw")
    upgrade(settings.database)
    for guild, policy in enumerate(get_args(SafetyPolicy), start=1):
        asyncio.run(chosen(settings.database, guild, policy))
    state, told = found()
    assert (state, "wanted by 2 server(s)" in told) == (State.BROKEN, True)
    assert found(safety_model=classifier)[0] is State.FINE


async def chosen(url: str, guild_id: int, policy: SafetyPolicy) -> None:
    database = Database.open(url)
    await GuildStore(database).set_safety(guild_id, policy, actor_id=7)
    await database.close()
