"""The usage report without Discord: the same question, the same numbers, as text, CSV or JSON."""

import asyncio
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bot.commandline import Format, fail
from bot.errors import BadDateError
from bot.periods import compared, period_between
from bot.settings import Settings
from bot.usage_files import Price, csv_of, json_of
from storage.cuts import Dimension
from storage.database import Database, sqlite_path
from storage.guilds import GuildStore
from storage.migrating import check
from storage.questions import BY_ALL, Question
from storage.reports import Line, Report, Reports, Usage
from storage.windows import zone_of

EVERYWHERE = (Dimension.GUILD, Dimension.MEMBER, Dimension.PIPELINE, Dimension.MODEL)
"""What the whole installation is told apart by: channels and roles are those of a server."""
SHOWN, WIDTH = 20, 140
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_A_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for on the command line.

    Args:
        period: how far back; ``first`` and ``last``, both dates, go before it.
        by: what it is told apart by; nothing leaves that to us.
    """

    period: str
    first: str | None = None
    last: str | None = None
    guild_id: int | None = None
    member_id: int | None = None
    channel_id: int | None = None
    role_id: int | None = None
    pipeline: str | None = None
    model: str | None = None
    by: tuple[Dimension, ...] = ()


def report(settings: Settings, asked: Asked, *, output_format: Format) -> None:
    """Print what was used; the database is only read.

    Raises:
        StorageError: the schema is not this program's.
    """
    length, path = period_of(asked.period), sqlite_path(settings.database)
    if path is not None and not path.exists():
        fail(f"{path}: there is no database yet; `python -m bot run` makes it")
    check(settings.database)
    usage = asyncio.run(_usage(settings.database, asked, length))
    price = Price(hour=settings.hour_price, currency=settings.currency)
    match output_format:
        case Format.TEXT:
            _print_text(usage, price)
        case Format.CSV:
            sys.stdout.write(csv_of(usage, {}, price=price).decode("utf-8-sig"))
        case Format.JSON:
            sys.stdout.write(json_of(usage, {}, price=price).decode() + "\n")


def period_of(text: str) -> timedelta:
    """Read a period such as 24h, 7d or 4w."""
    found = re.fullmatch(r"([1-9]\d{0,3})([hdw])", text.strip().lower())
    if found is None:
        fail(f"{text!r} is not a period; write 24h, 7d or 4w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


async def _usage(url: str, asked: Asked, length: timedelta) -> Report:
    database = Database.open(url, read_only=True)
    try:
        chosen = None
        if asked.guild_id is not None:
            chosen = (await GuildStore(database).choices(asked.guild_id)).time_zone
        question = question_of(asked, length=length, now=datetime.now(UTC), time_zone=chosen)
        return await Reports(database).report(question)
    finally:
        await database.close()


def question_of(
    asked: Asked, *, length: timedelta, now: datetime, time_zone: str | None
) -> Question:
    """Return what is asked of the database; dates are those of the server's clocks, or of UTC."""
    zone = zone_of(time_zone)
    since, until = now - length, now
    if asked.first or asked.last:
        try:
            since, until = period_between(asked.first or "", asked.last or "", now=now, zone=zone)
        except BadDateError as err:
            fail(f"{err}; write dates as 2026-03-14")
    question = Question(
        since=since,
        until=until,
        guild_id=asked.guild_id,
        by=asked.by or (EVERYWHERE if asked.guild_id is None else BY_ALL),
        member_id=asked.member_id,
        channel_id=asked.channel_id,
        role_id=asked.role_id,
        pipeline=asked.pipeline,
        model=asked.model,
    )
    return compared(question, zone=zone)


def _print_text(usage: Report, price: Price) -> None:
    asked, total = usage.question, usage.total
    span = f"{asked.since:%Y-%m-%d %H:%M} to {asked.until - _A_MOMENT:%Y-%m-%d %H:%M} UTC"
    names = ("", "jobs", "pictures", "failed", "cancelled", "device s")
    times = ("wait p50 s", "p95 s", "run p50 s", "p95 s")
    table = Table(title=f"Usage, {span}", box=SIMPLE)
    for number, name in enumerate((*names, *times, *_cost_column(price))):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    for dimension, lines in usage.groups.items():
        table.add_row(f"by {dimension}", style="bold")
        for line in lines[:SHOWN]:
            table.add_row(f"  {line.key or '-'}", *_cells(line, price))
        if len(lines) > SHOWN:
            table.add_row(f"  and {len(lines) - SHOWN} more")
    whole = Line(key="", usage=total, waits=usage.waits, runs=usage.runs)
    table.add_row("total", *_cells(whole, price), style="bold")
    if usage.before is not None:
        table.add_row("as long before", *_cells(Line(key="", usage=usage.before), price))
    # A narrow terminal wraps lines, which hides less than cells that are cut off.
    console = Console(width=max(WIDTH, Console().width))
    console.print(table)
    for words in _sentences(total, usage):
        console.print(words, highlight=False, markup=False)


def _cells(line: Line, price: Price) -> Iterator[str]:
    usage = line.usage
    yield from map(str, (usage.jobs, usage.pictures, usage.failures, usage.cancelled))
    yield f"{usage.device_ms / 1000:.1f}"
    for spread in (line.waits, line.runs):
        yield from ("-" if it is None else f"{it:.1f}" for it in (spread.p50_s, spread.p95_s))
    cost = price.of(usage.device_ms)
    if cost is not None:
        yield f"{cost:,.2f}"


def _cost_column(price: Price) -> tuple[str, ...]:
    return () if price.hour is None else (price.currency,)


def _sentences(total: Usage, usage: Report) -> Iterator[str]:
    if usage.causes:
        causes = ", ".join(f"{name} {count}" for name, count in usage.causes.items())
        yield f"Failures by cause: {causes}."
    yield (
        f"Refunded jobs: {total.refunds}; set aside and given back: "
        f"{total.refunded_ms / 1000:.1f} device s. "
        f"Bytes: {total.stored_bytes:,} stored, {total.kept_bytes:,} still kept."
    )
