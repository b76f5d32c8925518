"""``/admin``: what those who manage a server choose for it; every answer is theirs alone."""

from typing import cast, get_args

import discord
from discord import app_commands
from discord.ext import commands

from bot.admin_pages import audit_page, key_of, models_page, presets_page, safety_page, words_page
from bot.admin_quotas import QuotaGroup
from bot.choices import NAME_LENGTH, matching
from bot.client import Atelier
from bot.errors import PresetUnableError
from bot.guilds import Guild
from bot.presets import DEFAULT_STRENGTH, sample_names
from bot.prompts import MAX_PROMPT, clean_prompt, shown
from bot.rights import may_manage
from bot.services import services_of
from bot.texts import label
from bot.visits import let_in
from bot.words import MAX_WORD
from generation.postprocess.names import LAYER_NAMES
from storage.guilds import SafetyPolicy, WordAction
from storage.tables import MAX_RETENTION_DAYS

MAX_ROW = 2**53 - 1
Choices = list[app_commands.Choice[str]]


def choice(key: str, value: str) -> app_commands.Choice[str]:
    """Return a choice whose name is said in the member's language."""
    return app_commands.Choice(name=label(key), value=value)


def _named(names: frozenset[str]) -> Choices:
    return [app_commands.Choice(name=name, value=name) for name in sorted(names)]


POLICIES = [choice(f"admin.safety.{policy}", policy) for policy in get_args(SafetyPolicy)]


def _listed(text: str) -> list[str]:
    """Return names that are written with commas between."""
    return [name.strip() for name in text.split(",") if name.strip()]


WORD_ACTIONS = [choice(f"admin.words.{action}", action) for action in ("block", "warn")]


