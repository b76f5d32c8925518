"""``blend``, ``design`` and ``portrait`` on the command line: pictures by latents and seeds."""

from pathlib import Path
from typing import Annotated

import typer

from bot.commandline import made, read_settings, refusals
from bot.commandline_options import MAX_SEED, Count, Frames, Seed, Source, Target

SIDE, FRAME_SIDE = 512, 256
"""Of designs and portraits, and of a moving design's pictures."""


def blend(
    source: Source,
    other: Annotated[Path, typer.Argument(metavar="OTHER", help="The picture to go towards.")],
    target: Target,
    ratio: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="How far to go: half, or all of an animation."),
    ] = None,
    frames: Frames = None,
    model: Annotated[str | None, typer.Option(help="A VAE of yours.")] = None,
) -> None:
    """Blend two pictures, or go from one to the other."""
    with refusals():
        from bot.commandline_orders import PictureOrder
        from bot.commandline_pictures import make
        from generation.registry import VAE

        whole = 0.5 if frames is None else 1.0
        order = PictureOrder(
            pipeline=VAE,
            source=source,
            artwork=other,
            target=target,
            strength=whole if ratio is None else ratio,
            frames=frames or 1,
            seed=0,
            model=model,
        )
        made(make(order, read_settings()))


def design(
    target: Target,
    room: Annotated[str, typer.Option(help="Words that it is to have.")] = "",
    direction: Annotated[str, typer.Option(help="An attribute to go towards.")] = "",
    amount: Annotated[float, typer.Option(min=0.0, max=1.0, help="How far in it.")] = 1.0,
    frames: Frames = None,
    seed: Seed = None,
    count: Count = 1,
    model: Annotated[str | None, typer.Option(help="A model that designs.")] = None,
) -> None:
    """Design a room that there never was."""
    with refusals():
        from bot.commandline_orders import PictureOrder
        from bot.commandline_pictures import make
        from generation.registry import DESIGN
        from generation.request import Canvas

        side = SIDE if frames is None else FRAME_SIDE
        order = PictureOrder(
            pipeline=DESIGN,
            source=Canvas(width=side, height=side),
            target=target,
            prompt=room,
            direction=direction,
            strength=amount,
            frames=frames or 1,
            seed=seed,
            count=count,
            model=model,
        )
        made(make(order, read_settings()))


def portrait(
    target: Target,
    truncation: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Near 0 keeps to the usual.")
    ] = 1.0,
    mix: Annotated[
        int | None, typer.Option(min=0, max=MAX_SEED, help="A second seed, to cross it with.")
    ] = None,
    seed: Seed = None,
    count: Count = 1,
    model: Annotated[str | None, typer.Option(help="A GAN, or a VAE of digits.")] = None,
) -> None:
    """Make a picture of a seed alone, such as an avatar."""
    with refusals():
        from bot.commandline_orders import PictureOrder
        from bot.commandline_pictures import make
        from generation.registry import PORTRAIT
        from generation.request import Canvas

        order = PictureOrder(
            pipeline=PORTRAIT,
            source=Canvas(width=SIDE, height=SIDE),
            target=target,
            strength=truncation,
            mix=mix,
            seed=seed,
            count=count,
            model=model,
        )
        made(make(order, read_settings()))
