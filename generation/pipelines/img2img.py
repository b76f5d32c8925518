"""Image to image by diffusion, row by row: InstructPix2Pix and Stable Diffusion's img2img.

Brooks, Holynski & Efros, "InstructPix2Pix" (CVPR 2023); Meng et al., "SDEdit" (ICLR 2022);
Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models" (CVPR 2022).

Differs from the papers: a checkpoint may declare that its small result is carried over to the
full-size picture by a guided filter, and that layers of particles are drawn on it.
"""

import copy
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from generation.checkpoints import Checkpoint, Family, load_checkpoint
from generation.imaging import to_pixels, to_tensor
from generation.pipelines.base import EngineConfig, Finished
from generation.pipelines.denoising import Denoising, Guidance, advance_together
from generation.pipelines.img2img_finish import finished, resized
from generation.prompts import Reading, read_prompt
from generation.request import ImageRequest, Note, NoteCode, Pixels
from generation.weights import plain_words

PREVIEW_SIDE = 256
DEFAULT_STEPS = {Family.INSTRUCT: 20, Family.IMG2IMG: 30}
DEFAULT_GUIDANCE = 7.5
DEFAULT_IMAGE_GUIDANCE = 1.5
MAX_STEPS = 150
LEFT_ALONE = Reading(edits=(), words=(), unknown=())


@dataclass(slots=True, kw_only=True)
class Img2ImgRow:
    """One request under way.

    Args:
        source: the picture at the size it is run at, ``(1, 3, h, w)`` in [0, 1].
        edit: the denoising of the picture; None when the input is the answer.
        masks: further denoisings, whose results say where layers may show.
        blend: share of the edit in the result, for families without a strength of their own.
    """

    request: ImageRequest
    bucket: Hashable
    source: Tensor
    recoded: Tensor
    edit: Denoising | None
    masks: dict[str, Denoising]
    reading: Reading
    blend: float

    @property
    def step(self) -> int:
        """Steps done, those of masks included."""
        return sum(denoising.step for denoising in self.denoisings)

    @property
    def total_steps(self) -> int:
        """Steps to do; 0 when the input is the answer."""
        return sum(len(denoising.timesteps) for denoising in self.denoisings)

    @property
    def denoisings(self) -> tuple[Denoising, ...]:
        """All denoisings, in the order they are done."""
        return () if self.edit is None else (self.edit, *self.masks.values())

    @property
    def current(self) -> Denoising:
        """The denoising that the next step belongs to."""
        return next(denoising for denoising in self.denoisings if not denoising.done)


