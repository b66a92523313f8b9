"""Care for a store: how large it is, whether it is whole, and what may go."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mesoforge.physics.checksums import checksum, differs
from mesoforge.physics.store import FORMAT, MARK, RESULT, Store, digest, write_json

LEAVINGS: Final = ("failed", "unfinished", "locks")
"""Folders of a store that hold no finished stage."""
WORKING: Final = (".dump", ".data", ".restart")
"""Files by which LAMMPS was told of beads and told them: the states are in NPZ files beside."""
BEFORE: Final = "result.format1.json"
"""A stage's record as it was before it was written anew."""
YOUNG_S: Final = 86400.0
"""What was left more recently than this may belong to a run that is under way [s]."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is of something."""

    count: int = 0
    bytes: int = 0

    def __add__(self, other: Size) -> Size:
        """Return both together."""
        return Size(self.count + other.count, self.bytes + other.bytes)


def stages(store: Store) -> Iterator[Path]:
    """Yield the folder of every finished stage."""
    for kind in sorted(path for path in store.root.glob("*") if path.is_dir() and path.name not in LEAVINGS):
        yield from sorted(path for path in kind.iterdir() if path.is_dir())


def usage(store: Store) -> dict[str, Size]:
    """Return how much there is of each stage, of their working files, and of what failed or was left unfinished."""
    found: dict[str, Size] = {}
    for folder in stages(store):
        kind = folder.parent.name
        found[kind] = found.get(kind, Size()) + Size(1, _bytes(folder))
    for name in LEAVINGS[:2]:
        some = list((store.root / name).glob("*"))
        found[name] = Size(len(some), sum(map(_bytes, some)))
    working = list(working_files(store))
    return found | {"working files": Size(len(working), sum(path.stat().st_size for path in working))}


def working_files(store: Store) -> Iterator[Path]:
    """Yield the files of finished stages that nothing reads any more."""
    for folder in stages(store):
        yield from (path for path in sorted(folder.rglob("*")) if path.suffix in WORKING)


def damage(store: Store) -> dict[Path, str]:
    """Say what is wrong with each stage that is not whole; it would be made again when it is next needed."""
    return {folder: why for folder in stages(store) if (why := _wrong(folder))}


def _wrong(folder: Path) -> str:
    try:
        record = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        due, inputs = record["files"].items(), record["inputs"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return f"{RESULT} is absent or no record"
    if digest(inputs) != folder.name:
        return "its name is not the hash of its inputs"
    for name, sha in due:
        if not (folder / name).is_file():
            return f"{name} is absent"
        if differs(folder / name, sha):
            return f"{name} is not as it was written"
    return ""


def discard(folder: Path) -> None:
    """Remove a stage: its record first, so that a kill half-way leaves no stage that looks whole."""
    (folder / RESULT).unlink(missing_ok=True)
    shutil.rmtree(folder)


def leavings(store: Store, younger_s: float = YOUNG_S) -> Iterator[Path]:
    """Yield what failed or was left unfinished, but for what is so young that it may be under way."""
    for name in LEAVINGS[:2]:
        for path in sorted((store.root / name).glob("*")):
            if time.time() - path.stat().st_mtime > younger_s:
                yield path


def slim(folder: Path) -> None:
    """Remove the working files of a stage, from its record first."""
    record: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    kept = {name: sha for name, sha in record["files"].items() if Path(name).suffix not in WORKING}
    gone = sorted(set(record["files"]) - set(kept))
    write_json(folder / RESULT, record | {"files": kept})
    for name in gone:
        (folder / name).unlink(missing_ok=True)


def outdated(store: Store) -> Iterator[Path]:
    """Yield the stages whose record is of format 1: sizes of files in place of checksums."""
    for folder in stages(store):
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):  # damaged: `damage` says so
            files = json.loads((folder / RESULT).read_text(encoding="utf-8"))["files"]
            if any(isinstance(due, int) for due in files.values()):
                yield folder


def renew(folder: Path) -> bool:
    """Write a stage's record of format 1 anew, with the old one beside it; whether its files had their sizes."""
    if _wrong(folder):
        return False
    record: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    shutil.copy(folder / RESULT, folder / BEFORE)
    write_json(folder / RESULT, record | {"files": {name: checksum(folder / name) for name in record["files"]}})
    return True


def mark(store: Store) -> None:
    """Mark a store as one of today's format."""
    write_json(store.root / MARK, {"format": FORMAT})


def line_of(store: Store, name: str) -> Iterator[Path]:
    """Yield the folder of the stage that a hash names and of all stages before it, as their records tell."""
    while name:
        folder = next((path for path in store.root.glob(f"*/{name}") if path.parent.name not in LEAVINGS), None)
        if folder is None:
            return
        yield folder
        try:
            name = str(json.loads((folder / RESULT).read_text(encoding="utf-8"))["inputs"]["parent"])
        except (OSError, ValueError, KeyError, TypeError):
            return


def _bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
