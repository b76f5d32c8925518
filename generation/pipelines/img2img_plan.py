"""What a request asks of a checkpoint: its guidance, its steps, and what they begin with."""

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence

import torch
from torch import Tensor

from generation.checkpoints import Checkpoint
from generation.loras import Lora
from generation.pipelines.autoencoding import Encoded, Encoder, View
from generation.pipelines.denoising import Denoising, Guidance, Keeping
from generation.pipelines.masking import EVERYWHERE, fresh_latents
from generation.pipelines.prompting import Prompts
from generation.pipelines.samplers import Schedule, first_step, plan, scheduler_like
from generation.request import Canvas, ImageRequest, Note, NoteCode

KEPT_SCHEDULES = 256


class Planner:
    """Plans denoisings with a checkpoint, and keeps the schedules that it has planned.

    Args:
        prompts: reads what the denoiser is told.
        encoder: has the pictures that it is shown.
    """

    def __init__(self, checkpoint: Checkpoint, *, prompts: Prompts, encoder: Encoder) -> None:
        self._checkpoint = checkpoint
        self._prompts = prompts
        self._encoder = encoder
        self._schedules: OrderedDict[Hashable, Schedule] = OrderedDict()

    def views(self, request: ImageRequest) -> tuple[View, ...]:
        """Return what the codec encodes of a request; nothing of an empty canvas.

        What fills holes sees the picture with its hole besides.
        """
        views = () if isinstance(request.image, Canvas) else (View(image=request.image),)
        if not self._checkpoint.family.fills:
            return views
        return (*views, View(image=request.image, mask=request.mask or EVERYWHERE))

    def encoded(self, request: ImageRequest) -> Encoded:
        """Return the request's picture, or its canvas, as the checkpoint sees it."""
        if isinstance(request.image, Canvas):
            return self._encoder.blank(request.image)
        (found,) = self._encoder.encode([View(image=request.image)])
        return found

    def guidance(self, request: ImageRequest) -> Guidance:
        """Return how strictly the words are followed, and the picture where it is a condition."""
        family, manifest = self._checkpoint.family, self._checkpoint.manifest
        wished = (request.guidance_scale, manifest.guidance_scale, family.guidance, 1.0)
        text = next(scale for scale in wished if scale is not None)
        full = manifest.image_guidance_scale or family.image_guidance
        if not family.edits or full is None:
            model = self._checkpoint
            return Guidance(text=text, inside=model.guided_inside, held=model.HELD)
        return Guidance(text=text, image=image_guidance_of(request.strength, full=full))

    def schedule(self, request: ImageRequest, *, size: Sequence[int]) -> Schedule:
        """Return the request's steps; in img2img they start from the picture (SDEdit).

        Under a mask at full strength nothing of the picture is to show, as in diffusers.

        Args:
            request: of which every size has steps of its own, where a schedule is shifted by it.
            size: height and width of the latents.
        """
        model = self._checkpoint
        bare = model.family.edits or isinstance(request.image, Canvas)
        steps = model.family.planned_steps(
            self._wished(request), strength=1.0 if bare else request.strength
        )
        masked = request.mask is not None or model.family.fills
        strength = None if bare or (masked and request.strength == 1) else request.strength
        keeps = request.mask is not None and not (model.family.edits or model.family.fills)
        spacing = model.spacing(steps=steps, size=size)
        key = (request.scheduler, steps, strength, keeps, *spacing.items())
        if key not in self._schedules:
            scheduler = scheduler_like(model.scheduler, request.scheduler)
            first: int | None = 0
            if strength is not None:
                first = first_step(scheduler, steps=steps, strength=strength)
            if first is None:
                first = steps * int(scheduler.order) + steps
            self._schedules[key] = plan(
                scheduler,
                steps=steps,
                first=first,
                mixed=strength is not None,
                keeps=keeps,
                spacing=spacing,
            )
        self._schedules.move_to_end(key)
        while len(self._schedules) > KEPT_SCHEDULES:
            self._schedules.popitem(last=False)
        return self._schedules[key]

    def notes(self, request: ImageRequest) -> tuple[Note, ...]:
        """Tell the member of words that were not read, and of steps that were not wished.

        Where guidance takes one row, as with distilled checkpoints, no negative prompt is read.
        """
        unread = bool(request.negative_prompt) and self.guidance(request).rows == 1
        notes = (Note(code=NoteCode.NEGATIVE_UNREAD),) if unread else ()
        if isinstance(request.image, Canvas):
            return notes
        steps = self._wished(request)
        return (*notes, *self._checkpoint.family.notes(steps, strength=request.strength))

    def _wished(self, request: ImageRequest) -> int:
        """Return the steps that are wished, by the request, the checkpoint or its family."""
        model = self._checkpoint
        wished = request.num_inference_steps or model.manifest.num_inference_steps
        return wished or model.family.steps or 1

    def denoising(
        self,
        prompt: str,
        encoded: Encoded,
        *,
        request: ImageRequest,
        loras: tuple[Lora, ...],
        conditions: Mapping[str, Tensor],
    ) -> Denoising:
        """Return a denoising of the picture by a prompt, its noise drawn from the seed.

        Besides the words the denoiser is told the ``conditions``, by their names.
        """
        model, guidance, latents = self._checkpoint, self.guidance(request), encoded.latents
        schedule = self.schedule(request, size=latents.shape[-2:])
        rng = torch.Generator("cpu").manual_seed(request.seed)
        noise = torch.randn(latents.shape, generator=rng, dtype=torch.float32).to(model.device)
        begun = schedule.noise * noise
        if schedule.signal:
            begun = schedule.signal * model.scaled(latents) + begun
        told = self._prompts.told(
            prompt,
            negative=request.negative_prompt,
            loras=loras,
            guidance=guidance,
            encoded=encoded,
            image=request.image,
        )
        return Denoising(
            latents=begun,
            source=self._condition(encoded, request=request),
            words=told.words,
            conditions={**told.conditions, **conditions},
            guidance=guidance,
            schedule=schedule,
            rng=rng,
            keeping=self._keeping(encoded, noise, request=request),
        )

    def _condition(self, encoded: Encoded, *, request: ImageRequest) -> Tensor | None:
        """Return what the denoiser sees beside the noise: the picture, or the hole and the rest."""
        model = self._checkpoint
        if model.family.edits:
            return model.shown(encoded.latents)
        if not model.family.fills:
            return None
        (around,) = self._encoder.encode(self.views(request)[-1:])
        mask = request.mask or EVERYWHERE
        fresh = fresh_latents(mask, source=encoded.source, factor=model.vae_factor)
        scaled = model.scaled(around.latents)
        return torch.cat([fresh.to(scaled), scaled], dim=1)

    def _keeping(self, encoded: Encoded, noise: Tensor, *, request: ImageRequest) -> Keeping | None:
        model = self._checkpoint
        if request.mask is None or model.family.edits or model.family.fills:
            return None
        fresh = fresh_latents(request.mask, source=encoded.source, factor=model.vae_factor)
        return Keeping(latents=model.scaled(encoded.latents), noise=noise, fresh=fresh)


def image_guidance_of(strength: float, *, full: float) -> float:
    """Return the image guidance: the checkpoint's at full strength, half as much again at 0."""
    return full * (1.5 - 0.5 * strength)
