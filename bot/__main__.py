"""The command line: ``python -m bot`` or ``atelier``.

Every command imports what it needs when it is called, so that help comes at once and nothing
but ``run``, ``demo`` and ``report`` costs discord.py.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bot.commandline import Format, fail, made, read_settings, refusals, version
from bot.commandline_latents import blend, design, portrait
from bot.commandline_models import models
from bot.commandline_options import (
    ControlFrom,
    ControlKind,
    ControlPicture,
    Count,
    Guidance,
    LikePicture,
    LossWeight,
    Model,
    Negative,
    SchedulerName,
    Seed,
    Source,
    Steps,
    Strength,
    Target,
)
from bot.roles import Role, Shards
from storage.cuts import Dimension

app = typer.Typer(
    name="atelier",
    help="Turn pictures into new pictures, on Discord or right here.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Rich would make help take three times as long.
    rich_markup_mode=None,
)

app.add_typer(models)
for each in (blend, design, portrait):
    app.command()(each)

Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Of the demo's page; a free one by default.")
]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"atelier {version()}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Take the options that belong to no command."""


@app.command()
def run(
    role: Annotated[
        Role,
        typer.Option(help="On PostgreSQL: bot answers members, workers make pictures."),
    ] = Role.ALL,
    shards: Annotated[
        str | None,
        typer.Option(metavar="0-1/4", help="Hear only of the servers in these shards of so many."),
    ] = None,
) -> None:
    """Run the bot on Discord; without a token, the demo in your browser."""
    with refusals():
        settings = read_settings()
        try:
            held = Shards.parse(shards) if shards is not None else None
        except ValueError as err:
            fail(f"--shards: {err}")
        if settings.discord_token is None and role is Role.ALL:
            typer.echo("There is no DISCORD_TOKEN, so this is the demo.", err=True)
            _demo(None)
        from bot.app import run as run_bot

        sys.exit(run_bot(settings, role=role, shards=held))


@app.command()
def demo(
    port: Port = None,
    language: Annotated[
        str | None, typer.Option(metavar="zh-CN", help="Of the members, and of the greeting.")
    ] = None,
) -> None:
    """Run the bot on a Discord of our own, with a page in your browser."""
    with refusals():
        _demo(port, language)


def _demo(port: int | None, language: str | None = None) -> None:
    from bot.app import demo as run_demo
    from bot.texts import load_texts

    known = load_texts().locales
    if language not in (None, *known):
        fail(f"--language: there are {', '.join(known)}")
    sys.exit(run_demo(read_settings(), port=port, language=language))


@app.command()
def doctor() -> None:
    """Check everything that a running bot needs; one line each, with its cure."""
    with refusals():
        from bot.doctor import examine, show

        sys.exit(show(examine(read_settings())))


@app.command()
def migrate() -> None:
    """Bring the database to this version's schema, after a copy of an SQLite file."""
    with refusals():
        from bot.commandline_database import migrate as run_migrate

        run_migrate(read_settings())


@app.command()
def encrypt(
    new_key: Annotated[
        bool, typer.Option(help="Make a key, print it and do nothing else.")
    ] = False,
) -> None:
    """Encrypt all that is kept with the newest of ATELIER_KEYS, while no bot runs."""
    with refusals():
        if new_key:
            from storage.sealing import new_key as made

            typer.echo(made())
            return
        from bot.commandline_database import encrypt as run_encrypt

        run_encrypt(read_settings())


@app.command()
def recount() -> None:
    """Add all usage up anew from the jobs; on SQLite while no bot runs."""
    with refusals():
        from bot.commandline_database import recount as run_recount

        run_recount(read_settings())


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The archive; it must not exist.")],
) -> None:
    """Write database and pictures into one archive, also while the bot runs."""
    with refusals():
        from bot.commandline_database import backup as run_backup

        run_backup(read_settings(), to=target)


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="An archive that backup made.")],
) -> None:
    """Bring database and pictures of an archive back, where there are none yet."""
    with refusals():
        from bot.commandline_database import restore as run_restore

        run_restore(read_settings(), archive=source)


