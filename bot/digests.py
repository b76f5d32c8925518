"""Weekly digests: a server's week told in a channel, once, on Monday morning by its own clocks.

A row in SQL says which week was told last; whoever claims it tells the next, so that one of several
processes does. The channel is searched for the week's chart before it is sent, for whoever was
killed may have sent it already. What cannot be posted ends there, and is said to whoever chose it.
"""

import asyncio
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import discord
import structlog

from bot.admin_messages import write_to
from bot.charts import ChartPool
from bot.delivery import SEARCHED_MESSAGES
from bot.guilds import Guilds
from bot.periods import parts_of
from bot.public_voice import public_voice
from bot.report_messages import chart_of, member_names, report_page
from bot.texts import Texts, Voice
from bot.usage_files import Price
from storage.clock import Clock, utc_now
from storage.digests import Digest, DigestStore
from storage.questions import BY_ALL, Question
from storage.reports import Reports
from storage.windows import zone_of

HOUR = 9
"""Of Monday, at which a week is told."""
LOOK_S = 300.0
LEASE_S = 300.0
WEEK, DAY = timedelta(days=7), timedelta(days=1)
UNREACHABLE = "unreachable"

log = structlog.get_logger()


class Digests:
    """Posts what is due; all methods belong to the bot's event loop.

    Args:
        owner: this process, as claims name it.
    """

    def __init__(
        self,
        client: discord.Client,
        *,
        owner: str,
        store: DigestStore,
        reports: Reports,
        guilds: Guilds,
        charts: ChartPool,
        price: Price,
        texts: Texts,
        clock: Clock = utc_now,
    ) -> None:
        self._client = client
        self._owner = owner
        self._store = store
        self._reports = reports
        self._guilds = guilds
        self._charts = charts
        self._price = price
        self._texts = texts
        self._clock = clock

    async def look(self) -> None:
        """Post what is due, then rest."""
        await self.post_due()
        await asyncio.sleep(LOOK_S)

    async def post_due(self) -> None:
        """Post every digest whose week is over; one that fails is left to the next look."""
        for digest in await self._store.all():
            week = newest_week(self._clock(), zone=zone_of(digest.time_zone))
            if week <= digest.week:
                continue
            (fault,) = await asyncio.gather(self._post(digest, week), return_exceptions=True)
            if fault is not None:
                log.warning("a digest was not posted yet", guild=digest.guild_id, exc_info=fault)

    async def _post(self, digest: Digest, week: date) -> None:
        if not await self._store.claim(digest, owner=self._owner, lease_s=LEASE_S):
            return
        try:
            if not await self._is_sent(digest, week):
                await self._send(digest, week)
        except (discord.Forbidden, discord.NotFound) as err:
            log.warning("a digest cannot be posted", guild=digest.guild_id, code=err.code)
            await self._end(digest)
            return
        await self._store.told(digest, week=week)
        log.info("posted a digest", guild=digest.guild_id, week=week.isoformat())

    async def _send(self, digest: Digest, week: date) -> None:
        voice = await self._public(digest.guild_id)
        zone = zone_of(digest.time_zone)
        report = await self._reports.report(question_of(digest.guild_id, week, zone=zone))
        names = await member_names(self._client, report)
        chart = await chart_of(self._charts, voice, report, names, zone=zone)
        dates = {"first": (week - WEEK).isoformat(), "last": (week - DAY).isoformat()}
        view = report_page(
            voice,
            report,
            title=voice.say("digest.title", **dates),
            price=self._price,
            chart=_chart_name(week),
        )
        file = discord.File(io.BytesIO(chart), filename=_chart_name(week))
        channel = self._client.get_partial_messageable(digest.channel_id)
        await channel.send(view=view, file=file, nonce=f"digest-{week.isoformat()}")

    async def _is_sent(self, digest: Digest, week: date) -> bool:
        """Look in the channel for the week's chart, in a message of our own."""
        channel = self._client.get_partial_messageable(digest.channel_id)
        try:
            async for message in channel.history(limit=SEARCHED_MESSAGES):
                if message.author == self._client.user and _chart_name(week) in _files(message):
                    return True
        except discord.Forbidden:
            log.info("the channel's history may not be read", channel=digest.channel_id)
        return False

    async def _end(self, digest: Digest) -> None:
        """End a digest that cannot be posted, and tell whoever chose it, once."""
        user = self._client.user
        assert user is not None, "the client has logged in"
        if not await self._store.troubled(digest, trouble=UNREACHABLE, bot_id=user.id):
            return
        guild = self._client.get_guild(digest.guild_id)
        name = guild.name if guild is not None else str(digest.guild_id)
        voice = await self._public(digest.guild_id)
        text = voice.say("digest.unreachable", channel=digest.channel_id, guild=name)
        await write_to(self._client, digest.actor_id, text)

    async def _public(self, guild_id: int) -> Voice:
        return await public_voice(
            guild_id, client=self._client, guilds=self._guilds, texts=self._texts
        )


def newest_week(now: datetime, *, zone: ZoneInfo) -> date:
    """Return the Monday at which the newest week ended that is to be told by now."""
    local = now.astimezone(zone)
    monday = local.date() - timedelta(days=local.weekday())
    return monday if now >= told_at(monday, zone=zone) else monday - WEEK


def told_at(week: date, *, zone: ZoneInfo) -> datetime:
    """Return when a week is told that ends at a Monday."""
    return datetime(week.year, week.month, week.day, HOUR, tzinfo=zone).astimezone(UTC)


def question_of(guild_id: int, week: date, *, zone: ZoneInfo) -> Question:
    """Return what is asked of a week that ends at a Monday, compared with the one before."""
    then, since, until = (_midnight(week - count * WEEK, zone) for count in (2, 1, 0))
    return Question(
        since=since,
        until=until,
        guild_id=guild_id,
        by=BY_ALL,
        parts=parts_of(since, until, zone=zone),
        before=(then, since),
    )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _chart_name(week: date) -> str:
    return f"digest-{week.isoformat()}.png"


def _files(message: discord.Message) -> set[str]:
    """Return the names of what is attached to a message, or shown in it."""
    return {*(each.filename for each in message.attachments), *_shown(message)}


def _shown(message: discord.Message) -> Iterator[str]:
    for part in message.components:
        for child in getattr(part, "children", ()):
            for item in getattr(child, "items", ()):
                yield item.media.url.partition("?")[0].rpartition("/")[2]
