"""Where a project's records lie: one folder, by default ``mlruns``."""

from __future__ import annotations

import fcntl
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mesoforge.errors import InputError
from mesoforge.experiments.record import check_study_name


@dataclass(frozen=True, slots=True)
class Home:
    """The folder that holds the store, the studies, the portraits and MLflow's database."""

    root: Path

    @property
    def store(self) -> Path:
        """Where the physics keeps what it made."""
        return self.root / "store"

    def study(self, name: str) -> Path:
        """Return the folder of one study: its definition, journal and results.

        Raises:
            InputError: the name is no study's name.
        """
        return self.root / "studies" / check_study_name(name)

    def calibration(self, name: str) -> Path:
        """Return the folder of one calibration: its journal, force field, posterior and figures.

        Raises:
            InputError: the name is no name of a calibration.
        """
        return self.root / "calibrations" / check_study_name(name)

    def journal(self, name: str) -> Path:
        """Return where a study's journal lies."""
        return self.study(name) / "journal.jsonl"

    def portrait(self, input_sha256: str) -> Path:
        """Return the folder with the pictures and files of one electrode."""
        return self.root / "portraits" / input_sha256[:24]

    def studies(self) -> tuple[str, ...]:
        """Name the studies that have a journal."""
        return tuple(sorted(path.parent.name for path in (self.root / "studies").glob("*/journal.jsonl")))

    def check_writable(self) -> None:
        """Meet a home that cannot be written before anything is simulated.

        Raises:
            InputError: it is read-only, full, or another user's.
        """
        probe = self.root / f"probe-{uuid.uuid4().hex[:8]}"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            probe.write_text("written\n", encoding="utf-8")
            probe.unlink()
        except OSError as error:
            raise InputError(
                f"nothing can be written in the home folder '{self.root}' ({error.strerror}): make it writable, or "
                "give another with --home."
            ) from None

    @contextmanager
    def only_driver(self, name: str, patience_s: float = 0.0) -> Iterator[None]:
        """Hold a study for this process alone, after waiting so long for another process to let go of it.

        Raises:
            InputError: another process drives the study; it is named.
        """
        with self.only_writer(self.study(name), f"study '{name}'", patience_s):
            yield

    @contextmanager
    def only_writer(self, folder: Path, called: str, patience_s: float = 0.0) -> Iterator[None]:
        """Hold a folder for this process alone; ``called`` names it in the error.

        Raises:
            InputError: another process holds it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "driver.lock").open("a+", encoding="utf-8") as file:
            if not _locked(file, patience_s):
                file.seek(0)
                raise InputError(
                    f"{called} is being driven by {file.read().strip() or 'another process'}: "
                    "wait for it to end, or stop it first."
                )
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
            yield


def _locked(file: IO[str], patience_s: float) -> bool:
    """Lock a file for this process, which holds it until the file is closed; whether that was possible in time."""
    end = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        else:
            return True
