"""Seconds of each family for a picture of 512 px: `python -m benchmarks.families [NAME ...]`.

Each runs in this process as an engine runs it: admitted, advanced, retired. Of the rounds the least
counts, by the clock and of the processor, for other work on the machine only adds. A run of
all writes the table of docs/evaluation.md.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from PIL import Image
from torch import nn

from benchmarks.report import machine
from generation.artworks import artworks
from generation.imaging import to_pixels
from generation.pipelines.adain_nets import ADAIN, AdainNet
from generation.pipelines.base import EngineConfig, Pipeline
from generation.pipelines.latent_prior import LatentPrior
from generation.pipelines.picture_vae import FACTOR, PictureVae
from generation.pipelines.stylegan2 import StyleGan2
from generation.registry import pipeline_spec, resolve
from generation.request import Canvas, ImageRequest, Pixels, Walk
from generation.training.cards import Trained, write_model
from generation.training.rooms_vae import PRIOR, RoomsVaeConfig
from generation.training.stylegan2 import Stylegan2Config
from generation.weights import STARTER

SIDE, ROUNDS, THREADS = 512, 5, (1, 2)
DOCUMENT = Path(__file__).parents[1] / "docs" / "evaluation.md"
BEGIN, END = "<!-- times: make bench-families -->", "<!-- end of times -->"

Wish = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What is timed.

    Args:
        title: for people.
        goal_s: at most so long by the clock on two threads; None where no goal is set.
        pipeline: a name of the registry.
        wish: what is asked of it.
        fresh: whether the pipeline is made anew for each round, so that it knows no artwork.
    """

    title: str
    pipeline: str
    wish: Wish
    goal_s: float | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Seconds that a picture took, the least of the rounds."""

    wall_s: float
    cpu_s: float


def families() -> dict[str, Family]:
    """Return what is timed, by name."""
    photo, other = sample("street"), sample("lake")
    art = {"image": photo, "style_image": artwork("woodcut")}
    canvas = Canvas(width=SIDE, height=SIDE)
    blend = {"image": photo, "style_image": other, "strength": 0.5}
    moving = blend | {"strength": 1.0, "walk": Walk(frames=8)}

    def of(title: str, pipeline: str, wish: Wish, **more: Any) -> Family:  # noqa: ANN401
        return Family(title=title, pipeline=pipeline, wish=wish, **more)

    return {
        "remix": of("`/remix` golden hour", "remix", edit(photo, "golden hour"), goal_s=3),
        "night": of("`/remix` night", "remix", edit(photo, "night"), goal_s=3),
        "watercolour": of("`/remix` watercolour", "remix", edit(photo, "watercolour"), goal_s=3),
        "collage": of("`/style` collage", "collage", art, goal_s=0.6),
        "new": of("`/style` collage, a new artwork", "collage", art, goal_s=0.6, fresh=True),
        "hybrid": of("`/style` hybrid", "hybrid", art),
        "gatys": of("`/style` gatys", "gatys", art, goal_s=5),
        "adain": of("`/style` adain, untrained", "adain", art, goal_s=0.5),
        "blend": of("`/blend`", "vae", blend, goal_s=0.3),
        "frames": of("`/blend`, 8 frames of 384 px", "vae", moving),
        "varied": of("`/remix model:vae`", "vae", {"image": photo, "strength": 0.5}, goal_s=0.3),
        "rooms": of(
            "`/design`, VAE and prior, untrained", "design",
            {"image": canvas, "model": "own-rooms"}, goal_s=0.3,
        ),
        "painter": of("`/design`, the painter", "design", {"image": canvas}, goal_s=0.3),
        "stylegan2": of(
            "`/portrait`, StyleGAN2 of 64 px, untrained", "portrait",
            {"image": canvas, "model": "own-avatars"}, goal_s=0.3,
        ),
        "digits": of(
            "`/portrait model:digits-gan`", "portrait",
            {"image": canvas, "model": "digits-gan"}, goal_s=0.3,
        ),
        "avatars": of("`/portrait`, the painter", "portrait", {"image": canvas}, goal_s=0.3),
    }  # fmt: skip


def edit(picture: Pixels, prompt: str) -> Wish:
    """Return the wish for an edit."""
    return {"image": picture, "prompt": prompt, "strength": 0.8}


def sample(name: str) -> Pixels:
    """Return the middle of one of our own samples, 512 px square."""
    with Image.open(STARTER / "samples" / f"{name}.jpg") as opened:
        side = min(opened.size)
        left, top = ((edge - side) // 2 for edge in opened.size)
        square = opened.convert("RGB").crop((left, top, left + side, top + side))
    return to_pixels(square.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def artwork(name: str) -> Pixels:
    """Return a built-in artwork."""
    with Image.open(artworks()[name].path) as opened:
        return to_pixels(opened)


def write_untrained(models_dir: Path) -> None:
    """Write networks whose weights do not ship: what they make is nothing, but takes as long."""
    torch.manual_seed(0)
    rooms = RoomsVaeConfig()
    write(models_dir / ADAIN, AdainNet(), {})
    write(models_dir / "own-rooms", PictureVae(latents=rooms.latents), {"latents": rooms.latents})
    prior: dict[str, Any] = {
        "latents": rooms.latents, "size": rooms.size // FACTOR, "words": ["sofa", "bed"],
        "width": rooms.width, "blocks": rooms.blocks,
    }  # fmt: skip
    write(models_dir / "own-rooms" / PRIOR, LatentPrior(**prior), prior)
    avatars = Stylegan2Config()
    gan: dict[str, Any] = {
        "z_dim": avatars.latents, "w_dim": avatars.latents, "resolution": avatars.resolution,
        "channels": avatars.channels, "num_layers": avatars.layers,
    }  # fmt: skip
    write(models_dir / "own-avatars", StyleGan2(**gan), gan)


def write(folder: Path, network: nn.Module, arguments: Mapping[str, Any]) -> None:
    """Write a network as a training does."""
    kind = type(network)
    about = Trained(
        title=kind.__name__, about="Untrained.", network=f"{kind.__module__}:{kind.__name__}",
        arguments=arguments, recipe={}, origin="none", history=[], limits="it is untrained.",
    )  # fmt: skip
    write_model(folder, network, trained=about)


def timed(family: Family, *, config: EngineConfig, rounds: int) -> Taken:
    """Make a picture that does not count, then one a round."""
    request = ImageRequest(job_id="timed", pipeline=family.pipeline, **family.wish)
    spec = pipeline_spec(family.pipeline)
    kind, model = resolve(spec.target), request.model or spec.model
    pipeline = kind.load(model=model, config=config)
    made(pipeline, request)
    walls, cpus = [], []
    for _ in range(rounds):
        if family.fresh:
            pipeline = kind.load(model=model, config=config)
        wall, cpu = time.perf_counter(), time.process_time()
        made(pipeline, request)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return Taken(wall_s=min(walls), cpu_s=min(cpus))


def made(pipeline: Pipeline[Any], request: ImageRequest) -> Pixels:
    """Return the picture, made by itself."""
    row = pipeline.admit(request)
    while row.step < row.total_steps:
        pipeline.advance([row])
    return pipeline.retire(row).image


def measured(
    family: Family, *, models_dir: Path, rounds: int, threads: Sequence[int]
) -> dict[int, Taken]:
    """Return what a family took with each number of threads."""
    taken: dict[int, Taken] = {}
    for count in threads:
        torch.set_num_threads(count)
        config = EngineConfig(device="cpu", threads=count, models_dir=models_dir)
        taken[count] = timed(family, config=config, rounds=rounds)
    return taken


def markdown(rows: Mapping[str, Mapping[int, Taken]], *, head: str) -> str:
    """Return the table of the document."""
    counts = next(iter(rows.values())).keys()
    columns = [f"{count} thread{'s' * (count > 1)}: clock, processor" for count in counts]
    lines = [
        head,
        "",
        f"| what | goal | {' | '.join(columns)} |",
        "|---|---|" + "---|" * len(counts),
    ]
    known = families()
    for name, taken in rows.items():
        goal = known[name].goal_s
        cells = [f"{it.wall_s:.2f}, {it.cpu_s:.2f}" for it in taken.values()]
        said = "-" if goal is None else f"<= {goal:g}"
        lines.append(f"| {known[name].title} | {said} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Only these; all by default.")] = None,
    *,
    rounds: Annotated[int, typer.Option(min=1, help="Of each.")] = ROUNDS,
    threads: Annotated[list[int] | None, typer.Option(min=1, help="Of torch; 1 and 2.")] = None,
) -> None:
    """Time the families; a run of all is kept."""
    known = families()
    if unknown := sorted(set(names or ()) - set(known)):
        raise typer.BadParameter(f"{', '.join(unknown)}: known are {', '.join(known)}")
    rows: dict[str, dict[int, Taken]] = {}
    with tempfile.TemporaryDirectory() as folder:
        write_untrained(Path(folder))
        for name in names or known:
            rows[name] = measured(
                known[name], models_dir=Path(folder), rounds=rounds, threads=threads or THREADS
            )
    today = datetime.now(UTC).date().isoformat()
    head = f"Seconds on {machine()}, {today}, the least of {rounds} rounds:"
    table = markdown(rows, head=head)
    print(table)
    if not names:
        DOCUMENT.write_text(with_times(DOCUMENT.read_text("utf-8"), table), "utf-8")


def with_times(document: str, table: str) -> str:
    """Return a document with its table written anew.

    Raises:
        ValueError: it lacks the marks between which the table stands.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{DOCUMENT.name} lacks {BEGIN} or {END}")
    return f"{before}{begin}\n{table}\n{end}{after}"


if __name__ == "__main__":
    typer.run(main)
