"""An evaluation as one file to look at: a page that needs no other file, or a picture."""

import json
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from textwrap import wrap

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image, ImageDraw, ImageFont

from generation.errors import InvalidRequestError
from generation.evaluation.figures import Figure, Found, Row
from generation.evaluation.sheets import Cell, Shown, image_of

TEMPLATE = "report.html.jinja"
ENDINGS = (".html", ".png")
BINS = 20
"""Of the charts of how figures are spread."""
CHARTED = (("ssim", "SSIM"), ("psnr", "PSNR, dB"), ("nats", "Negative ELBO, nats"))
WIDTH, MARGIN, LINE, GAP, ACROSS, WRAPPED = 1120, 32, 24, 4, 4, 130
INK, QUIET, PAPER = (29, 29, 36), (104, 104, 118), (255, 255, 255)


def require_ending(out: Path) -> None:
    """Refuse a name whose ending says no kind of report, and a folder that is not there.

    Raises:
        InvalidRequestError: it is so.
    """
    if out.suffix.lower() not in ENDINGS:
        raise InvalidRequestError(f"{out}: the name of a report ends in {' or '.join(ENDINGS)}")
    require_folder(out)


def require_folder(out: Path) -> None:
    """Refuse a file whose folder is not there.

    Raises:
        InvalidRequestError: it is so.
    """
    if not out.parent.is_dir():
        raise InvalidRequestError(f"{out.parent}: there is no such folder")


def write_report(out: Path, found: Found, shown: Shown) -> None:
    """Write a page or a picture, as the name's ending says."""
    if out.suffix.lower() == ".html":
        out.write_text(page(found, shown), "utf-8")
    else:
        picture(found, shown).save(out, "PNG", optimize=True)


def write_json(out: Path, found: Found) -> None:
    """Write all figures, those of each picture included."""
    out.write_text(json.dumps(found.to_json(), indent=2, ensure_ascii=False) + "\n", "utf-8")


def page(found: Found, shown: Shown) -> str:
    """Return a page of HTML that holds its pictures."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"amount": amount, "caption": caption}
    charts = [(title, bars(found.rows, key)) for key, title in CHARTED]
    return environment.get_template(TEMPLATE).render(
        found=found, shown=shown, charts=[each for each in charts if each[1]]
    )


def amount(value: float | None) -> str:
    """Return a number with as many digits as mean something: three, and no fraction of many."""
    if value is None or not isfinite(value):
        return "\u2013"
    return f"{value:,.0f}" if abs(value) >= 100 or not value else f"{value:#.3g}"


def caption(row: Row) -> str:
    """Return what is said below a picture."""
    known = (("SSIM", row.ssim, ""), ("PSNR", row.psnr, " dB"), ("nats", row.nats, ""))
    said = (f"{name} {amount(value)}{unit}" for name, value, unit in known if value is not None)
    return " · ".join(said)


def bars(rows: Sequence[Row], key: str) -> dict[str, object] | None:
    """Return how a figure is spread, as bars from 0 to 1; None of too few pictures."""
    values = [value for row in rows if (value := getattr(row, key)) is not None]
    if len(values) < BINS // 2 or min(values) == max(values):
        return None
    counts, edges = np.histogram(values, BINS)
    return {
        "heights": [count / counts.max() for count in counts],
        "counts": [int(count) for count in counts],
        "edges": [float(edge) for edge in edges],
        "low": amount(edges[0]),
        "high": amount(edges[-1]),
    }


def picture(found: Found, shown: Shown) -> Image.Image:
    """Return the report as one picture: figures above, sheets below."""
    lines = [(found.model, 30, INK), (found.about, 18, QUIET)]
    lines += [(f"{found.data}, by {found.device}, {found.when}", 18, QUIET), ("", 12, INK)]
    lines += [(_line(figure), 18, INK) for figure in found.figures]
    lines += [("", 12, INK)]
    lines += [(part, 16, QUIET) for note in found.notes for part in wrap(note, WRAPPED)]
    lines += [("", 12, INK)]
    strips = [_strip(cells, title) for title, cells in shown.groups]
    height = 2 * MARGIN + sum(_tall(size) for _, size, _ in lines)
    paper = Image.new("RGB", (WIDTH, height + sum(each.height for each in strips)), PAPER)
    draw, top = ImageDraw.Draw(paper), MARGIN
    for text, size, colour in lines:
        draw.text((MARGIN, top), _fitted(draw, text, size), colour, font=_font(size))
        top += _tall(size)
    for strip in strips:
        paper.paste(strip, (0, top))
        top += strip.height
    return paper


def _line(figure: Figure) -> str:
    error = "" if figure.error is None else f" ± {amount(figure.error)}"
    unit = f" {figure.unit}" if figure.unit else ""
    return f"{figure.title}: {amount(figure.value)}{error}{unit}  (of {figure.count})"


def _strip(cells: Sequence[Cell], title: str) -> Image.Image:
    """Return pictures beside their results, in rows, under a title."""
    rows = [cells[start : start + ACROSS] for start in range(0, len(cells), ACROSS)]
    strips = [_row(row) for row in rows]
    paper = Image.new("RGB", (WIDTH, 2 * LINE + sum(each.height for each in strips)), PAPER)
    ImageDraw.Draw(paper).text((MARGIN, 0), title, INK, font=_font(20))
    top = _tall(20)
    for strip in strips:
        paper.paste(strip, (0, top))
        top += strip.height
    return paper


def _row(cells: Sequence[Cell]) -> Image.Image:
    """Return a row of pictures beside their results, with what is said below them."""
    wide = (WIDTH - 2 * MARGIN) // ACROSS
    side = (wide - 3 * GAP) // 2
    images = [[image_of(png) for png in (cell.start, cell.result)] for cell in cells]
    for image in (each for pair in images for each in pair):
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    tall = max(image.height for pair in images for image in pair)
    paper = Image.new("RGB", (WIDTH, tall + 2 * LINE), PAPER)
    draw = ImageDraw.Draw(paper)
    for number, (cell, pair) in enumerate(zip(cells, images, strict=True)):
        left = MARGIN + number * wide
        paper.paste(pair[0], (left, 0))
        paper.paste(pair[1], (left + pair[0].width + GAP, 0))
        for line, text in enumerate((cell.row.name, caption(cell.row))):
            said = _fitted(draw, text, 13, room=2 * side)
            draw.text((left, tall + 2 + 17 * line), said, QUIET, font=_font(13))
    return paper


def _tall(size: int) -> int:
    return round(size * 1.5)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _fitted(draw: ImageDraw.ImageDraw, text: str, size: int, *, room: int = WIDTH - 64) -> str:
    """Return a text cut to the room there is."""
    font = _font(size)
    if draw.textlength(text, font=font) <= room:
        return text
    while text and draw.textlength(f"{text}…", font=font) > room:
        text = text[:-1]
    return f"{text}…"
