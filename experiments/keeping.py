"""What a store may lose: never what a study refers to."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from mesoforge.experiments.home import Home
from mesoforge.experiments.references import others
from mesoforge.optimize.journal import Journal
from mesoforge.physics import store_care
from mesoforge.physics.store import Store
from mesoforge.physics.store_care import Size


def store_usage(home: Home) -> dict[str, Any]:
    """Return how large a home's store is, part by part."""
    found = store_care.usage(Store(home.store))
    return {
        "store": str(home.store),
        "parts": {name: {"count": s.count, "bytes": s.bytes} for name, s in found.items()},
    }


def verify_store(home: Home, *, remove: bool) -> dict[str, Any]:
    """Say which stages are damaged, and with ``remove`` take them away, so that they are made again."""
    store = Store(home.store)
    found = store_care.damage(store)
    for folder in found if remove else ():
        store_care.discard(folder)
    shown = [{"stage": path.parent.name, "name": path.name, "damage": why} for path, why in found.items()]
    return {"stages": len(list(store_care.stages(store))), "damaged": shown, "removed": remove}


def prune_store(home: Home, *, working: bool, unreferenced: bool, dry_run: bool) -> dict[str, Any]:
    """Remove leavings of failed and killed runs, then working files, then stages that no study refers to.

    Raises:
        InputError: stages without a study are asked for where that cannot be known.
    """
    store = Store(home.store)
    orphans = _orphans(home, store) if unreferenced else []
    left, files = list(store_care.leavings(store)), list(store_care.working_files(store)) if working else []
    sizes = {"leavings": _size(left), "working files": _size(files), "unreferenced stages": _size(orphans)}
    if not dry_run:
        for path in left:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        for folder in dict.fromkeys(_stage_of(path, store) for path in files):
            store_care.slim(folder)
        for folder in orphans:
            store_care.discard(folder)
    parts = {name: {"count": size.count, "bytes": size.bytes} for name, size in sizes.items()}
    return {"store": str(home.store), "pruned": not dry_run, "parts": parts}


def referenced(home: Home, name: str) -> set[Path]:
    """Return the folders of all stages behind the electrodes that a study's journal names."""
    store, found = Store(home.store), set[Path]()
    for event in Journal(home.journal(name)).events():
        outcome: Any = event.get("outcome", event)
        found.update(store_care.line_of(store, str(outcome.get("electrode", ""))))
    return found


def _orphans(home: Home, store: Store) -> list[Path]:
    known = set().union(*(referenced(home, study) for study in home.studies()))
    for name in others(home):
        known.update(store_care.line_of(store, name))
    return [folder for folder in store_care.stages(store) if folder not in known and not _young(folder)]


def _young(folder: Path) -> bool:
    """Whether a stage was made so recently that a run which is under way may go on from it."""
    import time

    return time.time() - folder.stat().st_mtime < store_care.YOUNG_S


def _stage_of(path: Path, store: Store) -> Path:
    return store.root.joinpath(*path.relative_to(store.root).parts[:2])


def _size(paths: list[Path]) -> Size:
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    return Size(len(paths), sum(file.stat().st_size for file in files))
