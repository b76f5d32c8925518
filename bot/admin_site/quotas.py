"""The page of quotas: each limit and how far it is used, and the account of one member."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from urllib.parse import urlencode

import discord
from aiohttp import web

from bot.admin_site.doors import SESSION
from bot.admin_site.limits import (
    PERIODS,
    choices_of,
    is_id,
    minutes_ms,
    policy_of,
    value_of,
)
from bot.admin_site.pages import Pages
from bot.quotas import SHOWN_TO_MEMBERS, pictures, usual_price_ms
from bot.standing import roles_of
from bot.texts import Voice
from bot.usage import device_time
from storage.clock import utc_now
from storage.cuts import Dimension
from storage.errors import InvalidAmountError, TooManyError
from storage.ledger import Scope
from storage.policies import ANYBODY, Policy, Standing
from storage.questions import Question
from storage.quotas import Balance, deciding
from storage.spending import Spending
from storage.windows import Period, window_of, zone_of

MOST_MEMBERS = 1000
"""Of a role, those who used most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """How far something is used, in words and as a bar.

    Args:
        value: what a form sends to take the limit away; None of what is not the guild's to take.
        share: used and reserved, of the limit.
        most: how many have used any, where the amounts are those of one of them; else empty.
    """

    whose: str
    limit: str
    period: str
    value: str | None
    share: float
    used: str
    left: str
    renews: str
    most: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaPages:
    """The limits and accounts of a guild; ``pages`` draws, and knows who may see what."""

    pages: Pages

    async def show(self, request: web.Request) -> web.Response:
        """List the limits and how far they are used, with forms to set one and to look one up."""
        pages, guild, voice = self.pages, self.pages.guild(request), self.pages.voice(request)
        services, query = pages.services, request.query
        asked = query.get("member", "").strip() or query.get("listed", "")
        member_id = int(asked) if is_id(asked) else None
        having, known = await asyncio.gather(self._having(guild.id), pages.known(guild.id))
        spendings = await services.quotas.spendings(guild.id, having=having)
        limited = [it.policy.subject_id for it in spendings if it.policy.scope is Scope.MEMBER]
        members = [*filter(None, limited), *known[Dimension.MEMBER], *filter(None, [member_id])]
        names, each_ms = await pages.names(members), usual_price_ms(services.prices)
        balances: Sequence[Balance] = ()
        if member_id is not None:
            roles = await _roles(guild, member_id)
            balances = await services.quotas.balances(
                guild_id=guild.id, member_id=member_id, standing=Standing(role_ids=roles)
            )
        return pages.page(
            request,
            "quotas.html",
            guild=guild,
            limits=[self._limit(voice, guild, each, names, each_ms) for each in spendings],
            listed=list(choices_of(voice, guild, names)),
            members=names,
            periods=PERIODS,
            member=names[member_id] if member_id is not None else "",
            member_id=member_id,
            account=list(_account(voice, balances, each_ms=each_ms)) if balances else [],
            said=request.query.get("said", ""),
        )

    async def set_limit(self, request: web.Request) -> web.Response:
        """Set a limit, or without minutes take one away."""
        guild, form = self.pages.guild(request), await self.pages.doors.form(request)
        quotas, actor_id = self.pages.services.quotas, request[SESSION].actor_id
        minutes = form.get("minutes", "").strip()
        try:
            policy = policy_of(guild.id, form)
            if minutes:
                await quotas.set_policy(policy, actor_id=actor_id)
            else:
                await quotas.remove_policy(policy, actor_id=actor_id)
        except (ValueError, KeyError, InvalidAmountError, TooManyError):
            raise _back(guild, said="wrong") from None
        raise _back(guild, said="set" if minutes else "removed")

    async def grant(self, request: web.Request) -> web.Response:
        """Give a member more: until it is used, or for the present windows."""
        guild, form = self.pages.guild(request), await self.pages.doors.form(request)
        member = form.get("member", "")
        try:
            await self.pages.services.quotas.grant(
                guild_id=guild.id,
                member_id=_member(member),
                amount_ms=minutes_ms(form.get("minutes", "")),
                lasting="lasting" in form,
                actor_id=request[SESSION].actor_id,
            )
        except (ValueError, InvalidAmountError):
            raise _back(guild, said="ungiven", member=member) from None
        raise _back(guild, said="granted", member=member)

    async def reset(self, request: web.Request) -> web.Response:
        """Take what a member used in the present windows for not used."""
        guild, form = self.pages.guild(request), await self.pages.doors.form(request)
        member = form.get("member", "")
        try:
            await self.pages.services.quotas.reset(
                scope=Scope.MEMBER,
                guild_id=guild.id,
                subject_id=_member(member),
                actor_id=request[SESSION].actor_id,
            )
        except ValueError:
            raise web.HTTPNotFound from None
        raise _back(guild, said="reset", member=member)

    async def _having(self, guild_id: int) -> dict[int, list[int]]:
        """Return who asked this month with one of the roles that have a limit."""
        services = self.pages.services
        policies = await services.quotas.policies(guild_id=guild_id)
        roles = sorted({each.subject_id for each in policies if each.scope is Scope.ROLE})
        zone = zone_of((await services.guilds.holding(guild_id)).choices.time_zone)
        now = utc_now()
        month = window_of(Period.MONTH, now, zone=zone)
        asked = Question(since=month.start, until=now, guild_id=guild_id, by=(Dimension.MEMBER,))
        reports = await asyncio.gather(
            *(services.reports.report(replace(asked, role_id=role_id)) for role_id in roles)
        )
        return {
            role_id: [int(line.key) for line in report.lines(Dimension.MEMBER)[:MOST_MEMBERS]]
            for role_id, report in zip(roles, reports, strict=True)
        }

    def _limit(
        self,
        voice: Voice,
        guild: discord.Guild,
        spending: Spending,
        names: Mapping[int, str],
        each_ms: float,
    ) -> Meter:
        policy = spending.policy
        own = policy.guild_id == guild.id
        most = ""
        if spending.members is not None:
            said = "page.quotas.most" if spending.members else "page.quotas.most.none"
            most = voice.say(said, count=spending.members)
        return _meter(
            voice,
            spending,
            whose=self._whose(voice, guild, policy, names),
            period=policy.period,
            value=value_of(policy) if own else None,
            most=most,
            each_ms=each_ms,
        )

    def _whose(
        self, voice: Voice, guild: discord.Guild, policy: Policy, names: Mapping[int, str]
    ) -> str:
        if policy.guild_id == ANYBODY:
            return voice.say(f"page.quotas.installed.{policy.scope}")
        if policy.subject_id == ANYBODY:
            return voice.say(f"admin.quota.every.{policy.scope}")
        if policy.scope is Scope.ROLE:
            return self.pages.role(guild, policy.subject_id)
        if policy.scope is Scope.CHANNEL:
            return self.pages.place(guild, policy.subject_id)
        return names.get(policy.subject_id, str(policy.subject_id))


