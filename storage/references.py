"""Which rows keep which files, inside a transaction of the caller."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, exists, select, union
from sqlalchemy.orm import Session

from storage.files import StoredFile
from storage.finds import settle_claims
from storage.portable import insert_new
from storage.tables import FileRow, InputRow, OutputRow


def remember_files(session: Session, files: Iterable[StoredFile], *, now: datetime) -> None:
    """Make sure that files have rows to refer to, which stay until the transaction's end.

    They are always taken in one order, so that no two transactions wait for each other.
    """
    left = sorted(files, key=lambda each: each.sha256)
    for file in left:
        row = select(FileRow.sha256).where(FileRow.sha256 == file.sha256)
        row = row.with_for_update(read=True, key_share=True)
        # Whoever else inserts or deletes it at this moment is waited for.
        while session.scalar(row) is None:
            insert_new(
                session,
                FileRow,
                key={"sha256": file.sha256},
                values={
                    "size_bytes": file.size_bytes,
                    "place": file.place,
                    "media_type": file.media_type,
                    "created_at": now,
                },
            )
    if left:
        settle_claims(session, [file.sha256 for file in left])


def drop_inputs(session: Session, job_ids: list[str]) -> set[str]:
    """Let go of what went into jobs and return the digests, which others may still keep."""
    rows = session.scalars(
        delete(InputRow).where(InputRow.job_id.in_(job_ids)).returning(InputRow.sha256)
    )
    return set(rows)


def drop_outputs(session: Session, job_ids: list[str]) -> set[str]:
    """Let go of what came out of jobs and return the digests, which others may still keep."""
    rows = session.scalars(
        delete(OutputRow).where(OutputRow.job_id.in_(job_ids)).returning(OutputRow.sha256)
    )
    return set(rows)


def forget_unused(session: Session, digests: set[str]) -> set[str]:
    """Delete the rows of those files that nothing refers to, and return their digests.

    What another process is about to refer to stays; so may what it lets go of at this moment,
    which the next purge finds.
    """
    free = select(FileRow.sha256).where(FileRow.sha256.in_(digests))
    ours = session.scalars(free.with_for_update(skip_locked=True)).all()
    rows = session.scalars(
        delete(FileRow)
        .where(
            FileRow.sha256.in_(ours),
            ~exists(select(InputRow.job_id).where(InputRow.sha256 == FileRow.sha256)),
            ~exists(select(OutputRow.job_id).where(OutputRow.sha256 == FileRow.sha256)),
        )
        .returning(FileRow.sha256)
    )
    return set(rows)


def find_used(session: Session, digests: Iterable[str]) -> set[str]:
    """Return those of these files that something refers to."""
    left = list(digests)
    used = (select(row.sha256).where(row.sha256.in_(left)) for row in (InputRow, OutputRow))
    return set(session.scalars(union(*used)))
