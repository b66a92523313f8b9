"""The store: what each stage made, in a folder named by the hash of its inputs.

A stage's folder appears whole or not at all: it is written under a temporary name, checked, and moved into place.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesoforge.errors import InputError

FORMAT = 1
"""Version of the layout; a store of another version is refused."""
RESULT, MARK = "result.json", "store.json"


@dataclass(frozen=True, slots=True)
class Stored:
    """One finished stage: its folder, its numbers, whether it was found rather than made, and the seconds it took."""

    folder: Path
    result: dict[str, Any]
    found: bool
    made_s: float = 0.0


def numbers_of(folder: Path) -> dict[str, float]:
    """Return the numbers of the finished stage in a folder."""
    return dict(json.loads((folder / RESULT).read_text(encoding="utf-8"))["numbers"])


def digest(inputs: Mapping[str, Any]) -> str:
    """Return the SHA-256 of inputs as canonical JSON."""
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class Store:
    """Stages by name and hash below one folder."""

    def __init__(self, root: Path) -> None:
        """Open a store, which need not exist yet.

        Raises:
            InputError: the folder holds a store of another version, or cannot be one.
        """
        self.root = root
        mark = root / MARK
        if mark.exists():
            self._check(mark)
        elif root.is_dir() and any(root.iterdir()):
            raise InputError(f"'{root}' is not empty and no mesoforge store: give another folder with --home.")
        elif root.exists() and not root.is_dir():
            raise InputError(f"'{root}' is a file but a folder for the store was due: give another folder with --home.")

    def _check(self, mark: Path) -> None:
        try:
            came = json.loads(mark.read_text(encoding="utf-8"))["format"]
        except (OSError, ValueError, KeyError, TypeError):
            came = "unreadable"
        if came != FORMAT:
            raise InputError(
                f"the store '{self.root}' has format {came} but this version reads format {FORMAT}: use another folder "
                "with --home, or the version of mesoforge that wrote it."
            )

    def folder(self, stage: str, name: str) -> Path:
        """Return where a finished stage lies or would lie."""
        return self.root / stage / name

    def failed(self, stage: str, name: str) -> Path:
        """Return where the remains of a stage that failed lie, if it did."""
        return self.root / "failed" / f"{stage}-{name[:16]}"

    def get(self, stage: str, name: str) -> Stored | None:
        """Return a finished stage, or None."""
        folder = self.folder(stage, name)
        try:
            result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
            intact = all(checksum(folder / file) == due for file, due in result["files"].items())
            return Stored(folder, result["numbers"], found=True) if intact else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # absent, half-written or damaged
            return None

    def obtain(self, stage: str, inputs: Mapping[str, Any], make: Callable[[Path], dict[str, Any]]) -> Stored:
        """Return a finished stage, making it first if it is not there.

        Args:
            stage: name of the stage.
            inputs: all that determines the result, as plain values.
            make: writes files into the folder it is given and returns the stage's numbers; what it raises is passed on,
                and its folder is kept below ``failed/`` for inspection.
        """
        name = digest(inputs)
        if (found := self.get(stage, name)) is not None:
            return found
        with self._alone(stage, name):  # who waited for another process finds what it made
            return self.get(stage, name) or self._made(stage, name, inputs, make)

    @contextmanager
    def _alone(self, stage: str, name: str) -> Iterator[None]:
        """Keep other processes from making the same stage; where files cannot be locked, both make it."""
        if not (self.root / MARK).exists():
            self._found()
        path = self.root / "locks" / f"{stage}-{name[:16]}"
        path.parent.mkdir(exist_ok=True)
        with path.open("a") as file:
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                path.unlink(missing_ok=True)

    def _made(self, stage: str, name: str, inputs: Mapping[str, Any], make: Callable[[Path], dict[str, Any]]) -> Stored:
        scratch, began = self._scratch(stage, name), time.monotonic()
        try:
            numbers = make(scratch)
        except Exception:
            self._keep_failed(scratch, stage, name)
            raise
        except BaseException:  # an interrupt is no failure
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        record = {"inputs": dict(inputs), "numbers": numbers, "files": _checksums(scratch)}
        write_json(scratch / RESULT, record)
        return Stored(self._publish(scratch, stage, name), numbers, found=False, made_s=time.monotonic() - began)

    def _scratch(self, stage: str, name: str) -> Path:
        scratch = self.root / "unfinished" / f"{stage}-{name[:16]}-{uuid.uuid4().hex[:8]}"
        scratch.mkdir(parents=True)
        return scratch

    def _found(self) -> None:
        """Let the store appear with its mark in it, so that no other process meets a folder without one."""
        young = self.root.with_name(f"{self.root.name}-{uuid.uuid4().hex[:8]}")
        young.mkdir(parents=True)
        write_json(young / MARK, {"format": FORMAT})
        try:
            young.replace(self.root)
        except OSError:  # another process was first
            shutil.rmtree(young)

    def _publish(self, scratch: Path, stage: str, name: str) -> Path:
        target = self.folder(stage, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            scratch.replace(target)
        except OSError:
            self._settle(scratch, target, intact=self.get(stage, name) is not None)
        return target

    def _settle(self, scratch: Path, target: Path, intact: bool) -> None:
        """Let one of two folders stay: what another process finished first, or ours where the old one is damaged."""
        if not intact:
            damaged = scratch.with_name(f"{scratch.name}-damaged")
            target.replace(damaged)
            shutil.rmtree(damaged, ignore_errors=True)
            scratch.replace(target)
        shutil.rmtree(scratch, ignore_errors=True)

    def _keep_failed(self, scratch: Path, stage: str, name: str) -> None:
        target = self.failed(stage, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # another process failed at the same stage: one of both is enough
            shutil.rmtree(target, ignore_errors=True)
            scratch.replace(target)


def _checksums(folder: Path) -> dict[str, str]:
    return {file.relative_to(folder).as_posix(): checksum(file) for file in sorted(folder.rglob("*")) if file.is_file()}


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_json(path: Path, value: object) -> None:
    """Write JSON under a temporary name, flush it to disk and move it into place."""
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, sort_keys=True, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
