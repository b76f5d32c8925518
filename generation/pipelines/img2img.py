"""Pictures by diffusion, row by row: InstructPix2Pix, Stable Diffusion's img2img, and FLUX.

Under a mask a part of a picture is made anew, on an empty canvas all of it, from words alone.

Brooks, Holynski & Efros, "InstructPix2Pix" (CVPR 2023); Meng et al., "SDEdit" (ICLR 2022);
Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models" (CVPR 2022).

Differs from the papers: a checkpoint may declare that its small result is carried over to the
full-size picture by a guided filter, and that layers of particles are drawn on it.
"""

import logging
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Self

import torch
from torch import Tensor

from generation.checkpoints import Checkpoint
from generation.devices import move, torch_device, weight_bytes
from generation.errors import InvalidRequestError
from generation.imaging import to_pixels, to_tensor
from generation.loading import FromCheckpoint, load_checkpoint
from generation.loras import current, split_loras
from generation.pipelines.adapters import Adapters
from generation.pipelines.autoencoding import Codec, Encoded, Encoder
from generation.pipelines.base import EngineConfig, Finished
from generation.pipelines.conditioning import Conditioning
from generation.pipelines.denoising import Call
from generation.pipelines.img2img_finish import finished, resized
from generation.pipelines.img2img_plan import Planner
from generation.pipelines.img2img_profile import recalled
from generation.pipelines.img2img_row import Img2ImgRow
from generation.pipelines.masking import kept_outside
from generation.pipelines.profile import (
    EXACT_SHARE,
    SHAPES,
    THROUGHPUT_SHARE,
    Profiles,
    largest_that_pays,
)
from generation.pipelines.prompting import Prompts
from generation.pipelines.recording import recorder_for
from generation.prompts import Reading, read_prompt, unweighted, words_like
from generation.request import Canvas, ImageRequest, Note, NoteCode, Pixels
from generation.weights import paints_anew

__all__ = ["Img2ImgPipeline", "Img2ImgRow", "blend_of"]

logger = logging.getLogger(__name__)

PREVIEW_SIDE = 256
KEPT_CALLS = 32
"""Calls that lie ready; members choose sizes and weights of LoRA, so there is no end of them."""
LEFT_ALONE = Reading(edits=(), words=(), unknown=())


