"""The house keeps its own rules: who may import whom, and what importing costs."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("bot", "generation", "storage", "sandbox", "benchmarks", "migrations")

FORBIDDEN: dict[str, set[str]] = {
    "bot": {"torch", "torchvision", "diffusers", "sandbox", "benchmarks", "migrations", "tests"},
    "generation": {
        "discord",
        "sqlalchemy",
        "aiohttp",
        "bot",
        "storage",
        "sandbox",
        "migrations",
        "tests",
    },
    "storage": {
        "discord",
        "torch",
        "diffusers",
        "bot",
        "generation",
        "sandbox",
        "migrations",
        "tests",
    },
    "sandbox": {"bot", "generation", "storage", "migrations", "benchmarks", "tests"},
    "benchmarks": {"migrations"},
    "migrations": {"bot", "generation", "sandbox", "benchmarks", "tests"},
}


def modules(package: str) -> Iterator[Path]:
    """Walk a package's source files."""
    yield from sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and dotted name of every import in a file, at any depth."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module


@pytest.mark.parametrize("package", PACKAGES)
def test_nobody_imports_whom_they_may_not_know(package: str) -> None:
    broken = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules(package)
        for line, name in imported(path)
        if name.partition(".")[0] in FORBIDDEN[package]
    ]
    assert broken == []


def test_the_import_walk_sees_files_in_every_package() -> None:
    assert all(any(modules(package)) for package in PACKAGES)


def test_only_the_discord_packages_import_discord() -> None:
    others = [path for package in PACKAGES if package != "bot" for path in modules(package)]
    knowing = [path for path in others for _, name in imported(path) if name.startswith("discord")]
    assert knowing == []


def test_migrations_know_only_the_tables() -> None:
    names = {name for path in modules("migrations") for _, name in imported(path)}
    assert {name for name in names if name.startswith("storage")} <= {"storage.tables"}


def test_only_the_settings_read_the_environment() -> None:
    readers = [
        str(path.relative_to(ROOT))
        for path in modules("bot")
        if path.name != "settings.py"
        and ("os.environ" in path.read_text() or "os.getenv" in path.read_text())
    ]
    assert readers == []


def test_every_test_folder_is_a_package() -> None:
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_comes_without_torch() -> None:
    code = (
        "import sys, runpy\n"
        "sys.argv = ['bot', '--help']\n"
        "try:\n    runpy.run_module('bot', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "assert not {'torch', 'diffusers', 'discord'} & set(sys.modules)\n"
    )
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    assert "remix" in done.stdout


@pytest.mark.parametrize(
    "module",
    [
        "generation.request",
        "generation.registry",
        "generation.errors",
        "generation.executor.client",
        "generation.codecs",
        "generation.artworks",
        "generation.weights",
    ],
)
def test_what_the_bot_imports_of_generation_costs_no_torch(module: str) -> None:
    done = run_python(f"import sys, {module}; assert 'torch' not in sys.modules")
    assert done.returncode == 0, done.stderr


def tracked_files() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listing.stdout.split("\0") if name]


def test_the_tracked_tree_stays_below_40_mib() -> None:
    total = sum(path.stat().st_size for path in tracked_files() if path.is_file())
    assert total < 40 * 2**20


def test_what_ships_as_weights_stays_below_24_mb() -> None:
    starter = ROOT / "generation" / "starter"
    assert sum(path.stat().st_size for path in starter.rglob("*.safetensors")) < 24e6


def test_nothing_tracked_holds_a_path_of_one_machine_or_a_download_address() -> None:
    home, here = str(Path.home()), str(ROOT)
    bad = ("files.pythonhosted" + ".org", "../" + "shared")
    for path in tracked_files():
        if not path.is_file() or path.suffix in {".safetensors", ".jpg", ".png", ".webp"}:
            continue
        text = path.read_text(encoding="utf-8", errors="ignore")
        assert f"{here}/" not in text, path
        assert home == "/" or f"{home}/" not in text, path
        assert path.parent.name == ".ci" or not any(mark in text for mark in bad), path