@app.command()
def move(
    source: Annotated[
        str,
        typer.Option("--from", metavar="FILE|URL", help="The database that was used until now."),
    ],
) -> None:
    """Carry everything from an SQLite database into PostgreSQL, or back, while no bot runs."""
    with refusals():
        from bot.commandline_database import move as run_move

        run_move(read_settings(), source=source)


@app.command()
def sync() -> None:
    """Register the commands with Discord."""
    with refusals():
        settings = read_settings()
        if settings.discord_token is None:
            fail("sync needs a DISCORD_TOKEN; the demo registers its commands by itself")
        from bot.app import sync as run_sync

        sys.exit(run_sync(settings))


@app.command()
def top(
    address: Annotated[
        str | None, typer.Option(help="host:port of the bot's pages; as in the settings.")
    ] = None,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False,
) -> None:
    """Show what a running bot does: queue, engines, members' shares."""
    with refusals():
        from bot.top import show

        show(read_settings(), address=address, every_s=every, once=once)


@app.command()
def report(
    period: Annotated[str, typer.Option(help="How far back: 24h, 7d, 4w.")] = "7d",
    first: Annotated[str | None, typer.Option(metavar="DATE", help="From this date on.")] = None,
    last: Annotated[str | None, typer.Option(metavar="DATE", help="To this date.")] = None,
    server: Annotated[
        int | None, typer.Option(metavar="ID", help="Of a server; 0 is outside of all.")
    ] = None,
    member: Annotated[int | None, typer.Option(metavar="ID", help="Of a member.")] = None,
    channel: Annotated[int | None, typer.Option(metavar="ID", help="Of a channel.")] = None,
    role: Annotated[int | None, typer.Option(metavar="ID", help="Of a role.")] = None,
    pipeline: Annotated[str | None, typer.Option(help="Of a pipeline.")] = None,
    model: Annotated[str | None, typer.Option(help="Of a model.")] = None,
    by: Annotated[list[Dimension] | None, typer.Option(help="Told apart by, several.")] = None,
    output_format: Annotated[Format, typer.Option("--format", help="For whom.")] = Format.TEXT,
) -> None:
    """Print who used how much of the device, as `/usage report` tells it."""
    with refusals():
        from bot.commandline_report import Asked
        from bot.commandline_report import report as run_report

        asked = Asked(
            period=period,
            first=first,
            last=last,
            guild_id=server,
            member_id=member,
            channel_id=channel,
            role_id=role,
            pipeline=pipeline,
            model=model,
            by=tuple(by or ()),
        )
        run_report(read_settings(), asked, output_format=output_format)


@app.command()
def remix(
    source: Source,
    target: Target,
    prompt: Annotated[str, typer.Option(help="What the picture should become.")],
    strength: Strength = 0.8,
    seed: Seed = None,
    count: Count = 1,
    model: Model = None,
    mask: Annotated[
        Path | None, typer.Option(help="A picture: white is made anew, black stays.")
    ] = None,
    extend: Annotated[
        str | None, typer.Option(metavar="W:H", help="Make margins, so that it has this shape.")
    ] = None,
    control: ControlKind = None,
    control_picture: ControlPicture = None,
    control_from: ControlFrom = None,
    like: LikePicture = None,
    negative: Negative = "",
    steps: Steps = None,
    guidance: Guidance = None,
    scheduler: SchedulerName = None,
) -> None:
    """Make a picture what the prompt says."""
    with refusals():
        from bot.commandline_orders import PictureOrder, chosen_control, chosen_like
        from bot.commandline_pictures import make
        from generation.outpainting import parsed_ratio

        if mask is not None and extend is not None:
            fail("give either --mask FILE or --extend W:H")
        likeness, like_picture = chosen_like(like)
        order = PictureOrder(
            pipeline="remix",
            source=source,
            target=target,
            mask=mask,
            ratio=parsed_ratio(extend) if extend is not None else None,
            prompt=prompt,
            control=chosen_control(control, picture=control_picture, source=control_from),
            control_picture=control_picture or control_from,
            like=likeness,
            like_picture=like_picture,
            negative=negative,
            steps=steps,
            guidance=guidance,
            scheduler=scheduler,
            strength=strength,
            seed=seed,
            model=model,
            count=count,
        )
        made(make(order, read_settings()))


