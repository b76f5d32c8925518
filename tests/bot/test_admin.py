"""``/admin``: what admins choose holds for their server, and nobody else may look or choose."""

import asyncio
import json
from pathlib import Path
from typing import Any, get_args

import aiohttp
import pytest

from bot.admin_pages import MAX_LIST, fitting, models_page
from bot.guilds import FRESH_S, Guilds
from bot.models import Models
from bot.presets import preset_of, presets
from bot.safety import Trouble
from bot.texts import Voice, load_texts
from generation.catalogue import Fault
from generation.errors import InvalidRequestError
from generation.registry import PIPELINES
from generation.upkeep import mark
from storage.blocks import BlockStore
from storage.database import Database
from storage.guilds import GuildStore, WordRule
from storage.migrating import upgrade
from storage.places import PlaceStore
from tests.bot.checkpoints import painter
from tests.bot.members import Member, text_of
from tests.bot.stage import Stage, rows
from tests.bot.test_presets import model

COMMANDS: dict[str, dict[str, object]] = {
    "words add": {"word": "gore"},
    "words remove": {"word": "gore"},
    "words list": {},
    "retention": {"days": 3},
    "models": {},
    "presets add": {"name": "house", "prompt": "in ink"},
    "presets remove": {"name": "house"},
    "presets hide": {"name": "night"},
    "presets list": {},
    "audit": {},
    "quota set": {"period": "day", "minutes": 5},
    "quota show": {},
    "quota reset": {},
    "quota timezone": {"name": "Europe/Berlin"},
}


async def admin(member: Member, path: str, /, **options: object) -> dict[str, Any]:
    return await member.interact(
        kind="command", name="admin", subcommand=path.split(), options=options
    )


async def choices(member: Member, path: str, **options: object) -> list[str]:
    """Return what is offered for the last of the options."""
    name, _, subcommand = path.partition(" ")
    answer = await member.interact(
        kind="autocomplete", name=name, subcommand=subcommand.split(), options=options,
        focused=[*options][-1],
    )  # fmt: skip
    return [str(choice["value"]) for choice in answer["choices"]]


