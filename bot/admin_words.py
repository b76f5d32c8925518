"""``/admin words``: words that are not wanted in prompts, and what comes of writing them."""

import discord
from discord import app_commands

from bot.admin_pages import words_page
from bot.choices import Choices, choice, matching
from bot.prompts import clean_prompt, shown
from bot.texts import describe, label
from bot.visits import let_in, managed
from bot.words import MAX_WORD
from storage.guilds import WordAction

WORD_ACTIONS = [choice(f"admin.words.{action}", action) for action in ("block", "warn")]
MOST_WARNINGS = 100


class WordsGroup(app_commands.Group):
    """The subcommands of ``/admin words``."""

    @app_commands.command(name="add", description=label("command.admin.words.add"))
    @describe(
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

    @app_commands.command(name="remove", description=label("command.admin.words.remove"))
    @describe(word=label("command.admin.words.remove.word"))
    async def remove_word(
        self, interaction: discord.Interaction, word: app_commands.Range[str, 1, MAX_WORD]
    ) -> None:
        """Remove a word rule."""
        visit = await let_in(interaction)
        await visit.services.guilds.remove_word(visit.guild_id, word, actor_id=visit.actor_id)
        await visit.say("admin.words.removed", word=shown(word))

    @app_commands.command(name="list", description=label("command.admin.words.list"))
    async def list_words(self, interaction: discord.Interaction) -> None:
        """List the word rules."""
        visit = await let_in(interaction)
        await visit.answer(words_page(visit.voice, await visit.holding()))

    @app_commands.command(name="escalate", description=label("command.admin.words.escalate"))
    @describe(warnings=label("command.admin.words.escalate.warnings"))
    async def escalate(
        self,
        interaction: discord.Interaction,
        warnings: app_commands.Range[int, 1, MOST_WARNINGS] | None = None,
    ) -> None:
        """Choose after how many warnings in a day those rules block a member's prompts."""
        visit = await let_in(interaction)
        await visit.services.guilds.choose(
            visit.guild_id, actor_id=visit.actor_id, warnings=warnings
        )
        key = "admin.words.escalates" if warnings else "admin.words.escalates.never"
        await visit.say(key, count=warnings or 0)

    @remove_word.autocomplete("word")
    async def known_words(self, interaction: discord.Interaction, current: str) -> Choices:
        """Offer the words that there are rules for, to admins alone."""
        guild = await managed(interaction)
        rules = guild.choices.words if guild is not None else ()
        return matching(current, {rule.word: rule.word for rule in rules})
