"""A job's pictures on their way from the file store to the engine, and back."""

import asyncio
from dataclasses import replace

import structlog

from bot.acceptance import control_of, like_of
from bot.metrics import Metrics
from bot.orders import Parameters, seed_of
from generation.codecs import CodecPool, EncodedImage
from generation.comparing import Comparison, pair_of
from generation.errors import GenerationError
from generation.outpainting import outpainted, parsed_ratio
from generation.request import (
    Canvas,
    ImageRequest,
    Manner,
    Pixels,
    Portrait,
    Result,
    Walk,
)
from storage.files import FileStore, StoredFile
from storage.records import Job

LARGEST_PNG = 2**30

log = structlog.get_logger()


class JobPictures:
    """Decodes what a job was accepted with, and keeps what was made of it."""

    def __init__(self, *, files: FileStore, codecs: CodecPool, metrics: Metrics) -> None:
        self._files = files
        self._codecs = codecs
        self._metrics = metrics

    async def requests(self, job: Job) -> tuple[ImageRequest, ...]:
        """Return what the engine is asked, from what was stored: one request for each picture.

        Raises:
            StorageError: a picture cannot be read.
        """
        kept = Parameters.of_job(job)
        given = {name: await self._pixels(file.sha256) for name, file in job.inputs.items()}
        image, mask = given.get("image"), given.get("mask")
        if image is not None and kept.ratio is not None:
            ratio = parsed_ratio(kept.ratio)
            image, mask = await asyncio.to_thread(outpainted, image, ratio=ratio)
        moves = kept.frames > 1 or kept.direction
        walk = Walk(direction=kept.direction, frames=kept.frames) if moves else None
        first = ImageRequest(
            job_id=job.id,
            pipeline=job.pipeline,
            image=image or Canvas(width=kept.width, height=kept.height),
            mask=mask,
            style_image=given.get("style_image"),
            manner=manner_of(kept.manner, second=given.get("style_image2")),
            control=control_of(kept.control, given),
            like=like_of(given, strength=kept.like_strength),
            portrait=Portrait(mix=kept.mix) if kept.mix is not None else None,
            walk=walk,
            prompt=job.prompt or "",
            negative_prompt=kept.negative_prompt,
            strength=kept.strength,
            guidance_scale=kept.guidance_scale,
            num_inference_steps=kept.num_inference_steps,
            scheduler=kept.scheduler,
            seed=job.seed,
            model=job.model,
            guild=job.guild_id or 0,
            member=job.member_id,
            weights=(job.guild_weight, job.member_weight),
        )
        others = (
            replace(first, job_id=f"{job.id}-{number}", seed=seed_of(job.seed, number=number))
            for number in range(1, kept.count)
        )
        return (first, *others)

    async def finished(self, job: Job, result: Result) -> Pixels:
        """Return a result as it will be delivered, with what is drawn over it."""
        layers = Parameters.of_job(job).layers
        if not layers:
            return result.image
        return await self._codecs.under_layers(result.image, layers, seed=result.seed)

    async def encoded(self, job: Job, result: Result, image: Pixels) -> EncodedImage:
        """Return a finished picture as a PNG file that says how it was made; frames as a GIF."""
        about = {"Model": result.model, "Seed": str(result.seed), "Prompt": job.prompt or ""}
        with self._metrics.png_seconds.time():
            if (frames := frames_of(result)) > 1:
                return await self._codecs.encode_frames(
                    image, frames=frames, max_bytes=LARGEST_PNG, metadata=about
                )
            return await self._codecs.encode(
                image, max_bytes=LARGEST_PNG, metadata=about, image_format="png"
            )

    def looked_at(self, result: Result, image: Pixels) -> tuple[Pixels, ...]:
        """Return what of a finished picture is to be looked at: of frames some of them."""
        frames = frames_of(result)
        if frames == 1:
            return (image,)
        return tuple(cut_frame(image, number, frames=frames) for number in (0, frames // 2, -1))

    async def compared(self, job: Job, request: ImageRequest, image: Pixels) -> Comparison | None:
        """Return how much a finished picture differs from what it was made from.

        None where there is no such picture, or another shape; and where it cannot be calculated,
        for no picture is lost to a figure.
        """
        kept = Parameters.of_job(job)
        inner = (kept.width, kept.height) if kept.ratio is not None else None
        pair = pair_of(request, image, inner=inner)
        if pair is None:
            return None
        try:
            return await self._codecs.compare(pair)
        except GenerationError as err:
            log.warning("a picture was not compared", job=job.id, reason=str(err))
            return None

    async def keep(self, encoded: EncodedImage) -> StoredFile:
        """Store a finished picture; its job is to be settled at once, or it may be swept away.

        Raises:
            FileRefusedError: it cannot be written.
        """
        return await self._files.put(encoded.data, media_type=encoded.media_type)

    async def _pixels(self, sha256: str) -> Pixels:
        return await self._codecs.decode(await self._files.read(sha256))


def manner_of(manner: Manner | None, *, second: Pixels | None) -> Manner | None:
    """Return how style transfer goes about it, a second artwork weighed by what is left of 1."""
    if manner is None or second is None:
        return manner
    return replace(manner, others=((second, 1 - manner.weight),))


def frames_of(result: Result) -> int:
    """Return how many frames a result's picture holds, one below the other; 1 of a still one."""
    return int(dict(result.parameters).get("frames", 1))


def cut_frame(strip: Pixels, number: int, *, frames: int) -> Pixels:
    """Return one of the frames that stand one below the other."""
    height = strip.height // frames
    length = 3 * strip.width * height
    start = number % frames * length
    return Pixels(width=strip.width, height=height, data=strip.data[start : start + length])
