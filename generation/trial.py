"""Whether a checkpoint makes a picture, and what that takes: told by making one, in a child.

The child ends with whatever it has loaded, so that nothing half-loaded stays.
"""

import multiprocessing
import resource
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from generation.errors import UNREADABLE, GenerationError, ModelUnavailableError
from generation.estimators import TITLES, estimators, examine
from generation.pipelines.base import EngineConfig
from generation.portraits import portraitists
from generation.registry import PORTRAIT, VAE, pipeline_spec, resolve
from generation.request import Canvas, ImageRequest, Pixels
from generation.vaes import vaes
from generation.weights import known_words

if TYPE_CHECKING:
    import torch

SIDE, STEPS = 512, 2
ESTIMATING = "estimating"
"""Stands for a pipeline, of networks that tell of pictures what a control follows."""
GREY = Pixels(width=SIDE, height=SIDE, data=bytes([128]) * (SIDE * SIDE * 3))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a picture took.

    Args:
        device: the kind that it was made on: "cpu", "cuda".
        weight_bytes: of the networks.
        memory_bytes: the most that the device had to give, networks included; on a CPU it is
            what the process grew by.
    """

    device: str
    weight_bytes: int
    memory_bytes: int


def pipeline_of(model: str, *, models_dir: Path) -> str:
    """Return the pipeline that tries a model: a checkpoint's, or that of a network alone.

    Raises:
        ModelUnavailableError: it is a part of something else, which makes no picture by itself.
    """
    if any(each.name == model for each in portraitists(models_dir=models_dir)):
        return PORTRAIT
    if any(each.name == model and each.alone for each in vaes(models_dir=models_dir)):
        return VAE
    kinds = (estimators(kind, models_dir=models_dir) for kind in TITLES)
    if any(each.name == model for found in kinds for each in found):
        return ESTIMATING
    return "remix"


def tried(model: str, *, pipeline: str, config: EngineConfig) -> Trial:
    """Load a checkpoint in a child of its own and make one picture with it.

    Raises:
        ModelUnavailableError: it does not load, or makes no picture; the sentence says why.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as child:
        try:
            return child.submit(trial_here, model, pipeline=pipeline, config=config).result()
        except BrokenProcessPool as err:
            raise ModelUnavailableError(
                f"{model} ended the process that loaded it; does the memory suffice?"
            ) from err


def trial_here(model: str, *, pipeline: str, config: EngineConfig) -> Trial:
    """Load a checkpoint in this process and make one picture with it.

    Raises:
        ModelUnavailableError: it does not load, or makes no picture; the sentence says why.
    """
    import torch

    from generation.devices import torch_device

    device = torch_device(config.device)
    before = _grown(device.type)
    try:
        if pipeline == ESTIMATING:
            taken = _estimated(model, config=config, device=device)
        else:
            taken = _made(model, pipeline=pipeline, config=config)
    except (torch.OutOfMemoryError, MemoryError) as err:
        raise ModelUnavailableError(
            f"{model} does not fit into the {device.type}'s memory"
        ) from err
    except ModelUnavailableError:
        raise
    # What a network is told of shapes that it was not built for, torch and diffusers say.
    except (GenerationError, RuntimeError, AssertionError, *UNREADABLE) as err:
        raise ModelUnavailableError(f"{model} loads but makes no picture: {err}") from err
    return Trial(
        device=device.type,
        weight_bytes=taken,
        memory_bytes=max(taken, _grown(device.type) - before),
    )


def _made(model: str, *, pipeline: str, config: EngineConfig) -> int:
    """Make a picture, and return the bytes of the weights."""
    words = known_words(model, models_dir=config.models_dir) if pipeline == "remix" else ()
    prompt = words[0] if words else "a photograph"
    loaded = resolve(pipeline_spec(pipeline).target).load(model=model, config=config)
    row = loaded.admit(_request(model, pipeline=pipeline, prompt=prompt))
    while row.step < row.total_steps:
        loaded.advance([row])
    loaded.retire(row)
    return loaded.weight_bytes


def _estimated(model: str, *, config: EngineConfig, device: "torch.device") -> int:
    """Look at a picture, and return the bytes of the weights."""
    from generation.devices import weight_bytes
    from generation.pipelines.estimating import load_estimator

    loaded = load_estimator(examine(config.models_dir / model), device=device)
    loaded.look(GREY)
    return weight_bytes(loaded.modules)


def _request(model: str, *, pipeline: str, prompt: str) -> ImageRequest:
    return ImageRequest(
        job_id="trial",
        pipeline=pipeline,
        image=Canvas(width=SIDE, height=SIDE) if pipeline == PORTRAIT else GREY,
        prompt=prompt,
        strength=1.0,
        num_inference_steps=STEPS,
        model=model,
        previews=False,
    )


def _grown(device: str) -> int:
    """Return the most bytes that were in use so far: the device's, on a CPU the process's."""
    import torch

    if device == "cuda":
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
