"""Small pictures of results, made by the codec's own process and kept for a while."""

from collections import OrderedDict

from generation.codecs import CodecPool
from generation.errors import GenerationError
from storage.errors import FileStoreError
from storage.files import FileStore, StoredFile
from storage.records import Job, JobState

SIDE = 160
KEPT = 500
"""Of about 8 kB each."""


class Thumbnails:
    """The newest ones."""

    def __init__(self, *, files: FileStore, codecs: CodecPool) -> None:
        self._files = files
        self._codecs = codecs
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    async def of(self, job: Job) -> bytes | None:
        """Return a JPEG of a job's first picture; None where there is none to be shown."""
        file = shown_of(job)
        if file is None:
            return None
        data = self._kept.get(file.sha256)
        if data is None:
            data = await self.small(file, max_side=SIDE)
            if data is None:
                return None
            self._kept[file.sha256] = data
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(file.sha256)
        return data

    async def small(self, file: StoredFile, *, max_side: int) -> bytes | None:
        """Return a JPEG of a picture; None where it cannot be read any more."""
        try:
            pixels = await self._codecs.decode(await self._files.read(file.sha256))
            return (await self._codecs.thumbnail(pixels, max_side=max_side)).data
        except (GenerationError, FileStoreError):
            return None


def shown_of(job: Job) -> StoredFile | None:
    """Return a job's first still picture that is not covered, or None; none while it is held."""
    if job.state is JobState.HELD:
        return None
    outcome = job.notes if isinstance(job.notes, dict) else {}
    covered = outcome.get("hidden", ())
    for number, file in sorted(job.outputs.items()):
        if number not in covered and file.media_type != "image/gif":
            return file
    return None
