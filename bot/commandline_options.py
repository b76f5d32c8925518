"""Arguments and options that several picture commands have; light, for help must come at once."""

from pathlib import Path
from typing import Annotated

import typer

MAX_SEED = 2**32 - 1
MAX_COUNT = 64
MAX_FRAMES = 24
Source = Annotated[Path, typer.Argument(metavar="IN", help="The picture to start from.")]
Target = Annotated[
    Path, typer.Argument(metavar="OUT", help="Where the result goes; .png, .jpg or .webp.")
]
Strength = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="How far to go: 0 changes nothing, 1 all.")
]
Seed = Annotated[
    int | None,
    typer.Option(min=0, max=MAX_SEED, help="Same seed, same picture; one is drawn by default."),
]
LossWeight = Annotated[
    float, typer.Option(min=0, max=100, help="Of a loss of gatys, times the usual one.")
]
Count = Annotated[
    int, typer.Option(min=1, max=MAX_COUNT, help="How many; they are numbered, as are the seeds.")
]
Model = Annotated[str | None, typer.Option(help="A checkpoint of yours.")]
ControlKind = Annotated[
    str | None,
    typer.Option("--control", metavar="KIND[:W]", help="Follow edges, or what a picture shows."),
]
ControlPicture = Annotated[
    Path | None, typer.Option(help="Edges, depths or poses to follow, as they are.")
]
ControlFrom = Annotated[
    Path | None, typer.Option(help="A picture whose edges, depth or poses are followed.")
]
Negative = Annotated[str, typer.Option(help="What is not to be seen.")]
Steps = Annotated[int | None, typer.Option(min=1, max=150, help="The model's own by default.")]
Guidance = Annotated[
    float | None, typer.Option(min=0, max=30, help="How strictly words are followed; likewise.")
]
SchedulerName = Annotated[
    str | None, typer.Option("--scheduler", help="ddim, euler, euler_ancestral, lcm ...; likewise.")
]
LikePicture = Annotated[
    str | None,
    typer.Option("--like", metavar="PICTURE[:W]", help="Make it like another picture."),
]
Frames = Annotated[
    int | None,
    typer.Option(min=2, max=MAX_FRAMES, help="An animation of so many pictures; OUT ends in .gif."),
]
