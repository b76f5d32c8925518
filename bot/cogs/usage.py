"""``/usage``: what is left for a member, and the report for those who manage the server."""

import asyncio
import io
from datetime import timedelta
from zoneinfo import ZoneInfo

import discord
from discord import app_commands
from discord.ext import commands

from bot.acknowledging import think
from bot.choices import NAME_LENGTH, matching
from bot.client import Atelier
from bot.notices import ACCENT, notice
from bot.periods import DEFAULT_PERIOD, PERIODS, compared, period_between, period_until
from bot.quotas import own_page, usual_price_ms
from bot.report_messages import CHART_NAME, chart_of, member_names, report_page
from bot.rights import may_manage
from bot.services import services_of, voice_of
from bot.standing import standing_of
from bot.texts import describe, label
from bot.usage_files import csv_of, json_of
from bot.visits import Visit, let_in
from storage.clock import utc_now
from storage.cuts import Dimension
from storage.questions import BY_ALL, Question
from storage.recall import guild_key
from storage.reports import Report
from storage.windows import zone_of

PERIOD_CHOICES = [app_commands.Choice(name=label(f"period.{name}"), value=name) for name in PERIODS]
CSV_NAME, JSON_NAME = "usage.csv", "usage.json"
A_MOMENT = timedelta(microseconds=1)
Choices = list[app_commands.Choice[str]]
Date = app_commands.Range[str, 8, 10]
Place = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread


@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
class Usage(commands.GroupCog, group_name="usage", group_description=label("command.usage")):
    """The family of ``/usage``."""

    @app_commands.command(name="me", description=label("command.usage.me"))
    async def me(self, interaction: discord.Interaction) -> None:
        """Say what the member used, what is left, and when it renews."""
        await think(interaction, ephemeral=True)
        services, guild, member = services_of(interaction), interaction.guild_id, interaction.user
        balances = await services.quotas.balances(
            guild_id=guild, member_id=member.id, standing=standing_of(interaction)
        )
        since, _ = period_until(utc_now(), "month")
        each_ms = await services.reports.each_ms(
            guild_id=guild_key(guild), member_id=member.id, since=since
        )
        each_ms = each_ms or usual_price_ms(services.prices)
        text = own_page(voice_of(interaction), balances, each_ms=each_ms)
        await interaction.edit_original_response(view=notice(text, colour=ACCENT))

    @app_commands.command(name="report", description=label("command.usage.report"))
    @describe(
        period=label("command.usage.report.period"),
        first=label("command.usage.report.first"),
        last=label("command.usage.report.last"),
        member=label("command.usage.report.member"),
        channel=label("command.usage.report.channel"),
        role=label("command.usage.report.role"),
        pipeline=label("command.usage.report.pipeline"),
        model=label("command.usage.report.model"),
        light=label("command.usage.report.light"),
    )
    @app_commands.choices(period=PERIOD_CHOICES)
    async def report(
        self,
        interaction: discord.Interaction,
        period: str = DEFAULT_PERIOD,
        first: Date | None = None,
        last: Date | None = None,
        member: discord.User | discord.Member | None = None,
        channel: Place | None = None,
        role: discord.Role | None = None,
        pipeline: app_commands.Range[str, 1, NAME_LENGTH] | None = None,
        model: app_commands.Range[str, 1, NAME_LENGTH] | None = None,
        light: bool = False,
    ) -> None:
        """Report on this server, to those who may manage it and to nobody else."""
        visit = await let_in(interaction)
        zone = zone_of((await visit.holding()).choices.time_zone)
        since, until = period_until(utc_now(), period)
        if first or last:
            since, until = period_between(first or "", last or "", now=utc_now(), zone=zone)
        question = Question(
            since=since,
            until=until,
            guild_id=visit.guild_id,
            by=BY_ALL,
            member_id=member.id if member is not None else None,
            channel_id=channel.id if channel is not None else None,
            role_id=role.id if role is not None else None,
            pipeline=pipeline,
            model=model,
        )
        report = await visit.services.reports.report(compared(question, zone=zone))
        said = {"first": f"{since.astimezone(zone):%Y-%m-%d}"}
        said["last"] = f"{(until - A_MOMENT).astimezone(zone):%Y-%m-%d}"
        key = "period.dates" if first or last else f"period.{period}"
        await send(visit, report, title=visit.voice.say(key, **said), zone=zone, light=light)

    @report.autocomplete("pipeline")
    async def known_pipelines(self, interaction: discord.Interaction, current: str) -> Choices:
        """Offer the pipelines that were used here this year, to admins alone."""
        return await _known(interaction, current, by=Dimension.PIPELINE)

    @report.autocomplete("model")
    async def known_models(self, interaction: discord.Interaction, current: str) -> Choices:
        """Offer the models that were used here this year, to admins alone."""
        return await _known(interaction, current, by=Dimension.MODEL)


async def send(visit: Visit, report: Report, *, title: str, zone: ZoneInfo, light: bool) -> None:
    """Send a report with its chart and its files."""
    voice, price = visit.voice, visit.services.price
    names = await member_names(visit.interaction.client, report)
    chart = await chart_of(visit.services.charts, voice, report, names, zone=zone, light=light)
    table = await asyncio.to_thread(csv_of, report, names, price=price)
    figures = await asyncio.to_thread(json_of, report, names, price=price)
    files = {CHART_NAME: chart, CSV_NAME: table, JSON_NAME: figures}
    await visit.interaction.edit_original_response(
        view=report_page(
            voice,
            report,
            title=voice.say("usage.report.title", period=title),
            price=price,
            files=(CSV_NAME, JSON_NAME),
        ),
        attachments=[
            discord.File(io.BytesIO(content), filename=name) for name, content in files.items()
        ],
    )


async def _known(interaction: discord.Interaction, current: str, *, by: Dimension) -> Choices:
    """Return what was used of a dimension."""
    if not may_manage(interaction) or interaction.guild_id is None:
        return []
    since, until = period_until(utc_now(), "year")
    asked = Question(since=since, until=until, guild_id=interaction.guild_id, by=(by,))
    lines = (await services_of(interaction).reports.report(asked)).lines(by)
    return matching(current, {str(line.key): str(line.key) for line in lines if line.key})


async def setup(client: Atelier) -> None:
    """Add the family to the client."""
    await client.add_cog(Usage())
