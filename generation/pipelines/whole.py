"""Image to image with a pipeline of diffusers as it is, for checkpoints that are not run by rows.

Stable Diffusion 3, FLUX, Kandinsky and whatever else starts from a picture: the library's own
code runs, one request at a time, and is paused wherever it calls back at the end of a step. So its
steps are steps of the engine's loop, between which others take theirs.

Differs from the library: a strength too small for a single step returns the picture.
"""

import copy
import inspect
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, Self

import torch
from diffusers import AutoPipelineForImage2Image, DiffusionPipeline, SchedulerMixin
from diffusers.utils import logging as diffusers_logging
from torch import Tensor
from torch.nn import functional

from generation.devices import DTYPES, torch_device, torch_dtype
from generation.errors import InvalidRequestError, ModelUnavailableError
from generation.families import OTHER, Family
from generation.holding import Seats, held, networks
from generation.imaging import to_pil, to_pixels, to_tensor
from generation.loading import FromCheckpoint, load_folder
from generation.loras import split_loras
from generation.pipelines.base import EngineConfig, Finished, OneByOne
from generation.pipelines.img2img import blend_of
from generation.pipelines.img2img_finish import resized
from generation.pipelines.masking import kept_outside
from generation.pipelines.pausing import Pausing
from generation.prompts import fragments_of, unweighted
from generation.recognition import family_of
from generation.request import ImageRequest, Note, NoteCode, Pixels
from generation.weights import Manifest, checkpoint_folder, read_manifest

PREVIEW_SIDE = 256
CLIP_TOKENS = 77
NEEDED = frozenset({"prompt", "image", "generator", "callback_on_step_end", "output_type"})

_serials = count()


@dataclass(slots=True, kw_only=True)
class State:
    """What a call of the library's pipeline has said of itself so far.

    Args:
        latents: as they were after the last step, in the library's own layout.
    """

    total_steps: int = 0
    step: int = 0
    latents: Tensor | None = None


@dataclass(slots=True, kw_only=True)
class WholeRow:
    """One request under way.

    Args:
        begin: starts the library's call anew, up to its first step.
        source: the picture at the size it is run at, ``(1, 3, h, w)`` in [0, 1].
        total_steps: 0 when the input is the answer.
        under_way: the library's call; None before the first, and after one that failed.
    """

    request: ImageRequest
    source: Tensor
    begin: Callable[[], tuple[State, Pausing[Tensor]]]
    total_steps: int = 0
    step: int = 0
    width: int = 1
    under_way: tuple[State, Pausing[Tensor]] | None = None
    bucket: Hashable = field(default_factory=lambda: next(_serials))


