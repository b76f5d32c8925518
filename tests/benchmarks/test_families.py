"""The table of times: what is timed can be asked for, and where the table goes."""

from pathlib import Path

import pytest
import torch

from benchmarks.families import (
    BEGIN,
    DOCUMENT,
    END,
    families,
    markdown,
    measured,
    with_times,
    write_untrained,
)
from generation.registry import PIPELINES

torch.set_num_threads(1)


def test_every_pipeline_is_timed() -> None:
    assert {family.pipeline for family in families().values()} == set(PIPELINES)


def test_untrained_networks_take_their_time_and_a_row(tmp_path: Path) -> None:
    write_untrained(tmp_path)
    found = measured(families()["stylegan2"], models_dir=tmp_path, rounds=1, threads=[1])
    assert found[1].cpu_s > 0
    table = markdown({"stylegan2": found}, head="Here:")
    assert table.splitlines()[-1].startswith(
        "| `/portrait`, StyleGAN2 of 64 px, untrained | <= 0.3 |"
    )
    document = with_times(f"a\n{BEGIN}\nold\n{END}\nb\n", table)
    assert document == f"a\n{BEGIN}\n{table}\n{END}\nb\n"


def test_the_document_has_a_place_for_the_table() -> None:
    with_times(DOCUMENT.read_text("utf-8"), "")
    with pytest.raises(ValueError, match="lacks"):
        with_times("nothing", "")
