"""``/admin quota``: who may use how much of the device on a server, set, given and taken back."""

import discord
from discord import app_commands

from bot.admin_pages import fitting
from bot.admin_places import Place
from bot.choices import matching
from bot.errors import SeveralTargetsError
from bot.quotas import (
    own_page,
    pictures,
    rules_lines,
    turns_lines,
    usual_price_ms,
    whose,
    whose_turns,
)
from bot.rights import may_manage
from bot.standing import roles_of
from bot.texts import describe, label
from bot.usage import device_time
from bot.visits import Visit, let_in
from storage.ledger import Scope
from storage.policies import ANYBODY, Policy, Standing
from storage.priorities import LEAST_WEIGHT, MOST_WEIGHT, Priority
from storage.windows import Period, zone_names

MAX_MINUTES = 1_000_000.0
MINUTE_MS = 60_000
MAX_ZONE = 64
PERIODS = [
    app_commands.Choice(name=label(f"quota.a.{period}"), value=period.value)
    for period in (Period.HOUR, Period.DAY, Period.MONTH)
]
Minutes = app_commands.Range[float, 0.0, MAX_MINUTES]
GivenMinutes = app_commands.Range[float, 0.01, MAX_MINUTES]
Shares = app_commands.Range[float, LEAST_WEIGHT, MOST_WEIGHT]
Someone = discord.User | discord.Member