@app_commands.allowed_installs(guilds=True, users=False)
@app_commands.allowed_contexts(guilds=True, dms=False, private_channels=False)
@app_commands.default_permissions(manage_guild=True)
class Admin(commands.GroupCog, group_name="admin", group_description=label("command.admin")):
    """The family of ``/admin``."""

    @app_commands.command(name="safety", description=label("command.admin.safety"))
    @app_commands.describe(policy=label("command.admin.safety.policy"))
    @app_commands.choices(policy=POLICIES)
    async def safety(self, interaction: discord.Interaction, policy: str | None = None) -> None:
        """Choose what becomes of unsafe pictures, or say what does."""
        visit = await let_in(interaction)
        if policy in get_args(SafetyPolicy):
            await visit.services.guilds.set_safety(
                visit.guild_id, cast("SafetyPolicy", policy), actor_id=visit.actor_id
            )
        guard = visit.services.guard
        trouble = await guard.trouble()
        await visit.answer(
            safety_page(visit.voice, await visit.holding(), guard.config, trouble=trouble)
        )

    @app_commands.command(name="retention", description=label("command.admin.retention"))
    @app_commands.describe(days=label("command.admin.retention.days"))
    async def retention(
        self,
        interaction: discord.Interaction,
        days: app_commands.Range[int, 1, MAX_RETENTION_DAYS] | None = None,
    ) -> None:
        """Choose how long prompts and pictures are kept, or say how long they are."""
        visit = await let_in(interaction)
        guilds = visit.services.guilds
        if days is not None:
            await guilds.set_retention(visit.guild_id, days, actor_id=visit.actor_id)
        kept = (await visit.holding()).retention_days
        await visit.say("admin.retention.kept", days=kept, most=guilds.longest_days)

    words = app_commands.Group(name="words", description=label("command.admin.words"))
    presets = app_commands.Group(name="presets", description=label("command.admin.presets"))
    quota = QuotaGroup(name="quota", description=label("command.admin.quota"))

    @words.command(name="add", description=label("command.admin.words.add"))
    @app_commands.describe(
        word=label("command.admin.words.add.word"), action=label("command.admin.words.add.action")
    )
    @app_commands.choices(action=WORD_ACTIONS)
    async def add_word(
        self,
        interaction: discord.Interaction,
        word: app_commands.Range[str, 1, MAX_WORD],
        action: str = "block",
    ) -> None:
        """Add a word rule, or change what one does."""
        visit = await let_in(interaction)
        chosen: WordAction = "warn" if action == "warn" else "block"
        await visit.services.guilds.set_word(
            visit.guild_id, clean_prompt(word), chosen, actor_id=visit.actor_id
        )
        await visit.say(f"admin.words.added.{chosen}", word=shown(word))

    @words.command(name="remove", description=label("command.admin.words.remove"))
    @app_commands.describe(word=label("command.admin.words.remove.word"))
    async def remove_word(
        self, interaction: discord.Interaction, word: app_commands.Range[str, 1, MAX_WORD]
    ) -> None:
        """Remove a word rule."""
        visit = await let_in(interaction)
        await visit.services.guilds.remove_word(visit.guild_id, word, actor_id=visit.actor_id)
        await visit.say("admin.words.removed", word=shown(word))

    @words.command(name="list", description=label("command.admin.words.list"))
    async def list_words(self, interaction: discord.Interaction) -> None:
        """List the word rules."""
        visit = await let_in(interaction)
        await visit.answer(words_page(visit.voice, await visit.holding()))

    @remove_word.autocomplete("word")
    async def known_words(self, interaction: discord.Interaction, current: str) -> Choices:
        """Offer the words that there are rules for, to admins alone."""
        guild = await _managed(interaction)
        rules = guild.choices.words if guild is not None else ()
        return matching(current, {rule.word: rule.word for rule in rules})

    @app_commands.command(name="models", description=label("command.admin.models"))
    async def models(self, interaction: discord.Interaction) -> None:
        """List the models, and say of those that cannot be used why."""
        visit = await let_in(interaction)
        models = visit.services.models
        await visit.answer(models_page(visit.voice, models.all, usual=models.chosen("remix", None)))

    @presets.command(name="add", description=label("command.admin.presets.add"))
    @app_commands.describe(
        name=label("command.admin.presets.add.name"),
        prompt=label("command.admin.presets.add.prompt"),
        title=label("command.admin.presets.add.title"),
        strength=label("command.admin.presets.add.strength"),
        model=label("command.admin.presets.add.model"),
        layers=label("command.admin.presets.add.layers"),
        edits=label("command.admin.presets.add.edits"),
        sample=label("command.admin.presets.add.sample"),
    )
    @app_commands.choices(sample=_named(sample_names()))
    async def add_preset(
        self,
        interaction: discord.Interaction,
        name: app_commands.Range[str, 1, NAME_LENGTH],
        prompt: app_commands.Range[str, 1, MAX_PROMPT],
        title: app_commands.Range[str, 1, 100] | None = None,
        strength: app_commands.Range[float, 0.01, 1.0] = DEFAULT_STRENGTH,
        model: app_commands.Range[str, 1, NAME_LENGTH] | None = None,
        layers: app_commands.Range[str, 0, 100] = "",
        edits: bool = False,
        sample: str | None = None,
    ) -> None:
        """Add a preset of the server's own, or replace one of that name."""
        visit = await let_in(interaction)
        fields = {
            "prompt": clean_prompt(prompt),
            "title": clean_prompt(title or name),
            "strength": strength,
            "model": model,
            "layers": _listed(layers),
            "edits": edits,
            "sample": sample,
        }
        preset = await visit.services.guilds.add_preset(
            visit.guild_id, clean_prompt(name), fields, actor_id=visit.actor_id
        )
        try:
            visit.services.models.able(preset)
            await visit.say("admin.presets.added", title=shown(preset.title))
        except PresetUnableError:
            await visit.say("admin.presets.added.unable", title=shown(preset.title))

    @add_preset.autocomplete("layers")
    async def known_layers(self, interaction: discord.Interaction, current: str) -> Choices:
        """Offer the layers, after those that were named already."""
        del interaction
        before, newest = _listed(current)[:-1], (_listed(current) or [""])[-1]
        fitting = sorted(name for name in LAYER_NAMES if newest in name and name not in before)
        lines = [", ".join([*before, name]) for name in fitting]
        return [app_commands.Choice(name=line, value=line) for line in lines]

    @presets.command(name="remove", description=label("command.admin.presets.remove"))
    @app_commands.describe(name=label("command.admin.presets.remove.name"))
    async def remove_preset(
        self, interaction: discord.Interaction, name: app_commands.Range[str, 1, NAME_LENGTH]
    ) -> None:
        """Remove a preset of the server's own, or show a hidden one again."""
        visit = await let_in(interaction)
        await visit.services.guilds.remove_preset(visit.guild_id, name, actor_id=visit.actor_id)
        await visit.say("admin.presets.removed", name=key_of(name))

    @presets.command(name="hide", description=label("command.admin.presets.hide"))
    @app_commands.describe(name=label("command.admin.presets.hide.name"))
    async def hide_preset(
        self, interaction: discord.Interaction, name: app_commands.Range[str, 1, NAME_LENGTH]
    ) -> None:
        """Offer a preset of the installation's here no more."""
        visit = await let_in(interaction)
        await visit.services.guilds.hide_preset(visit.guild_id, name, actor_id=visit.actor_id)
        await visit.say("admin.presets.hid", name=key_of(name))

    @presets.command(name="list", description=label("command.admin.presets.list"))
    async def list_presets(self, interaction: discord.Interaction) -> None:
        """List the presets that are offered here, and those that are hidden."""
        visit = await let_in(interaction)
        await visit.answer(presets_page(visit.voice, await visit.holding(), visit.services.models))

    @remove_preset.autocomplete("name")
    async def own_presets(self, interaction: discord.Interaction, current: str) -> Choices:
        """Offer the server's own presets and those it hides, to admins alone."""
        guild = await _managed(interaction)
        names = guild.choices.presets if guild is not None else ()
        return matching(current, {name: name for name in names})

    @hide_preset.autocomplete("name")
    async def shown_presets(self, interaction: discord.Interaction, current: str) -> Choices:
        """Offer the installation's presets that are shown, to admins alone."""
        guild = await _managed(interaction)
        presets = guild.presets if guild is not None else {}
        return matching(
            current,
            {name: it.title for name, it in presets.items() if guild and name not in guild.own},
        )

    @app_commands.command(name="audit", description=label("command.admin.audit"))
    @app_commands.describe(before=label("command.admin.audit.before"))
    async def audit(
        self,
        interaction: discord.Interaction,
        before: app_commands.Range[int, 1, MAX_ROW] | None = None,
    ) -> None:
        """List what the server's admins have done here."""
        visit = await let_in(interaction)
        acts = await visit.services.guilds.log(visit.guild_id, before_id=before)
        await visit.answer(audit_page(visit.voice, acts))


async def _managed(interaction: discord.Interaction) -> Guild | None:
    """Return what holds in a guild to those who manage it, None to all others."""
    if not may_manage(interaction):
        return None
    return await services_of(interaction).guilds.holding(interaction.guild_id)


async def setup(client: Atelier) -> None:
    """Add the family to the client."""
    await client.add_cog(Admin())
