"""Denoisings under way, and the one call of the denoiser that moves many of them a step on.

Guidance is a linear combination of the rows' predictions: one row without guidance, two for
classifier-free guidance (Ho & Salimans, 2022), three for InstructPix2Pix (Brooks, Holynski &
Efros, CVPR 2023, equation 3).

Everything but the denoiser itself is multiplied and added value by value, never by an operation
that sums over rows or that a processor may round in another way at the end of a tensor. So a
denoising's bits depend on its neighbours only as far as the denoiser's do: at a fixed shape of
the call not at all, which ``keeps_apart`` measures.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from generation.pipelines.recording import Function, Recorded
from generation.pipelines.samplers import Coefficients, Schedule, step_by_object

_serials = count()
_BY_OBJECT = torch.tensor(Coefficients(scale=1, a=1, b=0, c=0, d=0, p=1, q=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """How strictly to follow the words, and the picture (None where it is not a condition).

    Args:
        inside: whether the denoiser is told the strength itself, so that one row is enough.
        held: side, in latents, of the squares in which what is guided stays as strong as the
            prediction with words; 0 where it does not.
    """

    text: float
    image: float | None = None
    inside: bool = False
    held: int = 0

    @property
    def rows(self) -> int:
        """Rows of the denoiser that one step takes."""
        if self.inside or self.text <= 1 or (self.image is not None and self.image < 1):
            return 1
        return 2 if self.image is None else 3

    @property
    def told(self) -> int:
        """The row that is told the words."""
        return 1 if self.rows == 2 else 0

    @property
    def base(self) -> int:
        """The row whose prediction the others push away from."""
        return self.rows - 1 if self.image is not None else 0

    @property
    def pushes(self) -> tuple[tuple[float, int, int], ...]:
        """How far to go, to which row and away from which.

        Two rows are without and with words; three are with words and picture, with the picture,
        with neither.
        """
        if self.rows == 1:
            return ()
        if self.image is None:
            return ((self.text, 1, 0),)
        return ((self.text, 0, 1), (self.image, 1, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What of a picture is to stay: it is laid over the latents after every step.

    Lugmayr et al., "RePaint" (CVPR 2022), equation 8, with one noise throughout and without
    going back and forth; as in diffusers.

    Shape:
        - latents: ``(1, C, h, w)``, the picture's, scaled as the denoiser wants it.
        - noise: likewise, what the denoising began with.
        - fresh: ``(1, 1, h, w)``, bool, where the picture is made anew.
    """

    latents: Tensor
    noise: Tensor
    fresh: Tensor

    def laid_over(self, moved: Tensor, *, signal: float, noise: float) -> Tensor:
        """Return latents with the picture, as noisy as they are, where it is to stay."""
        known = self.latents if not noise else signal * self.latents + noise * self.noise
        return torch.where(self.fresh, moved, known)


@dataclass(slots=True, kw_only=True, eq=False)
class Denoising:
    """The state of one denoising.

    Args:
        rng: for samplers that add noise.
        conditions: what the denoiser is told besides, by its name there; one entry for each row
            of guidance.
        scheduler: a copy of its own where the sampler has no table.
        keeping: the part of the picture that stays, if one does; its schedule has mixtures then.
        clean: the last estimate of the noise-free latents.
        drawn: the next step's noise once it was asked for; a step that is repeated has the same.

    Shape:
        - latents, clean: ``(1, C, h, w)``, float32; the latents scaled as the scheduler wants it.
        - source: ``(1, S, h, w)``, the picture as a condition; None for families without.
        - words: ``(rows, length, width)``, embeddings in the order guidance combines them.
    """

    latents: Tensor
    source: Tensor | None
    words: Tensor
    guidance: Guidance
    schedule: Schedule
    rng: torch.Generator
    conditions: Mapping[str, Tensor] = field(default_factory=dict)
    scheduler: Any = None
    keeping: Keeping | None = None
    step: int = 0
    clean: Tensor | None = None
    drawn: Tensor | None = None
    serial: int = field(default_factory=lambda: next(_serials))

    def __post_init__(self) -> None:
        """Take a scheduler object along, if the sampler has no table."""
        if self.schedule.table is None:
            self.scheduler = copy.deepcopy(self.schedule.scheduler)

    @property
    def done(self) -> bool:
        """Whether all steps are taken."""
        return self.step >= len(self.schedule)

    @property
    def time(self) -> Tensor:
        """The timestep of the next step."""
        return self.schedule.timesteps[self.step]

    @property
    def coefficients(self) -> Tensor:
        """The next step's line of the sampler's table, ``(7,)``."""
        table = self.schedule.table
        return _BY_OBJECT if table is None else table.coefficients[self.step]

    @property
    def draws(self) -> bool:
        """Whether the next step draws noise here."""
        table = self.schedule.table
        return table is not None and table.draws[self.step]

    def noise(self) -> Tensor:
        """Return the next step's noise, of the denoising's own rng, so no neighbour changes it."""
        if not self.draws:
            return torch.zeros(self.latents.shape)
        if self.drawn is None:
            self.drawn = torch.randn(
                self.latents.shape, generator=self.rng, dtype=torch.float32
            )  # fmt: skip
        return self.drawn

    def take_by_object(self, guided: Tensor) -> None:
        """Be a step further on by the scheduler object, or as before if that fails.

        Only copies of the object and of the rng take the step; they stay if all went well.
        """
        scheduler, rng = copy.deepcopy(self.scheduler), self.rng.clone_state()
        self.take(*step_by_object(scheduler, guided, self.time, self.latents, rng))
        self.scheduler, self.rng = scheduler, rng

    def take(self, latents: Tensor, clean: Tensor | None) -> None:
        """Be a step further on, with these latents and this estimate of the noise-free ones."""
        if self.keeping is not None:
            signal, noise = (*self.schedule.mixtures, (1.0, 0.0))[self.step + 1]
            latents = self.keeping.laid_over(latents, signal=signal, noise=noise)
        self.step += 1
        self.latents, self.clean, self.drawn = latents, clean, None

    def seen(self) -> Tensor:
        """Return the source as each row of guidance sees it; the last of three does not."""
        assert self.source is not None
        rows = self.guidance.rows
        return torch.cat(
            [self.source] * min(rows, 2) + [torch.zeros_like(self.source)] * (rows > 2)
        )


