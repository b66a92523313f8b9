"""Brings records of older versions into today's form, each with a copy of what it was.

Older forms are read as they are, so nothing has to wait for this; a newer form is refused by whatever meets it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mesoforge.experiments.home import Home
from mesoforge.experiments.study import FORMAT as STUDY_FORMAT
from mesoforge.experiments.study import check_format
from mesoforge.optimize.journal import FORMAT as JOURNAL_FORMAT
from mesoforge.optimize.journal import Journal
from mesoforge.physics import store_care
from mesoforge.physics.record import read_yaml
from mesoforge.physics.store import FORMAT, Store


def migrate(home: Home, *, dry_run: bool) -> dict[str, Any]:
    """Renew the store's, the journals' and the studies' records; say which were of an older form.

    Raises:
        InputError: a record is of a newer form, or somebody drives a study or a calibration of this home.
    """
    store, journals = Store(home.store), list(_journals(home))
    with ExitStack() as held:
        for path in journals:
            held.enter_context(home.only_writer(path.parent, f"'{path.parent.name}'"))
        old = [path for path in journals if _format(path) < JOURNAL_FORMAT]
        kept = sorted(home.root.glob("studies/*/study.yaml"))
        studies = [path for path in kept if check_format(read_yaml(path), path) < STUDY_FORMAT]
        stages, damaged = list(store_care.outdated(store)), list[Path]()
        if not dry_run:
            damaged = [folder for folder in stages if not store_care.renew(folder)]
            _mark(store)
            for path in old:
                _renew_journal(path)
            for path in studies:
                _renew_study(path)
    return {
        "home": str(home.root),
        "migrated": not dry_run,
        "stages": len(stages),
        "damaged": [f"{path.parent.name}/{path.name}" for path in damaged],
        "journals": [path.parent.name for path in old],
        "studies": [path.parent.name for path in studies],
    }


def _journals(home: Home) -> Iterator[Path]:
    for top in ("studies", "calibrations"):
        yield from sorted((home.root / top).glob("*/journal.jsonl"))


def _format(path: Path) -> int:
    """Return the form of a journal; one that is empty has today's."""
    events = Journal(path).events()
    return Journal.format_of(events[0]) if events else JOURNAL_FORMAT


def _mark(store: Store) -> None:
    if store.root.is_dir() and store.format != FORMAT:
        store_care.mark(store)


def _renew_journal(path: Path) -> None:
    """Give the first event its number; all others are as they were."""
    first, _, rest = path.read_bytes().partition(b"\n")
    event = json.loads(first)
    named = {"event": event.pop("event"), "format": JOURNAL_FORMAT, **event}
    _replace(path, json.dumps(named, separators=(",", ":")).encode() + b"\n" + rest)


def _renew_study(path: Path) -> None:
    _replace(path, f"format: {STUDY_FORMAT}\n".encode() + path.read_bytes())


def _replace(path: Path, content: bytes) -> None:
    """Put new content in place of a file's, and keep the old beside it."""
    shutil.copy(path, path.with_name(f"{path.name}.format1"))
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
