"""Physics that costs nothing: stages through the real store, with faults on demand. Workers import it."""

from __future__ import annotations

import errno
import math
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mesoforge.experiments.work import blame, electrode_name
from mesoforge.physics.failure import Failure, PhysicsError
from mesoforge.physics.manufacture import identity
from mesoforge.physics.measurement import PROPERTIES
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import Store

STAGE_S = 0.15
LIMIT_S = 1.0
ROOM = 10**9


def make(values: Mapping[str, Any], root: str) -> dict[str, Any]:
    """Make an electrode stage by stage; each stage that was made, and not found, is written down."""
    recipe, store, began = Recipe.from_mapping(values), Store(Path(root) / "store"), time.monotonic()
    for stage, inputs in identity(recipe).items():
        try:
            done = store.obtain(stage, inputs, partial(_stage, recipe, Path(root)))
        except PhysicsError as error:
            failure = blame(Failure(error.kind, stage, error.reason), ROOM)
            return {"kind": failure.kind, "stage": stage, "reason": failure.reason}
        except OSError as error:
            return {"kind": "infrastructure", "stage": "store", "reason": f"the disk failed: {error.strerror}"}
        if not done.found:
            with (Path(root) / "made.txt").open("a", encoding="utf-8") as log:
                log.write(f"{stage}/{done.folder.name}\n")
    return {
        "properties": properties(recipe),
        "electrode": electrode_name(recipe),
        "wall_s": time.monotonic() - began,
    }


def sleep(values: Mapping[str, Any], root: str) -> dict[str, Any]:
    """Make an electrode by waiting; how long, and how much that varies, stands in the home folder."""
    recipe, began = Recipe.from_mapping(values), time.time()
    mean, spread = map(float, (Path(root) / "seconds.txt").read_text(encoding="utf-8").split())
    time.sleep(mean * np.random.default_rng(recipe.seed).uniform(1 - spread, 1 + spread))
    with (Path(root) / "spans.txt").open("a", encoding="utf-8") as log:
        log.write(f"{began} {time.time()}\n")
    return {"properties": properties(recipe), "electrode": electrode_name(recipe), "wall_s": time.time() - began}


def properties(recipe: Recipe, noise: float = 0.002) -> dict[str, float]:
    """Return properties in closed form; the seed moves them a little."""
    moved = np.random.default_rng(recipe.seed).normal(0, noise)
    porosity = 0.55 - 0.12 * math.log10(recipe.calendering.pressure or 1.0) + float(moved)
    tortuosity = 1.5 / porosity + 10 * (1 - recipe.formulation.active_material)
    return dict.fromkeys(PROPERTIES, 1.0) | {"porosity": porosity, "tortuosity_factor_z": tortuosity}


def _stage(recipe: Recipe, root: Path, folder: Path) -> dict[str, Any]:
    """Take a while, write an array, and meet the fault that is due."""
    time.sleep(STAGE_S)
    np.savez(folder / "beads.npz", x=np.random.default_rng(recipe.seed).normal(size=500))
    if (fault := _due(root)) is not None:
        FAULTS[fault]()
    return {"made": 1.0}


def _due(root: Path) -> str | None:
    """Take a fault that was ordered; of several workers one gets it."""
    for order in sorted((root / "faults").glob("*.due")):
        try:
            order.rename(order.with_suffix(".met"))
        except FileNotFoundError:
            continue
        return order.stem.rpartition("-")[0]
    return None


def _worker_kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _disk_full() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _child(script: str) -> None:
    """Run a simulation that ends badly, as the LAMMPS child does."""
    with subprocess.Popen(["/bin/sh", "-c", script]) as child:
        try:
            status = child.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            raise PhysicsError("timeout", f"the simulation ran longer than its limit of {LIMIT_S:g} s") from None
    raise PhysicsError("crashed", f"LAMMPS was ended by signal {signal.Signals(-status).name}")


FAULTS = {
    "worker killed": _worker_kill,
    "disk full": _disk_full,
    "segfault": partial(_child, "kill -SEGV $$"),
    "out of memory": partial(_child, "kill -KILL $$"),
    "hang": partial(_child, "exec sleep 3600"),
}
