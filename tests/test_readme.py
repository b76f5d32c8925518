"""The README's tables say what the code says."""

import re
from pathlib import Path

from bot.settings import Settings
from generation.families import FAMILIES, UNET_ROWS, Family
from generation.memory import MEASURES
from generation.registry import PIPELINES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")


def variable(name: str) -> str:
    """Return the environment variable of a field of the settings."""
    return "DISCORD_TOKEN" if name == "discord_token" else f"ATELIER_{name.upper()}"


def first_cells(heading: str) -> set[str]:
    """Return what stands in code marks in the first column of the table under a heading."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)`", section, re.MULTILINE))


def test_every_setting_has_a_row_and_a_line_in_the_example() -> None:
    names = {variable(name) for name in Settings.model_fields}
    assert first_cells("Settings") == names
    assert set(re.findall(r"^#? ?([A-Z_]+)=", EXAMPLE, re.MULTILINE)) == names


def test_every_pipeline_has_a_row() -> None:
    assert first_cells("What makes the pictures") == set(PIPELINES)


def test_every_measure_of_memory_has_a_row_in_its_order() -> None:
    section = README.split("\n## Memory\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)`", section, re.MULTILINE)
    assert rows == [measure.name for measure in MEASURES]


def test_every_picture_and_page_it_links_to_exists() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def line_of(family: Family) -> str:
    """Return what the table of families says of one."""
    unet = family.rows == UNET_ROWS
    can = (
        family.by_rows,
        family.paints,
        family.weighs_words,
        unet and not family.edits,
        unet,
    )
    says = (
        family.title,
        "its own" if family.steps is None else str(family.steps),
        "its own" if family.guidance is None else f"{family.guidance:g}",
        "a blend" if family.edits else "steps taken",
        *("yes" if able else "-" for able in can),
    )
    return f"| {' | '.join(says)} |\n"


def test_every_family_has_a_row_of_what_it_is_run_with_and_can_do() -> None:
    assert "".join(line_of(family) for family in FAMILIES.values()) in README
