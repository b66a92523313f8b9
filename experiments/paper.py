"""What Xu et al. report, and the electrodes that answer it: formulations, routes and seeds at the paper's size.

A route says how drying and calendering are driven. ``imposed`` is the paper's: the dried porosity and the compression
under load are given, so neither is a prediction. In ``predicted`` a drying pressure and a calender's pressure are, and
thickness, porosity and compression follow. Both are taken with rigid particles, as the paper's are, and with bonded
ones, which deform and crack: ``imposed bonded`` and ``predicted bonded``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mesoforge.physics.recipe import Recipe

IMPOSED, PREDICTED = "imposed", "predicted"
IMPOSED_BONDED, PREDICTED_BONDED = "imposed bonded", "predicted bonded"
ROUTES: Final = (IMPOSED, PREDICTED, IMPOSED_BONDED, PREDICTED_BONDED)
PARTICLES: Final = {"rigid": (IMPOSED, PREDICTED), "bonded": (IMPOSED_BONDED, PREDICTED_BONDED), "both": ROUTES}
"""Routes by the particles that are asked for."""
DRIED: Final = 0.506
"""Dried porosity of the 96 % electrode; that of the 94 % electrode is not given."""
PRESSED: Final = 0.327
"""Compression at which the paper shows its calendered 96 % electrode."""
CALENDERED: Final = 0.235
"""Porosity that it reports there."""
PUBLISHED_HOURS: Final = {"slurry": (24, 24), "drying": (11, 11), "calendering": (9, 37)}
"""Least and most wall-clock hours of each simulation, on 28 cores."""
PUBLISHED_CORES: Final = 28

MADE_OF: Final[Mapping[str, Mapping[str, Any]]] = {
    "96": {
        "formulation.active_material": 0.96,
        "formulation.carbon": 0.02,
        "formulation.binder": 0.02,
        "formulation.solids_content": 0.679,
        "volume.side": 36.48,
        "volume.mass_loading": 7.9592,
        "volume.start_box": (80.0, 80.0, 120.0),
        "drying.cbd_nanoporosity": 0.4693,
    },
    "94": {
        "formulation.active_material": 0.94,
        "formulation.carbon": 0.03,
        "formulation.binder": 0.03,
        "formulation.solids_content": 0.637,
        "volume.side": 37.39,
        "volume.mass_loading": 7.1114,
        "volume.start_box": (80.0, 80.0, 120.0),
        "drying.cbd_nanoporosity": 0.4692,
    },
}
"""The formulations by active material in per cent, as in examples/paper_96.yaml and paper_94.yaml."""
COMPRESSIONS: Final = (0.1, 0.2, PRESSED, 0.4)
PRESSURES: Final = (20.0, 100.0, 300.0)
"""[MPa]"""
CRACKING: Final = 100.0
"""Pressure to which bonded particles are calendered [MPa]; a stroke tells of all pressures below."""
BONDED: Final = {"particles.bonded": True}


@dataclass(frozen=True, slots=True)
class Made:
    """One electrode of the reproduction: what is asked of the physics, and where it belongs."""

    formulation: str
    route: str
    level: float
    """Compression under load of the imposed route, pressure [MPa] of the predicted one."""
    seed: int
    recipe: Recipe

    @property
    def words(self) -> str:
        """Return what a progress bar says."""
        drive = f"{self.level:.1%}" if self.route in (IMPOSED, IMPOSED_BONDED) else f"{self.level:g} MPa"
        return f"{self.formulation} %, {self.route}, {drive}, seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Scope:
    """How much is reproduced: seeds, voxels [um], ranks, and the library of shapes if not generated ones."""

    seeds: int = 3
    voxel: float = 0.4
    ranks: int = 1
    shapes: Path | None = None
    particles: str = "both"
    """Which particles, a key of PARTICLES."""
    shrink: float = 1.0
    """Factor on the volume's side; below 1 it is a rehearsal, not the paper's size."""


def plan(scope: Scope) -> list[Made]:
    """Return all electrodes, those first from which most others follow, seed by seed."""
    asked = [one for one in _all(scope) if one.route in PARTICLES[scope.particles]]
    return sorted(asked, key=lambda one: (ROUTES.index(one.route), one.level, one.seed))


def _all(scope: Scope) -> Iterator[Made]:
    for seed in range(1, scope.seeds + 1):
        for formulation in MADE_OF:
            base = base_recipe(formulation, scope).with_values({"seed": seed})
            for pressure in PRESSURES:
                yield Made(formulation, PREDICTED, pressure, seed, base.with_values({"calendering.pressure": pressure}))
            cracked = base.with_values({"calendering.pressure": CRACKING} | BONDED)
            yield Made(formulation, PREDICTED_BONDED, CRACKING, seed, cracked)
        dried = {"drying.model": "to_porosity", "drying.porosity": DRIED}
        base = base_recipe("96", scope).with_values(dried | {"seed": seed})
        for share in COMPRESSIONS:
            yield Made("96", IMPOSED, share, seed, base.with_values({"calendering.compression": share}))
        cracked = base.with_values({"calendering.compression": PRESSED} | BONDED)
        yield Made("96", IMPOSED_BONDED, PRESSED, seed, cracked)


def base_recipe(formulation: str, scope: Scope) -> Recipe:
    """Return the recipe of a formulation at the paper's size, or at a rehearsal's."""
    values = dict(MADE_OF[formulation]) | {"numerics.voxel": scope.voxel, "numerics.ranks": scope.ranks}
    if scope.shapes is not None:
        values |= {"shapes": str(scope.shapes.absolute())}
    if scope.shrink != 1:
        box = tuple(scope.shrink * edge if axis < 2 else edge for axis, edge in enumerate(values["volume.start_box"]))
        values |= {"volume.side": scope.shrink * values["volume.side"], "volume.start_box": box}
    return Recipe().with_values(values)