class Img2ImgPipeline:
    """A loaded checkpoint and how its rows are run.

    Args:
        rows_per_call: requests that share a call of the denoiser. One, the default, makes a
            request's bytes independent of its neighbours; more is faster on a large device.
    """

    def __init__(self, checkpoint: Checkpoint, *, rows_per_call: int = 1) -> None:
        self.checkpoint = checkpoint
        self.rows_per_call = rows_per_call

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        """Load a checkpoint from the operator's folder or the starters.

        Raises:
            ModelUnavailableError: the checkpoint is missing, incomplete or not safetensors.
        """
        device = config.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        checkpoint = load_checkpoint(
            model, models_dir=config.models_dir, device=torch.device(device)
        )
        return cls(checkpoint)

    @torch.no_grad()
    def admit(self, request: ImageRequest) -> Img2ImgRow:
        """Fit and encode the picture, read the prompt, draw the noise from the seed."""
        model = self.checkpoint
        source = self._fitted(request.image)
        reading = LEFT_ALONE
        if model.manifest.words:
            words, fillers = model.manifest.words, model.manifest.fillers
            reading = read_prompt(request.prompt, words=words, fillers=fillers)
        latents = model.encode(source)
        row = Img2ImgRow(
            request=request,
            bucket=(model.name, tuple(source.shape[-2:]), str(model.dtype)),
            source=source,
            recoded=model.decode(latents),
            edit=None,
            masks={},
            reading=reading,
            blend=blend_of(request.strength) if model.family is Family.INSTRUCT else 1.0,
        )
        if request.strength > 0 and (reading.edits or not model.manifest.words):
            self._begin(row, latents)
        return row

    def _fitted(self, image: Pixels) -> Tensor:
        """Return the picture at the checkpoint's size, sides a multiple of its levels."""
        picture = to_tensor(image, device=self.checkpoint.device)
        multiple = self.checkpoint.multiple
        scale = self.checkpoint.native_size / max(image.width, image.height)
        height, width = (
            max(1, round(side * scale / multiple)) * multiple
            for side in (image.height, image.width)
        )
        return resized(picture, height=height, width=width)

    def _begin(self, row: Img2ImgRow, latents: Tensor) -> None:
        """Plan the row's denoisings; an img2img strength below one step leaves none."""
        edit = self._denoising(self._prompt(row), latents, request=row.request)
        if not len(edit.timesteps):
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
        scheduler = copy.deepcopy(model.scheduler)
        planned = request.num_inference_steps or model.manifest.num_inference_steps
        steps = min(planned or DEFAULT_STEPS[model.family], MAX_STEPS)
        scheduler.set_timesteps(steps)
        rng = torch.Generator("cpu").manual_seed(request.seed)
        noise = torch.randn(latents.shape, generator=rng, dtype=torch.float32)
        noise = noise.to(model.device, model.dtype)
        denoising = Denoising(
            latents=noise * scheduler.init_noise_sigma,
            source=latents,
            words=self._words(prompt, request=request, guidance=guidance),
            guidance=guidance,
            scheduler=scheduler,
            timesteps=scheduler.timesteps,
            rng=rng,
        )
        if model.family is Family.IMG2IMG:
            denoising.source = None
            self._begin_at(denoising, latents, noise=noise, steps=steps, strength=request.strength)
        return denoising

    def _words(self, prompt: str, *, request: ImageRequest, guidance: Guidance) -> Tensor:
        """Return the embeddings of the guidance's rows, in the order it combines them."""
        words = self.checkpoint.embed(prompt)
        if guidance.rows == 1:
            return words
        without = self.checkpoint.embed(request.negative_prompt)
        return torch.cat([without, words] if guidance.rows == 2 else [words, without, without])

    def _begin_at(
        self, denoising: Denoising, latents: Tensor, *, noise: Tensor, steps: int, strength: float
    ) -> None:
        """Start from the picture under as much noise as the strength says (SDEdit).

        As in diffusers, ``strength`` is the share of the steps that are taken; some schedulers
        plan more timesteps than steps, so that the share is of the latter.
        """
        scheduler, taken = denoising.scheduler, int(steps * strength)
        first = (steps - taken) * scheduler.order if taken else len(denoising.timesteps)
        denoising.timesteps = denoising.timesteps[first:]
        if not taken:
            return
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(first)
        scaled = latents * self.checkpoint.vae.config.scaling_factor
        denoising.latents = scheduler.add_noise(scaled, noise, denoising.timesteps[:1])

    def _guidance(self, request: ImageRequest) -> Guidance:
        manifest = self.checkpoint.manifest
        text = request.guidance_scale
        if text is None:
            text = manifest.guidance_scale or DEFAULT_GUIDANCE
        if self.checkpoint.family is Family.IMG2IMG:
            return Guidance(text=text)
        full = manifest.image_guidance_scale or DEFAULT_IMAGE_GUIDANCE
        return Guidance(text=text, image=image_guidance_of(request.strength, full=full))

    @torch.no_grad()
    def advance(self, rows: Sequence[Img2ImgRow]) -> None:
        """Take one step with every row."""
        for start in range(0, len(rows), self.rows_per_call):
            together = rows[start : start + self.rows_per_call]
            advance_together(self.checkpoint.unet, [row.current for row in together])

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
        return to_pixels(self._finished(row, small, latents=row.edit.clean, layers=False))

    @torch.no_grad()
    def retire(self, row: Img2ImgRow) -> Finished:
        """Decode the row's picture and finish it at the size of the request's picture."""
        notes = self._notes(row)
        if row.edit is None:
            return Finished(image=row.request.image, notes=notes)
        picture = to_tensor(row.request.image, device=self.checkpoint.device)
        result = self._finished(row, picture, latents=row.edit.latents, layers=True)
        guidance = row.edit.guidance
        height, width = row.source.shape[-2:]
        parameters = {
            "steps": str(len(row.edit.timesteps)),
            "guidance_scale": f"{guidance.text:g}",
            "image_guidance_scale": "" if guidance.image is None else f"{guidance.image:.3g}",
            "native_size": f"{width}x{height}",
        }
        kept = tuple((name, value) for name, value in parameters.items() if value)
        return Finished(image=to_pixels(result), notes=notes, parameters=kept)

    def _finished(
        self, row: Img2ImgRow, picture: Tensor, *, latents: Tensor, layers: bool
    ) -> Tensor:
        model = self.checkpoint
        scale = model.vae.config.scaling_factor
        masks = {
            name: model.decode(mask.latents / scale).mean(dim=1, keepdim=True)
            for name, mask in row.masks.items()
            if layers
        }
        return finished(
            picture,
            before=row.recoded,
            after=model.decode(latents / scale),
            masks=masks,
            manifest=model.manifest,
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