@app.command()
def imagine(
    target: Target,
    prompt: Annotated[str, typer.Option(help="What the picture shows.")],
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT in pixels.")] = "512x512",
    seed: Seed = None,
    count: Count = 1,
    model: Model = None,
    control: ControlKind = None,
    control_picture: ControlPicture = None,
    control_from: ControlFrom = None,
    like: LikePicture = None,
    negative: Negative = "",
    steps: Steps = None,
    guidance: Guidance = None,
    scheduler: SchedulerName = None,
) -> None:
    """Make a picture from words alone."""
    with refusals():
        from bot.commandline_orders import (
            PictureOrder,
            chosen_canvas,
            chosen_control,
            chosen_like,
        )
        from bot.commandline_pictures import make

        likeness, like_picture = chosen_like(like)
        order = PictureOrder(
            pipeline="remix",
            source=chosen_canvas(size),
            target=target,
            prompt=prompt,
            control=chosen_control(control, picture=control_picture, source=control_from),
            control_picture=control_picture or control_from,
            like=likeness,
            like_picture=like_picture,
            negative=negative,
            steps=steps,
            guidance=guidance,
            scheduler=scheduler,
            seed=seed,
            model=model,
            count=count,
        )
        made(make(order, read_settings()))


@app.command()
def style(
    source: Source,
    target: Target,
    artwork: Annotated[Path | None, typer.Option(help="A picture of an artwork.")] = None,
    preset: Annotated[str | None, typer.Option(help="A built-in artwork, by name.")] = None,
    strength: Strength = 0.7,
    seed: Seed = None,
    method: Annotated[str, typer.Option(help="How it is painted; auto measures both.")] = "auto",
    artwork2: Annotated[Path | None, typer.Option(help="A second artwork.")] = None,
    mix: Annotated[
        float | None, typer.Option(min=0.05, max=0.95, help="How much the second artwork counts.")
    ] = None,
    content_weight: LossWeight = 1.0,
    style_weight: LossWeight = 1.0,
    tv_weight: LossWeight = 1.0,
    from_noise: Annotated[bool, typer.Option(help="Begin gatys with noise.")] = False,
    steps: Annotated[int | None, typer.Option(min=1, help="Evaluations of gatys.")] = None,
    keep_colours: Annotated[bool, typer.Option(help="Keep the picture's colours.")] = False,
) -> None:
    """Repaint a picture in the manner of an artwork."""
    with refusals():
        from bot.commandline_orders import PictureOrder, chosen_artwork, chosen_manner
        from bot.commandline_pictures import make

        weights = {
            "content_weight": content_weight,
            "style_weight": style_weight,
            "tv_weight": tv_weight,
        }
        order = PictureOrder(
            pipeline=method,
            source=source,
            target=target,
            artwork=chosen_artwork(artwork=artwork, preset=preset),
            artwork2=artwork2,
            steps=steps,
            manner=chosen_manner(
                mix, artwork2=artwork2, weights=weights, noise=from_noise, keep=keep_colours
            ),
            strength=strength,
            seed=seed,
        )
        made(make(order, read_settings()))


@app.command(
    context_settings={
        "allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []
    }
)  # fmt: skip
def train(context: typer.Context) -> None:
    """Train a model; `train --help` tells of every one and its settings."""
    # This process becomes the training's, for it must never import torch itself.
    program = [sys.executable, "-m", "generation.training", *context.args]
    sys.stdout.flush()
    os.execv(sys.executable, program)  # noqa: S606 - ourselves


@app.command(
    context_settings={
        "allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []
    }
)  # fmt: skip
def evaluate(context: typer.Context) -> None:
    """Measure a model on a folder of pictures, with a report; `evaluate --help` tells how."""
    with refusals():
        engine = read_settings().engine
    # This process becomes the evaluation's, for it must never import torch itself.
    program = [
        *(sys.executable, "-m", "generation.evaluation"),
        *("--models-dir", str(engine.models_dir), "--device", engine.device),
        *("--dtype", engine.dtype, "--threads", str(engine.threads)),
        *context.args,
    ]
    sys.stdout.flush()
    os.execv(sys.executable, program)  # noqa: S606 - ourselves


def main() -> None:
    """Run the command line."""
    app(prog_name="atelier")


if __name__ == "__main__":
    main()
