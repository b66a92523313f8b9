"""Which stages work other than studies rests on: calibrations and refinements, whose records name them too."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from mesoforge.errors import InputError
from mesoforge.experiments.home import Home
from mesoforge.optimize.journal import Journal

STAGES: Final = "stages.txt"
"""File beside a calibration's journal: the number of each set that was measured, and the hash of a stage of its."""


def refer(folder: Path, number: int, names: Iterable[str]) -> None:
    """Write down the stages that a calibration's set rests on, before its outcome is."""
    with (folder / STAGES).open("a", encoding="utf-8") as file:
        file.writelines(f"{number} {name}\n" for name in names)
        file.flush()
        os.fsync(file.fileno())


def others(home: Home) -> Iterator[str]:
    """Yield the hash of the last stage of all that calibrations and refinements rest on.

    Raises:
        InputError: one of them does not name its stages, as an older version left it.
    """
    for folder in sorted(path for path in (home.root / "calibrations").glob("*") if path.is_dir()):
        yield from _calibration(folder)
    for folder in sorted(path for path in (home.root / "converge").glob("*") if path.is_dir()):
        yield from _refinement(folder)


def _calibration(folder: Path) -> list[str]:
    journal, named = Journal(folder / "journal.jsonl"), folder / STAGES
    lines = named.read_text(encoding="utf-8").splitlines() if named.is_file() else []
    pairs = [line.split() for line in lines if len(line.split()) == 2]
    told = {str(event.get("number")) for event in journal.events() if event["event"] == "tell"}
    if told - {number for number, _ in pairs}:
        raise _nameless(folder)
    return [name for _, name in pairs]


def _refinement(folder: Path) -> list[str]:
    verdict = folder / "verdict.json"
    try:
        return [str(name) for name in json.loads(verdict.read_text(encoding="utf-8"))["electrodes"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError):
        raise _nameless(folder) from None


def _nameless(folder: Path) -> InputError:
    return InputError(
        f"'{folder}' holds work that does not name its stages, of an older version: --unreferenced would take them; "
        "leave it out, or move that folder away first."
    )
