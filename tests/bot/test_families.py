"""Every family of checkpoints, tiny and of the real classes, from a member's command to pixels."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import pytest_asyncio
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from bot.composition import Bot
from generation.families import FAMILIES
from generation.recognition import family_of
from generation.registry import PIPELINES
from tests.bot.members import is_result, job_of
from tests.bot.stage import Stage, running, settings_for, staged
from tests.generation.test_family_runs import KINDS
from tests.sandbox.fixtures import RunningSandbox

pytestmark = [
    # Diffusers hands tensors to numpy in a way that numpy 2 is going to drop.
    pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
]
PATIENCE_S = 60.0
SIDES = (64, 64)
"""Height and width of what members send."""
LEFT = 32
"""The column from which on a mask is white."""
Values = npt.NDArray[np.int64]


def model_of(kind: str) -> str:
    """Return a name for a checkpoint that says nothing of its family."""
    return f"m{[*KINDS].index(kind)}"


@dataclass(kw_only=True)
class Workshop:
    """A bot with a checkpoint of every family, and a member who uses it."""

    stage: Stage
    bot: Bot
    models: Path
    last: str = ""

    async def made(self, command: str, **options: object) -> bytes:
        """Say a command, and return the file that comes of it."""
        before = {message["id"] for message in await self.stage.ada.results(0)}
        answer = await self.stage.ada.command(command, None, prompt="night", **options)
        assert answer["status"] < 300, answer
        (message,) = await self.stage.ada.until(
            lambda it: is_result(it) and it["id"] not in before, wait_s=PATIENCE_S
        )
        self.last = job_of(message)
        return await self.stage.ada.picture(message)

    async def started_from(self) -> Values:
        """Return what the last job started from, as it was fitted and stored."""
        job = await self.bot.stores.jobs.get(self.last)
        assert job.image is not None
        return values_of(await self.bot.stores.files.read(job.image.sha256))

    async def upload(self, values: npt.NDArray[np.uint8]) -> str:
        """Attach a picture."""
        buffer = BytesIO()
        Image.fromarray(values).save(buffer, "PNG")
        return await self.stage.ada.upload(buffer.getvalue())


def values_of(data: bytes) -> Values:
    """Return a picture's levels."""
    with Image.open(BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB")).astype(np.int64)


def distance(one: Values, other: Values) -> float:
    """Return the mean distance of two pictures in levels of 255.

    Pictures at small strength stand for their input as an untrained codec gives it back, mostly
    grey, which is far from the input itself.
    """
    return float(np.abs(one - other).mean())


def photo(seed: int) -> npt.NDArray[np.uint8]:
    """Return a smooth picture of nothing, another for every seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    small = Image.fromarray(coarse)
    return np.asarray(small.resize(SIDES[::-1], Image.Resampling.BICUBIC))


def quieten(folder: Path) -> None:
    """Have an untrained denoiser foresee nothing instead of anything: what was drawn is left."""
    for file in folder.glob("*/diffusion_pytorch_model.safetensors"):
        weights = load_file(file)
        last = [name for name in weights if re.match(r"(conv_out|proj_out)\.", name)]
        if file.parent.name in ("unet", "transformer"):
            assert last
            save_file(weights | {name: torch.zeros_like(weights[name]) for name in last}, file)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workshop(
    sandbox_session: RunningSandbox, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Workshop]:
    folder = tmp_path_factory.mktemp("families")
    models = folder / "models"
    for kind, saved in KINDS.items():
        place = saved.save(models / model_of(kind))
        quieten(place)
        (place / "atelier.json").write_text('{"native_size": 64}')
    sandbox_session.reset()
    async with staged(sandbox_session, folder) as stage:
        settings = settings_for(
            sandbox_session, folder / "data", models_dir=models, threads=1, quota_device_s=100_000
        )
        async with running(settings, pipelines={"remix": PIPELINES["remix"]}) as bot:
            yield Workshop(stage=stage, bot=bot, models=models)
    assert sandbox_session.violations() == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_members_picture_changes_as_much_as_was_asked_for(
    kind: str, workshop: Workshop, record_property: Callable[[str, object], None]
) -> None:
    family = FAMILIES[KINDS[kind].family]
    assert family_of(workshop.models / model_of(kind)) is family
    words = {"model": model_of(kind), "seed": 7}
    one, other = await workshop.upload(photo(1)), await workshop.upload(photo(2))

    async def remixed(image: str, strength: float) -> Values:
        return values_of(await workshop.made("remix", image=image, strength=strength, **words))

    assert np.array_equal(await remixed(one, 0.0), await workshop.started_from())
    little, half, again, whole = [await remixed(one, it) for it in (0.1, 0.5, 0.5, 1.0)]
    assert np.array_equal(half, again)
    near, far = distance(half, little), distance(whole, little)
    record_property("distance of strengths 0.5 and 1 to 0.1, levels", (near, far))
    assert 0 < near < far
    if not family.edits:
        ends = distance(await remixed(other, 1.0), whole)
        begins = distance(await remixed(other, 0.1), little)
        record_property("distance of two inputs' pictures at 0.1 and 1", (begins, ends))
        assert ends < 0.35 * begins


@pytest.mark.parametrize("kind", KINDS)
async def test_a_member_imagines_where_the_family_paints_and_is_refused_elsewhere(
    kind: str, workshop: Workshop
) -> None:
    words = {"model": model_of(kind), "size": "64x64", "steps": 2}
    if not FAMILIES[KINDS[kind].family].paints:
        await workshop.stage.ada.command("imagine", None, prompt="night", **words)
        await workshop.stage.ada.text("paints nothing new")
        return
    made = [await workshop.made("imagine", seed=seed, **words) for seed in (1, 1, 2)]
    one, again, other = map(values_of, made)
    assert one.shape == (64, 64, 3)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_member_paints_a_part_anew_and_the_rest_stays(
    kind: str, workshop: Workshop
) -> None:
    mask = np.zeros((*SIDES, 3), np.uint8)
    mask[:, LEFT:] = 255
    files = {"image": await workshop.upload(photo(1)), "mask": await workshop.upload(mask)}
    made = values_of(await workshop.made("inpaint", model=model_of(kind), seed=3, steps=4, **files))
    source = await workshop.started_from()
    assert np.abs(made - source)[:, :LEFT].max() <= 1
    assert np.abs(made - source)[:, LEFT:].mean() > 1
