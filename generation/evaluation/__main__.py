"""``python -m generation.evaluation MODEL --data FOLDER``: evaluate a model with one command."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from generation.artworks import artworks
from generation.errors import GenerationError, InvalidRequestError
from generation.evaluation.data import data_of
from generation.evaluation.evaluating import Sides, evaluate
from generation.evaluation.features import NETS, chosen, seers
from generation.evaluation.figures import Found
from generation.evaluation.makers import (
    TIMEOUT_S,
    Maker,
    NetworkMaker,
    SeedMaker,
    trained_folder,
)
from generation.evaluation.report import (
    amount,
    require_ending,
    require_folder,
    write_json,
    write_report,
)
from generation.evaluation.sheets import Shown
from generation.pipelines.base import EngineConfig
from generation.portraits import PAINTED
from generation.registry import PIPELINES, PORTRAIT, offered
from generation.request import UNREAD, ImageRequest, Pixels
from generation.stylegan2_files import NETWORK
from generation.trained import read_trained
from generation.weights import checkpoint_folder, known_words


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and evaluate; return the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    try:
        _evaluate(options)
    except (GenerationError, OSError) as error:
        sys.stderr.write(f"atelier: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("atelier: stopped\n")
        return 130
    return 0


def _evaluate(options: argparse.Namespace) -> None:
    if options.out is not None:
        require_ending(options.out)
    if options.json is not None:
        require_folder(options.json)
    torch.set_num_threads(options.threads)
    data = data_of(options.data, limit=options.limit)
    maker, net = _maker(options), chosen(options.features, models_dir=options.models_dir)
    sides = Sides()
    if net is not None:
        seen = seers(net, models_dir=options.models_dir)
        sides = Sides(net=net.title, data=seen(), made=seen())
    with _progress(quiet=options.quiet) as bar:
        task = bar.add_task("Starting", total=data.count)

        def show(done: int, name: str) -> None:
            bar.update(task, completed=done, description=name[-40:])

        making = evaluate(
            maker, data, model=options.model, sides=sides, max_side=options.side, show=show
        )
        found, shown = asyncio.run(making)
        bar.update(task, completed=data.count, description="Done")
    _tell(found, shown, options)


def _maker(options: argparse.Namespace) -> Maker:
    """Return what makes pictures with the model that was named.

    Raises:
        InvalidRequestError: a wish does not fit it, or is missing.
        ModelUnavailableError: there is no such model, or it is damaged.
    """
    trained = trained_folder(options.model, models_dir=options.models_dir)
    if options.model == PAINTED or (trained is not None and _is_generator(trained)):
        return _seed_maker(options, trained)
    if trained is not None:
        config = _config(options, trained.resolve().parent)
        return NetworkMaker(trained, config=config, seed=options.seed)
    folder = _folder(options.model)
    models_dir = options.models_dir if folder is None else folder.parent
    pipelines, config = offered(models_dir=options.models_dir), _config(options, models_dir)
    wish = ImageRequest(
        job_id="",
        pipeline=options.model,
        image=UNREAD,
        prompt=options.prompt or "",
        strength=0.8 if options.strength is None else options.strength,
        seed=options.seed,
        num_inference_steps=options.steps,
        timeout_s=TIMEOUT_S,
        previews=False,
    )
    spec = PIPELINES.get(options.model)
    if folder is None and spec is not None and spec.takes_style_image:
        if options.model not in pipelines:
            wanted = " or ".join(spec.weights)
            raise InvalidRequestError(f"{options.model} needs {wanted} in {models_dir}")
        wish = replace(wish, style_image=_artwork(options))
        manner = options.preset or options.artwork.name
        about = f"Repainted in the manner of {manner}, strength {wish.strength:g}"
        return Maker(wish, about=about, config=config, pipelines=pipelines)
    name = options.model if folder is None else folder.name
    _require_prompt(options, name=name, models_dir=models_dir)
    wish = replace(wish, pipeline="remix", model=name)
    about = f"Changed by the words “{wish.prompt}”" if wish.prompt else "Changed without words"
    about = f"{about}, strength {wish.strength:g}"
    return Maker(wish, about=about, config=config, pipelines=pipelines)


def _is_generator(folder: Path) -> bool:
    return bool(read_trained(folder)["network"] == NETWORK)


def _seed_maker(options: argparse.Namespace, folder: Path | None) -> Maker:
    """Return what asks an engine for pictures of seeds: by a StyleGAN2, or by the painter."""
    models_dir = options.models_dir if folder is None else folder.parent.resolve()
    wish = ImageRequest(
        job_id="",
        pipeline=PORTRAIT,
        image=UNREAD,
        model=PAINTED if folder is None else folder.name,
        strength=1.0 if options.strength is None else options.strength,
        seed=options.seed,
        timeout_s=TIMEOUT_S,
        previews=False,
    )
    return SeedMaker(
        wish,
        about=f"Samples of {wish.model}, truncation {wish.strength:g}",
        config=_config(options, models_dir),
        pipelines=offered(models_dir=models_dir),
    )


def _require_prompt(options: argparse.Namespace, *, name: str, models_dir: Path) -> None:
    """Refuse to change pictures without words, with a checkpoint that knows words.

    Raises:
        InvalidRequestError: there are no words; the sentence says those it knows.
        ModelUnavailableError: there is no such checkpoint, or it is damaged.
    """
    checkpoint_folder(name, models_dir=models_dir)
    words = known_words(name, models_dir=models_dir)
    if options.prompt is None and words:
        raise InvalidRequestError(f"give a --prompt; {name} knows: {', '.join(words)}")


def _folder(model: str) -> Path | None:
    """Return the folder of a checkpoint that is told by its path; None of one told by its name.

    Raises:
        InvalidRequestError: there is no such folder.
    """
    if "/" not in model and not model.startswith("."):
        return None
    if not Path(model).is_dir():
        raise InvalidRequestError(f"{model}: there is no such folder")
    return Path(model).resolve()


def _artwork(options: argparse.Namespace) -> Pixels:
    """Return the artwork of a style method.

    Raises:
        InvalidRequestError: there is none, or it is no picture.
    """
    place = options.artwork
    if place is None and options.preset is None:
        raise InvalidRequestError(
            f"give --artwork FILE or --preset NAME; there are: {', '.join(artworks())}"
        )
    if place is None:
        if options.preset not in artworks():
            raise InvalidRequestError(f"there is no preset {options.preset!r}")
        place = artworks()[options.preset].path
    try:
        with Image.open(place) as opened:
            opened.thumbnail((options.side, options.side))
            image = opened.convert("RGB")
    except (OSError, Image.DecompressionBombError) as err:
        raise InvalidRequestError(f"{place} is no picture that can be read") from err
    return Pixels(width=image.width, height=image.height, data=image.tobytes())


def _config(options: argparse.Namespace, models_dir: Path) -> EngineConfig:
    return EngineConfig(
        device=options.device,
        dtype=options.dtype,
        threads=options.threads,
        models_dir=models_dir,
    )


def _tell(found: Found, shown: Shown, options: argparse.Namespace) -> None:
    """Print the figures and write what was asked for."""
    table = Table(title=f"{found.model}: {found.about}\n{found.data}", title_justify="left")
    for name in ("figure", "value", "± at 95 %", "least", "greatest", "of"):
        table.add_column(name, justify="left" if name == "figure" else "right")
    for figure in found.figures:
        value = f"{amount(figure.value)} {figure.unit}".strip()
        ends = (amount(end) for end in (figure.error, figure.low, figure.high))
        table.add_row(figure.title, value, *ends, str(figure.count))
    console = Console()
    console.print(table)
    for note in found.notes:
        console.print(note, markup=False, highlight=False)
    if options.out is not None:
        write_report(options.out, found, shown)
    if options.json is not None:
        write_json(options.json, found)
    for place in (options.out, options.json):
        if place is not None:
            console.print(str(place), markup=False, highlight=False)


def _progress(*, quiet: bool) -> Progress:
    console = Console(stderr=True)
    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evaluate", description="Evaluate a model on a folder of pictures."
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a checkpoint's name, a method of style, or a folder that a training has written",
    )
    parser.add_argument("--data", type=Path, required=True, help="a folder of pictures, or MNIST's")
    parser.add_argument("--out", type=Path, help="the report, .html or .png")
    parser.add_argument("--json", type=Path, help="a file for all figures, each picture's too")
    parser.add_argument("--limit", type=_count, help="look at so many pictures at most, by name")
    parser.add_argument("--prompt", help="what pictures are to become, of checkpoints")
    parser.add_argument("--artwork", type=Path, help="a picture of an artwork, of styles")
    parser.add_argument("--preset", help="a built-in artwork, by name")
    parser.add_argument(
        "--strength", type=float, help="how far to go, 0 to 1 (0.8); of samples the truncation (1)"
    )
    parser.add_argument("--steps", type=_count, help="of the denoiser; the model's own without")
    parser.add_argument("--seed", type=int, default=1, help="of the first picture; they count up")
    parser.add_argument("--side", type=_count, default=512, help="longest side in pixels (512)")
    parser.add_argument(
        "--features", help=f"the feature net of FID: {', '.join(NETS)}; the first that is there"
    )
    parser.add_argument("--models-dir", type=Path, default=Path("data/models"))
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--dtype", default="auto", choices=["auto", "float32", "float16", "bfloat16"]
    )
    parser.add_argument("--threads", type=_count, default=1, help="of the engine on a CPU")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    return parser


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("1 at least")
    return count


if __name__ == "__main__":
    sys.exit(main())
