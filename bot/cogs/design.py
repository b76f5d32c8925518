"""``/design``: a room that there never was, by a VAE and its prior, or by the painter."""

from collections.abc import Iterable

import discord
from discord import app_commands
from discord.ext import commands

from bot.acknowledging import think
from bot.choices import NAME_LENGTH, listed, matching, vae_line
from bot.client import Atelier
from bot.errors import UnknownAttributeError
from bot.limits import MOST_PICTURES
from bot.orders import Order, any_seed
from bot.prompts import MAX_PROMPT, clean_prompt
from bot.services import services_of, voice_of
from bot.texts import Voice, describe, label, load_texts
from generation.designers import Designer
from generation.registry import DESIGN
from generation.request import MAX_FRAMES, MAX_SEED, Canvas
from generation.vaes import heard

SIDE, FRAME_SIDE = 512, 256


class Design(commands.Cog):
    """The family of ``/design``."""

    @app_commands.command(name="design", description=label("command.design"))
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @describe(
        room=label("command.design.room"),
        seed=label("command.seed"),
        direction=label("command.design.direction"),
        amount=label("command.design.amount"),
        frames=label("command.design.frames"),
        count=label("command.count"),
        model=label("command.design.model"),
    )
    async def design(
        self,
        interaction: discord.Interaction,
        room: app_commands.Range[str, 0, MAX_PROMPT] = "",
        seed: app_commands.Range[int, 0, MAX_SEED] | None = None,
        direction: app_commands.Range[str, 1, NAME_LENGTH] | None = None,
        amount: app_commands.Range[float, 0.0, 1.0] = 1.0,
        frames: app_commands.Range[int, 2, MAX_FRAMES] | None = None,
        count: app_commands.Range[int, 1, MOST_PICTURES] = 1,
        model: app_commands.Range[str, 1, NAME_LENGTH] | None = None,
    ) -> None:
        """Design a picture from words and a seed."""
        await think(interaction)
        services = services_of(interaction)
        # A refusal may say this back, to everybody.
        await services.guilds.require_fit(interaction.guild_id, model or "")
        services.limits.require_count(count)
        designer = services.models.designer(model)
        words = clean_prompt(room)
        heard_as = in_english(words, designer.words)
        named = _named(designer, words=heard_as, direction=direction)
        side = SIDE if frames is None else FRAME_SIDE
        order = Order(
            command="design",
            pipeline=DESIGN,
            image=Canvas(width=side, height=side),
            prompt=heard_as,
            subject=" → ".join(filter(None, (words, named))),
            strength=amount,
            direction=named,
            frames=frames or 1,
            seed=any_seed(seed),
            count=count,
            model=designer.name,
        )
        await services.dispatcher.place(interaction, order)

    @design.autocomplete("room")
    async def rooms(
        self, interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        """Offer the words that go on with what was typed."""
        before, comma, typed = current.rpartition(",")
        lines = _lines(interaction)
        offered = {
            f"{before}{comma} {each.value}".strip(): f"{before}{comma} {each.name}".strip()
            for each in matching(typed, lines)
        }
        return matching("", offered)

    @design.autocomplete("direction")
    async def directions(
        self, interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        """Offer the attributes that hold what was typed."""
        return matching(current, _lines(interaction))

    @design.autocomplete("model")
    async def models(
        self, interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        """Offer the models that design and hold what was typed."""
        voice, designers = voice_of(interaction), services_of(interaction).models.designers
        return matching(current, {vae.name: vae_line(voice, vae) for vae in designers})


def _lines(interaction: discord.Interaction) -> dict[str, str]:
    """Return the words of the model, each with what it is in the member's language."""
    voice = voice_of(interaction)
    told = {word: called(voice, word) for word in _words(interaction)}
    return {word: word if said == word else f"{said} \u00b7 {word}" for word, said in told.items()}


def called(voice: Voice, word: str) -> str:
    """Return what a word of ours is in a member's language; the word itself of other models'."""
    key = f"room.{word}"
    return voice.say(key) if key in voice.texts else word


def in_english(text: str, words: Iterable[str]) -> str:
    """Return a text with the words of a model in place of what they are in other languages."""
    texts = load_texts()
    voices = [Voice(texts, locale) for locale in texts.locales]
    known = {called(voice, word): word for voice in voices for word in words}
    for said in sorted(known.keys() - set(words), key=len, reverse=True):
        text = text.replace(said, f" {known[said]} ")
    return " ".join(text.split())


def _words(interaction: discord.Interaction) -> tuple[str, ...]:
    """Return the words of the model that was chosen, or of the usual one; none without any."""
    designers = services_of(interaction).models.designers
    named = interaction.namespace.model
    found = next((vae for vae in designers if vae.name == named), None)
    return (found or designers[0]).words if designers else ()


def _named(designer: Designer, *, words: str, direction: str | None) -> str:
    """Return the direction as the model calls it, "" where there is none.

    Raises:
        UnknownAttributeError: the model knows neither, or none of the words.
    """
    known = listed(designer.words)
    if words and not heard(words, words=designer.words)[0]:
        raise UnknownAttributeError("no word is known", known=known)
    if direction is None:
        return ""
    found, _ = heard(in_english(direction, designer.words), words=designer.words)
    if len(found) != 1:
        raise UnknownAttributeError("no such direction", known=known)
    return found[0]


async def setup(client: Atelier) -> None:
    """Add the family to the client."""
    await client.add_cog(Design())
