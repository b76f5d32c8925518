"""The pages of one guild: its jobs, its limits, and what its admins did."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import discord
from aiohttp import web
from jinja2 import Environment

from bot.acts import Names, act_about, act_change
from bot.admin_pages import reason_of
from bot.admin_site.doors import SESSION, Doors
from bot.admin_site.limits import is_id
from bot.admin_site.sessions import Session
from bot.admin_site.speech import accepted
from bot.admin_site.thumbnails import Thumbnails, shown_of
from bot.periods import period_until
from bot.services import Services
from bot.texts import DEFAULT_LOCALE, Voice
from bot.usage import device_time
from storage.acts import LOG_LENGTH, ON_MEMBERS
from storage.clock import utc_now
from storage.cuts import Dimension
from storage.dead_letters import DEAD
from storage.errors import NotFoundError, QuotaExceededError
from storage.questions import Question
from storage.records import Job, JobState

MEMBER = re.compile(r"(?:member )?(\d{1,19})(?: \w+)?")
ROWS, BUSIEST = 24, 40
FRESH_S, MOST_ASKED = 600.0, 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Draws the pages; every method is asked by somebody who is logged in.

    Args:
        client: what knows guilds, channels and members by name.
        services: what commands work with, too.
        look: the templates.
        asked: what Discord said lately of members that it had to be asked about, and when.
    """

    client: discord.Client
    services: Services
    doors: Doors
    thumbnails: Thumbnails
    look: Environment
    asked: dict[int, tuple[str, float]] = field(default_factory=dict)

    async def home(self, request: web.Request) -> web.Response:
        """List the guilds, or open the only one."""
        found = self._guilds(request[SESSION])
        if len(found) == 1:
            raise web.HTTPSeeOther(f"/admin/{found[0].id}/")
        return self.page(request, "guilds.html", guilds=found)

    async def jobs(self, request: web.Request) -> web.Response:
        """List jobs, the newest first."""
        guild, asked = self.guild(request), request.query
        state = asked.get("state", "")
        states = [JobState(state)] if state in list(JobState) else []
        before = _moment(asked.get("before"))
        member = asked.get("member", "").strip()
        found = await self.services.jobs.listed(
            guild.id,
            states=states,
            dead=state == DEAD,
            pipeline=asked.get("pipeline") or None,
            member_id=int(member) if is_id(member) else None,
            before=before,
            most=ROWS + 1,
        )
        shown = found[:ROWS]
        members, voice = {job.member_id for job in shown}, self.voice(request)
        names, left_out = await asyncio.gather(
            self.names(members), self.services.privacy.left_out(members)
        )
        return self.page(
            request,
            "jobs.html",
            guild=guild,
            jobs=[
                self._row(voice, guild, job, names, left_out=job.member_id in left_out)
                for job in shown
            ],
            state=state,
            states=[*map(str, JobState), DEAD],
            said=asked.get("said", ""),
            pipeline=asked.get("pipeline", ""),
            pipelines=self.services.models.pipelines,
            member=member,
            older=shown[-1].created_at.isoformat() if len(found) > ROWS else None,
        )

    async def requeue(self, request: web.Request) -> web.Response:
        """Have a dead letter made anew."""
        return await self._dead(request, self.services.dispatcher.requeue, said="requeued")

    async def drop(self, request: web.Request) -> web.Response:
        """Take a dead letter away."""
        return await self._dead(request, self.services.jobs.drop, said="dropped")

    async def _dead(
        self, request: web.Request, act: Callable[..., Awaitable[object]], *, said: str
    ) -> web.Response:
        """Do something about a dead letter, and say so above those that are left."""
        guild, _ = self.guild(request), await self.doors.form(request)
        actor_id = request[SESSION].actor_id
        try:
            await act(request.match_info["job"], guild_id=guild.id, actor_id=actor_id)
        except NotFoundError as err:
            raise web.HTTPNotFound from err
        except QuotaExceededError:
            said = "quota"
        raise web.HTTPSeeOther(f"/admin/{guild.id}/jobs?state={DEAD}&said={said}")

    async def thumbnail(self, request: web.Request) -> web.Response:
        """Show a small picture of a job of this guild."""
        guild = self.guild(request)
        try:
            job = await self.services.jobs.owned(request.match_info["job"], guild_id=guild.id)
        except NotFoundError as err:
            raise web.HTTPNotFound from err
        left_out = await self.services.privacy.left_out([job.member_id])
        data = None if left_out else await self.thumbnails.of(job)
        if data is None:
            raise web.HTTPNotFound
        headers = {"Cache-Control": "private, max-age=300"}
        return web.Response(body=data, content_type="image/jpeg", headers=headers)

    async def audit(self, request: web.Request) -> web.Response:
        """List what admins did."""
        guild = self.guild(request)
        before = request.query.get("before", "")
        before_id = int(before) if is_id(before) else None
        acts = await self.services.guilds.log(guild.id, before_id=before_id)
        subjects = [MEMBER.fullmatch(act.subject) for act in acts if act.act in ON_MEMBERS]
        members = [found[1] for found in subjects if found is not None]
        known = await self.names([*members, *(act.actor_id for act in acts)])
        names = Names(
            member=lambda member_id: known.get(member_id, str(member_id)),
            role=lambda role_id: self.role(guild, role_id),
            channel=lambda channel_id: self.place(guild, channel_id),
            text=str,
        )
        voice = self.voice(request)
        changes = [act_change(voice, act, names=names) for act in acts]
        return self.page(
            request,
            "audit.html",
            guild=guild,
            acts=[
                {
                    "id": act.id,
                    "when": act.created_at,
                    "who": known[act.actor_id],
                    "what": act_about(voice, act, names=names),
                    "before": before,
                    "after": after,
                }
                for act, (before, after) in zip(acts, changes, strict=True)
            ],
            older=acts[-1].id if len(acts) == LOG_LENGTH else None,
        )

    def page(
        self, request: web.Request, name: str, *, status: int = 200, **values: object
    ) -> web.Response:
        """Return a page."""
        voice = self.voice(request)
        html = self.look.get_template(name).render(
            session=request.get(SESSION),
            path=request.path,
            say=voice.say,
            tell=voice.tell,
            lang=voice.locale,
            **values,
        )
        return web.Response(text=html, status=status, content_type="text/html")

    def voice(self, request: web.Request) -> Voice:
        """Return the texts in the browser's language; if there are none, in the guild's."""
        texts, header = self.services.texts, request.headers.get("Accept-Language", "")
        spoken = self.services.guilds.language(int(request.match_info.get("guild", 0)))
        return Voice(texts, accepted(header, texts.locales) or spoken or DEFAULT_LOCALE)

    def _guilds(self, session: Session) -> list[discord.Guild]:
        """Return the guilds that somebody may manage and the bot is in, by name."""
        mine = session.guild_ids
        found = (each for each in self.client.guilds if mine is None or each.id in mine)
        return sorted(found, key=lambda guild: guild.name.casefold())

    def guild(self, request: web.Request) -> discord.Guild:
        """Return the guild that a page is about.

        Raises:
            HTTPNotFound: there is none, or whoever asks may not manage it.
        """
        wanted = int(request.match_info["guild"])
        for guild in self._guilds(request[SESSION]):
            if guild.id == wanted:
                return guild
        raise web.HTTPNotFound

    async def known(self, guild_id: int) -> dict[Dimension, list[int | str]]:
        """Return who asked for pictures in a year, and the ways and models that made them."""
        since, until = period_until(utc_now(), "year")
        by = (Dimension.MEMBER, Dimension.PIPELINE, Dimension.MODEL)
        question = Question(since=since, until=until, guild_id=guild_id, by=by)
        groups = (await self.services.reports.report(question)).groups
        return {each: [line.key for line in groups[each] if line.key][:BUSIEST] for each in by}

    async def names(self, member_ids: Iterable[int | str]) -> dict[int, str]:
        """Return what members are called, by name; those unknown to Discord keep their numbers."""
        wanted, now = {int(each) for each in member_ids}, time.monotonic()
        known = {each: user.display_name for each in wanted if (user := self.client.get_user(each))}
        lately = {each: name for each, (name, at) in self.asked.items() if now - at < FRESH_S}
        asked = [each for each in wanted if each not in known and each not in lately]
        found = await asyncio.gather(*map(self.client.fetch_user, asked), return_exceptions=True)
        told = {user.id: user.display_name for user in found if isinstance(user, discord.User)}
        told = {each: told.get(each, str(each)) for each in asked}
        if len(self.asked) > MOST_ASKED:
            self.asked.clear()
        self.asked.update({each: (name, now) for each, name in told.items()})
        names = {**lately, **told, **known}
        by_name = sorted(wanted, key=lambda each: (names[each].isdigit(), names[each].casefold()))
        return {each: names[each] for each in by_name}

    def _row(
        self,
        voice: Voice,
        guild: discord.Guild,
        job: Job,
        names: dict[int, str],
        *,
        left_out: bool,
    ) -> dict[str, Any]:
        return {
            "id": job.id,
            "who": names[job.member_id],
            "member_id": job.member_id,
            "where": self.place(guild, job.channel_id),
            "pipeline": job.pipeline,
            "model": job.model or "",
            "state": job.state.value,
            "dead": job.dead_at is not None,
            "when": job.created_at,
            "attempt": job.attempt,
            "used": voice.tell(device_time(job.device_ms)) if job.device_ms else "",
            "pictures": len(job.outputs),
            "shown": shown_of(job) is not None and not left_out,
            "why": reason_of(voice, job) if job.error else "",
        }

    def place(self, guild: discord.Guild, channel_id: int) -> str:
        """Return what a channel is called; one that is gone keeps its number."""
        channel = guild.get_channel_or_thread(channel_id)
        return f"#{channel.name if channel is not None else channel_id}"

    def role(self, guild: discord.Guild, role_id: int) -> str:
        """Return what a role is called; one that is gone keeps its number."""
        role = guild.get_role(role_id)
        return f"@{role.name if role is not None else role_id}"


def _moment(text: str | None) -> datetime | None:
    """Return a moment as an address has it, None if it has none."""
    try:
        return datetime.fromisoformat(text or "").astimezone(UTC)
    except ValueError:
        return None
