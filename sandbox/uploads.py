"""Bodies of requests: JSON, or a form with ``payload_json`` and files."""

import json
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from aiohttp import BodyPartReader, web

from sandbox.errors import MemberError, invalid_form, invalid_json, too_large
from sandbox.media import image_size
from sandbox.replies import Json, Payload
from sandbox.state import Attachment, State

MAX_FILES = 10
# What a request carried, kept for the journal.
BODY: web.RequestKey[Json] = web.RequestKey("body", object)
FILES: web.RequestKey[tuple[str, ...]] = web.RequestKey("files", tuple)
FILE_FIELD = re.compile(r"files?\[?(\d+)?\]?")


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedFile:
    """A file as it arrived."""

    filename: str
    data: bytes
    content_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The body of a request that makes or edits a message."""

    payload: Payload
    files: Mapping[int, UploadedFile] = field(default_factory=dict)

    def within(self, data: Payload) -> "Draft":
        """Return the same files with an inner part of the body."""
        return Draft(payload=data, files=self.files)


async def read_draft(request: web.Request, *, max_file_bytes: int) -> Draft:
    """Return a request's JSON and files.

    Raises:
        ApiError: 40005 for a file over the limit, 50109 for a body that is not JSON.
    """
    if request.content_type != "multipart/form-data":
        return Draft(payload=await read_json(request))
    payload, files = await _read_form(request)
    request[BODY] = payload
    request[FILES] = tuple(f"files[{index}]" for index in sorted(files))
    # Everything is read before the refusal, as a client only listens once it has sent its body.
    if any(len(file.data) > max_file_bytes for file in files.values()):
        raise too_large()
    if len(files) > MAX_FILES:
        raise invalid_form("attachments", message="Must be 10 or fewer in length.")
    return Draft(payload=payload, files=files)


async def _read_form(request: web.Request) -> tuple[Payload, dict[int, UploadedFile]]:
    payload: Payload = {}
    files: dict[int, UploadedFile] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        data = bytes(await part.read(decode=False))
        match = FILE_FIELD.fullmatch(part.name or "")
        if part.name == "payload_json":
            payload = _object(_parsed(data))
        elif match is not None:
            name = part.filename or "unknown"
            files[int(match[1] or len(files))] = UploadedFile(
                filename=name,
                data=data,
                content_type=_content_type(part.headers.get("Content-Type"), name),
            )
    return payload, files


def _content_type(given: str | None, filename: str) -> str | None:
    if given and given != "application/octet-stream":
        return given
    return mimetypes.guess_type(filename)[0] or given


async def read_json(request: web.Request) -> Payload:
    """Return a request's JSON object, empty when there is no body.

    Raises:
        ApiError: 50109 for a body that is not a JSON object.
    """
    return _object(await read_body(request) or {})


async def read_body(request: web.Request) -> Json:
    """Return a request's JSON of any kind, or None when there is no body.

    Raises:
        ApiError: 50109 for a body that is not JSON.
    """
    body = await request.read()
    if not body:
        return None
    request[BODY] = _parsed(body)
    return request[BODY]


def _parsed(body: bytes) -> Json:
    try:
        return json.loads(body)
    except ValueError as err:
        raise invalid_json() from err


def _object(parsed: object) -> Payload:
    if not isinstance(parsed, dict):
        raise invalid_json()
    return parsed


class FileStore:
    """Attachments and their bytes: in memory, or in a folder that outlives the sandbox."""

    def __init__(self, *, state: State, folder: Path | None = None) -> None:
        self._state = state
        self._folder = folder
        self._data: dict[int, bytes] = {}

    def add(self, file: UploadedFile, *, folder_id: int, ephemeral: bool = False) -> Attachment:
        """Keep a file and return its description."""
        size = image_size(file.data)
        attachment = Attachment(
            id=self._state.clock.next_id(),
            folder_id=folder_id,
            filename=safe_name(file.filename),
            size=len(file.data),
            content_type=file.content_type,
            width=size[0] if size else None,
            height=size[1] if size else None,
            ephemeral=ephemeral,
        )
        self._state.memory.files[attachment.id] = attachment
        if self._folder is not None:
            (self._folder / str(attachment.id)).write_bytes(file.data)
        else:
            self._data[attachment.id] = file.data
        return attachment

    def publish(self, attachment_id: int, folder_id: int) -> Attachment:
        """Return an uploaded file as part of a message.

        Raises:
            MemberError: when there is no such file.
        """
        uploaded = self._state.memory.files.get(attachment_id)
        if uploaded is None:
            raise MemberError("there is no such file", status=404)
        published = replace(uploaded, folder_id=folder_id, ephemeral=False)
        self._state.memory.files[attachment_id] = published
        return published

    def get(self, attachment_id: int) -> Attachment | None:
        """Return a file's description, or None."""
        return self._state.memory.files.get(attachment_id)

    def read(self, attachment_id: int) -> bytes:
        """Return a file's bytes."""
        if self._folder is not None:
            return (self._folder / str(attachment_id)).read_bytes()
        return self._data[attachment_id]

    def clear(self) -> None:
        """Forget every file's bytes."""
        self._data.clear()


def safe_name(filename: str) -> str:
    """Return the name as Discord keeps it: letters, digits, dots, dashes and underscores."""
    bare = re.sub(r"[^A-Za-z0-9._-]", "_", filename.replace("\\", "/").rpartition("/")[2])
    return bare.strip(".") or "unknown"
