"""Image to image by diffusion, row by row: InstructPix2Pix and Stable Diffusion's img2img.

Brooks, Holynski & Efros, "InstructPix2Pix" (CVPR 2023); Meng et al., "SDEdit" (ICLR 2022);
Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models" (CVPR 2022).

Differs from the papers: a checkpoint may declare that its small result is carried over to the
full-size picture by a guided filter, and that layers of particles are drawn on it.
"""

import logging
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from itertools import islice
from typing import Self

import torch
from torch import Tensor

from generation.checkpoints import Checkpoint, Family, FromCheckpoint, load_checkpoint
from generation.devices import move, torch_device, weight_bytes
from generation.imaging import to_pixels, to_tensor
from generation.pipelines.autoencoding import Codec, Encoder
from generation.pipelines.base import EngineConfig, Finished
from generation.pipelines.denoising import Call, Denoising, Guidance
from generation.pipelines.img2img_finish import finished, resized
from generation.pipelines.img2img_profile import recalled
from generation.pipelines.img2img_row import Img2ImgRow
from generation.pipelines.profile import (
    EXACT_SHARE,
    SHAPES,
    THROUGHPUT_SHARE,
    Profiles,
    largest_that_pays,
)
from generation.pipelines.prompting import Prompts
from generation.pipelines.recording import recorder_for
from generation.pipelines.samplers import Schedule, first_step, plan, scheduler_like
from generation.prompts import Reading, read_prompt
from generation.request import ImageRequest, Note, NoteCode, Pixels
from generation.weights import plain_words

__all__ = ["Img2ImgPipeline", "Img2ImgRow", "blend_of", "image_guidance_of"]

logger = logging.getLogger(__name__)

PREVIEW_SIDE = 256
DEFAULT_STEPS = {Family.INSTRUCT: 20, Family.IMG2IMG: 30}
DEFAULT_GUIDANCE = 7.5
DEFAULT_IMAGE_GUIDANCE = 1.5
MAX_STEPS = 150
KEPT_SCHEDULES = 256
LEFT_ALONE = Reading(edits=(), words=(), unknown=())