def _account(voice: Voice, balances: Sequence[Balance], *, each_ms: float) -> Iterator[Meter]:
    """Yield what a member has, and what they share with others."""
    decides = deciding(balances)
    for each in balances:
        if each.scope in SHOWN_TO_MEMBERS or each is decides:
            ever = each.period is Period.EVER
            whose = voice.say(f"page.account.{Period.EVER if ever else each.scope}")
            yield _meter(voice, each, whose=whose, period=each.period, each_ms=each_ms)


def _meter(
    voice: Voice,
    each: Spending | Balance,
    *,
    whose: str,
    period: Period,
    value: str | None = None,
    most: str = "",
    each_ms: float,
) -> Meter:
    """Return how far something is used, in words."""
    said = "page.quotas.reserved" if each.reserved_ms else "page.quotas.used"
    spent = {"used": device_time(each.used_ms), "reserved": device_time(each.reserved_ms)}
    left = device_time(each.remaining_ms)
    about = pictures(voice, each.remaining_ms, each_ms=each_ms)
    return Meter(
        whose=whose,
        limit=voice.tell(device_time(each.limit_ms)),
        period="" if period is Period.EVER else period.value,
        value=value,
        share=min(1.0, (each.used_ms + each.reserved_ms) / max(1, each.limit_ms)),
        used=voice.say(said, **spent),
        left=voice.say("page.quotas.left", left=left, pictures=about),
        renews=f"{each.resets_at.astimezone(UTC):{voice.say('page.moment')}}",
        most=most,
    )


async def _roles(guild: discord.Guild, member_id: int) -> tuple[int, ...]:
    """Return a member's roles; none of somebody who has left."""
    try:
        member = guild.get_member(member_id) or await guild.fetch_member(member_id)
    except discord.HTTPException:
        return ()
    return roles_of(member, guild_id=guild.id)


def _member(text: str) -> int:
    """Read a member's number.

    Raises:
        ValueError: it is none.
    """
    if not is_id(text):
        raise ValueError("no number of a member")
    return int(text)


def _back(guild: discord.Guild, **said: str) -> web.HTTPSeeOther:
    return web.HTTPSeeOther(f"/admin/{guild.id}/quotas?{urlencode(said)}")