async def open_to(stage: Stage, member: Member) -> None:
    """Open /admin to a member, as admins can in Discord's own settings."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            f"{stage.sandbox.details['page']}sandbox/members/{stage.cleo.id}"
            f"/channels/{stage.cleo.channel_id}/commands"
        ) as listing,
    ):
        command = next(each for each in await listing.json() if each["name"] == "admin")
        url = (
            f"{stage.sandbox.details['page']}sandbox/guilds/{stage.guild_id}"
            f"/commands/{command['id']}/permissions"
        )
        rule = {"id": member.id, "type": 2, "permission": True}
        async with session.put(url, json={"permissions": [rule]}) as reply:
            assert reply.status == 204


async def test_s1_nobody_but_admins_may_do_or_see_any_of_it(stage: Stage) -> None:
    bot = await stage.start()
    await admin(stage.cleo, "words add", word="gore")
    await stage.cleo.text("are blocked from now on")
    assert (await admin(stage.ada, "words list"))["status"] == 404
    await open_to(stage, stage.ada)
    for number, (path, options) in enumerate(COMMANDS.items(), start=1):
        assert (await admin(stage.ada, path, **options))["status"] == 200
        refused = await stage.ada.until(
            lambda message: "for those who may manage" in text_of(message), count=number
        )
        assert {message["ephemeral_for"] for message in refused} == {stage.ada.id}
    for path in ("words remove", "presets remove", "presets hide"):
        option = "word" if path == "words remove" else "name"
        assert await choices(stage.ada, f"admin {path}", **{option: ""}) == []
    assert rows(bot, "SELECT act, subject FROM audit") == [("word", "gore")]
    seen = [text_of(message) for message in await stage.ben.messages()]
    assert seen == []


@pytest.mark.slow
async def test_a_blocked_word_costs_nothing_is_not_named_and_is_forgotten_by_no_restart(
    stage: Stage,
) -> None:
    async with stage.running() as bot:
        await admin(stage.cleo, "words add", word="Gore")
        await admin(stage.cleo, "words add", word="angry", action="warn")
        await stage.cleo.text("with a remark below the picture")
        await stage.ada.remix("a scene of g\u043ere")
        refusal = await stage.ada.text("A rule of this server forbids that prompt")
        assert "gore" not in text_of(refusal).casefold()
        await stage.ada.remix("an.gry cat")
        warned = await stage.ada.result()
        assert "would rather not see some of those words" in text_of(warned)
        assert rows(bot, "SELECT count(*), sum(used_ms > 0) FROM jobs, accounts") == [(1, 1)]
    bot = await stage.start()
    await stage.ada.press(warned, "Edit")
    await stage.ada.fill(prompt="g.o.r.e", strength="0.5")
    await stage.ada.until(lambda message: "forbids that prompt" in text_of(message), count=2)
    await admin(stage.cleo, "words list")
    listed = text_of(await stage.cleo.text("Word rules: 2"))
    assert listed.splitlines()[1:] == [
        "- Gore · Block: no picture is made",
        "- angry · Warn: the picture is made, with a remark",
    ]
    assert await choices(stage.cleo, "admin words remove", word="g") == ["Gore", "angry"]
    await admin(stage.cleo, "words remove", word="ＧＯＲＥ")  # noqa: RUF001
    await stage.cleo.text("is allowed again")
    await stage.ada.remix("gore")
    assert "would rather" not in text_of((await stage.ada.results(2))[1])
    await admin(stage.cleo, "words remove", word="gore")
    await stage.cleo.text("There is no rule for that word")
    await admin(stage.cleo, "words add", word="!")
    await stage.cleo.text("I cannot make a rule of that")
    assert rows(bot, "SELECT count(*) FROM jobs") == [(2,)]
    await admin(stage.cleo, "words remove", word="angry")
    await stage.cleo.until(lambda message: "is allowed again" in text_of(message), count=2)
    await stage.ada.press(warned, "Again")
    assert "would rather" not in text_of((await stage.ada.results(3))[2])


async def test_rules_hold_for_negative_prompts_too_in_their_server_and_not_in_direct_messages(
    stage: Stage,
) -> None:
    painter(stage.folder / "data" / "models" / "mine")
    bot = await stage.start()
    await admin(stage.cleo, "words add", word="gore")
    await stage.cleo.text("are blocked from now on")
    await stage.ada.command("imagine", None, prompt="a castle", negative="no g-o-r-e")
    await stage.ada.text("forbids that prompt")
    await stage.ada.command("imagine", None, prompt="a castle", model="g0re")
    await stage.ada.command("imagine", None, prompt="a castle", size="gore")
    image = await stage.ada.upload()
    await stage.ada.command("inpaint", None, image=image, prompt="a castle", model="gore")
    for typed in ("model", "extend", "control"):
        await stage.ada.remix("a castle", image=image, **{typed: "gore"})
    refused = await stage.ada.until(lambda it: "forbids that prompt" in text_of(it), count=7)
    assert not any("gore" in text_of(it) or "g0re" in text_of(it) for it in refused)
    assert rows(bot, "SELECT count(*) FROM jobs") == [(0,)]
    await stage.ada.go_direct()
    await stage.ada.remix("gore")
    await stage.ada.result()
    assert (await admin(stage.ada, "words list"))["status"] == 404


async def test_admins_see_every_model_and_why_one_cannot_be_used(stage: Stage) -> None:
    models = stage.folder / "data" / "models"
    model(models, "good")
    model(models, "marked")
    mark("marked", unusable="it has another SHA-256 than when it came", models_dir=models)
    model(models, "halved")
    (models / "halved" / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    await stage.start()
    await admin(stage.cleo, "models")
    lines = text_of(await stage.cleo.text("Models: 2 of 4")).splitlines()
    assert len(lines) == 6
    assert "`python -m bot models list`" in lines[-1]
    about = {name: next(line for line in lines if f"**{name}**" in line) for name in
             ("good", "marked", "halved")}  # fmt: skip
    assert about["good"] == "- ✓ **good**"
    assert "cannot be used: a check found something wrong with it" in about["marked"]
    assert "cannot be used: it lacks unet/" in about["halved"]
    await admin(stage.cleo, "language", name="zh-CN")
    await admin(stage.cleo, "models")
    chinese = text_of(await stage.cleo.text("它缺少 unet/"))
    assert "检查时发现它有问题" in chinese


def test_whatever_is_wrong_with_a_model_or_the_classifier_is_said_in_every_language() -> None:
    keys = [f"admin.models.{fault}" for fault in get_args(Fault)]
    keys += [f"admin.safety.why.{trouble}" for trouble in get_args(Trouble)]
    assert [key for key in keys if key not in load_texts()] == []


async def test_the_model_that_is_taken_when_none_is_named_is_marked(tmp_path: Path) -> None:
    models = Models(models_dir=tmp_path, pipelines=PIPELINES)
    await models.refresh()
    page = models_page(Voice(load_texts()), models.all, usual=models.chosen("remix", None))
    assert "**remix** · Atelier remix starter · makes what names no model" in page


@pytest.mark.slow
async def test_a_servers_own_presets_are_offered_there_beside_the_others(stage: Stage) -> None:
    model(stage.folder / "data" / "models", "able")
    await stage.start()
    await admin(
        stage.cleo, "presets add", name="house", prompt="ink, {words}, lines", title="House style",
        strength=0.4, layers="grain, petals", sample="street",
    )  # fmt: skip
    await stage.cleo.text("**House style** is offered in /remix")
    half = {"name": "x", "prompt": "ink", "layers": "grain, st"}
    assert await choices(stage.cleo, "admin presets add", **half) == ["grain, stars"]
    await admin(stage.cleo, "presets hide", name="film")
    await stage.cleo.text("`film` is not offered here any more")
    image = await stage.ada.upload()
    offered = await choices(stage.ada, "remix", image=image, preset="")
    assert offered[0] == "house"
    assert set(offered[1:]) <= presets().keys() - {"film"}
    await stage.ada.remix("a cat", preset="House Style")
    assert "House style · a cat" in text_of(await stage.ada.result())
    await stage.ada.remix("a cat", preset="film")
    await stage.ada.text("There is no such preset")
    await stage.ada.go_direct()
    await stage.ada.remix("a cat", preset="house")
    await stage.ada.text("There is no such preset")
    await admin(stage.cleo, "presets list")
    count = f"Presets: {len(presets())} · this server's own: "
    lines = text_of(await stage.cleo.text(f"{count}1")).splitlines()
    assert lines[1] == "- **House style** · `house` · strength 0.4 · this server's own"
    assert lines[-1] == "- `film` · hidden"
    assert await choices(stage.cleo, "admin presets remove", name="") == ["house", "film"]
    assert "film" not in await choices(stage.cleo, "admin presets hide", name="f")
    for name in ("film", "house"):
        await admin(stage.cleo, "presets remove", name=name)
    await stage.cleo.text("`house` is removed")
    await stage.cleo.text("`film` is removed")
    await admin(stage.cleo, "presets remove", name="house")
    await stage.cleo.text("There is no such preset")
    await admin(stage.cleo, "presets list")
    await stage.cleo.text(f"{count}0")


async def test_a_preset_is_checked_as_those_of_the_file_are(stage: Stage) -> None:
    model(stage.folder / "data" / "models", "able")
    await stage.start()
    usual: dict[str, object] = {"name": "x", "prompt": "ink"}
    refused: list[dict[str, object]] = [{"sample": "../x"}, {"strength": 2}]
    for wrong in refused:
        assert (await admin(stage.cleo, "presets add", **{**usual, **wrong}))["status"] != 200
    for field, value, sentence in (
        ("name", " ", "its name is to be a text that is not empty"),
        ("prompt", "\u200b", "its prompt is to be a text that is not empty"),
        ("layers", "grain, glitter", "no layer 'glitter'; brush"),
        ("model", "absent", "no model here can do it"),
    ):
        await admin(stage.cleo, "presets add", **{**usual, field: value})
        await stage.cleo.text(sentence)


@pytest.mark.parametrize(
    "fields", [{"layers": ["glitter"]}, {"sample": "../remix/model_index.json"}, {"strength": 2}]
)
def test_whatever_sent_it_a_preset_is_checked_on_our_side(fields: dict[str, object]) -> None:
    with pytest.raises((ValueError, InvalidRequestError), match="x"):
        preset_of("x", {"prompt": "ink", **fields})


async def test_the_audit_log_says_who_changed_what(stage: Stage) -> None:
    await stage.start()
    await admin(stage.cleo, "audit")
    await stage.cleo.text("None.")
    await admin(stage.cleo, "words add", word="gore")
    await admin(stage.cleo, "words add", word="gore", action="warn")
    await admin(stage.cleo, "presets add", name="house", prompt="ink secretly")
    await admin(stage.cleo, "presets add", name="house", prompt="ink secretly", strength=0.5)
    await stage.cleo.until(lambda message: "is offered in /remix" in text_of(message), count=2)
    await admin(stage.cleo, "audit")
    lines = text_of(await stage.cleo.text("`#4`")).splitlines()[1:]
    assert [line.split(" · ")[1].split(", ")[0] for line in lines] == [
        "preset house: strength 0.8 → strength 0.5",
        "preset house: not set → prompt sha256:" + lines[1].split("sha256:")[1][:8],
        "word gore: block → warn",
        "word gore: not set → block",
    ]
    assert all(f"<@{stage.cleo.id}>" in line and "<t:" in line for line in lines)
    assert not any("secretly" in line for line in lines)
    await admin(stage.cleo, "audit", before=2)
    older = await stage.cleo.until(lambda message: "`#1`" in text_of(message), count=2)
    assert "`#2`" not in text_of(older[-1])


def test_a_list_fits_a_message_however_long_it_is() -> None:
    voice = Voice(load_texts())
    text = fitting(voice, "Title", ("x" * 90 for _ in range(100)))
    assert len(text) < MAX_LIST + 100
    shown, rest = text.count("x" * 90), text.splitlines()[-1]
    assert rest == f"... and {100 - shown} more."
    assert fitting(voice, "Title", []) == "### Title\nNone."


class Hand:
    """A clock's hand that tests move."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_what_another_process_changes_is_known_after_a_moment(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'atelier.sqlite3'}"
    await asyncio.to_thread(upgrade, url)
    database, hand = Database.open(url), Hand()
    store = GuildStore(database)
    places, blocks = PlaceStore(database), BlockStore(database)
    guilds = Guilds(store, places=places, blocks=blocks, presets=presets(), clock=hand)
    assert (await guilds.holding(5)).words.rules == ()
    await store.set_word(5, WordRule(word="gore", plain="gore", action="block"), actor_id=7)
    fields = {"prompt": "ink", "layers": ["glitter"]}
    await store.set_preset(5, "of another version", fields, actor_id=7)
    assert (await guilds.holding(5)).words.rules == ()
    hand.now += FRESH_S
    later = await guilds.holding(5)
    assert [rule.word for rule in later.words.rules] == ["gore"]
    assert later.presets == presets()
    assert json.dumps(later.choices.presets["of another version"]) == json.dumps(fields)
    await guilds.set_word(5, "blood", "warn", actor_id=7)
    assert len((await guilds.holding(5)).words.rules) == 2
    await database.close()
