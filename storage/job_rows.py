"""Rows of jobs: inserted, fenced and changed, inside a transaction of the caller."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from storage import ledger
from storage.errors import NotOwnerError
from storage.portable import changed, insert_new
from storage.recall import guild_key, job_where
from storage.records import Job, JobState, NewJob
from storage.references import remember_files
from storage.tables import GuildRow, InputRow, JobRow, MemberRow
from storage.text import clean_json, clean_text

FREE: Mapping[str, Any] = {"owner": None, "lease_expires_at": None}
"""What a job has that nobody works on."""


def insert_job(session: Session, new: NewJob, *, member_weight: float = 1.0, now: datetime) -> bool:
    """Insert the job with its guild and member; False when its interaction has one already."""
    guild_id = guild_key(new.guild_id)
    member = {"guild_id": guild_id, "member_id": new.member_id}
    if session.scalar(select(MemberRow.member_id).filter_by(**member)) is None:
        seen = {"first_seen_at": now}
        insert_new(session, GuildRow, key={"id": guild_id}, values=seen)
        insert_new(session, MemberRow, key=member, values=seen)
    return insert_new(
        session,
        JobRow,
        key={"interaction_id": new.interaction_id},
        values={
            **member,
            "id": new.id,
            "channel_id": new.channel_id,
            "command": new.command,
            "pipeline": new.pipeline,
            "model": new.model,
            "prompt": clean_text(new.prompt),
            "parameters": clean_json(new.parameters),
            "seed": new.seed,
            "locale": new.locale,
            "parent_id": new.parent_id,
            "nonce": new.nonce,
            "interaction_token": new.interaction_token,
            "token_expires_at": new.token_expires_at,
            "role_ids": list(new.standing.role_ids),
            "input_bytes": sum(each.size_bytes for each in new.inputs.values()),
            "reserve_ms": ledger.checked_amount(new.reserve_ms, least=1),
            "state": JobState.QUEUED,
            "attempt": 0,
            "created_at": now,
            "deadline_at": new.deadline_at,
            "guild_weight": new.standing.weight,
            "member_weight": member_weight,
        },
    )


def refer(session: Session, new: NewJob, *, now: datetime) -> None:
    """Let a job refer to the pictures that go into it."""
    remember_files(session, new.inputs.values(), now=now)
    session.add_all(
        InputRow(job_id=new.id, role=role, sha256=file.sha256) for role, file in new.inputs.items()
    )


def change(
    session: Session,
    fence: list[ColumnElement[bool]],
    **values: Any,  # noqa: ANN401 (values of columns)
) -> bool:
    """Change the job that is behind a fence; False when there is none."""
    result = session.execute(update(JobRow).where(*fence).values(**values))
    return changed(result) == 1


def claimable(now: datetime) -> ColumnElement[bool]:
    """Return whether a job waits and rests no more, or ran for somebody whose lease is over."""
    rested = or_(JobRow.not_before.is_(None), JobRow.not_before <= now)
    lost = and_(JobRow.state == JobState.RUNNING, JobRow.lease_expires_at < now)
    return or_(and_(JobRow.state == JobState.QUEUED, rested), lost)


def running(job_id: str, *, owner: str, attempt: int) -> list[ColumnElement[bool]]:
    """Return the fence of an attempt: the job is still its own."""
    return [
        JobRow.id == job_id,
        JobRow.state == JobState.RUNNING,
        JobRow.owner == owner,
        JobRow.attempt == attempt,
    ]


def finish(state: JobState, *, now: datetime) -> dict[str, Any]:
    """Return what changes in a job that ends."""
    return {"state": state, "finished_at": now, **FREE}


def owned_by(session: Session, job_id: str, *, guild_id: int | None, member_id: int | None) -> Job:
    """Return a job of this guild, and of this member where one is given.

    Raises:
        NotFoundError: there is none with this id in this guild.
        NotOwnerError: it belongs to another member.
    """
    here = JobRow.guild_id == guild_key(guild_id)
    job = job_where(session, JobRow.id == job_id, here)
    if member_id is not None and job.member_id != member_id:
        raise NotOwnerError("this job belongs to another member")
    return job
