"""A job's pictures on their way from the file store to the engine, and back."""

from bot.metrics import Metrics
from bot.orders import Parameters
from generation.codecs import CodecPool
from generation.request import ImageRequest, Pixels, Result
from storage.files import FileStore, StoredFile
from storage.records import Job

LARGEST_PNG = 2**30


class JobPictures:
    """Decodes what a job was accepted with, and keeps what was made of it."""

    def __init__(self, *, files: FileStore, codecs: CodecPool, metrics: Metrics) -> None:
        self._files = files
        self._codecs = codecs
        self._metrics = metrics

    async def request(self, job: Job) -> ImageRequest:
        """Return what the engine is asked, from what was stored.

        Raises:
            StorageError: a picture cannot be read.
        """
        assert job.image is not None, "an accepted job has its picture"
        kept = Parameters.from_json(job.parameters or {})
        style = job.style_image
        return ImageRequest(
            job_id=job.id,
            pipeline=job.pipeline,
            image=await self._pixels(job.image.sha256),
            style_image=await self._pixels(style.sha256) if style else None,
            prompt=job.prompt or "",
            strength=kept.strength,
            seed=job.seed,
            model=job.model,
            guild=job.guild_id or 0,
            member=job.member_id,
        )

    async def keep(self, job: Job, result: Result) -> StoredFile:
        """Store a result as a PNG file that says how it was made.

        Raises:
            StorageError: it cannot be written.
        """
        image, layers = result.image, Parameters.from_json(job.parameters or {}).layers
        if layers:
            image = await self._codecs.under_layers(image, layers, seed=job.seed)
        about = {"Model": result.model, "Seed": str(result.seed), "Prompt": job.prompt or ""}
        with self._metrics.png_seconds.time():
            encoded = await self._codecs.encode(
                image, max_bytes=LARGEST_PNG, metadata=about, image_format="png"
            )
        return await self._files.put(encoded.data, media_type=encoded.media_type)

    async def _pixels(self, sha256: str) -> Pixels:
        return await self._codecs.decode(await self._files.read(sha256))
