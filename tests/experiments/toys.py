"""A factory in closed form: what workers do in tests, in a module that their processes can import."""

from __future__ import annotations

import hashlib
import math
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mesoforge.experiments.home import Home
from mesoforge.experiments.study import Kind, Plan, Study
from mesoforge.experiments.tracking import Tracker, database, study_ids
from mesoforge.experiments.work import electrode_name
from mesoforge.physics.manufacture import identity
from mesoforge.physics.measurement import PROPERTIES
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import Store

if TYPE_CHECKING:
    import pytest
    from mlflow.entities import Run

STUDY: dict[str, Any] = {
    "name": "toy",
    "note": "Which electrode has a porosity of 30 %?",
    "variables": {
        "calendering.pressure": {"low": 10, "high": 300, "scale": "log"},
        "formulation.active_material": {"low": 0.92, "high": 0.97},
    },
    "objectives": {"porosity": {"match": 0.3, "tolerance": 0.01}, "tortuosity_factor_z": "minimize"},
    "budget": {"start": 4, "proposed": 2, "confirmations": 1},
}
WEAK = 0.965
"""Share of active material above which the toy electrode falls apart."""
REASON = "[/3] beads of [red]2300[/red] left the volume"
"""Why it does; as in real life, it looks like markup."""


def template(folders: pytest.TempPathFactory) -> Path:
    """Create one empty database of MLflow, which takes seconds, for all homes to copy."""
    return _template(folders.getbasetemp())


@cache
def _template(folder: Path) -> Path:
    root = folder / "template"
    Tracker(root, "template")
    return database(root)


def hear_ctrl_c() -> None:
    """Let a child hear Ctrl-C even where whoever started the tests does not, as in the background of a script."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def plan(kind: Kind = "optimize", **changes: object) -> Plan:
    """Return the toy study with some keys changed."""
    return Plan(Study.from_mapping({**STUDY, **changes}), kind)


def properties(recipe: Recipe) -> dict[str, float]:
    """Return all properties; porosity falls with the pressure, and the seed moves it a little."""
    noise = np.random.default_rng(recipe.seed).normal(0, 0.002)
    porosity = 0.55 - 0.12 * math.log10(recipe.calendering.pressure or 1.0) + float(noise)
    tortuosity = 1.5 / porosity + 10 * (1 - recipe.formulation.active_material)
    return dict.fromkeys(PROPERTIES, 1.0) | {"porosity": porosity, "tortuosity_factor_z": tortuosity}


def make(values: Mapping[str, Any], root: str) -> dict[str, Any]:
    """Make a toy electrode at once, and write down that it was made."""
    recipe = Recipe.from_mapping(values)
    with (Path(root) / "made.txt").open("a", encoding="utf-8") as log:
        log.write(f"{recipe.seed} {os.getpid()}\n")
    return {"properties": properties(recipe), "electrode": electrode_name(recipe), "wall_s": 0.1}


def sized_properties(recipe: Recipe) -> dict[str, float]:
    """Return all properties; a small volume's are more porous, less tortuous and scatter more."""
    found, small = properties(recipe), max(0.0, 18.0 - recipe.volume.side) / 6
    noise = float(np.random.default_rng(recipe.seed + 1).normal(0, 0.003))
    return found | {
        "porosity": found["porosity"] + small * (0.05 + noise),
        "tortuosity_factor_z": found["tortuosity_factor_z"] - 0.4 * small,
    }


def make_sized(values: Mapping[str, Any], root: str) -> dict[str, Any]:
    """Make a toy electrode whose properties depend on the size of the volume."""
    return make(values, root) | {"properties": sized_properties(Recipe.from_mapping(values))}


def make_in_stages(values: Mapping[str, Any], root: str, pause_s: float = 0.0) -> dict[str, Any]:
    """Make a toy electrode through the real store, and write down each stage that is made and not found."""
    recipe, store = Recipe.from_mapping(values), Store(Path(root) / "store")
    for stage, inputs in identity(recipe).items():
        store.obtain(stage, inputs, partial(_stage, stage, Path(root), pause_s))
    return make(values, root)


def make_in_stages_slowly(values: Mapping[str, Any], root: str) -> dict[str, Any]:
    """Make a toy electrode in stages that take long enough for others to want them meanwhile."""
    return make_in_stages(values, root, 0.15)


