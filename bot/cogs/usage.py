"""``/usage``: what is left for a member, and the report for those who manage the server."""

import asyncio
import io
from datetime import datetime, timedelta

import discord
from discord import app_commands, ui
from discord.ext import commands

from bot.client import Atelier
from bot.notices import ACCENT, notice
from bot.replies import bar
from bot.rights import administered_guild
from bot.services import services_of, voice_of
from bot.texts import Voice, label
from bot.usage import (
    charts_of,
    csv_of,
    device_time,
    member_rows,
    pipeline_rows,
    report_lines,
    report_total,
)
from generation.registry import PIPELINES
from storage.clock import utc_now
from storage.quotas import Balance
from storage.reports import Usage as Sums
from storage.reports import UsageReport

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
        balance = await services.quotas.balance(guild_id=guild, member_id=member.id)
        since, until = period_until(utc_now(), "month")
        history = await services.reports.member_usage(guild, member.id, since=since, until=until)
        text = own_usage(voice_of(interaction), balance, history.total)
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
        report = await services.reports.usage(guild_id, since=since, until=until)
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


def own_usage(voice: Voice, balance: Balance, history: Sums) -> str:
    """Return what ``/usage me`` says."""
    share = min(1.0, balance.used_ms / max(1, balance.limit_ms))
    reserved = device_time(balance.reserved_ms)
    return voice.say(
        "usage.me",
        bar=f"`{bar(share)}`",
        used=device_time(balance.used_ms),
        limit=device_time(balance.limit_ms),
        reserved=voice.say("usage.me.reserved", reserved=reserved) if balance.reserved_ms else "",
        left=device_time(balance.remaining_ms),
        pictures=pictures_left(voice, balance.remaining_ms, history),
        renews=int(balance.resets_at.timestamp()),
    )


def pictures_left(voice: Voice, remaining_ms: int, history: Sums) -> str:
    """Return how many pictures are left, at what the member's pictures have cost so far."""
    typical_ms = max(spec.typical_device_ms for spec in PIPELINES.values() if not spec.weights)
    each_ms = history.device_ms / history.done if history.done else typical_ms
    count = int(remaining_ms / max(1.0, each_ms))
    if count == 0:
        return voice.say("usage.me.pictures.none")
    return voice.say("usage.me.pictures.one" if count == 1 else "usage.me.pictures", count=count)


async def member_names(interaction: discord.Interaction, report: UsageReport) -> dict[int, str]:
    """Return the names of those who used most; whoever has left Discord keeps their number."""
    wanted = [row.member_id for row in report.members[:NAMED_MEMBERS]]
    users = await asyncio.gather(
        *map(interaction.client.fetch_user, wanted), return_exceptions=True
    )
    return {user.id: user.display_name for user in users if isinstance(user, discord.User)}


def report_page(voice: Voice, report: UsageReport, *, period: str) -> ui.LayoutView:
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
