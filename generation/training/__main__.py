"""``python -m generation.training NAME --out FOLDER``: train a model with one command."""

import argparse
import dataclasses
import inspect
import logging
import re
import sys
import typing
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from generation.errors import GenerationError, InvalidRequestError
from generation.training.course import Course, is_under_way, train, work_of

RECIPES = {
    "digits-vae": "generation.training.digits_vae:DigitsVae",
    "digits-gan": "generation.training.digits_gan:DigitsGan",
    "rooms-vae": "generation.training.rooms_vae:RoomsVae",
    "remix": "generation.training.remix:Remix",
    "stylegan2": "generation.training.stylegan2:Stylegan2",
    "encoder": "generation.training.encoder:Encoder",
    "adain": "generation.training.adain:Adain",
}
"""Names of trainings, and where their ``...Config`` and ``...Course`` are."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and train; return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(given)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        done = _train(options)
    except (GenerationError, OSError) as error:
        sys.stderr.write(f"atelier: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("atelier: stopped; the same command with --resume goes on\n")
        return 130
    left = "" if done else " is not done yet; --resume goes on"
    sys.stdout.write(f"{options.out}{left}\n")
    return 0


def _train(options: argparse.Namespace) -> bool:
    config_class, begun = recipe(options.name)
    config = configured(config_class, options.set)
    out = options.out.resolve()
    _require_free(out, resume=options.resume)
    torch.set_num_threads(options.threads)
    course = begun(config, data=options.data, work=work_of(out))
    return train(course, out=out, minutes=options.minutes, quiet=options.quiet)


def _require_free(out: Path, *, resume: bool) -> None:
    """Refuse a folder that holds something, and to begin anew what could be gone on with.

    Raises:
        InvalidRequestError: it is so.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InvalidRequestError(f"{out} is there already: name another folder, or remove it")
    if is_under_way(out) and not resume:
        raise InvalidRequestError(
            f"{work_of(out)} holds a training under way: give --resume, or remove it"
        )


def recipe(name: str) -> tuple[type[Any], Callable[..., Course]]:
    """Return a training's configuration class, and what begins it."""
    module, _, stem = RECIPES[name].partition(":")
    found = import_module(module)
    return getattr(found, f"{stem}Config"), getattr(found, f"{stem}Course").begun


def configured(config_class: type[Any], changes: Sequence[str]) -> Any:  # noqa: ANN401 - a dataclass
    """Return a configuration with fields set by ``name=value``.

    Raises:
        InvalidRequestError: there is no such field, or the value does not fit it.
    """
    kinds = typing.get_type_hints(config_class)
    values: dict[str, Any] = {}
    for change in changes:
        name, _, text = change.partition("=")
        if name not in kinds:
            known = ", ".join(kinds)
            raise InvalidRequestError(f"there is no setting {name!r}; known: {known}")
        values[name] = _value(name, text, kinds[name])
    return config_class(**values)


def _value(name: str, text: str, kind: Any) -> Any:  # noqa: ANN401 - a type and its value
    choices = typing.get_args(kind)
    if choices and text not in choices:
        raise InvalidRequestError(f"{name} is one of {', '.join(choices)}, not {text!r}")
    try:
        return text if choices else kind(text)
    except ValueError:
        raise InvalidRequestError(f"{name} is no {kind.__name__}: {text!r}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="train",
        description="Train a model.",
        epilog=_settings(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=[*RECIPES], help="what to train")
    parser.add_argument("--data", type=Path, help="a folder of data; painted by ourselves without")
    parser.add_argument("--out", type=Path, required=True, help="the folder for the model")
    parser.add_argument("--minutes", type=float, help="stop after so long; --resume goes on")
    parser.add_argument("--resume", action="store_true", help="go on with a training under way")
    parser.add_argument("--threads", type=_count, default=1, help="an exact resume needs the same")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    return parser


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("1 at least")
    return count


def _settings() -> str:
    """Return what --set can set, from the configurations' own descriptions."""
    parts = []
    for name in RECIPES:
        config_class, _ = recipe(name)
        said = "\n".join(inspect.getdoc(each) or "" for each in reversed(config_class.__mro__[:-1]))
        told = re.findall(r"^ {4}(\w+): (.*)$", said, re.MULTILINE)
        defaults = {field.name: field.default for field in dataclasses.fields(config_class)}
        lines = [f"  {field:14} {about} ({defaults[field]})" for field, about in told]
        parts.append("\n".join([f"{name}, by --set:", *lines]))
    return "\n\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())
