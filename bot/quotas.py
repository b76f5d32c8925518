"""Quotas as people read them: device time, about how many pictures it is, and whose it is."""

from collections.abc import Iterable, Iterator, Sequence

from bot.prices import Prices
from bot.replies import bar
from bot.texts import Voice
from bot.usage import device_time
from generation.request import Canvas, ImageRequest
from storage.ledger import Scope
from storage.policies import Ceilings, Policy
from storage.priorities import Priority
from storage.quotas import Balance, deciding
from storage.windows import Period

USUAL_SIDE = 512
SHOWN_TO_MEMBERS = (Scope.MEMBER, Scope.CHANNEL, Scope.GUILD)
"""What the installation allows a guild or everybody is told only when it decides."""


def usual_price_ms(prices: Prices) -> int:
    """Return what an ordinary picture costs here, as was learned."""
    usual = ImageRequest(
        job_id="usual",
        pipeline="remix",
        image=Canvas(width=USUAL_SIDE, height=USUAL_SIDE),
        prompt="",
        strength=0.5,
        seed=0,
    )
    return prices.cost_ms(usual)


def pictures(voice: Voice, amount_ms: float, *, each_ms: float) -> str:
    """Return about how many pictures an amount is."""
    count = int(amount_ms / max(1.0, each_ms))
    if count == 0:
        return voice.say("quota.pictures.none")
    return voice.say("quota.pictures.one" if count == 1 else "quota.pictures", count=f"{count:,}")


def own_page(voice: Voice, balances: Sequence[Balance], *, each_ms: float) -> str:
    """Return what a member has used, what is left, and of what else they share."""
    decides = deciding(balances)
    main = deciding(each for each in balances if each.scope is Scope.MEMBER)
    share = min(1.0, main.used_ms / max(1, main.limit_ms))
    reserved = device_time(main.reserved_ms)
    said = voice.say(
        "usage.me",
        bar=f"`{bar(share)}`",
        period=voice.say(f"quota.now.{main.period}"),
        used=device_time(main.used_ms),
        limit=device_time(main.limit_ms),
        reserved=voice.say("usage.me.reserved", reserved=reserved) if main.reserved_ms else "",
        left=device_time(decides.remaining_ms),
        pictures=pictures(voice, decides.remaining_ms, each_ms=each_ms),
        renews=int(decides.resets_at.timestamp()),
    )
    others = [
        _other_line(voice, each)
        for each in balances
        if each is not main and (each.scope in SHOWN_TO_MEMBERS or each is decides)
    ]
    return "\n".join([said, *others])


def rules_lines(
    voice: Voice, policies: Sequence[Policy], *, ceilings: Ceilings, each_ms: float
) -> Iterator[str]:
    """Yield a line for each limit of a guild, its own first, then the installation's."""
    for policy in sorted(policies, key=lambda each: (list(Scope).index(each.scope), each.limit_ms)):
        yield voice.say(
            "admin.quota.line",
            whose=whose(voice, policy),
            period=voice.say(f"quota.a.{policy.period}"),
            limit=device_time(policy.limit_ms),
            pictures=pictures(voice, policy.limit_ms, each_ms=each_ms),
        )
    held = [("member", Period.DAY, ceilings.member_ms)]
    held += [
        ("guild", period, limit_ms)
        for scope, period, limit_ms in ceilings.limits()
        if scope is Scope.SHARE
    ]
    for name, period, limit_ms in held:
        yield voice.say(
            f"admin.quota.installation.{name}",
            limit=device_time(limit_ms),
            period=voice.say(f"quota.a.{period}"),
            pictures=pictures(voice, limit_ms, each_ms=each_ms),
        )


def turns_lines(voice: Voice, priorities: Iterable[Priority]) -> Iterator[str]:
    """Yield who has more or less of a guild's turns than others, a line each."""
    for each in priorities:
        yield voice.say(
            "admin.quota.priority.line", whose=whose_turns(each), shares=f"{each.weight:g}"
        )


def whose_turns(priority: Priority) -> str:
    """Return whom a priority is about, as a mention that alerts nobody."""
    return f"<{'@&' if priority.scope == 'role' else '@'}{priority.subject_id}>"


def whose(voice: Voice, policy: Policy) -> str:
    """Return whom a limit is about, as a mention that alerts nobody, or in words."""
    if not policy.subject_id:
        return voice.say(f"admin.quota.every.{policy.scope}")
    marks = {Scope.MEMBER: "@", Scope.ROLE: "@&", Scope.CHANNEL: "#"}
    return f"<{marks[policy.scope]}{policy.subject_id}>"


def _other_line(voice: Voice, balance: Balance) -> str:
    if balance.period is Period.EVER:
        return voice.say("usage.me.top_up", left=device_time(balance.remaining_ms))
    return voice.say(
        f"usage.me.{balance.scope}",
        period=voice.say(f"quota.now.{balance.period}"),
        used=device_time(balance.used_ms + balance.reserved_ms),
        limit=device_time(balance.limit_ms),
        renews=int(balance.resets_at.timestamp()),
    )