class Img2ImgPipeline(FromCheckpoint):
    """A loaded checkpoint and how its rows are run.

    Args:
        config: how its calls are padded, and how much is kept.
    """

    def __init__(self, checkpoint: Checkpoint, *, config: EngineConfig) -> None:
        self.checkpoint = checkpoint
        self.exact = config.exact
        self.batch_rows = config.batch_rows
        self._codec = Codec(checkpoint, exact=config.exact, rows=config.vae_rows or 1)
        self._encoder = Encoder(checkpoint, self._codec, max_bytes=config.kept_bytes)
        self._prompts = Prompts(checkpoint, max_bytes=config.kept_bytes // 4)
        self._schedules: OrderedDict[Hashable, Schedule] = OrderedDict()
        self._record = recorder_for(checkpoint.device)
        self._calls: dict[Hashable, Call] = {}
        self._apart: dict[Hashable, bool] = {}

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        """Load a checkpoint from the operator's folder or the starters.

        Raises:
            ModelUnavailableError: the checkpoint is missing, incomplete or not safetensors.
        """
        device = torch_device(config.device)
        checkpoint = load_checkpoint(
            model, models_dir=config.models_dir, device=device, dtype=config.dtype
        )
        pipeline = cls(checkpoint, config=config)
        profiled = device.type == "cuda" if config.profile is None else config.profile
        if profiled and None in (config.batch_rows, config.vae_rows):
            pipeline.choose_shapes(config)
        return pipeline

    def choose_shapes(self, config: EngineConfig) -> None:
        """Take the shapes that pay, of what was left open; measured if they never were."""
        times = recalled(self.checkpoint, self, kept=Profiles(config.profiles))
        # Of the calls that lie ready now, most have shapes that nobody uses.
        self._calls.clear()
        share = EXACT_SHARE if self.exact else THROUGHPUT_SHARE
        if config.batch_rows is None:
            self.batch_rows = largest_that_pays(times["denoiser"], share=share)
        if config.vae_rows is None:
            self._codec.rows = largest_that_pays(times["codec"], share=share)

    @property
    def weight_bytes(self) -> int:
        """Bytes of the checkpoint's networks."""
        return weight_bytes(self.checkpoint.modules)

    def put_away(self) -> None:
        """Move the networks to the host's memory; calls that lie ready hold their old places."""
        self._calls.clear()
        self._encoder.clear()
        self._prompts.clear()
        move(self.checkpoint.modules, "cpu")

    def bring(self) -> None:
        """Move the networks back to the device."""
        move(self.checkpoint.modules, self.checkpoint.device)

    @property
    def together(self) -> int:
        """Pictures that one call of the codec holds."""
        return self._codec.rows

    @torch.no_grad()
    def prepare(self, requests: Sequence[ImageRequest]) -> None:
        """Encode the requests' pictures together; ``admit`` finds them encoded."""
        self._encoder.encode([request.image for request in requests])

    @torch.no_grad()
    def admit(self, request: ImageRequest) -> Img2ImgRow:
        """Fit and encode the picture, read the prompt, draw the noise from the seed."""
        model = self.checkpoint
        (encoded,) = self._encoder.encode([request.image])
        reading = LEFT_ALONE
        if model.manifest.words:
            words, fillers = model.manifest.words, model.manifest.fillers
            reading = read_prompt(request.prompt, words=words, fillers=fillers)
        width = self._guidance(request).rows
        row = Img2ImgRow(
            request=request,
            model=(model.name, str(model.dtype)),
            width=width,
            shape=width if self.exact else None,
            source=encoded.source,
            recoded=encoded.recoded,
            edit=None,
            masks={},
            reading=reading,
            blend=blend_of(request.strength) if model.family is Family.INSTRUCT else 1.0,
        )
        if request.strength > 0 and (reading.edits or not model.manifest.words):
            self._begin(row, encoded.latents)
        if self.exact and row.edit is not None:
            row.shape = self._exact_shape(row)
        return row

    def _begin(self, row: Img2ImgRow, latents: Tensor) -> None:
        """Plan the row's denoisings; an img2img strength below one step leaves none."""
        edit = self._denoising(self._prompt(row), latents, request=row.request)
        if not len(edit.schedule):
            return
        row.edit = edit
        manifest = self.checkpoint.manifest
        wanted = {
            layer.mask
            for layer in manifest.layers
            if layer.mask is not None and set(layer.edits) & set(row.reading.edits)
        }
        for mask in sorted(wanted):
            row.masks[mask] = self._denoising(manifest.masks[mask], latents, request=row.request)

    def _prompt(self, row: Img2ImgRow) -> str:
        """Return what the text encoder reads: of a declared vocabulary only the known words.

        Unknown words mean nothing to such a checkpoint, and would use up its few tokens.
        """
        known = self.checkpoint.manifest.words
        return " ".join(row.reading.words) if known else row.request.prompt

    def _denoising(self, prompt: str, latents: Tensor, *, request: ImageRequest) -> Denoising:
        """Return a denoising of the picture by a prompt, its noise drawn from the seed."""
        model, guidance = self.checkpoint, self._guidance(request)
        schedule = self._schedule(request)
        rng = torch.Generator("cpu").manual_seed(request.seed)
        noise = torch.randn(latents.shape, generator=rng, dtype=torch.float32).to(model.device)
        begun = schedule.noise * noise
        if schedule.signal:
            begun = schedule.signal * model.scaled(latents) + begun
        told = self._prompts.told(
            prompt, negative=request.negative_prompt, guidance=guidance, latents=latents
        )
        return Denoising(
            latents=begun,
            source=latents if model.family is Family.INSTRUCT else None,
            words=told.words,
            conditions=told.conditions,
            guidance=guidance,
            schedule=schedule,
            rng=rng,
        )

    def _schedule(self, request: ImageRequest) -> Schedule:
        """Return the request's steps; in img2img they start from the picture (SDEdit)."""
        model = self.checkpoint
        planned = request.num_inference_steps or model.manifest.num_inference_steps
        steps = min(planned or DEFAULT_STEPS[model.family], MAX_STEPS)
        mixed = model.family is Family.IMG2IMG
        key = (request.scheduler, steps, request.strength if mixed else None)
        if key not in self._schedules:
            scheduler = scheduler_like(model.scheduler, request.scheduler)
            first: int | None = 0
            if mixed:
                first = first_step(scheduler, steps=steps, strength=request.strength)
            beyond = steps * int(scheduler.order) + steps
            self._schedules[key] = plan(
                scheduler, steps=steps, first=beyond if first is None else first, mixed=mixed
            )
        self._schedules.move_to_end(key)
        while len(self._schedules) > KEPT_SCHEDULES:
            self._schedules.popitem(last=False)
        return self._schedules[key]

    def _guidance(self, request: ImageRequest) -> Guidance:
        manifest = self.checkpoint.manifest
        text = request.guidance_scale
        if text is None:
            text = manifest.guidance_scale
        if text is None:
            text = DEFAULT_GUIDANCE
        if self.checkpoint.family is Family.IMG2IMG:
            inside = self.checkpoint.unet.config.time_cond_proj_dim is not None
            return Guidance(text=text, inside=inside)
        full = manifest.image_guidance_scale or DEFAULT_IMAGE_GUIDANCE
        return Guidance(text=text, image=image_guidance_of(request.strength, full=full))

    def _exact_shape(self, row: Img2ImgRow) -> int:
        """Return the one shape of the row's bucket.

        It is the shape that an earlier attempt at the picture was made with, if one is told.
        Requests share calls only where it was measured that a row's bits depend neither on its
        place nor on its neighbours; else a call holds one request.
        """
        wanted = max(row.request.batch_rows or self.batch_rows or row.width, row.width)
        if wanted == row.width:
            return wanted
        key = (tuple(row.source.shape[-2:]), wanted)
        if key not in self._apart:
            self._apart[key] = self._call(row, wanted).keeps_apart()
            if not self._apart[key]:
                logger.warning(
                    "%s: rows that share a call of %d change each other; they go one by one",
                    self.checkpoint.name, wanted,
                )  # fmt: skip
        return wanted if self._apart[key] else row.width

    @property
    def counted(self) -> Mapping[str, int]:
        """What was found kept, what was not, and the codec's calls."""
        return {**self._encoder.counted, **self._prompts.counted, **self._codec.counted}

    def capacity(self, row: Img2ImgRow) -> int:
        """Return how many denoiser rows one call of the row's bucket holds."""
        return row.shape or max(self.batch_rows or SHAPES[-1], row.width)

    def shrink(self, row: Img2ImgRow) -> bool:
        """Pad the row's calls to its own rows alone; its bytes may change by one level.

        What the result was made with is told by its parameter ``batch_rows``.
        """
        if (row.shape or row.width) <= row.width:
            return False
        row.shape = row.width
        return True

    @torch.no_grad()
    def advance(self, rows: Sequence[Img2ImgRow]) -> None:
        """Take one step with every row."""
        waiting = list(rows)
        while waiting:
            room, together = self.capacity(waiting[0]), list[Img2ImgRow]()
            while waiting and waiting[0].width <= room:
                room -= waiting[0].width
                together.append(waiting.pop(0))
            call = self._call(together[0], self.padded(together))
            call.step([row.current for row in together])

    def padded(self, rows: Sequence[Img2ImgRow]) -> int:
        """Return what a call of these rows is padded to."""
        if rows[0].shape is not None:
            return rows[0].shape
        taken = sum(row.width for row in rows)
        return next((shape for shape in SHAPES if shape >= taken), taken)

    def _call(self, row: Img2ImgRow, shape: int) -> Call:
        key = (tuple(row.source.shape[-2:]), shape)
        if key not in self._calls:
            model = self.checkpoint
            self._calls[key] = Call(
                model.unet,
                like=row.denoisings[0],
                shape=shape,
                dtype=model.dtype,
                record=self._record,
            )
        return self._calls[key]

    @torch.no_grad()
    def preview(self, row: Img2ImgRow) -> Pixels | None:
        """Return the estimate of the finished picture, small and without layers."""
        if row.edit is None or row.edit.clean is None:
            return None
        request = row.request
        scale = min(1.0, PREVIEW_SIDE / max(request.image.width, request.image.height))
        sides = [
            max(1, round(side * scale)) for side in (request.image.height, request.image.width)
        ]
        small = resized(row.source, height=sides[0], width=sides[1])
        estimate = self.checkpoint.glimpse(row.edit.clean)
        return to_pixels(self._finished(row, small, decoded=(estimate,), layers=False))

    @torch.no_grad()
    def decode(self, rows: Sequence[Img2ImgRow]) -> None:
        """Decode the results of rows together; ``retire`` finds them decoded."""
        pictures = iter(self._codec.decode([it.latents for row in rows for it in row.denoisings]))
        for row in rows:
            row.decoded = tuple(islice(pictures, len(row.denoisings)))

    @torch.no_grad()
    def retire(self, row: Img2ImgRow) -> Finished:
        """Decode the row's picture and finish it at the size of the request's picture."""
        notes = self._notes(row)
        if row.edit is None:
            return Finished(image=row.request.image, notes=notes)
        if not row.decoded:
            self.decode([row])
        picture = to_tensor(row.request.image, device=self.checkpoint.device)
        result = self._finished(row, picture, decoded=row.decoded, layers=True)
        guidance = row.edit.guidance
        height, width = row.source.shape[-2:]
        parameters = {
            "steps": str(len(row.edit.schedule)),
            "scheduler": row.request.scheduler or "",
            "batch_rows": str(row.shape or self.capacity(row)),
            "vae_rows": str(self._codec.rows),
            "codec": "tiny" if self.checkpoint.quick else "",
            "guidance_scale": f"{guidance.text:g}",
            "image_guidance_scale": "" if guidance.image is None else f"{guidance.image:.3g}",
            "native_size": f"{width}x{height}",
        }
        kept = tuple((name, value) for name, value in parameters.items() if value)
        return Finished(image=to_pixels(result), notes=notes, parameters=kept)

    def _finished(
        self, row: Img2ImgRow, picture: Tensor, *, decoded: Sequence[Tensor], layers: bool
    ) -> Tensor:
        edit, *masks = decoded
        return finished(
            picture,
            before=row.recoded,
            after=edit,
            masks={
                name: mask.mean(dim=1, keepdim=True)
                for name, mask in zip(row.masks, masks, strict=layers)
            },
            manifest=self.checkpoint.manifest,
            edits=row.reading.edits if layers else (),
            blend=row.blend,
            seed=row.request.seed,
        )

    def _notes(self, row: Img2ImgRow) -> tuple[Note, ...]:
        """Say back what was not read: a prompt's end, and words that mean nothing here."""
        cut = row.edit is not None and self.checkpoint.cuts(self._prompt(row))
        notes = [Note(code=NoteCode.PROMPT_CUT)] if cut else []
        words, reading = self.checkpoint.manifest.words, row.reading
        if reading.unknown:
            notes.append(Note(code=NoteCode.UNKNOWN_WORDS, words=reading.unknown))
        if words and (reading.unknown or not reading.edits):
            notes.append(Note(code=NoteCode.KNOWN_WORDS, words=plain_words(words)))
        return tuple(notes)


def blend_of(strength: float) -> float:
    """Return the share of the edit in the result, for families that have no strength.

    It rises steeply at first, so that the usual strengths show the edit: 0 at 0, 0.91 at 0.7.
    """
    return 1 - (1 - strength) ** 2


def image_guidance_of(strength: float, *, full: float) -> float:
    """Return the image guidance: the checkpoint's at full strength, half as much again at 0."""
    return full * (1.5 - 0.5 * strength)
