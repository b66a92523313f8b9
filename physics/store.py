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
from mesoforge.physics.checksums import checksums, differs
from mesoforge.physics.remote import Remote

FORMAT = 2
"""Version of the records; older ones are read as they are and `store migrate` renews them, a newer store is refused.

1: a stage's record held its files' sizes, later their SHA-256 under the same number. 2: always their SHA-256.
"""
RESULT, MARK, LINK = "result.json", "store.json", "remote.json"


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
    """Stages by name and hash below one folder; one that is linked to a place elsewhere keeps a copy of each there."""

    def __init__(self, root: Path) -> None:
        """Open a store, which need not exist yet.

        Raises:
            InputError: the folder holds a store of a newer version, or cannot be one.
        """
        self.root = root
        mark = root / MARK
        if mark.exists():
            self._check(mark)
        elif root.is_dir() and any(root.iterdir()):
            raise InputError(f"'{root}' is not empty and no mesoforge store: give another folder with --home.")
        elif root.exists() and not root.is_dir():
            raise InputError(f"'{root}' is a file but a folder for the store was due: give another folder with --home.")
        self.remote = _linked(root / LINK)

    def _check(self, mark: Path) -> None:
        came = self.format
        if not isinstance(came, int):
            raise InputError(
                f"'{mark}' is no mark of a store (its format is {came}): use another folder with --home, or restore it."
            )
        if came > FORMAT:
            raise InputError(
                f"the store '{self.root}' has format {came} but this version reads up to format {FORMAT}: use another "
                "folder with --home, or a newer mesoforge."
            )

    @property
    def format(self) -> int | str:
        """The version of the store's records, as its mark says."""
        try:
            return int(json.loads((self.root / MARK).read_text(encoding="utf-8"))["format"])
        except (OSError, ValueError, KeyError, TypeError):
            return "unreadable"

    def link(self, url: str) -> Remote:
        """Have a copy of each stage kept at a URL from now on, and look there for what is not here.

        Raises:
            InputError: nothing can be kept there.
        """
        self.remote = Remote(url)
        if not (self.root / MARK).exists():
            self._found()
        if _linked(self.root / LINK) != self.remote:
            write_json(self.root / LINK, {"url": url})
        return self.remote

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
            intact = not any(differs(folder / file, due) for file, due in result["files"].items())
            return Stored(folder, result["numbers"], found=True) if intact else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # absent, half-written or damaged
            return None

    def obtain(self, stage: str, inputs: Mapping[str, Any], make: Callable[[Path], dict[str, Any]]) -> Stored:
        """Return a finished stage, making it first if it is neither here nor at the place that the store is linked to.

        Args:
            stage: name of the stage.
            inputs: all that determines the result, as plain values.
            make: writes files into the folder it is given and returns the stage's numbers; what it raises is passed on,
                and its folder is kept below ``failed/`` for inspection.
        """
        name = digest(inputs)
        if (found := self.get(stage, name)) is None:
            with self._alone(stage, name):  # who waited for another process finds what it made
                found = self.get(stage, name) or self.fetched(stage, name) or self._made(stage, name, inputs, make)
        if self.remote is not None:
            self.remote.push(found.folder, _key(stage, name))
        return found

    def fetched(self, stage: str, name: str) -> Stored | None:
        """Bring a finished stage here from where the store is linked to; none if it is not there, or damaged.

        Raises:
            RemoteError: that place cannot be reached.
        """
        if self.remote is None or not self.remote.has(_key(stage, name)):
            return None
        scratch = self._scratch(stage, name)
        try:
            if self.remote.fetch(_key(stage, name), scratch):
                self._publish(scratch, stage, name)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return self.get(stage, name)

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
        record = {"inputs": dict(inputs), "numbers": numbers, "files": checksums(scratch)}
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


def _key(stage: str, name: str) -> str:
    return f"store/{stage}/{name}"


def _linked(link: Path) -> Remote | None:
    """Return the place that a store is linked to."""
    try:
        return Remote(str(json.loads(link.read_text(encoding="utf-8"))["url"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"'{link}' says where copies of stages are and cannot be used ({error}): correct or remove it."
        ) from None


def write_json(path: Path, value: object) -> None:
    """Write JSON under a temporary name, flush it to disk and move it into place."""
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, sort_keys=True, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
