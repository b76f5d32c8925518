"""What the commands of the command line share; light, for help must come at once."""

import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from bot.commandline_pictures import Made
    from bot.settings import Settings


class Format(StrEnum):
    """How a report is printed."""

    TEXT = "text"
    CSV = "csv"
    JSON = "json"


def version() -> str:
    """Return this program's version, from its installation or from its pyproject.toml."""
    try:
        return installed_version("atelier")
    except PackageNotFoundError:
        project = Path(__file__).parents[1] / "pyproject.toml"
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])


def fail(message: str) -> NoReturn:
    """Say in one sentence why a command ends, and end it."""
    typer.echo(f"atelier: {message}", err=True)
    raise typer.Exit(1)


@contextmanager
def refusals() -> Iterator[None]:
    """Turn whatever may go wrong for outer reasons into one sentence and a code of 1.

    Anything else is a fault of this program and keeps its traceback.
    """
    from generation.errors import GenerationError
    from storage.errors import StorageError

    try:
        yield
    except (GenerationError, StorageError) as error:
        fail(str(error))
    except OSError as error:
        # aiohttp's connection errors are among these, and their text alone names the host.
        what = re.sub(r"^\[Errno -?\d+\] ", "", str(error))
        fail(f"{error.filename}: {error.strerror}" if error.filename else what)
    except KeyboardInterrupt:
        typer.echo("atelier: stopped", err=True)
        raise typer.Exit(130) from None


def read_settings() -> "Settings":
    """Read the settings; a wrong one ends the command with a sentence that names it."""
    from pydantic import ValidationError

    from bot.settings import Settings

    try:
        return Settings()
    except ValidationError as err:
        wrong = [f"{_variable(str(fault['loc'][0]))}: {fault['msg']}" for fault in err.errors()]
        fail(f"the settings cannot be used; {'; '.join(wrong)}")


def _variable(name: str) -> str:
    """Return the variable that a setting is read from, as the settings describe it."""
    from bot.settings import Settings

    prefix = Settings.model_config.get("env_prefix", "")
    return f"{prefix}{name}".upper() if name in Settings.model_fields else name


def made(pictures: "list[Made]") -> None:
    """Print where results went, and what is to be said about them, once."""
    for note in dict.fromkeys(note for picture in pictures for note in picture.notes):
        typer.echo(note, err=True)
    for picture in pictures:
        sys.stdout.write(
            f"{picture.target}: {picture.width} x {picture.height}, {picture.model}, "
            f"seed {picture.seed}, {picture.device_s:.1f} s\n"
        )