class WholePipeline(FromCheckpoint, OneByOne):
    """A pipeline of diffusers; requests share its modules and nothing else.

    Args:
        pipe: an instance of one of diffusers' pipelines that start from a picture.
    """

    def __init__(
        self,
        pipe: Any,  # noqa: ANN401 - diffusers' own
        *,
        name: str,
        manifest: Manifest,
        seats: Seats,
        family: Family = OTHER,
    ) -> None:
        self.pipe = pipe
        self.family = family
        self._seats = seats
        self._name = name
        self._manifest = manifest
        self._accepted = inspect.signature(pipe.__call__).parameters

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        """Load a checkpoint of any class that starts from a picture, or has a sibling that does.

        Raises:
            ModelUnavailableError: the checkpoint is missing, damaged, not safetensors, or starts
                from no picture.
        """
        folder = checkpoint_folder(model, models_dir=config.models_dir)
        device = torch_device(config.device)
        family = family_of(folder)
        dtype = torch_dtype(config.dtype, device=device, half=DTYPES[family.half])
        plan = cls.plan(model=model, config=config)
        loaded = load_folder(folder, models_dir=config.models_dir, dtype=dtype)
        pipe = loaded if _starts_from_pictures(loaded) else _sibling(loaded, name=model)
        seats = held(networks(pipe.components), plan=plan, device=device)
        manifest = read_manifest(folder)
        return cls(pipe, name=model, manifest=manifest, seats=seats, family=family)

    @property
    def weight_bytes(self) -> int:
        """Bytes of the checkpoint's networks that stay on the device."""
        return self._seats.weight_bytes

    def put_away(self) -> None:
        """Move the networks to the host's memory."""
        self._seats.put_away()

    def bring(self) -> None:
        """Move the networks back to the device."""
        self._seats.bring()

    def admit(self, request: ImageRequest) -> WholeRow:
        """Fit the picture, and begin: the library reads the prompt and encodes the picture.

        Raises:
            InvalidRequestError: the request names a scheduler or a LoRA, weighs words, asks for a
                control or a likeness, or has no picture.
        """
        text, loras = split_loras(request.prompt)
        if loras:
            raise InvalidRequestError(f"{self._name} runs without LoRA")
        if any(fragment.weight != 1 for fragment in fragments_of(text)):
            raise InvalidRequestError(f"{self._name} reads prompts without weights")
        if request.control or request.like:
            raise InvalidRequestError(f"{self._name} follows no control and no likeness")
        if request.scheduler is not None:
            raise InvalidRequestError(f"{self._name} runs with its own scheduler only")
        source = self._fitted(request.picture)
        row = WholeRow(
            request=request,
            source=source,
            begin=partial(_begun, self.pipe, self._arguments(request, source), request.seed),
        )
        if self._takes_steps(request):
            with _under_way(row) as (state, _):
                row.total_steps = max(1, state.total_steps)
        return row

    def _fitted(self, image: Pixels) -> Tensor:
        """Return the picture at the checkpoint's size, sides a multiple of two latents."""
        factor = int(getattr(self.pipe, "vae_scale_factor", 32))
        latents = getattr(self.pipe, "default_sample_size", None)
        native = latents * factor if latents else self._default("height") or self.family.side
        side = self._manifest.native_size or native
        width, height = self.family.fitted(
            image.width, image.height, side=side, multiple=2 * factor
        )
        return resized(to_tensor(image), height=height, width=width)

    def _default(self, name: str) -> Any:  # noqa: ANN401 - of the library's choosing
        """Return what the library's pipeline takes for an argument that is left out, or None."""
        found = self._accepted.get(name)
        return None if found is None or found.default is inspect.Parameter.empty else found.default

    def _wished(self, request: ImageRequest) -> int | None:
        """Return the steps that are wished; None leaves them to the library."""
        wished = request.num_inference_steps or self._manifest.num_inference_steps
        return wished or self.family.steps or self._default("num_inference_steps")

    def _steps(self, request: ImageRequest) -> int | None:
        wished = self._wished(request)
        if wished is None:
            return None
        return self.family.planned_steps(wished, strength=request.strength)

    def _takes_steps(self, request: ImageRequest) -> bool:
        if request.strength <= 0 or "strength" not in self._accepted:
            return request.strength > 0
        steps = self._steps(request)
        return steps is None or int(steps * request.strength) >= 1

    def _arguments(self, request: ImageRequest, source: Tensor) -> Mapping[str, object]:
        """Return what the library's pipeline is called with: of all we have, what it takes."""
        wished = (request.guidance_scale, self._manifest.guidance_scale, self.family.guidance)
        height, width = source.shape[-2:]
        said = {
            "num_inference_steps": self._steps(request),
            self.family.guidance_name: next((it for it in wished if it is not None), None),
            "negative_prompt": request.negative_prompt or self.family.negative_prompt,
            "max_sequence_length": None if self.family is OTHER else self.family.tokens,
        }
        given = {
            "prompt": unweighted(split_loras(request.prompt)[0]),
            "image": to_pil(source),
            "strength": request.strength,
            "height": height,
            "width": width,
            "output_type": "pt",
            # FLUX.1 Kontext would choose a size of its own.
            "max_area": height * width,
            "_auto_resize": False,
        } | {name: value for name, value in said.items() if value is not None}
        return {name: value for name, value in given.items() if name in self._accepted}

    def advance(self, rows: Sequence[WholeRow]) -> None:
        """Take one step with every row."""
        for row in rows:
            with _under_way(row) as (state, call):
                while state.step <= row.step and not call.ended:
                    call.go_on()
                row.step = row.total_steps if call.ended else row.step + 1

    @torch.no_grad()
    def preview(self, row: WholeRow) -> Pixels | None:
        """Return the latents as they are, decoded small; None for layouts that are not known.

        What they are packed, scaled and shifted by, the library's classes say.
        """
        vae = getattr(self.pipe, "vae", None)
        if row.under_way is None or row.under_way[0].latents is None or vae is None:
            return None
        height, width = row.source.shape[-2:]
        latents = self._planes(row.under_way[0].latents, height=height, width=width)
        # Of films only those of one picture are known.
        still = latents.ndim == 4 or (latents.ndim == 5 and latents.shape[2] == 1)
        if not still or not {"scaling_factor", "latents_mean"} & vae.config.keys():
            return None
        image, scale = row.request.picture, PREVIEW_SIDE / max(height, width)
        sides = [max(1, round(side * min(1.0, scale))) for side in latents.shape[-2:]]
        small = functional.interpolate(latents.flatten(1, -3), size=sides, mode="area")
        small = _unscaled(small.reshape(*latents.shape[:-2], *sides), vae=vae)
        shown = vae.decode(small.to(vae.dtype)).sample.float() / 2 + 0.5
        scale = min(1.0, PREVIEW_SIDE / max(image.width, image.height))
        height, width = (max(1, round(side * scale)) for side in (image.height, image.width))
        plane = shown.reshape(1, 3, *shown.shape[-2:]).clamp(0, 1)
        return to_pixels(resized(plane, height=height, width=width))

    def _planes(self, latents: Tensor, *, height: int, width: int) -> Tensor:
        """Return latents as planes, where the library packs them into tokens."""
        if latents.ndim != 3 or not hasattr(self.pipe, "_unpack_latents"):
            return latents
        factor = int(self.pipe.vae_scale_factor)
        planes: Tensor = self.pipe._unpack_latents(latents, height, width, factor)
        return planes

    @torch.no_grad()
    def retire(self, row: WholeRow) -> Finished:
        """Let the library decode its latents, and return the picture at its request's size."""
        request = row.request
        if not row.total_steps:
            return Finished(image=request.picture)
        with _under_way(row) as (_, call):
            small = call.answer().float().cpu()
        result = resized(small, height=request.picture.height, width=request.picture.width)
        if "strength" not in self._accepted:
            result = torch.lerp(to_tensor(request.picture), result, blend_of(request.strength))
        if request.mask is not None:
            result = kept_outside(to_tensor(request.picture), result, mask=request.mask)
        height, width = row.source.shape[-2:]
        parameters = (
            ("steps", str(row.total_steps)),
            ("scheduler", type(self.pipe.scheduler).__name__),
            ("native_size", f"{width}x{height}"),
            *self._seats.told,
        )
        return Finished(image=to_pixels(result), notes=self._notes(request), parameters=parameters)

    def _notes(self, request: ImageRequest) -> tuple[Note, ...]:
        """Say that the prompt's end was not read, and that more steps were planned."""
        cut = (Note(code=NoteCode.PROMPT_CUT),) if self._cuts(request.prompt) else ()
        wished = self._wished(request)
        if wished is None or "strength" not in self._accepted:
            return cut
        return cut + self.family.notes(wished, strength=request.strength)

    def _cuts(self, prompt: str) -> bool:
        """Return whether a prompt is longer than the longest-reading text encoder reads."""
        tokenizer, most = getattr(self.pipe, self.family.tokenizer, None), self.family.tokens
        if tokenizer is None:
            # Of Stable Diffusion 3 the third encoder, the one that reads more, may be left out.
            tokenizer, most = getattr(self.pipe, "tokenizer", None), CLIP_TOKENS
        if tokenizer is None:
            return False
        return len(tokenizer(prompt, truncation=True, max_length=most + 1).input_ids) > most


