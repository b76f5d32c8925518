"""No table that names a member is forgotten when all is given to them, or when all is erased.

The tables are found by their columns, so that one that is added later fails here until it is told
what becomes of its rows.
"""

import csv
import io
import json
from typing import Any

import pytest
from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from bot.exports import Plan, packed, planned
from storage.blocks import BlockStore
from storage.digests import DigestStore
from storage.guilds import GuildStore, WordRule
from storage.ledger import Scope
from storage.places import EVERYWHERE, Approval, PlaceStore
from storage.policies import Policy, Standing
from storage.previews import Previews
from storage.priorities import Priorities, Priority
from storage.privacy import Privacy
from storage.records import Likeness
from storage.tables import Base
from storage.windows import Period
from tests.storage.stores import GUILD, MEMBER, Stores

ADMIN, ROLE, SECRET = MEMBER + 1, 2**53 + 5, "the old lighthouse"
NAMING = {"member_id", "actor_id", "subject_id", "job_id"}
"""Columns that tell whose a row is, by themselves or through a job."""
ONE_BY_ONE = {
    "members": "servers.json",
    "jobs": "jobs.json",
    "quota_policies": "limits.json",
    "accounts": "accounts.json",
    "ledger": "ledger.csv",
    "blocks": "blocks.json",
    "word_warnings": "warnings.json",
    "left_out": "gallery.json",
    "priorities": "priorities.json",
    "audit": "acts.json",
    "approvals": "approvals.json",
    "digests": "digests.json",
}
WITH_JOBS = {"inputs": "given", "outputs": "made"}
PASSING = {"reviews", "previews"}
"""They stay until a message says what became of a job, which the job itself says, too."""
MADE_OF_JOBS = {"usage"}
"""Sums that ``storage.usage`` makes anew of the jobs; the README of an export says so."""
OURS = {
    "jobs": {"interaction_token", "nonce", "owner", "lease_expires_at"},
    "ledger": {"id", "account_id"},
    "digests": {"owner", "lease_expires_at"},
}
"""What opens Discord's replies, and numbers that nothing outside the database knows."""


async def about_a_member(stores: Stores) -> None:
    """Put a row about the member into every table that may have one."""
    photo = await stores.files.put(b"photo", media_type="image/png")
    for member_id in (MEMBER, ADMIN):
        job = await stores.claimed(
            inputs={"image": photo},
            prompt=SECRET,
            parameters={"negative": SECRET},
            interaction_token=SECRET,
            model="a model",
            member_id=member_id,
            standing=Standing(role_ids=(ROLE,)),
        )
        await Previews(stores.database).put(job.id, b"preview", owner="bot", attempt=1)
        output = await stores.files.put(job.id.encode(), media_type="image/png")
        likeness = Likeness(mse=0.1, psnr=10.0, ssim=0.5, compared="whole")
        await stores.jobs.settle(
            job.id, owner="bot", attempt=1, outputs={0: output}, likeness={0: likeness},
            device_ms=70, notes=[SECRET],
        )  # fmt: skip
        await stores.quotas.grant(guild_id=GUILD, member_id=member_id, amount_ms=9, actor_id=ADMIN)
    limit = Policy(
        scope=Scope.MEMBER, guild_id=GUILD, subject_id=MEMBER, period=Period.DAY, limit_ms=900
    )
    await stores.quotas.set_policy(limit, actor_id=ADMIN)
    blocks = BlockStore(stores.database, clock=stores.clock)
    await blocks.block(GUILD, MEMBER, reason="spam", lasts=None, actor_id=ADMIN)
    await blocks.warn(GUILD, MEMBER, interaction_id=2**60)
    privacy = Privacy(stores.database, files=stores.files, clock=stores.clock)
    await privacy.leave_out(MEMBER, left_out=True)
    priority = Priority(scope="member", subject_id=MEMBER, weight=2)
    await Priorities(stores.database).set(GUILD, priority, actor_id=ADMIN)
    rule = WordRule(word="gore", plain="gore", action="block")
    await GuildStore(stores.database).set_word(GUILD, rule, actor_id=MEMBER)
    places = PlaceStore(stores.database, clock=stores.clock)
    approval = Approval(channel_id=EVERYWHERE, review_channel_id=2**60, actor_id=MEMBER)
    await places.set_approval(GUILD, approval)
    digests = DigestStore(stores.database, clock=stores.clock)
    await digests.choose(GUILD, 2**60, week=stores.clock().date(), actor_id=MEMBER)
    held = await stores.claimed(member_id=ADMIN, prompt=SECRET)
    await stores.jobs.settle(
        held.id, owner="bot", attempt=1, outputs={}, device_ms=7, review_channel_id=2**60
    )
    stores.clock.advance(days=2)
    await stores.sums.add_up()