class Call:
    """The denoiser's call at one shape: its inputs lie at fixed places and are filled again.

    Rows that no denoising takes hold whatever was there before; nothing reads what they give.

    Args:
        unet: the denoiser; where its weights lie is not to change while there is this call.
        record: what records the call, so that it can be played; see ``recording``.
    """

    def __init__(
        self,
        unet: Callable[..., Any],
        *,
        like: Denoising,
        shape: int,
        dtype: torch.dtype,
        record: Callable[[Function], Function] | None = None,
    ) -> None:
        self.shape = shape
        _, channels, height, width = like.latents.shape
        self._channels = channels
        inputs = channels + (0 if like.source is None else like.source.shape[1])
        place: dict[str, Any] = {"device": like.latents.device, "dtype": dtype}
        self._sample = torch.zeros(shape, inputs, height, width, **place)
        self._times = torch.zeros(shape, device=like.latents.device)
        self._words = torch.zeros(shape, *like.words.shape[1:], **place)
        self._conditions = {
            name: torch.zeros(shape, *value.shape[1:], **place)
            for name, value in like.conditions.items()
        }
        places = (self._sample, self._times, self._words, self._conditions)
        predicted = partial(_predicted, unet, *places)
        self._predicted = Recorded(predicted, record=record) if record else predicted
        self._members: tuple[int, ...] = ()
        self._owner = torch.zeros(0, dtype=torch.long)
        self._bases = self._told = self._owner
        self._pushes: list[tuple[Tensor, Tensor, Tensor]] = []

    def step(self, denoisings: Sequence[Denoising]) -> None:
        """Take one step with each denoising.

        Every state changes only after the call, so that a failed call can be repeated.
        """
        self._seat(denoisings)
        latents = torch.cat([it.latents for it in denoisings])
        told = torch.stack([it.coefficients for it in denoisings])
        columns = told.to(latents.device).view(len(denoisings), -1, 1, 1, 1).unbind(1)
        factors = Coefficients(*columns)  # type: ignore[arg-type]
        guided = self._guided(denoisings, factors.scale * latents)
        moved, clean = _updated(denoisings, latents, guided, factors)
        for index, denoising in enumerate(denoisings):
            own = slice(index, index + 1)
            if denoising.scheduler is not None:
                denoising.take_by_object(guided[own])
            else:
                denoising.take(moved[own], clean[own])

    def _seat(self, denoisings: Sequence[Denoising]) -> None:
        """Lay out what stays as it is from step to step, if it is not there already."""
        members = tuple(it.serial for it in denoisings)
        if members == self._members:
            return
        self._members = ()
        widths = [it.guidance.rows for it in denoisings]
        rows = sum(widths)
        torch.cat([it.words for it in denoisings], out=self._words[:rows])
        if denoisings[0].source is not None:
            seen = torch.cat([it.seen() for it in denoisings])
            self._sample[:rows, self._channels :] = seen
        for name, value in self._conditions.items():
            torch.cat([it.conditions[name] for it in denoisings], out=value[:rows])
        self._find_rows(denoisings, widths)
        self._members = members

    def _find_rows(self, denoisings: Sequence[Denoising], widths: Sequence[int]) -> None:
        """Note whose each row is, and which rows' predictions make each guided one.

        Who has fewer pushes than the others goes from its first row to its first row, by 0.
        """
        device = self._sample.device
        firsts = [sum(widths[:index]) for index in range(len(widths))]
        owner = [index for index, width in enumerate(widths) for _ in range(width)]
        self._owner = torch.tensor(owner, device=device)
        bases = [first + it.guidance.base for it, first in zip(denoisings, firsts, strict=True)]
        self._bases = torch.tensor(bases, device=device)
        told = [first + it.guidance.told for it, first in zip(denoisings, firsts, strict=True)]
        self._told = torch.tensor(told, device=device)
        self._pushes = []
        for place in range(max(len(it.guidance.pushes) for it in denoisings)):
            pushes = [(*it.guidance.pushes, *[(0.0, 0, 0)] * 2)[place] for it in denoisings]
            by, to, away = zip(*pushes, strict=True)
            rows = torch.tensor([firsts, to, away], device=device)
            factors = torch.tensor(by, device=device).view(-1, 1, 1, 1)
            self._pushes.append((factors, rows[0] + rows[1], rows[0] + rows[2]))

    def _guided(self, denoisings: Sequence[Denoising], scaled: Tensor) -> Tensor:
        """Return the guided prediction for each denoising, float32."""
        for index, denoising in enumerate(denoisings):
            if denoising.scheduler is not None:
                scaled[index : index + 1] = denoising.scheduler.scale_model_input(
                    denoising.latents, denoising.time
                )
        rows = len(self._owner)
        self._sample[:rows, : self._channels] = scaled.index_select(0, self._owner)
        times = torch.stack([it.time.to(torch.float32) for it in denoisings])
        self._times[:rows] = times.to(self._owner.device).index_select(0, self._owner)
        predictions = self.predict().to(torch.float32)
        guided = predictions.index_select(0, self._bases)
        for by, to, away in self._pushes:
            push = predictions.index_select(0, to) - predictions.index_select(0, away)
            guided = guided + by * push
        if any(it.guidance.held and it.guidance.rows > 1 for it in denoisings):
            told = predictions.index_select(0, self._told)
            ones = zip(denoisings, torch.split(guided, 1), torch.split(told, 1), strict=True)
            guided = torch.cat([_held(it.guidance, one, told=words) for it, one, words in ones])
        return guided

    def predict(self) -> Tensor:
        """Call the denoiser with what lies there.

        Shape:
            - returns: ``(shape, C, h, w)``; the next call may answer at the same place.
        """
        return self._predicted()

    def keeps_apart(self) -> bool:
        """Return whether a row's prediction has the same bits at every place, beside any rows."""
        rng = torch.Generator().manual_seed(0)
        inputs = [self._sample, self._times, self._words, *self._conditions.values()]
        one = [torch.randn(it[:1].shape, generator=rng).to(it) for it in inputs]
        one[1].fill_(500.0)
        self._members = ()
        for target, value in zip(inputs, one, strict=True):
            target.copy_(value.expand_as(target))
        alike = self.predict()
        expected = alike[:1].clone()
        apart = bool((alike == expected).all())
        for place in {0, self.shape // 2, self.shape - 1}:
            for target, value in zip(inputs, one, strict=True):
                target.copy_(torch.randn(target.shape, generator=rng))
                target[place] = value[0]
            apart = apart and torch.equal(self.predict()[place], expected[0])
        return apart


def _predicted(
    unet: Callable[..., Any],
    sample: Tensor,
    times: Tensor,
    words: Tensor,
    conditions: Mapping[str, Tensor],
) -> Tensor:
    """Call the denoiser, by its own names for what it is told."""
    more = dict(conditions)
    time_cond = more.pop("timestep_cond", None)
    answer: Tensor = unet(
        sample,
        times,
        encoder_hidden_states=words,
        timestep_cond=time_cond,
        added_cond_kwargs=more or None,
    ).sample
    return answer


def _held(guidance: Guidance, guided: Tensor, *, told: Tensor) -> Tensor:
    """Return a guided prediction, in every square as strong as that with words.

    One denoising at a time: what is summed up does not depend on who is beside it.

    Shape:
        - guided, told: ``(1, C, h, w)``; returns likewise.
    """
    side = guidance.held
    if not side or guidance.rows == 1:
        return guided
    wanted, found = (
        functional.pixel_unshuffle(it.contiguous(), side).norm(dim=1, keepdim=True)
        for it in (told, guided)
    )
    # Where nothing is foreseen nothing has to be held.
    share: Tensor = wanted / found.clamp(min=torch.finfo(found.dtype).tiny)
    return guided * share.repeat_interleave(side, -1).repeat_interleave(side, -2)


def _updated(
    denoisings: Sequence[Denoising], latents: Tensor, guided: Tensor, factors: Coefficients
) -> tuple[Tensor, Tensor]:
    """Return the new latents and the estimates of the noise-free ones, by the samplers' tables."""
    scale, a, b, c, d, p, q = factors
    del scale
    clean = p * latents + q * guided
    moved = a * latents + b * guided
    if any(it.clean is not None for it in denoisings):
        zeros = torch.zeros_like(latents[:1])
        before = torch.cat([zeros if it.clean is None else it.clean for it in denoisings])
        moved = moved + d * before
    if any(it.draws for it in denoisings):
        noise = torch.cat([it.noise() for it in denoisings])
        moved = moved + c * noise.to(latents.device)
    return moved, clean
