"""Every text is there, every error has a sentence, and words of strangers are harmless."""

import ast
import pickle
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.errors import (
    BotError,
    NotYoursError,
    PromptTooLongError,
    WaitTooLongError,
    sentence,
    sentence_key,
    stored_sentence,
)
from bot.presets import preset_named, presets, read_presets, titled
from bot.prompts import MAX_PROMPT, clean_prompt, shown
from bot.reasons import cause_of, causes_of, error_named, reason_of
from bot.replies import note_sentence
from bot.texts import DEFAULT_LOCALE, Phrase, Voice, load_texts
from generation.artworks import artworks
from generation.errors import (
    EngineLostError,
    GenerationError,
    InvalidRequestError,
    JobCancelledError,
)
from generation.loras import lora_file, split_loras
from generation.prompts import fragments_of
from generation.request import Note, NoteCode
from storage.clock import utc_now
from storage.errors import QuotaExceededError, StorageError, StoreFullError

TEXTS = load_texts()
VOICE = Voice(TEXTS)
ID = 123456789012345678


def family(root: type[BaseException]) -> Iterator[type[BaseException]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__.partition(".")[0] in ("bot", "generation", "storage"):
            yield from family(child)


ERRORS = [kind for root in (BotError, GenerationError, StorageError) for kind in family(root)]


@pytest.mark.parametrize("locale", TEXTS.locales)
@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_sentence_of_its_own_in_every_locale(
    kind: type[BaseException], locale: str
) -> None:
    assert sentence_key(kind, TEXTS) == f"error.{kind.__name__}"
    said = stored_sentence(kind, TEXTS, locale)
    assert said.endswith((".", "?", "`.", "。", "\uff1f"))
    assert "{" not in said


@pytest.mark.parametrize("code", NoteCode)
@pytest.mark.parametrize("words", [(), ("512 x 384", "zebra")])
def test_every_remark_of_a_pipeline_has_a_sentence(code: NoteCode, words: tuple[str, ...]) -> None:
    assert note_sentence(VOICE, Note(code=code, words=words))


def test_every_preset_has_a_title_and_words() -> None:
    assert len(presets()) >= 12
    for preset in presets().values():
        assert preset.title == VOICE.say(f"preset.{preset.name}")
        assert preset.prompt
        assert 0 < preset.strength <= 1


def test_presets_and_artworks_that_ship_are_called_so_in_the_members_language(
    tmp_path: Path,
) -> None:
    chinese = Voice(TEXTS, "zh-CN")
    night = presets()["night"]
    assert (VOICE.tell(titled(night)), chinese.tell(titled(night))) == ("Night", "夜晚")
    assert preset_named("夜晚", presets()) is night
    own = tmp_path / "presets.json"
    own.write_text('{"night": {"title": "Our night", "prompt": "night"}}')
    assert chinese.tell(titled(read_presets(own)["night"])) == "Our night"
    for artwork in artworks().values():
        assert VOICE.say(f"artwork.{artwork.name}") == artwork.title


def test_a_phrase_is_said_in_the_readers_language_and_in_a_log_in_english() -> None:
    wait = WaitTooLongError("x", wait=Phrase("unit.minutes", {"value": 3}))
    assert "about 3 min" in sentence(wait, TEXTS)
    assert "大约 3 分钟" in sentence(wait, TEXTS, "zh-CN")
    assert f"{wait.values['wait']}" == "3 min"
    quota = QuotaExceededError(scope="member", limit_ms=9, remaining_ms=4000, resets_at=utc_now())
    assert "还剩 4 秒" in sentence(quota, TEXTS, "zh-CN")


def test_every_reason_that_the_engine_names_can_be_said() -> None:
    named = dict(reasons_in(Path("generation"), Path("bot")))
    assert named.keys() >= {"word_weight", "lora_absent", "lora_none", "nothing_to_follow"}
    for why in named:
        assert f"reason.{why}" in TEXTS, f"{named[why]} names a reason without a text: {why}"


@pytest.mark.parametrize(
    ("prompt", "english", "chinese"),
    [
        ("(fog:9)", "words weigh 0 to 2, not 9", "词的权重为 0 到 2"),
        ("<*x*:1>", r"there is no LoRA '\*x\*'; there are: none", r"没有名为“\*x\*”的 LoRA"),
    ],
)
def test_a_reason_is_said_in_the_readers_language(
    prompt: str, english: str, chinese: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        read(prompt, models_dir=tmp_path)
    reason = reason_of(refused.value)
    assert VOICE.tell(reason) == english
    assert Voice(TEXTS, "zh-CN").tell(reason).startswith(chinese)
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)
    nested = InvalidRequestError("x", why="these_do", reason=refused.value, known=("mine",))
    assert Voice(TEXTS, "zh-CN").tell(reason_of(nested)).endswith("mine")


def test_names_of_options_are_in_english_what_discord_sends() -> None:
    keys = [key for key in TEXTS.keys(DEFAULT_LOCALE) if key.startswith("option.")]
    assert [key for key in keys if VOICE.say(key) != key.removeprefix("option.")] == []


def test_a_refusal_names_its_numbers() -> None:
    error = QuotaExceededError(scope="member", limit_ms=9, remaining_ms=4000, resets_at=utc_now())
    assert "4 s left" in sentence(error, TEXTS)
    assert "about 3 min" in sentence(WaitTooLongError("x", wait="3 min"), TEXTS)
    assert "somebody else's" in sentence(NotYoursError("x"), TEXTS)


def test_a_kept_name_of_an_error_finds_its_sentence_again() -> None:
    assert error_named("EngineLostError") is EngineLostError
    assert error_named("JobCancelledError") is JobCancelledError
    assert error_named("StoreFullError") is StoreFullError
    assert error_named("os") is Exception
    assert error_named(None) is Exception


def test_causes_of_failures_are_said_in_words_and_those_that_read_alike_are_one() -> None:
    for kind in family(GenerationError):
        assert cause_of(kind.__name__).key == f"cause.{kind.__name__}", kind
    assert cause_of("FileDamagedError").key == "cause.FileStoreError"
    assert cause_of("DatabaseGoneError").key == "cause.DatabaseError"
    counts = {"KeyError": 2, "EngineLostError": 3, "os": 2}
    assert [(str(each), count) for each, count in causes_of(counts)] == [
        ("an error in the bot", 4), ("the engine died", 3),
    ]  # fmt: skip


def test_a_prompt_with_braces_is_a_prompt() -> None:
    said = VOICE.say("result.alt", subject="{0.__class__} %s {voice}")
    assert "{0.__class__} %s {voice}" in said


@pytest.mark.parametrize(
    ("wild", "tame"),
    [
        ("night\x00\x07", "night"),
        ("\ud800night\udfff", "night"),
        ("ni\u200bgh\u2060t\ufeff", "night"),
        ("\u202enight\u202c", "night"),
        ("  two\n\tlines  ", "two lines"),
        ("e\u0301te\u0301", "\u00e9t\u00e9"),
        ("夜晚的雪", "夜晚的雪"),
    ],
)
def test_b10_prompts_lose_what_is_not_text(wild: str, tame: str) -> None:
    assert clean_prompt(wild) == tame


def test_b10_stacks_of_marks_are_cut_to_two() -> None:
    tamed = clean_prompt("Z" + "\u0335\u0321\u0353\u0318" * 20)
    assert sum(1 for letter in tamed if unicodedata.combining(letter)) <= 2


@pytest.mark.parametrize("length", [MAX_PROMPT + 1, 6_000, 5_000_000])
def test_b10_a_prompt_that_is_too_long_is_refused_with_its_length(length: int) -> None:
    with pytest.raises(PromptTooLongError) as refused:
        clean_prompt("n" * length)
    assert f"{length} characters" in sentence(refused.value, TEXTS)


@pytest.mark.parametrize(
    "wild", ["@everyone", "@here", f"<@{ID}>", f"<@&{ID}>", f"<#{ID}>", "**b**", "`x`"]
)
def test_b10_shown_prompts_mention_nobody_and_format_nothing(wild: str) -> None:
    said = shown(wild)
    assert not re.search(r"@(everyone|here|[&!]?\d)|(?<!\\)<", said)
    assert said != wild


def read(prompt: str, *, models_dir: Path) -> None:
    text, loras = split_loras(prompt)
    fragments_of(text)
    for lora in loras:
        lora_file(lora.name, models_dir=models_dir)


def reasons_in(*folders: Path) -> Iterator[tuple[str, Path]]:
    """Yield the reasons that errors are raised with, and where."""
    for place in (each for folder in folders for each in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(place.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) != "InvalidRequestError":
                continue
            for why in (each.value for each in node.keywords if each.arg == "why"):
                for part in ast.walk(why):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        yield part.value, place