class QuotaGroup(app_commands.Group):
    """The subcommands of ``/admin quota``."""

    @app_commands.command(name="set", description=label("command.admin.quota.set"))
    @describe(
        period=label("command.admin.quota.set.period"),
        minutes=label("command.admin.quota.set.minutes"),
        member=label("command.admin.quota.set.member"),
        role=label("command.admin.quota.set.role"),
        channel=label("command.admin.quota.set.channel"),
        together=label("command.admin.quota.set.together"),
    )
    @app_commands.choices(period=PERIODS)
    async def set_limit(
        self,
        interaction: discord.Interaction,
        period: str,
        minutes: Minutes | None = None,
        member: Someone | None = None,
        role: discord.Role | None = None,
        channel: Place | None = None,
        together: bool = False,
    ) -> None:
        """Set a limit, or take one away: of every member, if nobody else is named."""
        visit = await let_in(interaction)
        scope, subject_id = _target(
            visit, member=member, role=role, channel=channel, together=together
        )
        policy = Policy(
            scope=scope,
            guild_id=visit.guild_id,
            subject_id=subject_id,
            period=Period(period),
            limit_ms=round((minutes or 0) * MINUTE_MS),
        )
        said = {
            "whose": whose(visit.voice, policy),
            "period": visit.voice.say(f"quota.a.{policy.period}"),
        }
        quotas = visit.services.quotas
        if minutes is None:
            await quotas.remove_policy(policy, actor_id=visit.actor_id)
            await visit.say("admin.quota.removed", **said)
            return
        await quotas.set_policy(policy, actor_id=visit.actor_id)
        await visit.say("admin.quota.set", **said, **_amount(visit, policy.limit_ms))

    @app_commands.command(name="priority", description=label("command.admin.quota.priority"))
    @describe(
        shares=label("command.admin.quota.priority.shares"),
        member=label("command.admin.quota.priority.member"),
        role=label("command.admin.quota.priority.role"),
    )
    async def priority(
        self,
        interaction: discord.Interaction,
        shares: Shares,
        member: Someone | None = None,
        role: discord.Role | None = None,
    ) -> None:
        """Give a member, or everybody with a role, more or less of the turns here."""
        visit = await let_in(interaction)
        scope, subject_id = _target(visit, member=member, role=role)
        if subject_id == ANYBODY:
            raise SeveralTargetsError("nobody in particular was named")
        priority = Priority(
            scope="role" if scope is Scope.ROLE else "member",
            subject_id=subject_id,
            weight=shares,
        )
        await visit.services.priorities.set(visit.guild_id, priority, actor_id=visit.actor_id)
        said = {"whose": whose_turns(priority), "shares": f"{shares:g}"}
        await visit.say("admin.quota.priority", **said)

    @app_commands.command(name="grant", description=label("command.admin.quota.grant"))
    @describe(
        member=label("command.admin.quota.grant.member"),
        minutes=label("command.admin.quota.grant.minutes"),
        lasting=label("command.admin.quota.grant.lasting"),
    )
    async def grant(
        self,
        interaction: discord.Interaction,
        member: Someone,
        minutes: GivenMinutes,
        lasting: bool = True,
    ) -> None:
        """Give a member more: until it is used, or for the present windows."""
        visit = await let_in(interaction)
        amount_ms = round(minutes * MINUTE_MS)
        await visit.services.quotas.grant(
            guild_id=visit.guild_id,
            member_id=member.id,
            amount_ms=amount_ms,
            lasting=lasting,
            actor_id=visit.actor_id,
        )
        key = "admin.quota.granted.lasting" if lasting else "admin.quota.granted"
        await visit.say(key, member=member.id, **_amount(visit, amount_ms))

    @app_commands.command(name="reset", description=label("command.admin.quota.reset"))
    @describe(
        member=label("command.admin.quota.reset.member"),
        channel=label("command.admin.quota.reset.channel"),
    )
    async def reset(
        self,
        interaction: discord.Interaction,
        member: Someone | None = None,
        channel: Place | None = None,
    ) -> None:
        """Take what was used in the present windows for not used; the server's, if none named."""
        visit = await let_in(interaction)
        scope, subject_id = _target(visit, member=member, channel=channel, together=not member)
        given_ms = await visit.services.quotas.reset(
            scope=scope, guild_id=visit.guild_id, subject_id=subject_id, actor_id=visit.actor_id
        )
        whom = Policy(
            scope=scope,
            guild_id=visit.guild_id,
            subject_id=subject_id,
            period=Period.DAY,
            limit_ms=0,
        )
        await visit.say(
            "admin.quota.reset", whose=whose(visit.voice, whom), given=device_time(given_ms)
        )

    @app_commands.command(name="show", description=label("command.admin.quota.show"))
    @describe(member=label("command.admin.quota.show.member"))
    async def show(self, interaction: discord.Interaction, member: Someone | None = None) -> None:
        """List the limits that hold here, or say what one member has left."""
        visit = await let_in(interaction)
        quotas, each_ms = visit.services.quotas, usual_price_ms(visit.services.prices)
        if member is not None:
            balances = await quotas.balances(
                guild_id=visit.guild_id,
                member_id=member.id,
                standing=Standing(role_ids=roles_of(member, guild_id=visit.guild_id)),
            )
            said = own_page(visit.voice, balances, each_ms=each_ms)
            await visit.say("admin.quota.of", member=member.id, said=said)
            return
        policies = await quotas.policies(guild_id=visit.guild_id)
        lines = [
            *rules_lines(visit.voice, policies, ceilings=quotas.ceilings, each_ms=each_ms),
            *turns_lines(visit.voice, await visit.services.priorities.all(visit.guild_id)),
        ]
        zone = (await visit.holding()).choices.time_zone or "UTC"
        title = visit.voice.say("admin.quota.title", zone=zone, count=len(policies))
        await visit.answer(fitting(visit.voice, title, lines))

    @app_commands.command(name="timezone", description=label("command.admin.quota.timezone"))
    @describe(name=label("command.admin.quota.timezone.name"))
    async def timezone(
        self, interaction: discord.Interaction, name: app_commands.Range[str, 1, MAX_ZONE]
    ) -> None:
        """Choose the clocks by which quotas renew here."""
        visit = await let_in(interaction)
        await visit.services.guilds.set_time_zone(visit.guild_id, name, actor_id=visit.actor_id)
        await visit.say("admin.quota.timezone", zone=name)

    @timezone.autocomplete("name")
    async def known_zones(
        self, interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        """Offer the time zones whose names hold what was typed, to admins alone."""
        names = sorted(zone_names()) if may_manage(interaction) else []
        return matching(current, {name: name for name in names})


def _target(
    visit: Visit,
    *,
    member: Someone | None = None,
    role: discord.Role | None = None,
    channel: Place | None = None,
    together: bool = False,
) -> tuple[Scope, int]:
    """Return whom an act is about: every member, if nobody is named.

    Raises:
        SeveralTargetsError: several were named.
    """
    named = [
        (scope, found.id)
        for scope, found in (
            (Scope.MEMBER, member),
            (Scope.ROLE, role),
            (Scope.CHANNEL, channel),
        )
        if found is not None
    ]
    if len(named) > 1:
        raise SeveralTargetsError("several were named")
    if not named:
        return (Scope.GUILD if together else Scope.MEMBER), ANYBODY
    scope, subject_id = named[0]
    everyone = scope is Scope.ROLE and subject_id == visit.guild_id
    return (Scope.MEMBER, ANYBODY) if everyone else (scope, subject_id)


def _amount(visit: Visit, amount_ms: int) -> dict[str, object]:
    """Return an amount as people say it."""
    each_ms = usual_price_ms(visit.services.prices)
    return {
        "amount": device_time(amount_ms),
        "pictures": pictures(visit.voice, amount_ms, each_ms=each_ms),
    }
