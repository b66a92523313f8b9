"""What a worker does: make one electrode, draw its pictures, and hand back plain values."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from mesoforge.experiments.home import Home
from mesoforge.optimize.trial import Failed, Measured, Outcome
from mesoforge.physics.calendering import LOAD
from mesoforge.physics.failure import Failure
from mesoforge.physics.manufacture import CURVE, STAGES, VOXELS, Electrode, identity, manufacture
from mesoforge.physics.microstructure.phases import profile
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import Store, digest
from mesoforge.physics.voxels import Voxels

LEAST_FREE: Final = 10_000_000
"""With less on the disk a simulation may have stopped for want of room [bytes]."""
LOGS = ("in.lammps", "log.lammps", "stderr.txt")


def make_electrode(
    recipe: Mapping[str, Any], root: str, on_stage: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Make, measure and draw the electrode of a recipe given as plain values; return its outcome as plain values."""
    made = Recipe.from_mapping(recipe)
    home = Home(Path(root))
    try:
        result = manufacture(made, Store(home.store), on_stage)
        on_stage("pictures")
        if isinstance(result, Failure):
            result = blame(result, shutil.disk_usage(home.root).free)
        return _failed(result, made, home) if isinstance(result, Failure) else _finished(result, home)
    except OSError as error:
        return _value("infrastructure", "store", f"the disk or a file failed: {error.strerror or error}")


def blame(failure: Failure, free_bytes: int) -> Failure:
    """Return a failure of the machine as such: no physics sends SIGKILL, and none is to be learned on a full disk."""
    if failure.kind == "crashed" and "SIGKILL" in failure.reason:
        return Failure("infrastructure", failure.stage, f"{failure.reason}: memory ran out, or somebody ended it")
    if failure.kind in ("crashed", "lost_beads", "unstable") and free_bytes < LEAST_FREE:
        return Failure("infrastructure", failure.stage, f"the disk is full: {failure.reason}")
    return failure


def outcome_of(value: Mapping[str, Any], needed: Sequence[str] = ()) -> Outcome:
    """Return the outcome that a worker handed back.

    A property that is no number is a failure of the measurement, and so is one that is ``needed`` and has no value.
    """
    if "kind" in value:
        return Failed(value["kind"], value["stage"], value["reason"])
    odd = [f"{name} came out as {found}" for name, found in value["properties"].items() if not math.isfinite(found)]
    if odd:
        return Failed("not_finite", "measurement", odd[0])
    if missing := [name for name in needed if name not in value["properties"]]:
        return Failed("not_measured", "measurement", f"{missing[0]} has no value in this electrode")
    return Measured(value["properties"], value["electrode"], value["wall_s"], value.get("stage_s", {}))


def electrode_name(recipe: Recipe) -> str:
    """Return the hash that names the electrode of a recipe."""
    return digest(identity(recipe)["measurement"])


def portrait_files(home: Home, electrode: str) -> tuple[Path, ...]:
    """Return the pictures and files of an electrode, named by its hash, as far as they were made."""
    folder = home.portrait(electrode)
    return tuple(sorted(path for path in folder.glob("*") if path.is_file())) if folder.is_dir() else ()


def _value(kind: str, stage: str, reason: str) -> dict[str, Any]:
    return {"kind": kind, "stage": stage, "reason": reason}


def _finished(electrode: Electrode, home: Home) -> dict[str, Any]:
    folder = home.portrait(electrode.input_sha256)
    if not (folder / "properties.json").exists():
        _portray(electrode, folder)
    return {
        "properties": electrode.properties,
        "electrode": electrode.input_sha256,
        "wall_s": electrode.wall_s,
        "stage_s": electrode.stage_s,
        "portrait": str(folder),
        "notes": list(electrode.notes),
        "stages": {name: str(path) for name, path in electrode.stages.items()},
        "found": [name for name in STAGES if electrode.found[name]],
    }


def _failed(failure: Failure, recipe: Recipe, home: Home) -> dict[str, Any]:
    """Keep the log and script of the stage that failed with the electrode's files."""
    folder = home.portrait(electrode_name(recipe))
    folder.mkdir(parents=True, exist_ok=True)
    _write_recipe(recipe, folder)
    remains = Store(home.store).failed(failure.stage, digest(identity(recipe)[failure.stage]))
    for file in sorted(path for name in LOGS for path in remains.rglob(name)):
        shutil.copyfile(
            file, folder / "_".join(["failed", *file.relative_to(remains).parts]).replace(".lammps", ".txt")
        )
    return _value(failure.kind, failure.stage, failure.reason) | {"portrait": str(folder)}


def _portray(electrode: Electrode, folder: Path) -> None:
    """Draw an electrode and write down its recipe and log; the properties come last and mark the folder as whole."""
    from mesoforge.experiments.calender_charts import stress_thickness
    from mesoforge.experiments.pictures import cross_section, phase_profile, view_3d

    folder.mkdir(parents=True, exist_ok=True)
    for remains in folder.glob("failed_*"):
        remains.unlink()
    voxels = Voxels.load(electrode.stages["measurement"] / VOXELS)
    along = profile(voxels)
    curve = np.loadtxt(electrode.stages["calendering"] / CURVE, delimiter=",", skiprows=1)
    shares = {"pore": "pore", "active_material": "active material", "cbd": "CBD"}
    fractions = {shown: along.fractions[name] for name, shown in shares.items()}
    loading = int(np.sum(curve[:, 0] == LOAD))
    cross_section(voxels.phase, voxels.particle, voxels.edge, folder / "cross_section")
    phase_profile(along.height, fractions, folder / "phase_profile")
    stress_thickness(curve[:, 1], curve[:, 2], folder / "stress_thickness", loading)
    view_3d(voxels.phase, voxels.particle, voxels.edge, folder / "view_3d.png")
    _write_recipe(electrode.recipe, folder)
    _write_log(electrode, folder / "lammps_log.txt")
    text = json.dumps({"properties": electrode.properties, "notes": electrode.notes}, indent=1)
    (folder / "properties.json").write_text(text, encoding="utf-8")


def _write_recipe(recipe: Recipe, folder: Path) -> None:
    import yaml

    text = yaml.safe_dump(recipe.model_dump(mode="json", exclude_none=True), sort_keys=False)
    (folder / "recipe.yaml").write_text(text, encoding="utf-8")


def _write_log(electrode: Electrode, path: Path) -> None:
    """Join the simulations' logs, the looks of the plane left out: they are in the curve."""
    logs = sorted(
        log for stage in ("slurry", "drying", "calendering") for log in electrode.stages[stage].rglob("log.lammps")
    )
    head = [
        f"==> {log.parent.parent.name if log.parent.name in ('load', 'release') else ''} {log.parent.name} <==\n"
        + "".join(log.read_text(encoding="utf-8").splitlines(keepends=True)[:60])
        for log in logs
    ]
    path.write_text("\n".join(head), encoding="utf-8")
