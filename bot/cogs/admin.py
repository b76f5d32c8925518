"""``/admin``: what those who manage a server choose for it; every answer is theirs alone."""

from typing import cast, get_args

import discord
from discord import app_commands
from discord.ext import commands

from bot.admin_approvals import ApprovalGroup
from bot.admin_dead import DeadGroup
from bot.admin_defaults import DefaultsGroup
from bot.admin_digest import DigestGroup
from bot.admin_members import MembersGroup
from bot.admin_pages import audit_page, jobs_page, models_page, safety_page
from bot.admin_places import PipelinesGroup
from bot.admin_presets import PresetsGroup
from bot.admin_quotas import QuotaGroup
from bot.admin_words import WordsGroup
from bot.choices import choice
from bot.client import Atelier
from bot.errors import UnknownLanguageError
from bot.services import voice_of
from bot.texts import describe, label, load_texts, own_name
from bot.visits import let_in
from storage.dead_letters import DEAD
from storage.guilds import SafetyPolicy
from storage.records import JobState
from storage.tables import MAX_RETENTION_DAYS

MAX_ROW = 2**53 - 1
EACH_ITS_OWN = "own"
POLICIES = [choice(f"admin.safety.{policy}", policy) for policy in get_args(SafetyPolicy)]
LANGUAGES = [
    *(app_commands.Choice(name=own_name(locale), value=locale) for locale in load_texts().locales),
    choice("language.own", EACH_ITS_OWN),
]
STATES = [choice(f"admin.jobs.{state}", str(state)) for state in (*JobState, DEAD)]


@app_commands.allowed_installs(guilds=True, users=False)
@app_commands.allowed_contexts(guilds=True, dms=False, private_channels=False)
@app_commands.default_permissions(manage_guild=True)
class Admin(commands.GroupCog, group_name="admin", group_description=label("command.admin")):
    """The family of ``/admin``."""

    words = WordsGroup(name="words", description=label("command.admin.words"))
    presets = PresetsGroup(name="presets", description=label("command.admin.presets"))
    quota = QuotaGroup(name="quota", description=label("command.admin.quota"))
    members = MembersGroup(name="members", description=label("command.admin.members"))
    approval = ApprovalGroup(name="approval", description=label("command.admin.approval"))
    pipelines = PipelinesGroup(name="pipelines", description=label("command.admin.pipelines"))
    dead = DeadGroup(name="dead", description=label("command.admin.dead"))
    digest = DigestGroup(name="digest", description=label("command.admin.digest"))
    defaults = DefaultsGroup(name="defaults", description=label("command.admin.defaults"))

    @app_commands.command(name="safety", description=label("command.admin.safety"))
    @describe(policy=label("command.admin.safety.policy"))
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
    @describe(days=label("command.admin.retention.days"))
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

    @app_commands.command(name="language", description=label("command.admin.language"))
    @describe(name=label("command.admin.language.name"))
    @app_commands.choices(name=LANGUAGES)
    async def language(self, interaction: discord.Interaction, name: str) -> None:
        """Choose what the bot speaks here: one language, or each member's own."""
        visit = await let_in(interaction)
        locales = visit.services.texts.locales
        if name not in (*locales, EACH_ITS_OWN):
            raise UnknownLanguageError("no such language")
        chosen = None if name == EACH_ITS_OWN else name
        await visit.services.guilds.choose(visit.guild_id, actor_id=visit.actor_id, language=chosen)
        await visit.holding()
        voice = voice_of(interaction)
        said = own_name(chosen) if chosen else voice.say("language.own")
        await visit.answer(voice.say("admin.language.chosen", language=said))

    @app_commands.command(name="models", description=label("command.admin.models"))
    async def models(self, interaction: discord.Interaction) -> None:
        """List the models, and say of those that cannot be used why."""
        visit = await let_in(interaction)
        models = visit.services.models
        await visit.answer(models_page(visit.voice, models.all, usual=models.chosen("remix", None)))

    @app_commands.command(name="jobs", description=label("command.admin.jobs"))
    @describe(state=label("command.admin.jobs.state"))
    @app_commands.choices(state=STATES)
    async def jobs(self, interaction: discord.Interaction, state: str = "failed") -> None:
        """List the newest jobs that are in a state, such as dead letters, and why they are."""
        visit = await let_in(interaction)
        store = visit.services.jobs
        if state == DEAD:
            found = await store.dead(visit.guild_id)
        else:
            found = await store.listed(visit.guild_id, states=[JobState(state)])
        await visit.answer(jobs_page(visit.voice, found, state=state))

    @app_commands.command(name="audit", description=label("command.admin.audit"))
    @describe(before=label("command.admin.audit.before"))
    async def audit(
        self,
        interaction: discord.Interaction,
        before: app_commands.Range[int, 1, MAX_ROW] | None = None,
    ) -> None:
        """List what the server's admins have done here."""
        visit = await let_in(interaction)
        acts = await visit.services.guilds.log(visit.guild_id, before_id=before)
        await visit.answer(audit_page(visit.voice, acts))


async def setup(client: Atelier) -> None:
    """Add the family to the client."""
    await client.add_cog(Admin())