def _unscaled(latents: Tensor, *, vae: Any) -> Tensor:  # noqa: ANN401 - diffusers' own
    """Return latents as a codec's decoder wants them, by what its configuration says.

    Shape:
        - latents: ``(1, C, ...)``; returns likewise.
    """
    told = vae.config
    latents = latents / (told.get("scaling_factor") or 1.0)
    if told.get("latents_mean") is None:
        return latents + (told.get("shift_factor") or 0.0)
    mean, std = (
        torch.tensor(told[name], device=latents.device).view(-1, *[1] * (latents.ndim - 2))
        for name in ("latents_mean", "latents_std")
    )
    return latents * std + mean


@contextmanager
def _under_way(row: WholeRow) -> Iterator[tuple[State, Pausing[Tensor]]]:
    """Hand out a row's call; one that fails is begun anew the next time, from the same seed."""
    if row.under_way is None:
        row.under_way = row.begin()
    try:
        yield row.under_way
    except Exception:
        row.under_way = None
        raise


def _starts_from_pictures(pipe: Any) -> bool:  # noqa: ANN401 - diffusers' own
    return inspect.signature(pipe.__call__).parameters.keys() >= NEEDED


def _sibling(pipe: Any, *, name: str) -> Any:  # noqa: ANN401 - diffusers' own
    """Return the pipeline of the same parts that starts from a picture."""
    try:
        found = AutoPipelineForImage2Image.from_pipe(pipe)
    except ValueError as err:
        kind = type(pipe).__name__
        raise ModelUnavailableError(f"{name}: a {kind} starts from no picture") from err
    if not _starts_from_pictures(found):
        raise ModelUnavailableError(f"{name}: a {type(found).__name__} cannot be run in steps")
    return found


