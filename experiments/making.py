"""Make electrodes beside a page that goes on answering: one at a time, in a process of its own."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from mesoforge.errors import InputError
from mesoforge.physics.recipe import Recipe

State: TypeAlias = Literal["idle", "making", "made", "failed"]
Make: TypeAlias = Callable[[Recipe, Path, Callable[[str], None]], dict[str, Any]]
PATIENCE_S: Final = 5.0
"""How long a process that was told to end is waited for."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the electrode under way stands, or how the last one came out."""

    state: State = "idle"
    stage: str = ""
    reason: str = ""
    recipe: Recipe | None = None
    properties: Mapping[str, float] = field(default_factory=dict)
    electrode: str = ""


def make_recorded(recipe: Recipe, root: Path, on_stage: Callable[[str], None]) -> dict[str, Any]:
    """Make and record an electrode just as ``mesoforge make`` does."""
    from mesoforge.experiments.drive import make
    from mesoforge.experiments.home import Home

    return make(recipe, Home(root), on_stage, lambda _: None)


class Maker:
    """Makes one electrode at a time; ``progress`` may be asked for at any time, from any thread."""

    def __init__(self, root: Path, make: Make = make_recorded) -> None:
        self._root, self._make = root, make
        self._progress, self._lock = Progress(), threading.Lock()
        self._process: multiprocessing.process.BaseProcess | None = None

    @property
    def progress(self) -> Progress:
        """Where the work stands."""
        with self._lock:
            return self._progress

    def begin(self, recipe: Recipe) -> None:
        """Start to make an electrode, and return at once.

        Raises:
            InputError: another one is being made.
        """
        with self._lock:
            if self._progress.state == "making":
                raise InputError("an electrode is being made: wait for it to end, then ask for the next.")
            self._progress = Progress("making", recipe=recipe)
        ours, theirs = multiprocessing.get_context("spawn").Pipe(duplex=False)
        arguments = (self._make, recipe.model_dump(mode="json"), str(self._root), theirs)
        self._process = multiprocessing.get_context("spawn").Process(target=_work, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        threading.Thread(target=self._listen, args=(ours,), daemon=True).start()

    def stop(self) -> None:
        """End what is under way; its simulation ends with it."""
        if self._process is not None and self._process.is_alive():
            self._process.terminate()
            self._process.join(PATIENCE_S)

    def _listen(self, messages: Connection) -> None:
        with messages:
            try:
                while self.progress.state == "making":
                    self._hear(messages.recv())
            except (EOFError, OSError):
                self._hear({"kind": "lost", "stage": "making", "reason": "the process that made it ended"})

    def _hear(self, message: str | dict[str, Any]) -> None:
        with self._lock:
            self._progress = _heard(self._progress, message)


def _heard(now: Progress, message: str | dict[str, Any]) -> Progress:
    if isinstance(message, str):
        return replace(now, stage=message)
    if "kind" in message:
        return replace(now, state="failed", stage=message["stage"], reason=message["reason"])
    return replace(now, state="made", properties=message["properties"], electrode=message["electrode"])


def _work(make: Make, recipe: Mapping[str, Any], root: str, told: Connection) -> None:
    """Make one electrode in this process, and tell its stages and its outcome."""
    try:
        value = make(Recipe.from_mapping(recipe), Path(root), told.send)
        told.send({key: value[key] for key in ("properties", "electrode", "kind", "stage", "reason") if key in value})
    except Exception as error:  # noqa: BLE001 - the page says it; the process ends here in any case
        told.send({"kind": "error", "stage": "making", "reason": f"{type(error).__name__}: {error}"})