async def rows_of(stores: Stores) -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table, by the names of the columns in the program."""

    def read(session: Session) -> dict[str, list[dict[str, Any]]]:
        return {
            table.name: [
                dict(zip(table.columns.keys(), row, strict=True))
                for row in session.execute(select(*table.columns))
            ]
            for table in Base.metadata.sorted_tables
        }

    return await stores.database.read(read)


def names_a_member(table: Table) -> bool:
    return bool(NAMING & {*table.columns.keys()})


async def exported(stores: Stores) -> tuple[Plan, dict[str, list[dict[str, Any]]]]:
    """Return a member's export: its plan, and the entries of its files."""
    kept = await Privacy(stores.database, files=stores.files).kept(MEMBER)
    plan = planned(kept, about="about", max_bytes=10**8)
    [part] = plan.parts
    assert await packed(part, stores.files)
    found = {}
    for name, data in part.tables.items():
        if name.endswith(".json"):
            found[name] = json.loads(data)
        elif name.endswith(".csv"):
            text = io.StringIO(data.decode("utf-8-sig"), newline="")
            found[name] = [dict(row) for row in csv.DictReader(text)]
    return plan, found


async def test_an_export_has_every_row_and_column_about_a_member(stores: Stores) -> None:
    await about_a_member(stores)
    plan, found = await exported(stores)
    everything = await rows_of(stores)
    for table in filter(names_a_member, Base.metadata.sorted_tables):
        assert everything[table.name], f"{table.name} has no row to look for"
        if table.name in {*WITH_JOBS, *MADE_OF_JOBS, *PASSING}:
            continue
        entries = found[ONE_BY_ONE[table.name]]
        ours = {MEMBER} & {row.get(key) for row in everything[table.name] for key in NAMING}
        assert ours or table.name == "ledger", f"{table.name} has no row about the member"
        columns = {*table.columns.keys()} - OURS.get(table.name, set())
        assert [columns - entry.keys() for entry in entries] == [set()] * len(entries)
        assert len(entries) == len([*filter(is_theirs(everything), everything[table.name])])
    [job] = found["jobs.json"]
    assert {"image"} == {*job["given"]}
    assert len(job["made"]) == 1
    assert (plan.pictures, job["role_ids"], job["pictures"]) == (2, [str(ROLE)], 1)
    acts = [(act["act"], act["actor_id"]) for act in found["acts.json"]]
    assert acts == [(name, str(MEMBER)) for name in ("word", "approval", "digest")]
    done = [(act["act"], "actor_id" in act) for act in found["acts-on-you.json"]]
    assert done == [("grant", False), ("quota", False), ("block", False), ("priority", False)]
    assert str(ADMIN) not in repr(found)


def is_theirs(everything: dict[str, list[dict[str, Any]]]) -> Any:  # noqa: ANN401 (a predicate)
    accounts = {row["id"] for row in everything["accounts"] if row["subject_id"] == MEMBER}

    def holds(row: dict[str, Any]) -> bool:
        keys = NAMING - {"job_id"}
        return MEMBER in {row.get(key) for key in keys} or row.get("account_id") in accounts

    return holds


async def test_erasing_leaves_no_word_of_a_member_in_any_table(stores: Stores) -> None:
    await about_a_member(stores)
    await Privacy(stores.database, files=stores.files, clock=stores.clock).erase(MEMBER)
    everything = await rows_of(stores)
    theirs = is_theirs(everything)
    left = {name: [*filter(theirs, rows)] for name, rows in everything.items()}
    assert SECRET not in repr(left)
    [job] = left["jobs"]
    gone = ("prompt", "parameters", "notes", "interaction_token", "seed")
    assert [job[name] for name in gone] == [None, None, None, None, 0]
    for table in (*WITH_JOBS, "previews"):
        assert job["id"] not in {row["job_id"] for row in everything[table]}
    [other, *_] = await stores.jobs.several([row["id"] for row in everything["jobs"] if row != job])
    assert other.prompt == SECRET


def test_every_table_that_names_a_member_is_told_what_becomes_of_it() -> None:
    naming = {table.name for table in Base.metadata.sorted_tables if names_a_member(table)}
    known = {*ONE_BY_ONE, *WITH_JOBS, *MADE_OF_JOBS, *PASSING}
    if naming != known:
        pytest.fail(
            f"{naming ^ known}: give these rows out in storage.privacy, or say why not; decide what"
            " /privacy delete does with them, and write both into docs/privacy.md"
        )
