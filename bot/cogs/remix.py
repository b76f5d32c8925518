"""``/remix`` and the message menu "Remix": a picture changed by words."""

from contextlib import suppress
from dataclasses import replace

import discord
from discord import app_commands
from discord.ext import commands

from bot.acknowledging import think
from bot.choices import NAME_LENGTH, matching, model_line, portrait_line, shape_choices, vae_line
from bot.client import Atelier
from bot.errors import (
    CompanionUnfitError,
    NotAPainterError,
    PresetUnableError,
    PromptMissingError,
    UnknownModelError,
    UnusableModelError,
    WordsUnfitError,
)
from bot.following import control_choices, followed
from bot.forms import Filled, PictureForm
from bot.limits import (
    MOST_GUIDANCE,
    MOST_PICTURES,
    MOST_STEPS,
    SCHEDULER_CHOICES,
    SIZE_LETTERS,
    shape_of,
)
from bot.models import Models
from bot.orders import LIKE_STRENGTH, Order, Picture, any_seed
from bot.pictures import first_picture
from bot.presets import DEFAULT_STRENGTH, Preset, preset_named, titled
from bot.prompts import MAX_PROMPT, clean_prompt
from bot.services import client_of, guild_of, presets_of, services_of, voice_of
from bot.texts import Phrase, describe, label
from bot.usual import usual_strength
from generation.registry import PORTRAIT, VAE
from generation.request import MAX_SEED


def remix_order(
    image: Picture,
    *,
    prompt: str,
    words: str = "",
    title: str = "",
    preset: Preset | None = None,
    strength: float | None = None,
    seed: int | None = None,
    model: str | None = None,
    negative: str = "",
    count: int = 1,
    extend: str | None = None,
) -> Order:
    """Return the order for a remix.

    Args:
        image: the picture to start from.
        prompt: what the model is told, see ``told``.
        words: the member's own of these, which the reply names.
        title: what the reply calls the preset, if there is one.
        preset: the ready-made edit that was chosen.
        strength: the preset's, or the usual one, if None; new margins are made from nothing.
        seed: any if None.
        model: the checkpoint; that of ``/remix`` if None.
        negative: what is not to be seen.
        count: how many.
        extend: the shape that new margins are to give it, as WIDTH:HEIGHT.
    """
    if strength is None:
        strength = preset.strength if preset else DEFAULT_STRENGTH
        strength = 1.0 if extend else strength
    return Order(
        command="remix",
        pipeline="remix",
        image=image,
        prompt=prompt,
        subject=" · ".join(filter(None, (title, words))),
        strength=strength,
        seed=any_seed(seed),
        preset=preset.name if preset else None,
        layers=preset.layers if preset else (),
        model=model,
        negative_prompt=negative,
        count=count,
        ratio=extend,
    )


def projection_order(image: Picture, *, model: str, seed: int | None, count: int) -> Order:
    """Return the order to look for the picture nearest to one among those that a model makes."""
    return Order(
        command="remix",
        pipeline=PORTRAIT,
        image=image,
        subject=model,
        strength=1.0,
        seed=any_seed(seed),
        model=model,
        count=count,
    )


def told(words: str, *, preset: Preset | None) -> str:
    """Return what the model is told: a preset's words and the member's own.

    Raises:
        PromptMissingError: there are neither.
        PromptTooLongError: together they have too many characters.
    """
    prompt = clean_prompt(preset.said(words)) if preset else words
    if not prompt:
        raise PromptMissingError("neither a prompt nor a preset")
    return prompt


def named_for(
    models: Models,
    preset: Preset | None,
    *,
    model: str | None = None,
    usual: str | None = None,
    paints: bool = False,
) -> str | None:
    """Return the checkpoint to name in an order: the member's, or the one that a preset needs.

    With ``paints`` it is one that paints new things, such as margins. Where the member names none
    and the server's ``usual`` one can do it, it is that.

    Raises:
        PresetUnableError: there is none that can do the preset.
        NotAPainterError, PainterMissingError: the one named does not paint, or none does.
    """
    if model is None and usual is not None:
        with suppress(PresetUnableError, NotAPainterError, UnknownModelError, UnusableModelError):
            models.require("remix", usual)
            return named_for(models, preset, model=usual, paints=paints)
    able = models.painter(model) if paints else None
    if preset:
        able = models.able(preset, model=model, paints=paints)
    return able.name if able else model


