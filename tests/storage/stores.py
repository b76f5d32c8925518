"""Everything that remembers, around one database and one clock that tests can turn."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from storage.database import WITHOUT_SEALS, Database
from storage.files import FileStore, StoredFile
from storage.jobs import JobStore
from storage.ledger import Scope
from storage.policies import Ceilings
from storage.quotas import Quotas
from storage.records import Job, NewJob
from storage.reports import Reports
from storage.retention import Retention
from storage.sealing import Seals
from storage.usage import UsageSums
from storage.windows import Period

GUILD, MEMBER, CHANNEL = 2**53 + 11, 2**53 + 77, 2**63 - 1
NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
PICTURE = StoredFile(
    sha256="a" * 64, size_bytes=7, place=f"aa/aa/{'a' * 64}", media_type="image/png"
)
RESULT = replace(PICTURE, sha256="b" * 64, place=f"bb/bb/{'b' * 64}")
_numbers = count(1)


@dataclass(slots=True)
class TurnableClock:
    """A clock that stands still until it is turned."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **amounts: float) -> None:
        """Turn the clock on."""
        self.now += timedelta(**amounts)


@dataclass(slots=True, kw_only=True)
class Stores:
    """The services of the storage package over one database."""

    database: Database
    files: FileStore
    default_ms: int = 1000
    guild_ms: int | None = None
    total_ms: int | None = None
    further: Mapping[tuple[Scope, Period], int] = field(default_factory=dict)
    clock: TurnableClock = field(default_factory=TurnableClock)

    @property
    def quotas(self) -> Quotas:
        ceilings = Ceilings(
            member_ms=self.default_ms,
            guild_ms=self.guild_ms,
            total_ms=self.total_ms,
            further=self.further,
        )
        return Quotas(self.database, ceilings=ceilings, clock=self.clock)

    @property
    def jobs(self) -> JobStore:
        return JobStore(self.database, quotas=self.quotas, files=self.files, clock=self.clock)

    @property
    def reports(self) -> Reports:
        return Reports(self.database)

    @property
    def sums(self) -> UsageSums:
        return UsageSums(self.database, clock=self.clock)

    @property
    def retention(self) -> Retention:
        return Retention(self.database, files=self.files, clock=self.clock)

    async def accept(self, **changes: object) -> Job:
        """Accept a job that differs from the usual one in what is given."""
        return (await self.jobs.accept(new_job(**changes))).job

    async def claimed(self, **changes: object) -> Job:
        """Accept a job and claim it as the owner ``bot``."""
        job = await self.accept(**changes)
        claimed = await self.jobs.claim_job(job.id, owner="bot", lease_s=60)
        assert claimed is not None
        return claimed

    async def done(self, *, device_ms: int = 100, **changes: object) -> Job:
        """Accept, claim and settle a job, with an output of its own on the disk."""
        job = await self.claimed(**changes)
        output = await self.files.put(f"output of {job.id}".encode(), media_type="image/png")
        assert await self.jobs.settle(
            job.id, owner="bot", attempt=job.attempt, outputs={0: output}, device_ms=device_ms
        )
        return await self.jobs.get(job.id)


def open_stores(url: str, folder: Path, *, seals: Seals = WITHOUT_SEALS) -> Stores:
    """Open the stores over a database that has its tables, with files in a folder."""
    return Stores(
        database=Database.open(url, seals=seals),
        files=FileStore(folder / "files", ring=seals.contents),
    )


def new_job(**changes: object) -> NewJob:
    """Return a job that differs from the usual one in what is given."""
    number = next(_numbers)
    usual = NewJob(
        id=uuid.uuid4().hex,
        interaction_id=2**54 + number,
        guild_id=GUILD,
        channel_id=CHANNEL,
        member_id=MEMBER,
        command="remix",
        pipeline="img2img",
        seed=2**32 - 1,
        inputs={"image": PICTURE},
        reserve_ms=100,
        interaction_token=f"token-{number}",
        token_expires_at=NOON + timedelta(minutes=15),
        nonce=f"nonce-{number}",
        prompt="night",
        parameters={"strength": 0.7},
    )
    return replace(usual, **changes)  # type: ignore[arg-type]
