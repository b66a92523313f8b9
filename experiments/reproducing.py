"""The paper's electrodes made and measured, before and after calendering, and what was found kept beside the store."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mesoforge.experiments.comparing import compared
from mesoforge.experiments.converge import loading_curve
from mesoforge.experiments.home import Home
from mesoforge.experiments.measuring import find_image
from mesoforge.experiments.paper import IMPOSED, PRESSED, Made, Scope, plan
from mesoforge.experiments.pool import Pool, each
from mesoforge.experiments.report_page import write_page
from mesoforge.experiments.tracking import Tracker
from mesoforge.experiments.view import electrode_run
from mesoforge.experiments.work import electrode_name
from mesoforge.optimize.trial import Failed, Measured
from mesoforge.physics.balance import as_dried, balance, consolidated
from mesoforge.physics.beads import Beads
from mesoforge.physics.failure import Failure
from mesoforge.physics.manufacture import BEADS, VOXELS, Electrode, identity, manufacture
from mesoforge.physics.microstructure.image_files import Reading
from mesoforge.physics.microstructure.measure import measure
from mesoforge.physics.microstructure.particles import particle_table
from mesoforge.physics.microstructure.phases import profile
from mesoforge.physics.microstructure.pores import PoreNetwork, pore_network
from mesoforge.physics.microstructure.quantity import Conductors
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import Store, digest
from mesoforge.physics.voxels import Voxels, voxelise

KEPT_AS = 2
"""Raised whenever a state is measured otherwise."""
MEASURES = ("phases", "transport", "flatness", "particles")
"""What is measured of a state beside its pore network."""
SIMULATED = ("slurry", "drying", "calendering")
TOOK = re.compile(r"^Loop time of (\S+) on", re.MULTILINE)
"""Where a log says how many seconds a run took."""
CURVE_POINTS = 200
Json = dict[str, Any]
Watch = Callable[[str, int, int], None]


def reproduce(scope: Scope, home: Home, pool: Pool, watch: Watch) -> list[Json]:
    """Make and measure all electrodes of a scope; what was made before is found.

    Args:
        scope: how much.
        home: where stages are kept.
        pool: where the work runs.
        watch: told what ended, and how many of how many have.

    Returns:
        Per electrode of the plan what was asked, and what was found or why it failed.
    """
    tasks = plan(scope)
    calls = [(made.recipe.model_dump(mode="json"), str(home.root.resolve())) for made in tasks]
    found = each(pool, answer, calls, lambda number, done: watch(tasks[number].words, done, len(tasks)))
    return [_asked(made) | one for made, one in zip(tasks, found, strict=True)]


def _asked(made: Made) -> Json:
    return {"formulation": made.formulation, "route": made.route, "level": made.level, "seed": made.seed}


def answer(values: Mapping[str, Any], root: str) -> Json:
    """Make the electrode of a recipe given as plain values; return what the page needs of it, or its failure."""
    recipe, home = Recipe.from_mapping(values), Home(Path(root))
    made = manufacture(recipe, Store(home.store))
    if isinstance(made, Failure):
        return {"kind": made.kind, "stage": made.stage, "reason": made.reason}
    return {
        "electrode": made.input_sha256,
        "properties": made.properties,
        "curve": loading(made),
        "seconds": seconds(made),
        "dried": _kept(home, _dried_name(recipe), lambda: state(_dried(made), as_dried(recipe))),
        "calendered": _kept(
            home,
            made.input_sha256,
            lambda: state(_calendered(made), consolidated(recipe, made.properties["cbd_nanoporosity"])),
        ),
        "particles": made.properties["secondary_particles"],
        "beads": [balance(recipe).active_beads, balance(recipe).cbd_beads],
    }


def _dried_name(recipe: Recipe) -> str:
    """Return the name of a dried coating in voxels."""
    chain = identity(recipe)
    voxels = {"voxel": recipe.numerics.voxel, "version": chain["measurement"]["version"]}
    return digest({"drying": digest(chain["drying"]), **voxels})


def _dried(made: Electrode) -> Voxels:
    return voxelise(Beads.load(made.stages["drying"] / BEADS), as_dried(made.recipe))


def _calendered(made: Electrode) -> Voxels:
    return Voxels.load(made.stages["measurement"] / VOXELS)


def _kept(home: Home, name: str, make: Callable[[], Json]) -> Json:
    """Return what was measured of a state before, or measure it and keep it; written whole or not at all."""
    path = home.root / "reproductions" / "states" / f"{name[:24]}-{KEPT_AS}.json"
    if path.exists():
        return dict(json.loads(path.read_text(encoding="utf-8")))
    found = make()
    write_page(json.dumps(found), path)
    return found


def _pores(net: PoreNetwork) -> Json:
    """Return pores and throats as plain values, lengths in um."""
    return {
        "radius": _plain(net.radius),
        "inscribed": _plain(net.inscribed),
        "height": _plain(net.coords[:, 2]),
        "coordination": net.coordination.tolist(),
        "throat_radius": _plain(net.throat_radius),
    }


def state(voxels: Voxels, recipe: Recipe) -> Json:
    """Return numbers, profiles, pore networks and particles of one state as plain values, lengths in um."""
    conductors = Conductors(nanoporosity=recipe.drying.cbd_nanoporosity)
    along, particles = profile(voxels), particle_table(voxels)
    return {
        "thickness": voxels.phase.shape[2] * voxels.edge,
        "numbers": measure(voxels, conductors, MEASURES).numbers,
        "profile": {"height": _plain(along.height)} | {name: _plain(one) for name, one in along.fractions.items()},
        "pores": _pores(pore_network(voxels, "h_maxima")),
        "snow": _pores(pore_network(voxels)),
        "krumbein": _plain(particles.krumbein),
        "angle_to_z": _plain(np.degrees(np.arccos(np.clip(np.abs(particles.direction[:, 2]), 0, 1)))),
    }


def _plain(values: Any) -> list[float]:  # noqa: ANN401 - any array
    return [float(f"{value:.5g}") for value in np.asarray(values, dtype=float)]


def loading(made: Electrode) -> Json:
    """Return compression, porosity and pressure [MPa] along the loading stroke, at some hundred points."""
    porosity, pressure = loading_curve(made)
    some = np.unique(np.linspace(0, len(porosity) - 1, CURVE_POINTS).astype(int))
    solid = 1 - made.properties["dried_porosity"]
    return {
        "compression": _plain(1 - solid / (1 - porosity[some])),  # solids and width stay
        "porosity": _plain(porosity[some]),
        "pressure": _plain(pressure[some]),
    }


def seconds(made: Electrode) -> dict[str, Json]:
    """Return per simulated stage its name and the seconds that LAMMPS ran on the clock, times its ranks."""
    ranks = made.recipe.numerics.ranks
    return {
        stage: {"stage": made.stages[stage].name, "core_seconds": ranks * _took(made.stages[stage])}
        for stage in SIMULATED
    }


def _took(folder: Path) -> float:
    logs = [log.read_text(encoding="utf-8") for log in folder.rglob("log.lammps")]
    return sum(float(found) for text in logs for found in TOOK.findall(text))


def record(found: Sequence[Json], scope: Scope, home: Home, name: str) -> None:
    """Write every electrode into MLflow, as a study of its own; a run's key ends with the electrode's hash."""
    tracker, now = Tracker(home.root, name), time.time()
    for made, row in zip(plan(scope), found, strict=True):
        outcome = (
            Failed(row["kind"], row["stage"], row["reason"])
            if "kind" in row
            else Measured(
                row["properties"], row["electrode"], sum(row["seconds"][s]["core_seconds"] for s in SIMULATED)
            )
        )
        made_as = electrode_name(made.recipe)[:8]
        key = f"{made.formulation}-{made.route}-{made.level:g}-{made.seed}-{made_as}"
        tracker.record(electrode_run(key, "reproduce", made.recipe, home, now, now, outcome))


def compare_with(tomogram: Path, axis: int, found: Sequence[Json], home: Home, folder: Path) -> Path | None:
    """Set the imposed electrode of the first seed beside a tomogram, as figure 1 does; return the picture."""
    shown = [row for row in found if "properties" in row and (row["route"], row["level"]) == (IMPOSED, PRESSED)]
    if not shown:
        return None
    own = find_image(shown[0]["electrode"], home, Reading())
    real = find_image(str(tomogram), home, Reading(thickness_axis=axis))
    compared(own.voxels, real.voxels, (f"96 %, {PRESSED:.1%}", tomogram.name), 20, 0, folder)
    return folder / "comparison.png"
