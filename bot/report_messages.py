"""A usage report as a message: text, chart and files, for whoever asked or for a channel."""

import asyncio
from collections.abc import Collection, Mapping
from zoneinfo import ZoneInfo

import discord
from discord import ui

from bot.charts import ChartPool
from bot.notices import ACCENT
from bot.texts import Voice
from bot.usage import charts_of, report_numbers, report_tables, report_total, time_chart
from bot.usage_files import Price
from storage.cuts import Dimension
from storage.reports import Report

NAMED_MEMBERS = 10
CHART_NAME = "usage.png"


async def member_names(client: discord.Client, report: Report) -> dict[int, str]:
    """Return the names of those who used most; whoever has left Discord keeps their number."""
    wanted = [int(row.key) for row in report.lines(Dimension.MEMBER)[:NAMED_MEMBERS]]
    users = await asyncio.gather(*map(client.fetch_user, wanted), return_exceptions=True)
    return {user.id: user.display_name for user in users if isinstance(user, discord.User)}


async def chart_of(
    charts: ChartPool,
    voice: Voice,
    report: Report,
    names: Mapping[int, str],
    *,
    zone: ZoneInfo,
    light: bool = False,
) -> bytes:
    """Return a report's chart as a PNG."""
    halves, over_time = charts_of(voice, report, names), time_chart(voice, report, zone=zone)
    return await charts.draw(halves, over_time=over_time, light=light)


def report_page(
    voice: Voice,
    report: Report,
    *,
    title: str,
    price: Price,
    chart: str = CHART_NAME,
    files: Collection[str] = (),
) -> ui.LayoutView:
    """Return a report with its chart and its files, by the names that they are attached under."""
    head = [title, report_total(voice, report)]
    if report.total.jobs:
        head.append(report_numbers(voice, report, price=price))
    box = ui.Container[ui.LayoutView](ui.TextDisplay("\n".join(head)), accent_colour=ACCENT)
    for table in report_tables(voice, report):
        box.add_item(ui.TextDisplay(table))
    about = voice.say("usage.chart.alt")
    picture = discord.MediaGalleryItem(f"attachment://{chart}", description=about)
    box.add_item(ui.MediaGallery(picture))
    view = ui.LayoutView(timeout=None)
    view.add_item(box)
    for name in files:
        view.add_item(ui.File(f"attachment://{name}"))
    return view
