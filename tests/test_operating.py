"""What operators are given names only what is there: settings, paths, commands, metrics."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values
from typer.main import get_command

from bot.__main__ import app
from bot.app import NO_TOKEN
from bot.settings import Settings
from tests.requirements import require
from tests.test_readme import variable

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNIT = (DEPLOY / "atelier.service").read_text(encoding="utf-8")
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
MACHINES = (ROOT / "docs" / "many-machines.md").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "text",
    [UNIT, DOCKERFILE, str(COMPOSE), GUIDE, MACHINES],
    ids=["unit", "image", "compose", "guide", "machines"],
)
def test_every_variable_that_is_named_is_a_setting(text: str) -> None:
    named = set(re.findall(r"\b(?:ATELIER|DISCORD)_[A-Z_]+\b", text))
    assert named
    assert named <= {variable(name) for name in Settings.model_fields}


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    require("systemd", available=program is not None, cure="apt-get install systemd")
    assert program is not None
    unit = tmp_path / "atelier.service"
    unit.write_text(UNIT.replace("/opt/atelier/.venv/bin/python", sys.executable))
    command = [program, "verify", "--man=no", "--recursive-errors=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    said = [line for line in done.stderr.splitlines() if "atelier.service" in line]
    assert (done.returncode, said) == (0, [])
    unit.write_text(unit.read_text() + "\n[Service]\nNoSuchOption=yes\nLimitNOFILE=many\n")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "NoSuchOption" in done.stderr


def test_the_unit_says_what_the_program_does() -> None:
    assert f"RestartPreventExitStatus={NO_TOKEN}\n" in UNIT
    assert (ROOT / re.findall(r"file:/opt/atelier/(\S+)", UNIT)[0]).is_file()
    patience = int(re.findall(r"TimeoutStopSec=(\d+)", UNIT)[0])
    longest = Settings.model_fields["shutdown_s"].metadata
    assert patience > max(each.le for each in longest if hasattr(each, "le")) + 10


def test_the_image_is_made_of_what_is_there_and_holds_all_that_ships() -> None:
    copied = {
        name
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for name in line.split()[:-1]
    }
    assert [name for name in copied if not (ROOT / name).exists()] == []
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {*packages["packages"], *packages["force-include"]} <= copied
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    assert re.search(r"^USER atelier$", DOCKERFILE, re.MULTILINE)
    assert "NOT BUILT" in DOCKERFILE


def test_the_composition_names_what_is_there() -> None:
    bot = COMPOSE["services"]["bot"]
    context = (DEPLOY / bot["build"]["context"]).resolve()
    assert context == ROOT
    assert (context / bot["build"]["dockerfile"]).is_file()
    assert bot["shm_size"]
    # The image's server answers on its socket before it is ready.
    assert "127.0.0.1" in COMPOSE["services"]["postgres"]["healthcheck"]["test"]
    assert set(bot["depends_on"]) <= set(COMPOSE["services"])
    used = {name for each in COMPOSE["services"].values() for name in each.get("volumes", [])}
    assert {name.partition(":")[0] for name in used} == set(COMPOSE["volumes"])
    port = Settings.model_fields["web_port"].default
    assert bot["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"127.0.0.1:{port}/healthz" in DOCKERFILE


def test_lines_of_the_environment_say_the_same_to_systemd_a_shell_and_the_bot(
    tmp_path: Path,
) -> None:
    name = r"(?:ATELIER|DISCORD)_[A-Z_]+"
    lines = re.findall(rf"^{name}=.+$", MACHINES, re.MULTILINE)
    lines += re.findall(rf"`({name}=[^`\n]+)`", GUIDE + MACHINES)
    assert len(lines) > 8
    file = tmp_path / "atelier.env"
    for line in lines:
        file.write_text(f"{line}\n")
        variable_name, _, rest = line.partition("=")
        # To systemd everything behind the sign is the value, but for quotes around it.
        systemds = rest[1:-1] if rest[0] == rest[-1] == "'" else rest
        script = f'. {file} && printf %s "${variable_name}"'
        shells = subprocess.run(
            ["/bin/sh", "-c", script], capture_output=True, text=True, check=True
        )
        assert (shells.stdout, dotenv_values(file)[variable_name]) == (systemds, systemds), line


def test_every_extra_that_is_installed_exists() -> None:
    extras = set(PROJECT["project"]["optional-dependencies"])
    named = re.findall(r"\.\[([\w,]+)\]", GUIDE) + re.findall(r"--extra (\w+)", DOCKERFILE)
    assert {name for each in named for name in each.split(",")} <= extras


def test_every_command_path_and_metric_of_the_guide_exists() -> None:
    commands = set(getattr(get_command(app), "commands"))  # noqa: B009 (click's group)
    assert set(re.findall(r"sudo atelier (\w+)", GUIDE)) <= commands
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", GUIDE)
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
    sources = "".join(path.read_text() for path in (ROOT / "bot").glob("*.py"))
    told = GUIDE.split("\n## Metrics\n")[1].split("\n## ")[0]
    for metric in re.findall(r"`atelier_(\w+)", told):
        assert f'"{metric}"' in sources