def _own(pipe: Any) -> Any:  # noqa: ANN401 - diffusers' own
    """Return a pipeline that shares another's modules, but not what a call changes in it."""
    own = copy.copy(pipe)
    for name, part in list(vars(pipe).items()):
        if isinstance(part, SchedulerMixin):
            setattr(own, name, copy.deepcopy(part))
        elif isinstance(part, DiffusionPipeline):
            setattr(own, name, _own(part))
    own.set_progress_bar_config(disable=True)
    return own


def _begun(
    pipe: Any,  # noqa: ANN401 - diffusers' own
    arguments: Mapping[str, object],
    seed: int,
) -> tuple[State, Pausing[Tensor]]:
    """Call a pipeline of diffusers; return when it is about to take its first step."""
    state = State()
    call = Pausing(partial(_called, pipe, arguments, seed, state))
    call.go_on()
    return state, call


def _called(
    pipe: Any,  # noqa: ANN401 - diffusers' own
    arguments: Mapping[str, object],
    seed: int,
    state: State,
    pause: Callable[[], None],
) -> Tensor:
    """Call a pipeline of diffusers, which pauses before its first step and after each one."""

    def before_the_first(steps: Sized = (), total: int | None = None) -> object:
        state.total_steps = len(steps) if total is None else total
        pause()
        return diffusers_logging.tqdm(steps, total=total)

    def after_each(
        _pipe: object, _index: int, _time: object, told: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        state.step += 1
        state.latents = told.get("latents")
        pause()
        return {}

    own = _own(pipe)
    # Of a pipeline made of two, the last makes the picture.
    getattr(own, "decoder_pipe", own).progress_bar = before_the_first
    rng = torch.Generator("cpu").manual_seed(seed)
    answer: Tensor = own(**arguments, generator=rng, callback_on_step_end=after_each).images
    return answer
