"""``/usage``: what is left for a member, and the report for those who manage the server."""

import asyncio
import io
from datetime import datetime, timedelta

import discord
from discord import app_commands, ui
from discord.ext import commands

from bot.client import Atelier
from bot.notices import ACCENT, notice
from bot.quotas import own_page, own_price_ms, usual_price_ms
from bot.rights import administered_guild
from bot.services import services_of, voice_of
from bot.standing import standing_of
from bot.texts import Voice, label
from bot.usage import (
    charts_of,
    csv_of,
    member_rows,
    pipeline_rows,
    report_lines,
    report_total,
)
from storage.clock import utc_now
from storage.cuts import Dimension
from storage.recall import guild_key
from storage.reports import Question, Report

PERIODS = {"day": 1, "week": 7, "month": 30, "year": 365}
PERIOD_CHOICES = [app_commands.Choice(name=label(f"period.{name}"), value=name) for name in PERIODS]
DEFAULT_PERIOD = "week"
NAMED_MEMBERS = 10
CHART_NAME, CSV_NAME = "usage.png", "usage.csv"


@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
class Usage(commands.GroupCog, group_name="usage", group_description=label("command.usage")):
    """The family of ``/usage``."""

    @app_commands.command(name="me", description=label("command.usage.me"))
    async def me(self, interaction: discord.Interaction) -> None:
        """Say what the member used, what is left, and when it renews."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        services, guild, member = services_of(interaction), interaction.guild_id, interaction.user
        balances = await services.quotas.balances(
            guild_id=guild, member_id=member.id, standing=standing_of(interaction)
        )
        since, until = period_until(utc_now(), "month")
        history = await services.reports.report(
            Question(since=since, until=until, guild_id=guild_key(guild), member_id=member.id)
        )
        each_ms = own_price_ms(history.total, usual_ms=usual_price_ms(services.prices))
        text = own_page(voice_of(interaction), balances, each_ms=each_ms)
        await interaction.edit_original_response(view=notice(text, colour=ACCENT))

    @app_commands.command(name="report", description=label("command.usage.report"))
    @app_commands.describe(period=label("command.usage.report.period"))
    @app_commands.choices(period=PERIOD_CHOICES)
    async def report(self, interaction: discord.Interaction, period: str = DEFAULT_PERIOD) -> None:
        """Report on this server, to those who may manage it and to nobody else."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        guild_id = administered_guild(interaction)
        services, voice = services_of(interaction), voice_of(interaction)
        since, until = period_until(utc_now(), period)
        report = await services.reports.report(
            Question(
                since=since,
                until=until,
                guild_id=guild_id,
                by=(Dimension.MEMBER, Dimension.PIPELINE),
            )
        )
        names = await member_names(interaction, report)
        chart = await services.charts.draw(charts_of(voice, report, names))
        table = await asyncio.to_thread(csv_of, report, names)
        await interaction.edit_original_response(
            view=report_page(voice, report, period=period),
            attachments=[
                discord.File(io.BytesIO(chart), filename=CHART_NAME),
                discord.File(io.BytesIO(table), filename=CSV_NAME),
            ],
        )


def period_until(now: datetime, period: str) -> tuple[datetime, datetime]:
    """Return the beginning and the end of a period that ends now."""
    return now - timedelta(days=PERIODS.get(period, PERIODS[DEFAULT_PERIOD])), now


async def member_names(interaction: discord.Interaction, report: Report) -> dict[int, str]:
    """Return the names of those who used most; whoever has left Discord keeps their number."""
    wanted = [int(row.key) for row in report.lines(Dimension.MEMBER)[:NAMED_MEMBERS]]
    users = await asyncio.gather(
        *map(interaction.client.fetch_user, wanted), return_exceptions=True
    )
    return {user.id: user.display_name for user in users if isinstance(user, discord.User)}


def report_page(voice: Voice, report: Report, *, period: str) -> ui.LayoutView:
    """Return the report with its chart and its file."""
    title = voice.say("usage.report.title", period=voice.say(f"period.{period}"))
    box = ui.Container[ui.LayoutView](
        ui.TextDisplay(f"{title}\n{report_total(voice, report)}"), accent_colour=ACCENT
    )
    if report.total.jobs:
        for heading, rows in (
            ("usage.report.members", member_rows(report)),
            ("usage.report.pipelines", pipeline_rows(report)),
        ):
            box.add_item(ui.TextDisplay(f"{voice.say(heading)}\n{report_lines(voice, rows)}"))
    picture = discord.MediaGalleryItem(
        f"attachment://{CHART_NAME}", description=voice.say("usage.chart.alt")
    )
    box.add_item(ui.MediaGallery(picture))
    view = ui.LayoutView(timeout=None)
    view.add_item(box)
    view.add_item(ui.File(f"attachment://{CSV_NAME}"))
    return view


async def setup(client: Atelier) -> None:
    """Add the family to the client."""
    await client.add_cog(Usage())
