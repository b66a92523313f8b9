"""Workers that do not share the home folder: they work in one of their own, and hand over by a store elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mesoforge.errors import InputError
from mesoforge.experiments.home import Home
from mesoforge.experiments.stage_tree import chain_of
from mesoforge.experiments.study import Plan
from mesoforge.experiments.where import Where
from mesoforge.experiments.work import electrode_name
from mesoforge.experiments.workers import MARK, marked
from mesoforge.optimize.trial import Trial
from mesoforge.physics.remote import Remote
from mesoforge.physics.store import Store

_LOCAL: Final = ("portrait", "stages")
"""What a worker says of folders of its own machine."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Unshared:
    """Work whose last argument, the home folder, becomes a folder of the worker's own machine."""

    work: Callable[..., dict[str, Any]]
    url: str
    scratch: str

    def __call__(self, *arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever the work takes
        """Do the work; its stages and pictures go to the URL, its numbers come back."""
        try:
            remote = Store(Home(Path(self.scratch)).store).link(self.url)
            value = self.work(*arguments[:-1], self.scratch)
            if folder := value.get("portrait"):
                remote.push(Path(folder), _key(Path(folder)))
        except OSError as error:
            return {"kind": "infrastructure", "stage": "store", "reason": f"{error.strerror or error}"}
        return {name: one for name, one in value.items() if name not in _LOCAL}


def linked(where: Where, root: Path) -> None:
    """Link a home's store to where its stages are to be copied, and leave the home's mark there for workers to see.

    Raises:
        InputError: the URL is wrong, or nothing can be written there.
    """
    remote = Store(Home(root).store).link(where.store)
    try:
        remote.write(MARK, (marked(root) / MARK).read_text(encoding="utf-8"))
    except OSError as error:
        raise where.refused(str(error.strerror)) from None


def gallery(plan: Plan, home: Home, complain: Say) -> Callable[[Trial], None]:
    """Return what brings each trial's pictures here when it has ended; without them a study goes on."""
    remote = Remote(plan.study.where.store)

    def told(trial: Trial) -> None:
        try:
            if not trial.pending:
                fetch_portrait(remote, home, electrode_name(plan.recipe(trial)))
        except (OSError, ValueError) as error:
            complain(f"no pictures of trial {trial.number}: {error}")

    return told


def fetch_portrait(remote: Remote, home: Home, electrode: str) -> bool:
    """Bring the pictures of an electrode here; whether they were there."""
    folder = home.portrait(electrode)
    return remote.fetch(_key(folder), folder)


def fetched(home: Home, name: str) -> dict[str, Any]:
    """Bring the stages and pictures of a study's electrodes here, unless they are; say how many came.

    Raises:
        InputError: there is no such study, or the home's store is linked to no place elsewhere.
        RemoteError: that place cannot be reached.
    """
    from mesoforge.experiments.drive import kept_campaign, resumed_plan

    plan, store, stages, portraits = resumed_plan(home, name, {}), Store(home.store), 0, 0
    if (remote := store.remote) is None:
        raise InputError(f"the store '{store.root}' has no place elsewhere to fetch from: give where.store to a study.")
    trials = kept_campaign(plan, home).trials
    recipes = [plan.recipe(trial) for trial in trials if not trial.pending]
    for stage, name in dict.fromkeys(pair for recipe in recipes for pair in chain_of(recipe).items()):
        stages += store.get(stage, name) is None and store.fetched(stage, name) is not None
    for electrode in dict.fromkeys(map(electrode_name, recipes)):
        portraits += not home.portrait(electrode).is_dir() and fetch_portrait(remote, home, electrode)
    return {"url": remote.url, "stages": stages, "portraits": portraits}


def _key(folder: Path) -> str:
    return f"portraits/{folder.name}"
