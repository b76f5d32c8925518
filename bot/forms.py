"""The forms: a picture's words and strength, the remix of a message's picture, a reason."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import discord
from discord import ui

from bot.answers import guarded
from bot.choices import NAME_LENGTH
from bot.errors import BadNumberError
from bot.presets import Preset, titled
from bot.prompts import MAX_PROMPT
from bot.texts import Voice

FORM_LIFE_S = 900.0
OWN_WORDS = "-" * (NAME_LENGTH + 1)
"""No preset has so long a name."""
MAX_OPTIONS = 25
MAX_REASON = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What a member wrote into a form; nothing of it is checked but the number."""

    prompt: str
    strength: float | None
    preset: str | None = None


Submit = Callable[[discord.Interaction, Filled], Awaitable[None]]
SubmitReason = Callable[[discord.Interaction, str], Awaitable[None]]


class PictureForm(ui.Modal):
    """Words and strength, and on demand a choice of presets.

    Args:
        custom_id: names the form across restarts.
        submit: what is done with it.
        prompt: the words to start from, None for a command that takes none.
        strength: the strength to start from, None for pictures from words alone, which have none.
        presets: the ready-made edits that can be chosen; none leaves the choice out.
    """

    def __init__(
        self,
        voice: Voice,
        *,
        title: str,
        custom_id: str,
        submit: Submit,
        prompt: str | None,
        strength: float | None,
        presets: Sequence[Preset] = (),
    ) -> None:
        super().__init__(title=title, custom_id=custom_id, timeout=FORM_LIFE_S)
        self._voice = voice
        self._submit = submit
        self._prompt = _prompt_input(prompt)
        self._presets = _preset_select(voice, presets)
        self._strength = ui.TextInput["PictureForm"](
            custom_id="strength",
            default=None if strength is None else f"{strength:g}",
            max_length=8,
            required=True,
        )
        self._strong = strength is not None
        if prompt is not None:
            self.add_item(ui.Label(text=voice.say("form.prompt"), component=self._prompt))
        if presets:
            self.add_item(ui.Label(text=voice.say("form.preset"), component=self._presets))
        if strength is not None:
            self.add_item(
                ui.Label(
                    text=voice.say("form.strength"),
                    description=voice.say("form.strength.about"),
                    component=self._strength,
                )
            )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Hand over what was written."""
        await guarded(interaction, self._read(interaction))

    async def _read(self, interaction: discord.Interaction) -> None:
        chosen = next(iter(self._presets.values), OWN_WORDS)
        field, strength = self._voice.say("form.strength"), None
        if self._strong:
            strength = number(self._strength.value, field=field)
        filled = Filled(
            prompt=self._prompt.value,
            strength=strength,
            preset=None if chosen == OWN_WORDS else chosen,
        )
        await self._submit(interaction, filled)


class ReasonForm(ui.Modal):
    """Asks why; it may be left out.

    Args:
        custom_id: names the form across restarts.
        submit: what is done with the reason.
    """

    def __init__(self, voice: Voice, *, title: str, custom_id: str, submit: SubmitReason) -> None:
        super().__init__(title=title, custom_id=custom_id, timeout=FORM_LIFE_S)
        self._submit = submit
        self._reason = ui.TextInput["ReasonForm"](
            custom_id="reason", max_length=MAX_REASON, required=False
        )
        about = voice.say("form.reason.about")
        asked = ui.Label(text=voice.say("form.reason"), description=about, component=self._reason)
        self.add_item(asked)

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Hand over what was written."""
        await guarded(interaction, self._submit(interaction, self._reason.value))


def number(text: str, *, field: str, low: float = 0.0, high: float = 1.0) -> float:
    """Read a number as people write it, with a comma or a point.

    Raises:
        BadNumberError: it is not a number, or outside its range.
    """
    refused = BadNumberError("not a number in its range", field=field, low=f"{low:g}", high=high)
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        raise refused from None
    if not low <= value <= high:
        raise refused
    return value


def _prompt_input(prompt: str | None) -> ui.TextInput["PictureForm"]:
    return ui.TextInput(
        custom_id="prompt",
        style=discord.TextStyle.short,
        default=prompt or None,
        # Discord refuses a form whose text is longer than may be sent.
        max_length=max(MAX_PROMPT, len(prompt or "")),
        required=False,
    )


def _preset_select(voice: Voice, presets: Sequence[Preset]) -> ui.Select["PictureForm"]:
    own = discord.SelectOption(label=voice.say("form.preset.none"), value=OWN_WORDS, default=True)
    named = [
        discord.SelectOption(label=voice.tell(titled(each))[:100], value=each.name)
        for each in presets
    ][: MAX_OPTIONS - 1]
    return ui.Select(custom_id="preset", options=[own, *named], required=False)
