"""A study in one file, to be taken to another machine: its journal, its findings, its electrodes and their stages."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final

from mesoforge.errors import InputError
from mesoforge.experiments.home import Home
from mesoforge.experiments.keeping import referenced
from mesoforge.experiments.record import check_study_name
from mesoforge.optimize.journal import Journal
from mesoforge.physics.checksums import checksum
from mesoforge.physics.store import FORMAT, Store

MANIFEST: Final = "manifest.json"
ARCHIVE_FORMAT: Final = 1
_TOPS: Final = ("studies", "portraits", "store")
_SKIPPED: Final = ("driver.lock",)
_BLOCK: Final = 1 << 20


def archive(home: Home, name: str, path: Path, *, stages: bool) -> dict[str, Any]:
    """Write a study to one file (ZIP), by default with the stages of its electrodes; the MLflow view is left out.

    Raises:
        InputError: another process drives the study, or the file is there already.
    """
    if path.exists():
        raise InputError(f"'{path}' is there already: give another name, or remove it.")
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    with home.only_driver(name):
        files = sorted(set(_files(home, name, stages=stages)))
        try:
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as written:
                told = {_inside(file, home): _add(written, file, _inside(file, home)) for file in files}
                _add_table(written, home, name)
                about = {"format": ARCHIVE_FORMAT, "store": FORMAT, "study": name, "files": told}
                written.writestr(MANIFEST, json.dumps(about, indent=1))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return {"study": name, "archive": str(path), "files": len(files), "bytes": path.stat().st_size}


def _files(home: Home, name: str, *, stages: bool) -> Iterator[Path]:
    yield from _below(home.study(name))
    for event in Journal(home.journal(name)).events():
        outcome: Any = event.get("outcome", event)
        if electrode := outcome.get("electrode"):
            yield from _below(home.portrait(str(electrode)))
    if stages:
        for folder in referenced(home, name):
            yield from _below(folder)
        yield Store(home.store).root / "store.json"


def _below(folder: Path) -> Iterator[Path]:
    yield from (path for path in folder.rglob("*") if path.is_file() and path.name not in _SKIPPED)


def _inside(path: Path, home: Home) -> str:
    return path.relative_to(home.root).as_posix()


def _add(archive: zipfile.ZipFile, path: Path, name: str) -> dict[str, Any]:
    archive.write(path, name)
    return {"sha256": checksum(path), "bytes": path.stat().st_size}


def _add_table(archive: zipfile.ZipFile, home: Home, name: str) -> None:
    """Add the trials as Parquet, for those who only want to read them."""
    table = home.study(name) / "trials.csv"
    if table.exists():
        import io

        import pandas as pd

        content = io.BytesIO()
        pd.read_csv(table).to_parquet(content)
        archive.writestr("trials.parquet", content.getvalue())


def restore(home: Home, path: Path) -> dict[str, Any]:
    """Bring a study from an archive into a home; each file is checked, and none can leave the home folder.

    Raises:
        InputError: it is no archive, something in it is damaged or out of place, or the study is there already.
    """
    try:
        with zipfile.ZipFile(path) as opened:
            about = _manifest(opened, path)
            name = check_study_name(str(about["study"]))
            if home.study(name).exists():
                raise InputError(f"there is a study '{name}' in '{home.root}' already: restore into another --home.")
            return _restored(opened, about, home, name)
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(
            f"cannot read the archive '{path}' ({error}): give one that 'mesoforge archive' wrote."
        ) from None


def _restored(opened: zipfile.ZipFile, about: dict[str, Any], home: Home, name: str) -> dict[str, Any]:
    """Unpack beside the home's folders first: what is damaged is met before anything is moved into place."""
    scratch = home.root / f"restoring-{uuid.uuid4().hex[:8]}"
    try:
        for inside, due in about["files"].items():
            _unpack(opened, inside, due, scratch)
        new = _move(scratch, home)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return {"study": name, "home": str(home.root), "files": len(about["files"]), "new": new}


def _manifest(opened: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    try:
        about = json.loads(opened.read(MANIFEST))
        known = about["format"] == ARCHIVE_FORMAT and isinstance(about["study"], str) and about["files"].items()
    except (KeyError, ValueError, TypeError, AttributeError):
        known = False
    if not known or about["store"] not in range(1, FORMAT + 1):
        raise InputError(f"'{path}' is no archive of this version: give one that 'mesoforge archive' wrote.")
    return dict(about)


def _unpack(opened: zipfile.ZipFile, inside: str, due: dict[str, Any], scratch: Path) -> None:
    parts = PurePosixPath(inside).parts
    if not parts or parts[0] not in _TOPS or ".." in parts or "\\" in inside or PurePosixPath(inside).is_absolute():
        raise InputError(f"the archive names '{inside}', which is outside of what a study has: do not trust it.")
    try:
        entry = opened.getinfo(inside)
    except KeyError:
        raise InputError(f"the archive lacks '{inside}': it was cut short; copy it again.") from None
    if stat.S_ISLNK(entry.external_attr >> 16) or entry.is_dir():
        raise InputError(f"'{inside}' in the archive is no file: do not trust it.")
    target = scratch.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    if _copy(opened, entry, target, int(due["bytes"])) != due["sha256"]:
        raise InputError(f"'{inside}' in the archive is not as it was written: copy the archive again.")


def _copy(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, most: int) -> str:
    """Copy a file of the archive, not more of it than its manifest says; return its SHA-256."""
    found, left = hashlib.sha256(), most + 1
    with opened.open(entry) as source, target.open("wb") as file:
        while left > 0 and (block := source.read(min(_BLOCK, left))):
            found.update(block)
            file.write(block)
            left -= len(block)
    return found.hexdigest()


def _move(scratch: Path, home: Home) -> int:
    """Move what is new into place, the study last: it is there only when all that it refers to is."""
    new = 0
    for depth, top in ((2, "store"), (1, "portraits"), (1, "studies")):
        for source in sorted((scratch / top).glob("/".join("*" * depth))):
            target = home.root / source.relative_to(scratch)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                source.replace(target)
                new += 1
    mark = scratch / "store" / "store.json"
    if mark.exists() and not (home.store / mark.name).exists():
        mark.replace(home.store / mark.name)
    return new
