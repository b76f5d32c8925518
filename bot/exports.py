"""What is kept about a member as ZIP files that Discord takes: tables, JSON and pictures.

The pictures are laid into as many parts as their sizes ask for, the oldest first, so that a part
is the same however often it is asked for. Every part is a ZIP file by itself; the first one has the
tables, too. One part is in memory at a time.
"""

import asyncio
import csv
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from bot.usage_files import harmless
from storage.acts import Act
from storage.errors import FileDamagedError, FileMissingError
from storage.files import FileStore, StoredFile
from storage.privacy import Kept, Movement
from storage.records import Job

LARGEST_PART = 24 * 2**20
"""Bytes of a part, however much Discord would take: it is in memory while it is sent."""
SHARE = 0.97
"""Of what Discord takes; the rest is for the message around it."""
ENTRY_BYTES = 256
"""At most what a file costs in a ZIP besides its own bytes, its name twice included."""
ENDINGS = {"image/gif": "gif", "image/jpeg": "jpg", "image/webp": "webp"}
SNOWFLAKES = (
    "interaction_id", "guild_id", "channel_id", "member_id", "message_id", "actor_id", "subject_id",
    "review_channel_id",
)  # fmt: skip
"""Numbers that other programs would round; ``role_ids`` are several."""
SECRET = ("interaction_token", "nonce", "owner", "lease_expires_at", "inputs", "outputs")
"""What of a job is of no use to anybody else, and its files, which are named otherwise."""
PROMPT_COLUMNS = (
    "id", "created_at", "guild_id", "channel_id", "command", "pipeline", "model", "prompt",
    "seed", "state", "device_ms",
)  # fmt: skip
LEDGER_COLUMNS = (
    "created_at", "guild_id", "period", "window_start", "kind", "amount_ms", "job_id",
)  # fmt: skip

Names = Mapping[str, str]
"""Of the pictures in the parts, by their digests."""
Cell = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One ZIP file.

    Args:
        number: counted from 1.
        tables: the texts in it by their names.
        pictures: the files in it by their names.
    """

    number: int
    tables: Mapping[str, bytes]
    pictures: Mapping[str, StoredFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An export as it is going to be sent.

    Args:
        left_out: how many pictures are larger than Discord takes.
    """

    parts: Sequence[Part]
    pictures: int
    left_out: int


def planned(kept: Kept, *, about: str, max_bytes: int) -> Plan:
    """Lay what is kept into parts; this computes, so it belongs into a thread.

    Args:
        kept: all of it.
        about: what stands in the file that explains the others.
        max_bytes: the largest file that Discord takes.
    """
    room = round(min(max_bytes * SHARE, LARGEST_PART))
    files = dict(_pictures(kept.jobs))
    fitting = {name: it for name, it in files.items() if it.size_bytes + ENTRY_BYTES <= room}
    names = {file.sha256: name for name, file in fitting.items()}
    tables = {
        "README.txt": about.encode(),
        "jobs.json": _json([_job(job, names) for job in kept.jobs]),
        "prompts.csv": _csv(PROMPT_COLUMNS, map(fields_of, kept.jobs)),
        "ledger.csv": _csv(LEDGER_COLUMNS, map(fields_of, kept.movements)),
        **{f"{name}.json": _json(list(map(_plain, rows))) for name, rows in kept.rows.items()},
        "acts.json": _json([_plain(asdict(act)) for act in kept.acts]),
        "acts-on-you.json": _json([_unsigned(act) for act in kept.acts_on_them]),
    }
    first = len(_zipped(tables)) + ENTRY_BYTES
    parts = [
        Part(number=number, tables=tables if number == 1 else {}, pictures=some)
        for number, some in enumerate(_laid(fitting, room=room, first=first), start=1)
    ]
    return Plan(parts=parts, pictures=len(fitting), left_out=len(files) - len(fitting))


async def packed(part: Part, files: FileStore) -> bytes:
    """Return a part as the bytes of a ZIP file; pictures that are gone by now are left out."""
    contents = dict(part.tables)
    for name, file in part.pictures.items():
        try:
            contents[name] = await files.read(file.sha256)
        except (FileMissingError, FileDamagedError):
            continue
    return await asyncio.to_thread(_zipped, contents)


def fields_of(line: Job | Movement) -> dict[str, Any]:
    """Return the fields of a value, and what they hold as it is."""
    return {field.name: getattr(line, field.name) for field in fields(line)}


def _pictures(jobs: Iterable[Job]) -> Iterator[tuple[str, StoredFile]]:
    """Yield each picture once, by the name of its first use."""
    seen = set[str]()
    for job in jobs:
        named = f"pictures/{job.created_at:%Y-%m-%d}-{job.id[:8]}"
        given = [(f"given-{role}", file) for role, file in job.inputs.items()]
        made = [(f"made-{number + 1}", file) for number, file in job.outputs.items()]
        for what, file in (*given, *made):
            if file.sha256 not in seen:
                seen.add(file.sha256)
                yield f"{named}-{what}.{ENDINGS.get(file.media_type, 'png')}", file


def _laid(
    files: Mapping[str, StoredFile], *, room: int, first: int
) -> Iterator[dict[str, StoredFile]]:
    """Yield the pictures of each part; ``first`` bytes of the first one are taken already."""
    some, taken = dict[str, StoredFile](), first
    for name, file in files.items():
        size = file.size_bytes + ENTRY_BYTES
        if taken + size > room and (some or taken):
            yield some
            some, taken = {}, 0
        some[name] = file
        taken += size
    yield some


def _zipped(contents: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in contents.items():
            packs = not name.startswith("pictures/")
            archive.writestr(name, data, zipfile.ZIP_DEFLATED if packs else zipfile.ZIP_STORED)
    return target.getvalue()


def _job(job: Job, names: Names) -> dict[str, Any]:
    """Return a job as JSON, with the names of its pictures in the parts."""
    about = _plain({key: it for key, it in fields_of(job).items() if key not in SECRET})
    given = {role: names.get(file.sha256) for role, file in job.inputs.items()}
    made = [names.get(file.sha256) for file in job.outputs.values()]
    likeness = {number: asdict(each) for number, each in job.likeness.items()}
    return {**about, "likeness": likeness, "given": given, "made": made}


def _plain(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as JSON has them."""
    return {
        key: str(it) if key in SNOWFLAKES and it is not None
        else [*map(str, it)] if key == "role_ids" and it is not None
        else it.isoformat() if isinstance(it, datetime) else it
        for key, it in about.items()
    }  # fmt: skip


def _unsigned(act: Act) -> dict[str, Any]:
    """Return an act on a member as JSON, without who did it: that is another person."""
    return {key: it for key, it in _plain(asdict(act)).items() if key != "actor_id"}


def _json(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return json.dumps(rows, ensure_ascii=False, indent=1).encode()


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return rows as CSV, in which no cell is a formula to a spreadsheet."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in columns])
    return table.getvalue().encode("utf-8-sig")


def _cell(value: object) -> Cell:
    if isinstance(value, datetime):
        return value.isoformat()
    return harmless(value) if isinstance(value, str) else value  # type: ignore[return-value]
