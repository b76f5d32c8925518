"""The overview of a guild: its usage report, filtered as admins like, and the same as files."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import discord
from aiohttp import web
from multidict import MultiMapping

from bot.admin_site.figures import charts_of, facts_of, tiles_of
from bot.admin_site.limits import Choice, is_id
from bot.admin_site.pages import Pages
from bot.errors import BadDateError, sentence
from bot.periods import DEFAULT_PERIOD, PERIODS, compared, period_between, period_until
from bot.reasons import causes_of
from bot.report_messages import member_names
from bot.texts import Voice
from bot.usage_files import csv_of, json_of
from storage.clock import utc_now
from storage.cuts import Dimension
from storage.questions import BY_ALL, Question
from storage.records import JobState
from storage.reports import Report
from storage.windows import zone_of

LISTED = 10
DATES = ("first", "last")
FIELDS = ("period", *DATES, "by", *map(str, BY_ALL))
FORMATS: Mapping[str, tuple[str, Callable[..., bytes]]] = {
    "csv": ("text/csv", csv_of),
    "json": ("application/json", json_of),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePages:
    """The overview and its files; ``pages`` draws, and knows who may see what."""

    pages: Pages

    async def overview(self, request: web.Request) -> web.Response:
        """Show what was used, over time and by whom, as far as the address asks for it."""
        pages, guild, wrong = self.pages, self.pages.guild(request), ""
        voice, zone = pages.voice(request), await self._zone(guild)
        asked = {name: said for name in FIELDS if (said := request.query.get(name, "").strip())}
        try:
            question = question_of(asked, guild_id=guild.id, zone=zone, now=utc_now())
        except BadDateError as err:
            wrong = sentence(err, voice.texts, voice.locale)
            asked = {name: said for name, said in asked.items() if name not in DATES}
            question = question_of(asked, guild_id=guild.id, zone=zone, now=utc_now())
        report, known, waiting = await asyncio.gather(
            pages.services.reports.report(question),
            pages.known(guild.id),
            pages.services.jobs.listed(guild.id, states=[JobState.QUEUED, JobState.RUNNING]),
        )
        listed = report.lines(Dimension.MEMBER)[:LISTED]
        members = [*known[Dimension.MEMBER], *(line.key for line in listed)]
        names = await pages.names([*members, *filter(None, [question.member_id])])
        filters = self._filters(voice, guild, report, known=known, names=names)
        dates = [asked[name] for name in DATES if name in asked]
        chosen = [
            each.name for by in filters for each in filters[by] if each.value == asked.get(by)
        ]
        chosen += [
            *dates,
            *(voice.say(f"page.table.{by}") for by in BY_ALL if by == asked.get("by")),
        ]
        return pages.page(
            request,
            "dashboard.html",
            guild=guild,
            wrong=wrong,
            asked=asked,
            period="" if dates else asked.get("period", DEFAULT_PERIOD),
            usual=DEFAULT_PERIOD,
            periods=list(PERIODS),
            kept={name: said for name, said in asked.items() if name not in DATES},
            chosen=tuple(chosen),
            filters=filters,
            report=report,
            tiles=list(tiles_of(voice, report, price=pages.services.price)),
            facts=list(facts_of(voice, report, waiting=len(waiting))),
            charts=charts_of(voice, report, zone=zone),
            causes=causes_of(report.causes),
            tables={
                by: [(line, self._named(voice, guild, by, line.key, names)) for line in lines]
                for by, lines in report.groups.items()
            },
            listed=LISTED,
        )

    async def file(self, request: web.Request) -> web.Response:
        """Give the report as a file, the one that ``/usage report`` has for the same question."""
        guild, kind = self.pages.guild(request), request.match_info["kind"]
        zone, services = await self._zone(guild), self.pages.services
        try:
            question = question_of(request.query, guild_id=guild.id, zone=zone, now=utc_now())
        except BadDateError as err:
            raise web.HTTPNotFound from err
        report = await services.reports.report(question)
        names = await member_names(self.pages.client, report)
        media_type, written = FORMATS[kind]
        body = await asyncio.to_thread(written, report, names, price=services.price)
        headers = {"Content-Disposition": f'attachment; filename="usage.{kind}"'}
        return web.Response(body=body, content_type=media_type, charset="utf-8", headers=headers)

    async def _zone(self, guild: discord.Guild) -> ZoneInfo:
        return zone_of((await self.pages.services.guilds.holding(guild.id)).choices.time_zone)

    def _filters(
        self,
        voice: Voice,
        guild: discord.Guild,
        report: Report,
        *,
        known: Mapping[Dimension, list[int | str]],
        names: Mapping[int, str],
    ) -> dict[Dimension, list[Choice]]:
        """Return what the report can be restricted to, and with it what it is restricted to."""
        there: dict[Dimension, list[int | str]] = {
            **known,
            Dimension.CHANNEL: [each.id for each in guild.channels if each.type.name != "category"],
            Dimension.ROLE: [each.id for each in guild.roles[:0:-1]],
        }
        chosen = report.question.filters
        return {
            by: [
                Choice(value=str(key), name=self._named(voice, guild, by, key, names))
                for key in dict.fromkeys([*there[by], *([chosen[by]] if by in chosen else [])])
            ]
            for by in BY_ALL
        }

    def _named(
        self,
        voice: Voice,
        guild: discord.Guild,
        by: Dimension,
        key: int | str,
        names: Mapping[int, str],
    ) -> str:
        """Return what something is called that jobs are told apart by."""
        if by is Dimension.MEMBER:
            return names.get(int(key), str(key))
        if by is Dimension.CHANNEL:
            return self.pages.place(guild, int(key))
        if by is Dimension.ROLE:
            return self.pages.role(guild, int(key))
        return str(key) or voice.say("usage.report.model.none")


def question_of(
    asked: Mapping[str, str] | MultiMapping[str], *, guild_id: int, zone: ZoneInfo, now: datetime
) -> Question:
    """Return what an address asks; what it names and nobody can mean is left out.

    Raises:
        BadDateError: its dates are no period.
    """
    first, last = asked.get("first", ""), asked.get("last", "")
    since, until = period_until(now, asked.get("period", DEFAULT_PERIOD))
    if first or last:
        since, until = period_between(first, last, now=now, zone=zone)
    question = Question(
        since=since,
        until=until,
        guild_id=guild_id,
        by=tuple(each for each in BY_ALL if each == asked.get("by")) or BY_ALL,
        member_id=_id(asked.get("member")),
        channel_id=_id(asked.get("channel")),
        role_id=_id(asked.get("role")),
        pipeline=asked.get("pipeline") or None,
        model=asked.get("model") or None,
    )
    return compared(question, zone=zone)


def _id(text: str | None) -> int | None:
    return int(text) if text and is_id(text) else None
