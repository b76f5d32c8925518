"""``python -m bot models``: which checkpoints there are, where they come from, and if they work.

The bot itself never fetches anything; ``pull`` is the one command that does, when it is told to.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.commandline import fail, read_settings, refusals

if TYPE_CHECKING:
    from rich.progress import TaskID

    from bot.settings import Settings
    from generation.catalogue import Entry
    from generation.companions import Companion, Misplaced
    from generation.stylegan2_files import Plan

models = typer.Typer(
    name="models",
    help="Look after checkpoints: list, show, add, remove, verify, convert, pull.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(help="A checkpoint's name, as `models list` shows it.")]


@models.command("list")
def list_models(
    public: Annotated[
        bool, typer.Option("--public", help="Those that anybody may fetch, not those here.")
    ] = False,
) -> None:
    """List the checkpoints that are here, and whether each may be used."""
    with refusals():
        from generation.catalogue import entries, networks, public_checkpoints
        from generation.companions import companions

        if public:
            lines = [
                (each.id, each.licence + (" (gated)" if each.gated else ""), each.about)
                for each in public_checkpoints()
            ]
            _print_table(("id", "licence", "what it is"), lines)
            return
        folder = read_settings().models_folder
        rows = [_row(entry) for entry in entries(models_dir=folder)]
        _print_table(("name", "family", "size", "memory", "licence", "state"), rows)
        alone = [_row(entry) for entry in networks(models_dir=folder)]
        _print_table(("networks alone", "what", "size", "memory", "licence", "state"), alone)
        if found := [_row_beside(each) for each in companions(models_dir=folder)]:
            _print_table(("beside them", "made for", "size", "state"), found)
        typer.echo(f"Yours are in {folder}.", err=True)


@models.command()
def show(name: Name) -> None:
    """Show all that is known of a checkpoint, one here or one of the public list."""
    with refusals():
        from generation.catalogue import entry_named, public_checkpoints

        for each in public_checkpoints():
            if each.id == name:
                gated = "an account of the hub that accepted the licence" if each.gated else ""
                _print_facts(
                    {"id": each.id, "licence": each.licence, "about": each.about, "needs": gated}
                )
                return
        settings = read_settings()
        entry = entry_named(name, models_dir=settings.models_folder)
        _print_facts(_facts(entry) | {"held": _held(entry, settings)})


@models.command()
def add(
    path: Annotated[Path, typer.Argument(help="A folder of diffusers' or ours, or a safetensors.")],
    name: Annotated[str | None, typer.Option(help="What it will be called.")] = None,
    origin: Annotated[str, typer.Option(help="Where it came from; PATH by default.")] = "",
    licence: Annotated[str, typer.Option(help="Its licence; what its README says.")] = "",
) -> None:
    """Copy a checkpoint into the models folder and record its SHA-256 sums.

    Of a published StyleGAN2 all its tensors are listed, each with what becomes of it.
    """
    with refusals():
        from generation import upkeep
        from generation.stylegan2_files import plan_of

        folder = read_settings().models_folder
        if path.suffix == ".safetensors" and path.is_file() and (plan := plan_of(path)):
            _print_plan(plan)
        entry = upkeep.add(path, models_dir=folder, name=name, origin=origin, licence=licence)
        _say_added(entry)


@models.command()
def remove(
    name: Name, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False
) -> None:
    """Delete a checkpoint of yours."""
    with refusals():
        from generation import catalogue, upkeep

        settings = read_settings()
        if name == settings.remix_model != type(settings).model_fields["remix_model"].default:
            fail(f"{name} is ATELIER_REMIX_MODEL; choose another there first")
        entry = catalogue.entry_named(name, models_dir=settings.models_folder)
        if not (yes or entry.starter):
            typer.confirm(f"Delete {entry.folder} ({_size(entry.size_bytes)})?", abort=True)
        upkeep.remove(name, models_dir=settings.models_folder)
        typer.echo(f"{name} is gone.")


@models.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="All of them by default.")] = None,
    trial: Annotated[
        bool, typer.Option(help="Also load it and make a picture, which measures its memory.")
    ] = True,
) -> None:
    """Compare checkpoints with their recorded sums, and try each; what is wrong is not used."""
    with refusals():
        from generation import catalogue, upkeep
        from generation.errors import ModelUnavailableError

        folder = read_settings().models_folder
        broken = 0
        there = catalogue.entries(models_dir=folder)
        alone = catalogue.networks(models_dir=folder)
        for name in names or [entry.name for entry in (*there, *alone)]:
            try:
                upkeep.verify(name, models_dir=folder, said=_note)
                typer.echo(f"{name}: its files are whole{_tried(name) if trial else ''}")
            except ModelUnavailableError as error:
                typer.echo(f"atelier: {error}", err=True)
                broken += 1
        if broken:
            raise typer.Exit(1)


@models.command()
def convert(
    path: Annotated[Path, typer.Argument(help="A .ckpt, .pt, .pth or .bin, or a folder of them.")],
    target: Annotated[
        Path | None, typer.Argument(metavar="[OUT]", help="Beside it by default.")
    ] = None,
) -> None:
    """Turn pickled weights into safetensors; a pickle that holds a program is refused."""
    with refusals():
        from generation.converting import convert, pickles_of, target_of

        if not path.exists():
            fail(f"{path}: there is no such file or folder")
        if target is not None and (path.is_dir() or target.suffix != ".safetensors"):
            fail("OUT is the name of one safetensors file, for one file")
        pickles = pickles_of(path)
        if not pickles:
            fail(f"{path}: there is no pickle in it that is not converted already")
        for each in pickles:
            place = target or target_of(each)
            if place.exists():
                fail(f"{place}: there is such a file already")
            count = convert(each, place)
            typer.echo(f"{place}: {count} tensors, {_size(place.stat().st_size)}")


@models.command()
def pull(
    repository: Annotated[str, typer.Argument(metavar="ID", help="OWNER/NAME on the hub.")],
    name: Annotated[str | None, typer.Option(help="What it will be called here.")] = None,
    revision: Annotated[
        str | None, typer.Option(help="A commit; the newest by default, and then recorded.")
    ] = None,
    config_only: Annotated[
        bool, typer.Option("--config-only", help="Without weights, for a single file of yours.")
    ] = False,
) -> None:
    """Fetch a checkpoint from the Hugging Face hub; call it again to go on after a break."""
    with refusals():
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

        from generation.pulling import pull

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        with Progress(*columns) as progress:
            tasks: dict[str, TaskID] = {}

            def watch(path: str, done: int, total: int) -> None:
                if path not in tasks:
                    tasks[path] = progress.add_task(path, total=total)
                progress.update(tasks[path], completed=done)

            entry = pull(
                repository,
                models_dir=read_settings().models_folder,
                name=name,
                revision=revision,
                config_only=config_only,
                watch=watch,
            )
        _say_added(entry)


def _tried(name: str) -> str:
    """Make a picture with a checkpoint, write down what came of it, and return it in words."""
    from generation.cards import forget_refusal, note_refusal
    from generation.errors import ModelTooLargeError, ModelUnavailableError
    from generation.trial import pipeline_of, tried
    from generation.upkeep import mark

    settings = read_settings()
    folder = settings.models_folder
    _note(f"trying {name}")
    try:
        trial = tried(name, pipeline=pipeline_of(name, models_dir=folder), config=settings.engine)
    except ModelTooLargeError as error:
        # Nothing is wrong with the checkpoint, and there may be room another time.
        note_refusal(name, str(error), models_dir=folder)
        raise
    except ModelUnavailableError as error:
        mark(name, unusable=str(error), models_dir=folder)
        raise
    forget_refusal(name, models_dir=folder)
    mark(name, memory_bytes={trial.device: trial.memory_bytes}, models_dir=folder)
    return f", and it makes pictures with {_size(trial.memory_bytes)} of {trial.device} memory"


def _note(text: str) -> None:
    typer.echo(f"  {text}", err=True)


def _say_added(entry: "Entry") -> None:
    typer.echo(
        f"{entry.name}: {_family(entry)}, {_size(entry.size_bytes)}, {len(entry.card.files)} files"
    )
    if entry.unusable:
        typer.echo(f"It cannot be used yet: {entry.unusable}", err=True)


def _row(entry: "Entry") -> tuple[str, ...]:
    return (
        entry.name,
        _family(entry),
        _size(entry.size_bytes),
        _memory(entry),
        entry.card.licence or "?",
        entry.unusable or "ready",
    )


def _row_beside(found: "Companion | Misplaced") -> tuple[str, ...]:
    from generation.companions import Misplaced

    if isinstance(found, Misplaced):
        return found.name, "?", "", found.reason
    return found.name, found.base, _size(found.size_bytes), "ready"


def _held(entry: "Entry", settings: "Settings") -> str:
    """Return how a checkpoint would find room on this machine, sentence by sentence."""
    from generation.errors import ModelUnavailableError
    from generation.planning import said_of

    try:
        return "\n".join(said_of(entry.name, config=settings.engine))
    except ModelUnavailableError:
        # Its state says why.
        return ""


def _facts(entry: "Entry") -> dict[str, str]:
    card = entry.card
    return {
        "name": entry.name,
        "title": entry.manifest.title,
        "state": f"not used: {entry.unusable}" if entry.unusable else "ready",
        "folder": str(entry.folder),
        "family": _family(entry),
        "origin": " at ".join(filter(None, (card.origin, card.revision))),
        "licence": card.licence or "not known; see its publisher",
        "size": _size(entry.size_bytes),
        "memory": _memory(entry) if card.memory_bytes else "not measured; `models verify` does",
        "words": ", ".join(entry.words) or "any",
        "missing": ", ".join(entry.missing),
        "sha256": "\n".join(f"{each.sha256}  {path}" for path, each in card.files.items()),
    }


def _family(entry: "Entry") -> str:
    """Return what a checkpoint's family is called, if its files tell."""
    from generation.families import OTHER

    return "?" if entry.unusable and entry.family is OTHER else entry.family.title


def _memory(entry: "Entry") -> str:
    measured = entry.card.memory_bytes.items()
    return ", ".join(f"{_size(most)} ({kind})" for kind, most in measured) or "-"


def _size(size_bytes: int) -> str:
    """Return a size as people say it."""
    if size_bytes < 1e9:
        return f"{size_bytes / 1e6:.1f} MB"
    return f"{size_bytes / 1e9:.1f} GB"


def _print_plan(plan: "Plan") -> None:
    """Print what becomes of every tensor of a published network."""
    from generation.stylegan2_files import counted

    rows = [
        (line.source, line.name, " x ".join(map(str, line.shape)), line.fate) for line in plan.lines
    ]
    _print_table((plan.layout, "here", "shape", "what becomes of it"), rows)
    typer.echo(counted(plan))


def _print_facts(facts: dict[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        if fact:
            table.add_row(name, fact)
    Console(highlight=False, markup=False).print(table)


def _print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False).print(table)
