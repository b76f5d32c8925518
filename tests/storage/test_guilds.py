"""What a guild's admins choose is kept with the log of their acts, and is nobody else's."""

from datetime import timedelta

import pytest

from storage.errors import TooManyError
from storage.guilds import GuildChoices, GuildStore, WordAction, WordRule
from tests.storage.stores import GUILD, MEMBER, NOON, Stores

OTHER_GUILD, OTHER_ADMIN = GUILD + 1, MEMBER + 1
HOUSE = {"prompt": "in ink, {words}", "title": "House style", "strength": 0.5, "layers": ["grain"]}


@pytest.fixture
def guilds(stores: Stores) -> GuildStore:
    return GuildStore(stores.database, clock=stores.clock)


def rule(word: str, action: WordAction = "block") -> WordRule:
    return WordRule(word=word, plain=word.casefold(), action=action)


async def test_a_guild_of_which_nothing_is_known_has_chosen_nothing(guilds: GuildStore) -> None:
    assert await guilds.choices(GUILD) == GuildChoices()
    assert await guilds.log(GUILD) == []


async def test_choices_are_those_of_the_last_act_and_of_one_guild(
    guilds: GuildStore, stores: Stores
) -> None:
    await guilds.set_safety(GUILD, "spoiler", actor_id=MEMBER)
    await guilds.set_safety(GUILD, "block", actor_id=MEMBER)
    await guilds.set_word(GUILD, rule("Gore"), actor_id=MEMBER)
    stores.clock.advance(seconds=1)
    await guilds.set_word(GUILD, rule("angry", "warn"), actor_id=MEMBER)
    await guilds.set_word(GUILD, rule("Gore", "warn"), actor_id=MEMBER)
    await guilds.set_preset(GUILD, "house", HOUSE, actor_id=MEMBER)
    await guilds.set_preset(GUILD, "film", None, actor_id=MEMBER)
    again = GuildStore(stores.database)
    assert await again.choices(GUILD) == GuildChoices(
        safety="block",
        words=(rule("Gore", "warn"), rule("angry", "warn")),
        presets={"film": None, "house": HOUSE},
    )
    assert await again.choices(OTHER_GUILD) == GuildChoices()


async def test_what_was_added_can_be_taken_away_once(guilds: GuildStore) -> None:
    await guilds.set_word(GUILD, rule("gore"), actor_id=MEMBER)
    await guilds.set_preset(GUILD, "house", HOUSE, actor_id=MEMBER)
    for expected in (True, False):
        assert await guilds.remove_word(GUILD, "gore", actor_id=MEMBER) is expected
        assert await guilds.remove_preset(GUILD, "house", actor_id=MEMBER) is expected
    assert not await guilds.remove_word(OTHER_GUILD, "gore", actor_id=MEMBER)
    assert await guilds.choices(GUILD) == GuildChoices()
    assert len(await guilds.log(GUILD)) == 4


async def test_the_log_says_who_did_what_and_how_it_was_before(
    guilds: GuildStore, stores: Stores
) -> None:
    await guilds.set_safety(GUILD, "block", actor_id=MEMBER)
    stores.clock.advance(minutes=1)
    await guilds.set_safety(GUILD, "off", actor_id=OTHER_ADMIN)
    await guilds.set_safety(GUILD, "off", actor_id=MEMBER)
    await guilds.set_word(GUILD, rule("gore"), actor_id=MEMBER)
    await guilds.set_word(GUILD, rule("gore", "warn"), actor_id=MEMBER)
    await guilds.remove_word(GUILD, "gore", actor_id=MEMBER)
    await guilds.set_preset(OTHER_GUILD, "film", None, actor_id=MEMBER)
    log = await guilds.log(GUILD)
    assert [(act.act, act.subject, act.before, act.after) for act in reversed(log)] == [
        ("safety", "", None, "block"),
        ("safety", "", "block", "off"),
        ("word", "gore", None, "block"),
        ("word", "gore", "block", "warn"),
        ("word", "gore", "warn", None),
    ]
    assert [log[-1].actor_id, log[-2].actor_id] == [MEMBER, OTHER_ADMIN]
    assert [log[-1].created_at, log[-2].created_at] == [NOON, NOON + timedelta(minutes=1)]
    older = await guilds.log(GUILD, before_id=log[1].id, most=2)
    assert older == log[2:4]


async def test_the_log_tells_that_a_prompt_changed_and_never_what_it_says(
    guilds: GuildStore,
) -> None:
    await guilds.set_preset(GUILD, "house", HOUSE, actor_id=MEMBER)
    await guilds.set_preset(GUILD, "house", {**HOUSE, "prompt": "in oil"}, actor_id=MEMBER)
    await guilds.set_preset(GUILD, "house", None, actor_id=MEMBER)
    hidden, changed, added = await guilds.log(GUILD)
    assert (added.before, added.after["title"]) == (None, "House style")
    assert changed.before == added.after != changed.after == hidden.before
    assert hidden.after == "hidden"
    assert not any(word in str((hidden, changed, added)) for word in ("ink", "oil"))


async def test_a_guild_keeps_so_many_words_and_presets_and_no_more(
    guilds: GuildStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.guilds.MAX_WORDS", 2)
    monkeypatch.setattr("storage.guilds.MAX_PRESETS", 1)
    for word in ("one", "two"):
        await guilds.set_word(GUILD, rule(word), actor_id=MEMBER)
    await guilds.set_preset(GUILD, "house", HOUSE, actor_id=MEMBER)
    with pytest.raises(TooManyError):
        await guilds.set_word(GUILD, rule("three"), actor_id=MEMBER)
    with pytest.raises(TooManyError):
        await guilds.set_preset(GUILD, "film", None, actor_id=MEMBER)
    await guilds.set_word(GUILD, rule("one", "warn"), actor_id=MEMBER)
    await guilds.set_word(OTHER_GUILD, rule("three"), actor_id=MEMBER)
    assert [each.word for each in (await guilds.choices(GUILD)).words] == ["one", "two"]
