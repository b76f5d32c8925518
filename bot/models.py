"""Which checkpoints members may name: a listing that is kept fresh beside the event loop."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog

from bot.choices import NAME_LENGTH, listed
from bot.errors import (
    CompanionUnfitError,
    NotAPainterError,
    PainterMissingError,
    PresetNearbyError,
    PresetUnableError,
    PromptForOthersError,
    PromptUnfitError,
    SchedulerForOthersError,
    SchedulerUnfitError,
    UnknownMethodError,
    UnknownModelError,
    UnusableModelError,
)
from bot.limits import require_steps
from bot.orders import CONTROL_FROM, Order
from bot.presets import Preset, presets, titled
from bot.prompts import shown
from bot.reasons import reason_of
from generation.abilities import require_companions, require_readable
from generation.catalogue import Entry, entries
from generation.companions import spelled
from generation.designers import PAINTER, Designer, designing
from generation.errors import InvalidRequestError, ModelUnavailableError
from generation.families import FAMILIES, UNET_ROWS
from generation.portraits import Portraitist, portraitists
from generation.registry import DESIGN, PIPELINES, PORTRAIT, VAE, PipelineSpec, methods
from generation.request import EDGES, UNREAD, Canvas, Control
from generation.vaes import Vae, vaes

FRESH_S = 10.0
SOME_WEIGHTS = (0.25, 0.5, 0.75, 1.25)
"""Of a control, as they are offered; any other up to the greatest may be typed."""

log = structlog.get_logger()


class Models:
    """The listing. What it says is at most ``FRESH_S`` old and costs the event loop no disk.

    Args:
        models_dir: the folder of the operator's checkpoints.
        pipelines: those that are offered; their own checkpoints and methods may always be named.
    """

    def __init__(self, *, models_dir: Path, pipelines: Mapping[str, PipelineSpec]) -> None:
        self._models_dir = models_dir
        self._pipelines = pipelines
        self._there: dict[str, Entry] = {}
        self._controls: tuple[str, ...] = ()
        self._portraitists: dict[str, Portraitist] = {}
        self._vaes: dict[str, Vae] = {}

    @property
    def all(self) -> tuple[Entry, ...]:
        """All checkpoints that are there, those that cannot be used too, by name."""
        return tuple(self._there.values())

    @property
    def usable(self) -> tuple[Entry, ...]:
        """The checkpoints that members can name, that of ``/remix`` first."""
        own = self._pipelines["remix"].model
        found = (it for it in self._there.values() if it.usable and len(it.name) <= NAME_LENGTH)
        return tuple(sorted(found, key=lambda entry: (entry.name != own, entry.name)))

    @property
    def pipelines(self) -> Mapping[str, PipelineSpec]:
        """The pipelines that are offered, by name."""
        return self._pipelines

    @property
    def vaes(self) -> tuple[Vae, ...]:
        """All VAEs that two pictures can be blended by, the usual one first."""
        own = self._pipelines[VAE].model if VAE in self._pipelines else ""
        found = (each for each in self._vaes.values() if len(each.name) <= NAME_LENGTH)
        return tuple(sorted(found, key=lambda each: (each.name != own, each.name)))

    @property
    def designers(self) -> tuple[Designer, ...]:
        """The models that design pictures by themselves, the usual one first."""
        return tuple(designing(self.vaes).values()) if DESIGN in self._pipelines else ()

    def pipeline_of(self, model: str | None) -> str:
        """Return the pipeline that changes pictures with a model: the VAEs', or that of ``/remix``.

        A VAE that is part of a checkpoint is not meant by its name.
        """
        vae = self._vaes.get(model or "")
        return VAE if vae is not None and vae.alone and VAE in self._pipelines else "remix"

    def varier(self, model: str | None) -> str | None:
        """Return the VAE that varies pictures by this name; None where another kind is meant.

        ``vae`` is the usual one, which may be part of a checkpoint.
        """
        if model == VAE and VAE not in self._vaes and VAE in self._pipelines and self.vaes:
            return self.vaes[0].name
        return model if self.pipeline_of(model) == VAE else None

    def designer(self, model: str | None = None) -> Designer:
        """Return the model that designs: the one named, or the usual one.

        Raises:
            UnknownModelError: there is none of that name; the sentence names those there are.
        """
        there = {each.name: each for each in self.designers}
        name = model or PAINTER
        if name not in there:
            raise _unknown(name, there)
        return there[name]

    def controls(self, typed: str) -> tuple[str, ...]:
        """Return how controls can be asked for, edges first; weights behind what was typed."""
        path = typed.partition(":")[0].strip()
        if path in self._controls:
            return (path, *(f"{path}:{weight:g}" for weight in SOME_WEIGHTS))
        return tuple(sorted(self._controls, key=lambda it: (not it.startswith(EDGES), it)))

    @property
    def portraitists(self) -> tuple[Portraitist, ...]:
        """The models that make pictures of a seed alone, the painter first."""
        found = self._portraitists.values()
        return tuple(each for each in found if len(each.name) <= NAME_LENGTH)

    def projector(self, model: str | None) -> Portraitist | None:
        """Return the model of that name if pictures can be looked for among those it makes."""
        found = None if model is None or model in self._there else self._portraitists.get(model)
        return found if found is not None and found.projects else None

    def chosen(self, pipeline: str, model: str | None) -> Entry | None:
        """Return the checkpoint that a pipeline would run, None for a method without one."""
        if pipeline == PORTRAIT:
            return None
        return self._there.get(model or self._pipelines[pipeline].model)

    @property
    def changers(self) -> tuple[str, ...]:
        """The names that ``/remix`` takes: checkpoints, models of seeds that project, and VAEs."""
        seeded = (each.name for each in self.portraitists if self.projector(each.name))
        alone = (vae.name for vae in self.vaes if vae.alone)
        return tuple(dict.fromkeys((*(it.name for it in self.usable), *seeded, *alone)))

    def require(
        self, pipeline: str, model: str | None, *, known: Iterable[str] | None = None
    ) -> None:
        """Refuse a checkpoint or a VAE that a pipeline could not run.

        Args:
            pipeline: that of the command.
            model: as a member named it; None is the pipeline's own.
            known: names for the sentence; the checkpoints that can be used if None.

        Raises:
            UnknownModelError: there is none of that name; the sentence names those that can be
                used.
            UnusableModelError: it is there but incomplete, damaged or marked; likewise.
            UnknownMethodError: it is a method of style whose weights are gone by now.
        """
        if pipeline not in self._pipelines and pipeline in methods(PIPELINES):
            raise UnknownMethodError(pipeline, known=listed(methods(self._pipelines)))
        if pipeline == PORTRAIT:
            self._require_portraitist(model)
            return
        if pipeline == DESIGN:
            self.designer(model)
            return
        own = self._pipelines[pipeline].model
        if pipeline == VAE:
            if (model or own) not in self._vaes:
                raise _unknown(model or own, self._vaes)
            return
        name, entry = model or own, self.chosen(pipeline, model)
        if name == own if entry is None else entry.usable:
            return
        others = listed((entry.name for entry in self.usable) if known is None else known)
        named = {"name": shown(name, limit=NAME_LENGTH), "known": others}
        if entry is None:
            raise UnknownModelError(f"no model {name!r}", **named)
        raise UnusableModelError(entry.unusable, **named)

    def _require_portraitist(self, model: str | None) -> None:
        if model is not None and model not in self._portraitists:
            known = listed(each.name for each in self.portraitists)
            name = shown(model, limit=NAME_LENGTH)
            raise UnknownModelError(f"no model {model!r}", name=name, known=known)

    async def require_readable(self, prompt: str, *, model: str, negative: str = "") -> None:
        """Refuse words that ask a checkpoint for what it cannot do.

        Raises:
            PromptUnfitError: it names LoRA that are not there or do not fit, or weighs words
                too much or in vain; the sentence says which, and names the models that can.
            ModelUnavailableError: there is no such checkpoint.
        """
        if not {"<", "("} & {*prompt, *negative}:
            return
        readable = partial(require_readable, prompt, negative=negative, models_dir=self._models_dir)
        try:
            await asyncio.to_thread(readable, model=model)
        except InvalidRequestError as err:
            reason = reason_of(err)
            if others := await asyncio.to_thread(self._readers, readable):
                known = listed(others)
                raise PromptForOthersError(str(err), reason=reason, known=known) from err
            raise PromptUnfitError(str(err), reason=reason) from err

    async def require_companions(self, order: Order, *, model: str) -> None:
        """Refuse a control or a likeness that a checkpoint has no network for.

        Raises:
            CompanionUnfitError: it has none, or the control needs a picture, or what draws it from
                one; the sentence says why, and names the models that can.
            ModelUnavailableError: there is no such checkpoint.
        """
        like = "like" in order.beside and order.like_strength > 0
        if order.control is None and not like:
            return
        ready = "control" in order.beside
        shown_to = UNREAD if ready or CONTROL_FROM in order.beside else None
        try:
            control = order.control and Control.told(order.control, picture=shown_to, ready=ready)
            if control and shown_to is None and isinstance(order.image, Canvas):
                raise InvalidRequestError(
                    f"without a picture there are no {control.kind} to follow",
                    why="nothing_to_follow",
                    kind=control.kind,
                )
            await asyncio.to_thread(
                require_companions,
                control=control if control and control.weight else None,
                like=like,
                model=model,
                models_dir=self._models_dir,
            )
        except InvalidRequestError as err:
            raise CompanionUnfitError(str(err), reason=reason_of(err)) from err

    def _readers(self, readable: Callable[..., None]) -> list[str]:
        """Return the names of the checkpoints that can do what words ask for."""
        found = []
        for entry in self.usable:
            with suppress(InvalidRequestError, ModelUnavailableError):
                readable(model=entry.name)
                found.append(entry.name)
        return found

    def require_able(self, order: Order) -> None:
        """Refuse an order that its checkpoint cannot do; of methods without one nothing is known.

        Raises:
            NotAPainterError, PainterMissingError: it paints nothing new.
            TooManyStepsError: it takes fewer steps.
            SchedulerUnfitError, SchedulerForOthersError: it has a scheduler of its own alone; the
                sentence names those that take others, if there are any.
        """
        entry = self.chosen(order.pipeline, order.model)
        paints = isinstance(order.image, Canvas) or order.ratio is not None
        if entry is not None and paints:
            self.painter(entry.name)
        require_steps(order.num_inference_steps, entry=entry)
        if order.scheduler is not None:
            self._require_scheduled(entry, order)

    def _require_scheduled(self, entry: Entry | None, order: Order) -> None:
        if entry is not None and entry.family.rows == UNET_ROWS:
            return
        name = shown(order.model or order.pipeline, limit=NAME_LENGTH)
        able = listed(each.name for each in self.usable if each.family.rows == UNET_ROWS)
        if able:
            raise SchedulerForOthersError("its own scheduler", name=name, known=able)
        raise SchedulerUnfitError("its own scheduler", name=name)

    @property
    def painters(self) -> tuple[Entry, ...]:
        """The checkpoints that paint new things: pictures from words alone, and margins.

        Those that were made to fill holes come last, for a picture from words alone has none.
        """
        found = (entry for entry in self.usable if entry.paints)
        return tuple(sorted(found, key=lambda entry: entry.family.fills))

    def painter(self, model: str | None = None) -> Entry:
        """Return the checkpoint that paints: the one named, else that of ``/remix``, else any.

        Raises:
            NotAPainterError: the one named does not; the sentence names those that do.
            PainterMissingError: none does; the sentence names the kinds that would.
        """
        there, painters = self.chosen("remix", model), self.painters
        if there is not None and there in painters:
            return there
        if not painters:
            raise PainterMissingError("no painter", kinds=listed(_painting_kinds()))
        if model is not None:
            known = listed(entry.name for entry in painters)
            raise NotAPainterError("no painter", name=shown(model, limit=NAME_LENGTH), known=known)
        return painters[0]

    def able(
        self, preset: Preset, *, model: str | None = None, paints: bool = False
    ) -> Entry | None:
        """Return the checkpoint that a preset is made with, None if it is a method without one.

        It is the one that was named, else that of ``/remix``, else the first that can; with
        ``paints`` one of those that paint new things.

        Raises:
            PresetUnableError: none can, or not the one that was named; the sentence names those
                that can, if there are any, or a preset that comes near.
        """
        there = self.chosen("remix", model)
        if there is None and model is None and preset.model is None and not paints:
            return None
        found = self.painters if paints else self.usable
        able = [entry for entry in found if preset.fits(entry)]
        if there in able or (model is None and able):
            return there if there in able else able[0]
        if able:
            known = listed(entry.name for entry in able)
            raise PresetUnableError("another model can", preset=titled(preset), known=known)
        near = presets().get(preset.nearest or "")
        if near is not None and any(near.fits(entry) for entry in found):
            values = {"preset": titled(preset), "nearest": titled(near)}
            raise PresetNearbyError("no model can", **values)
        raise PresetUnableError("no model can")

    def offered(self, presets: Iterable[Preset]) -> Iterator[Preset]:
        """Yield the presets that a checkpoint which is there can do."""
        for preset in presets:
            try:
                self.able(preset)
            except PresetUnableError:
                continue
            yield preset

    async def keep_fresh(self) -> None:
        """Look anew now and then."""
        while True:
            await asyncio.sleep(FRESH_S)
            await self.refresh()

    async def refresh(self) -> None:
        """Look anew, outside the event loop; what cannot be read leaves all as it was."""
        try:
            found = await asyncio.to_thread(entries, models_dir=self._models_dir)
            self._controls = await asyncio.to_thread(spelled, models_dir=self._models_dir)
            seeded = await asyncio.to_thread(portraitists, models_dir=self._models_dir)
            coded = await asyncio.to_thread(vaes, models_dir=self._models_dir)
        except OSError as err:
            log.warning("the models folder cannot be read", error=str(err))
            return
        self._there = {entry.name: entry for entry in found}
        self._portraitists = {each.name: each for each in seeded}
        self._vaes = {vae.name: vae for vae in coded}


def _unknown(name: str, known: Iterable[str]) -> UnknownModelError:
    shown_name = shown(name, limit=NAME_LENGTH)
    return UnknownModelError(f"no model {name!r}", name=shown_name, known=listed(sorted(known)))


def _painting_kinds() -> list[str]:
    """Return what people call the kinds of checkpoints that paint, one name for one source."""
    kinds: dict[str, str] = {}
    for family in FAMILIES.values():
        if family.paints and family.source and not family.fills:
            kinds.setdefault(family.source, family.title)
    return list(kinds.values())