def make_with_pictures(values: Mapping[str, Any], root: str) -> dict[str, Any]:
    """Make a toy electrode in stages, or let it fail; either way with a picture in its folder."""
    made = make_in_stages(values, root)
    if Recipe.from_mapping(values).formulation.active_material > WEAK:
        made = {"kind": "lost_beads", "stage": "calendering", "reason": REASON}
    folder = Home(Path(root)).portrait(electrode_name(Recipe.from_mapping(values)))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "view.png").write_bytes(b"picture")
    return made | {"portrait": str(folder), "stages": {"slurry": root}}


def _stage(stage: str, root: Path, pause_s: float, folder: Path) -> dict[str, Any]:
    with (root / "stages.txt").open("a", encoding="utf-8") as log:
        log.write(f"{stage}\n")
    time.sleep(pause_s)
    (folder / "made.txt").write_text(stage, encoding="utf-8")
    return {"made": 1.0}


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return sha256_of(path.read_bytes())


def stages_made(root: Path) -> Counter[str]:
    """Count how often each stage was made."""
    return Counter((root / "stages.txt").read_text(encoding="utf-8").split())


def fall_apart_in_slurry(values: Mapping[str, Any], root: str) -> dict[str, Any]:
    """Fail as a slurry does whose particles do not fit, and write down that it was tried."""
    make(values, root)
    return {"kind": "not_converged", "stage": "slurry", "reason": "the slurry came to no rest"}


def make_weak(values: Mapping[str, Any], root: str) -> dict[str, Any]:
    """Make a toy electrode, unless it falls apart."""
    made = make(values, root)
    if Recipe.from_mapping(values).formulation.active_material > WEAK:
        return {"kind": "lost_beads", "stage": "calendering", "reason": REASON}
    return made


def make_slowly(values: Mapping[str, Any], root: str) -> dict[str, Any]:
    """Make a toy electrode in a second."""
    time.sleep(1.0)
    return make(values, root)


def record_slowly(recipe: Recipe, root: Path, on_stage: Callable[[str], None]) -> dict[str, Any]:
    """Make a toy electrode in a second, with a word on the way."""
    on_stage("drying")
    return make_slowly(recipe.model_dump(mode="json"), str(root))


def record_failure(recipe: Recipe, root: Path, on_stage: Callable[[str], None]) -> dict[str, Any]:
    """Lose beads."""
    return {"kind": "lost_beads", "stage": "drying", "reason": REASON}


def record_mistake(recipe: Recipe, root: Path, on_stage: Callable[[str], None]) -> dict[str, Any]:
    """Fail as only a mistake in our own code would."""
    raise ZeroDivisionError("a mistake")


def seeds_made(root: Path) -> list[int]:
    """Return the seeds of all electrodes that were made, in order."""
    log = root / "made.txt"
    return [int(line.split()[0]) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def threads(_: Mapping[str, Any], __: str) -> dict[str, Any]:
    """Return what the process knows of threads, and its number."""
    return {name: value for name, value in os.environ.items() if name.endswith("_NUM_THREADS")} | {"pid": os.getpid()}


def die(_: Mapping[str, Any], __: str) -> dict[str, Any]:
    """Kill this worker, as the system does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def hang(_: Mapping[str, Any], __: str) -> dict[str, Any]:
    """Never come to an end."""
    time.sleep(10**6)
    return {}


def give_up(_: Mapping[str, Any], __: str) -> dict[str, Any]:
    """End this worker in such a way that its nanny does not renew it."""
    from distributed import get_worker

    worker = get_worker()
    worker.loop.add_callback(worker.close, nanny=True)
    time.sleep(10**6)
    return {}


def stumble(_: Mapping[str, Any], __: str) -> dict[str, Any]:
    """Fail as only a mistake in our own code would."""
    raise ZeroDivisionError("a mistake")


def make_or_die_once(values: Mapping[str, Any], root: str) -> dict[str, Any]:
    """Make a toy electrode, but kill the worker that makes the very first."""
    try:
        (Path(root) / "died").touch(exist_ok=False)
    except FileExistsError:
        return make(values, root)
    return die(values, root)


def runs(root: Path, study: str) -> dict[str, Run]:
    """Return what MLflow has of a study, by key; two runs of one key are an error."""
    Tracker(root, study)  # loads MLflow without its warnings
    from mlflow import MlflowClient

    found = MlflowClient(f"sqlite:///{database(root)}").search_runs([study_ids(root)[study]])
    keys = [run.data.tags["mesoforge.key"] for run in found]
    assert len(set(keys)) == len(keys)
    return dict(zip(keys, found, strict=True))


def recipe() -> dict[str, Any]:
    """Return the default recipe as plain values."""
    return Recipe().model_dump(mode="json")