async def preset_for(
    interaction: discord.Interaction, words: str, *, preset: str | None, usual: str | None
) -> Preset | None:
    """Return the preset that a member names, or without words and name the server's usual one.

    Raises:
        UnknownPresetError: there is none of that name here.
    """
    here = await presets_of(interaction)
    if preset:
        return preset_named(preset, here)
    return here.get(usual) if usual and not words else None


def _require_plain(
    models: Models,
    model: str | None,
    preset: str | None,
    extend: str | None,
    beside: object,
    stepped: object,
) -> None:
    """Refuse what a VAE does not do besides varying a picture.

    Raises:
        NotAPainterError, PainterMissingError: it makes no margins.
        PresetUnableError: it does no presets.
        CompanionUnfitError: it follows nothing else.
    """
    if extend:
        models.painter(model)
    if preset:
        raise PresetUnableError("a VAE knows no presets")
    if beside is not None:
        raise CompanionUnfitError("a VAE", reason=Phrase("reason.vae_follows"))
    if stepped is not None:
        raise CompanionUnfitError("a VAE", reason=Phrase("reason.vae_steps"))


class Remix(commands.Cog):
    """The family of ``/remix``."""

    @app_commands.command(name="remix", description=label("command.remix"))
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.autocomplete(control=control_choices)
    @describe(
        image=label("command.remix.image"),
        prompt=label("command.remix.prompt"),
        preset=label("command.remix.preset"),
        strength=label("command.remix.strength"),
        seed=label("command.remix.seed"),
        model=label("command.remix.model"),
        negative=label("command.negative"),
        count=label("command.count"),
        extend=label("command.remix.extend"),
        like=label("command.remix.like"),
        like_strength=label("command.remix.like_strength"),
        control=label("command.remix.control"),
        control_picture=label("command.remix.control_picture"),
        control_from=label("command.remix.control_from"),
        steps=label("command.steps"),
        guidance=label("command.guidance"),
        scheduler=label("command.scheduler"),
    )
    @app_commands.choices(scheduler=SCHEDULER_CHOICES)
    async def remix(
        self,
        interaction: discord.Interaction,
        image: discord.Attachment,
        prompt: app_commands.Range[str, 0, MAX_PROMPT] = "",
        preset: app_commands.Range[str, 1, NAME_LENGTH] | None = None,
        strength: app_commands.Range[float, 0.0, 1.0] | None = None,
        seed: app_commands.Range[int, 0, MAX_SEED] | None = None,
        model: app_commands.Range[str, 1, NAME_LENGTH] | None = None,
        negative: app_commands.Range[str, 0, MAX_PROMPT] = "",
        count: app_commands.Range[int, 1, MOST_PICTURES] = 1,
        extend: app_commands.Range[str, 1, SIZE_LETTERS] | None = None,
        like: discord.Attachment | None = None,
        like_strength: app_commands.Range[float, 0.0, 1.0] = LIKE_STRENGTH,
        control: app_commands.Range[str, 1, NAME_LENGTH] | None = None,
        control_picture: discord.Attachment | None = None,
        control_from: discord.Attachment | None = None,
        steps: app_commands.Range[int, 1, MOST_STEPS] | None = None,
        guidance: app_commands.Range[float, 0.0, MOST_GUIDANCE] | None = None,
        scheduler: str | None = None,
    ) -> None:
        """Change a picture by words, a preset or both; or give it new margins."""
        await think(interaction)
        services = services_of(interaction)
        # A refusal may say these back, to everybody.
        await services.guilds.require_fit(
            interaction.guild_id, model or "", extend or "", control or ""
        )
        if projector := services.models.projector(model):
            others = (prompt, preset, negative, extend, control, like)
            if any((*others, control_picture, control_from, steps, guidance, scheduler)):
                raise WordsUnfitError("no words", name=projector.name)
            services.limits.require_count(count)
            found = await services.pictures.upload(image)
            order = projection_order(found, model=projector.name, seed=seed, count=count)
            await services.dispatcher.place(interaction, order)
            return
        services.limits.require_count(count)
        if varier := services.models.varier(model):
            asked = like or control or control_picture or control_from
            stepped = steps or guidance or scheduler
            _require_plain(services.models, model, preset, extend, asked, stepped)
            order = Order(
                command="remix",
                pipeline=VAE,
                image=await services.pictures.upload(image),
                prompt=clean_prompt(prompt),
                subject=clean_prompt(prompt),
                strength=await usual_strength(interaction, otherwise=DEFAULT_STRENGTH)
                if strength is None
                else strength,
                seed=any_seed(seed),
                model=varier,
                count=count,
            )
            await services.dispatcher.place(interaction, order)
            return
        services.models.require("remix", model, known=services.models.changers)
        shape = shape_of(extend) if extend else None
        words = clean_prompt(prompt)
        usual = (await guild_of(interaction)).choices
        chosen = await preset_for(interaction, words, preset=preset, usual=usual.preset)
        prompt = told(words, preset=chosen)
        model = named_for(
            services.models, chosen, model=model, usual=usual.model, paints=shape is not None
        )
        if strength is None and chosen is None and shape is None:
            strength = usual.strength
        picture = await services.pictures.upload(image)
        if shape is not None:
            services.limits.require_room(picture, shape=shape)
        order = remix_order(
            picture,
            prompt=prompt,
            words=words,
            title=voice_of(interaction).tell(titled(chosen)) if chosen else "",
            preset=chosen,
            strength=strength,
            seed=seed,
            model=model,
            negative=clean_prompt(negative),
            count=count,
            extend=shape,
        )
        beside = await followed(
            services.pictures,
            like=like,
            control=control,
            control_picture=control_picture,
            control_from=control_from,
        )
        order = replace(
            order,
            **beside,
            like_strength=like_strength,
            num_inference_steps=steps,
            guidance_scale=guidance,
            scheduler=scheduler,
        )
        await services.dispatcher.place(interaction, order)

    @remix.autocomplete("preset")
    async def presets(
        self, interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        """Offer the presets that a model here can do and that hold what was typed."""
        services = services_of(interaction)
        offered = services.models.offered((await presets_of(interaction)).values())
        voice = voice_of(interaction)
        return matching(current, {each.name: voice.tell(titled(each)) for each in offered})

    @remix.autocomplete("model")
    async def models(
        self, interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        """Offer the models that can be used and hold what was typed, with a line about each."""
        voice, models = voice_of(interaction), services_of(interaction).models
        offered = models.painters if interaction.namespace.extend else models.usable
        lines = {entry.name: model_line(voice, entry) for entry in offered}
        if not interaction.namespace.extend:
            seeded = (each for each in models.portraitists if models.projector(each.name))
            lines |= {each.name: portrait_line(voice, each) for each in seeded}
            lines |= {it.name: vae_line(voice, it) for it in models.vaes if it.alone}
            if models.varier(VAE) and VAE not in lines:
                lines[VAE] = vae_line(voice, replace(models.vaes[0], name=VAE))
        return matching(current, lines)

    @remix.autocomplete("extend")
    async def shapes(
        self, interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        """Offer the usual shapes that hold what was typed."""
        return shape_choices(voice_of(interaction), current)


@app_commands.context_menu(name=label("command.remix.menu"))
@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
async def remix_message(interaction: discord.Interaction, message: discord.Message) -> None:
    """Ask for words and remix the first picture of a message."""
    attachment = first_picture(message.attachments)
    voice, services = voice_of(interaction), services_of(interaction)
    usual = (await guild_of(interaction)).choices

    async def submit(sent: discord.Interaction, filled: Filled) -> None:
        await think(sent)
        words = clean_prompt(filled.prompt)
        chosen = await preset_for(sent, words, preset=filled.preset, usual=usual.preset)
        prompt = told(words, preset=chosen)
        model = named_for(services.models, chosen, usual=usual.model)
        order = remix_order(
            await services.pictures.upload(attachment),
            prompt=prompt,
            words=words,
            title=voice.tell(titled(chosen)) if chosen else "",
            preset=chosen,
            strength=filled.strength,
            model=model,
        )
        await services.dispatcher.place(sent, order)

    form = PictureForm(
        voice,
        title=voice.say("form.remix.title"),
        custom_id=f"atelier:remix:{interaction.id}",
        submit=submit,
        prompt="",
        strength=usual.strength or DEFAULT_STRENGTH,
        presets=tuple(services.models.offered((await presets_of(interaction)).values())),
    )
    await client_of(interaction).open_form(interaction, form)


async def setup(client: Atelier) -> None:
    """Add the family to the client."""
    await client.add_cog(Remix())
    client.tree.add_command(remix_message)