class Img2ImgPipeline(FromCheckpoint):
    """A loaded checkpoint and how its rows are run.

    Args:
        config: how its calls are padded, and how much is kept.
    """

    def __init__(self, checkpoint: Checkpoint, *, config: EngineConfig) -> None:
        self.checkpoint = checkpoint
        self.exact = config.exact
        self._plan = checkpoint.seats.plan
        self.batch_rows = config.batch_rows and self._narrowed(config.batch_rows)
        self._models_dir = config.models_dir
        self._codec = Codec(checkpoint, exact=config.exact, rows=self._spared(config.vae_rows or 1))
        self._encoder = Encoder(checkpoint, self._codec, max_bytes=config.kept_bytes)
        self._calls: OrderedDict[Hashable, Call] = OrderedDict()
        self._adapters = Adapters(
            checkpoint, models_dir=config.models_dir, forgetting=self._calls.clear
        )
        self._conditioning = Conditioning(
            checkpoint,
            models_dir=config.models_dir,
            max_bytes=config.kept_bytes // 4,
            forgetting=self._calls.clear,
        )
        self._prompts = Prompts(
            checkpoint, adapters=self._adapters, max_bytes=config.kept_bytes // 4
        )
        self._planner = Planner(checkpoint, prompts=self._prompts, encoder=self._encoder)
        moving = self._plan is not None and self._plan.turns
        self._record = None if moving else recorder_for(checkpoint.device)
        self._apart: dict[Hashable, bool] = {}
        self._weighed: tuple[Hashable, int] | None = None

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        """Load a checkpoint from the operator's folder or the starters.

        Raises:
            ModelUnavailableError: the checkpoint is missing, incomplete or not safetensors.
        """
        device = torch_device(config.device)
        checkpoint = load_checkpoint(
            model,
            models_dir=config.models_dir,
            device=device,
            dtype=config.dtype,
            plan=cls.plan(model=model, config=config),
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
            self.batch_rows = self._narrowed(largest_that_pays(times["denoiser"], share=share))
        if config.vae_rows is None:
            self._codec.rows = self._spared(largest_that_pays(times["codec"], share=share))

    def _narrowed(self, rows: int) -> int:
        """Return how many rows a call may hold of those that are wished."""
        return rows if self._plan is None else min(rows, self._plan.look.rows)

    def _spared(self, pictures: int) -> int:
        """Return how many pictures a call of the codec may hold of those that are wished."""
        return pictures if self._plan is None else min(pictures, self._plan.look.pictures)

    @property
    def weight_bytes(self) -> int:
        """Bytes of the networks that are on the device at rest, counted when there are others."""
        loaded = (self._adapters.loaded, self._conditioning.loaded)
        if self._weighed is None or self._weighed[0] != loaded:
            beside = weight_bytes(self._conditioning.modules)
            self._weighed = (loaded, self.checkpoint.seats.weight_bytes + beside)
        return self._weighed[1]

    def put_away(self) -> None:
        """Move the networks to the host's memory; calls that lie ready hold their old places."""
        self._calls.clear()
        self._encoder.clear()
        self._prompts.clear()
        self._conditioning.clear()
        self.checkpoint.seats.put_away()
        move(self._conditioning.modules, "cpu")

    def bring(self) -> None:
        """Move the networks back to the device, as far as they stay there."""
        self.checkpoint.seats.bring()
        move(self._conditioning.modules, self.checkpoint.device)

    def lighten(self, rows: Sequence[Img2ImgRow]) -> None:
        """Let go of LoRA, ControlNets and IP-Adapters that none of these rows uses."""
        self._adapters.keep({lora.file for row in rows for lora in row.loras})
        self._conditioning.keep([row.beside for row in rows])

    @property
    def together(self) -> int:
        """Pictures that one call of the codec holds."""
        return self._codec.rows

    def fetch(self, request: ImageRequest) -> None:
        """Load the ControlNet and the IP-Adapter that a request asks for.

        Raises:
            InvalidRequestError: one is not there, or does not fit.
        """
        self._conditioning.fetch(self._conditioning.asked(request))

    @torch.inference_mode()
    def prepare(self, requests: Sequence[ImageRequest]) -> None:
        """Encode the requests' pictures together; ``admit`` finds them encoded."""
        views = [view for request in requests for view in self._planner.views(request)]
        self._encoder.encode(views)

    @torch.inference_mode()
    def admit(self, request: ImageRequest) -> Img2ImgRow:
        """Fit and encode the picture, read the prompt, draw the noise from the seed.

        Raises:
            InvalidRequestError: there is no picture, but the checkpoint needs one; a LoRA, control
                or likeness is asked for, and what it needs is not there or does not fit; words are
                weighed where the family's may not be; or the checkpoint runs with no scheduler of
                that name.
        """
        model = self.checkpoint
        text, asked = split_loras(request.prompt)
        loras = current(asked, models_dir=self._models_dir)
        bare = isinstance(request.image, Canvas)
        if bare and not paints_anew(model.family, model.manifest):
            raise InvalidRequestError(f"{model.name} changes pictures; it needs one to start from")
        encoded = self._planner.encoded(request)
        reading = LEFT_ALONE
        if model.manifest.words:
            words, fillers = model.manifest.words, model.manifest.fillers
            reading = read_prompt(text, words=words, fillers=fillers)
        width = self._planner.guidance(request).rows
        row = Img2ImgRow(
            request=request,
            model=(model.name, str(model.dtype)),
            text=text,
            loras=loras,
            beside=self._conditioning.asked(request),
            width=width,
            shape=width if self.exact else None,
            source=encoded.source,
            recoded=encoded.recoded,
            edit=None,
            masks={},
            reading=reading,
            blend=blend_of(request.strength) if model.family.edits else 1.0,
        )
        known = reading.edits or not model.manifest.words
        if bare or (request.strength > 0 and known):
            self._begin(row, encoded)
        if self.exact and row.edit is not None:
            row.shape = self._exact_shape(row)
        return row

    def _begin(self, row: Img2ImgRow, encoded: Encoded) -> None:
        """Plan the row's denoisings; an img2img strength below one step leaves none."""
        request = row.request
        denoising = partial(
            self._planner.denoising,
            encoded=encoded,
            request=request,
            loras=row.loras,
            conditions=self._conditioning.conditions(
                row.beside,
                request=request,
                source=row.source,
                guidance=self._planner.guidance(request),
            ),
        )
        edit = denoising(self._prompt(row))
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
            row.masks[mask] = denoising(manifest.masks[mask])

    def _prompt(self, row: Img2ImgRow) -> str:
        """Return what the text encoder reads: of a declared vocabulary only the known words.

        Unknown words mean nothing to such a checkpoint, and would use up its few tokens.
        """
        known = self.checkpoint.manifest.words
        return " ".join(row.reading.words) if known else row.text

    def _exact_shape(self, row: Img2ImgRow) -> int:
        """Return the one shape of the row's bucket.

        It is the shape that an earlier attempt at the picture was made with, if one is told.
        Requests share calls only where it was measured that a row's bits depend neither on its
        place nor on its neighbours; else a call holds one request.
        """
        wanted = max(row.request.batch_rows or self.batch_rows or row.width, row.width)
        if wanted == row.width:
            return wanted
        # What a LoRA weighs is a factor, which leaves the kernels as they are.
        files = tuple(lora.file for lora in row.loras)
        key = (files, row.beside, row.size, wanted)
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
        return row.shape or max(self._narrowed(self.batch_rows or SHAPES[-1]), row.width)

    def shrink(self, row: Img2ImgRow) -> bool:
        """Pad the row's calls to its own rows alone; its bytes may change by one level.

        What the result was made with is told by its parameter ``batch_rows``.
        """
        if (row.shape or row.width) <= row.width:
            return False
        row.shape = row.width
        return True

    @torch.inference_mode()
    def advance(self, rows: Sequence[Img2ImgRow]) -> None:
        """Take one step with every row."""
        waiting = list(rows)
        while waiting:
            room, together = self.capacity(waiting[0]), list[Img2ImgRow]()
            while waiting and waiting[0].width <= room:
                room -= waiting[0].width
                together.append(waiting.pop(0))
            call = self._call(together[0], self.padded(together))
            # A call that is played from a recording asks for no seat itself.
            self.checkpoint.seats.enter(self.checkpoint.denoiser)
            call.step([row.current for row in together])

    def padded(self, rows: Sequence[Img2ImgRow]) -> int:
        """Return what a call of these rows is padded to."""
        if rows[0].shape is not None:
            return rows[0].shape
        taken = sum(row.width for row in rows)
        return next((shape for shape in SHAPES if shape >= taken), taken)

    def _call(self, row: Img2ImgRow, shape: int) -> Call:
        """Return the call of the row's bucket at a shape, what goes with its denoiser in use."""
        self._adapters.use(row.loras)
        denoiser = self._conditioning.denoiser(row.beside)
        key = (row.loras, row.beside, row.size, shape)
        if key not in self._calls:
            model = self.checkpoint
            self._calls[key] = Call(
                denoiser,
                like=row.denoisings[0],
                shape=shape,
                dtype=model.dtype,
                record=self._record,
            )
        self._calls.move_to_end(key)
        while len(self._calls) > KEPT_CALLS:
            self._calls.popitem(last=False)
        return self._calls[key]

    @torch.inference_mode()
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

    @torch.inference_mode()
    def decode(self, rows: Sequence[Img2ImgRow]) -> None:
        """Decode the results of rows together; ``retire`` finds them decoded."""
        pictures = iter(self._codec.decode([it.latents for row in rows for it in row.denoisings]))
        for row in rows:
            row.decoded = tuple(islice(pictures, len(row.denoisings)))

    @torch.inference_mode()
    def retire(self, row: Img2ImgRow) -> Finished:
        """Decode the row's picture and finish it at the size of the request's picture."""
        notes = self._notes(row)
        if row.edit is None:
            return Finished(image=row.request.picture, notes=notes)
        if not row.decoded:
            self.decode([row])
        result = self._finished(row, self._untouched(row), decoded=row.decoded, layers=True)
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
            **row.beside.told(row.request),
            **dict(self.checkpoint.seats.told),
        }
        kept = tuple((name, value) for name, value in parameters.items() if value)
        return Finished(image=to_pixels(result), notes=notes, parameters=kept)

    def _untouched(self, row: Img2ImgRow) -> Tensor:
        """Return the request's picture, ``(1, 3, H, W)``; of an empty canvas, black."""
        image, device = row.request.image, self.checkpoint.device
        if isinstance(image, Canvas):
            return torch.zeros(1, 3, image.height, image.width, device=device)
        return to_tensor(image, device=device)

    def _finished(
        self, row: Img2ImgRow, picture: Tensor, *, decoded: Sequence[Tensor], layers: bool
    ) -> Tensor:
        edit, *masks = decoded
        made = finished(
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
        mask = row.request.mask
        return made if mask is None else kept_outside(picture, made, mask=mask)

    def _notes(self, row: Img2ImgRow) -> tuple[Note, ...]:
        """Say back what was not read: a prompt's end, and words that mean nothing here."""
        cut = row.edit is not None and self.checkpoint.cuts(unweighted(self._prompt(row)))
        notes = [Note(code=NoteCode.PROMPT_CUT)] if cut else []
        if row.edit is not None:
            notes += self._planner.notes(row.request)
        words, reading = self.checkpoint.manifest.words, row.reading
        if reading.unknown:
            notes.append(Note(code=NoteCode.UNKNOWN_WORDS, words=reading.unknown))
        if words and (reading.unknown or not reading.edits):
            notes.append(
                Note(code=NoteCode.KNOWN_WORDS, words=words_like(row.request.prompt, words=words))
            )
        return tuple(notes)


def blend_of(strength: float) -> float:
    """Return the share of the edit in the result, for families that have no strength.

    It rises steeply at first, so that the usual strengths show the edit: 0 at 0, 0.91 at 0.7.
    """
    return 1 - (1 - strength) ** 2
