"""Encrypting anew, with the newest key, all that is kept: of before there were keys, or of others.

It goes row by row and file by file, each in a transaction of its own, and can be broken off and
repeated at any time: whatever has been encrypted can be read, whatever has not been, too. Nobody
else may work on the database meanwhile, for files get other names.
"""

from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from storage.clock import Clock, utc_now
from storage.database import Database, reads, writes
from storage.errors import FileDamagedError, FileMissingError, KeyMissingError
from storage.files import FileStore, StoredFile
from storage.forgetting import Eraser
from storage.keybook import KeyBook
from storage.references import remember_files
from storage.tables import FileRow, GuildPresetRow, InputRow, JobRow, OutputRow

_BATCH = 100
AS_IT_IS = {"synchronize_session": False}
"""To whoever reads them the rows are what they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resealed:
    """What was encrypted anew, and the files that could not be because they are damaged or gone."""

    jobs: int
    files: int
    lost: int


class Resealer:
    """Encrypts a database and its files with the newest of their keys."""

    def __init__(self, database: Database, *, files: FileStore, clock: Clock = utc_now) -> None:
        self._database = database
        self._files = files
        self._clock = clock
        self._eraser = Eraser(database, files=files, clock=clock)

    async def run(self) -> Resealed:
        """Encrypt everything; afterwards the older keys are not needed any more.

        They stay needed when a file could not be read, which may yet be put back.

        Raises:
            KeyMissingError: there is no key, or one of those that are needed is missing.
        """
        book, ring = KeyBook(self._database, clock=self._clock), self._files.ring
        if not ring:
            raise KeyMissingError("set ATELIER_KEYS first; nothing was changed")
        await book.admit(ring)
        jobs = await self._jobs()
        await self._presets()
        files, lost = 0, 0
        for file in await self._all_files():
            try:
                files += await self._file(file)
            except (FileMissingError, FileDamagedError):
                lost += 1
        if not lost:
            await book.keep_only(ring.fingerprints[0])
        return Resealed(jobs=jobs, files=files, lost=lost)

    async def _jobs(self) -> int:
        done, last = 0, ""
        while job_ids := await self._some_jobs(last):
            done, last = done + len(job_ids), job_ids[-1]
        return done

    @writes
    def _some_jobs(self, session: Session, after: str) -> list[str]:
        """Write some jobs' contents again, which encrypts them, and return their ids."""
        found = select(JobRow).where(JobRow.id > after, JobRow.purged_at.is_(None))
        rows = session.scalars(found.order_by(JobRow.id).limit(_BATCH)).all()
        for row in rows:
            values = {
                "prompt": row.prompt,
                "parameters": row.parameters,
                "notes": row.notes,
                "interaction_token": row.interaction_token,
            }
            changes = update(JobRow).where(JobRow.id == row.id).values(**values)
            session.execute(changes, execution_options=AS_IT_IS)
        return [row.id for row in rows]

    @writes
    def _presets(self, session: Session) -> None:
        for row in session.scalars(select(GuildPresetRow)).all():
            key = GuildPresetRow.guild_id == row.guild_id, GuildPresetRow.name == row.name
            changes = update(GuildPresetRow).where(*key).values(fields=row.fields)
            session.execute(changes, execution_options=AS_IT_IS)

    @reads
    def _all_files(self, session: Session) -> list[StoredFile]:
        return [
            StoredFile(
                sha256=row.sha256,
                size_bytes=row.size_bytes,
                place=row.place,
                media_type=row.media_type,
            )
            for row in session.scalars(select(FileRow).order_by(FileRow.sha256))
        ]

    async def _file(self, old: StoredFile) -> bool:
        """Store a file with the newest key, under its new name; False if it has that already."""
        data = await self._files.read(old.sha256)
        new = await self._files.put(data, media_type=old.media_type)
        if new.sha256 == old.sha256:
            return False
        await self._replace(old, new)
        await self._eraser.remove([old.sha256])
        return True

    @writes
    def _replace(self, session: Session, old: StoredFile, new: StoredFile) -> None:
        remember_files(session, [new], now=self._clock())
        for table in (InputRow, OutputRow):
            of_old = table.sha256 == old.sha256
            session.execute(update(table).where(of_old).values(sha256=new.sha256))
        session.execute(delete(FileRow).where(FileRow.sha256 == old.sha256))
