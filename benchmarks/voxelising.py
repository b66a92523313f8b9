"""How fast do beads become voxels?

``python benchmarks/voxelising.py [--beads 14204] [--edge 200]`` scatters beads of the paper's sizes in a periodic box
and prints the processor time of stamping them as balls, of the electrode's own voxels with gaps closed (both by this
project), and of PoreSpy's way through a distance transform; the best of several runs after a warm-up.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from mesoforge.physics.balance import balance
from mesoforge.physics.beads import ACTIVE, CBD, Beads
from mesoforge.physics.microstructure.stamping import stamp
from mesoforge.physics.packing import pack
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.voxels import voxelise

BOX = np.array([36.0, 36.0, 36.0])


def best(run: Callable[[], object], repeats: int) -> float:
    """Return the shortest processor time of several runs [s]."""
    run()
    times = []
    for _ in range(repeats):
        began = time.process_time()
        run()
        times.append(time.process_time() - began)
    return min(times)


def scattered(beads: int) -> tuple[np.ndarray, np.ndarray]:
    """Return centres and radii of primary beads and CBD in the paper's proportion."""
    active = round(beads * 10330 / 14207)
    radius = np.where(np.arange(beads) < active, 0.795, 0.65)
    return np.random.default_rng(1).uniform(0, BOX, (beads, 3)), radius


def packed() -> tuple[Beads, Recipe]:
    """Return the particles of a packing, squeezed to the height of a dried coating; they overlap as they come."""
    recipe = Recipe().with_values({"volume.side": 36.0, "volume.mass_loading": 8.0, "numerics.voxel": 0.4})
    wet = pack(recipe)
    height = balance(recipe).solid_volume / 36.0**2 / 0.5
    place = wet.position * [1, 1, height / wet.box[2]]
    box = np.array([*wet.box[:2], height])
    return wet.moved(place, box), recipe


def by_porespy(position: np.ndarray, radius: np.ndarray, edge: int) -> np.ndarray:
    """Stamp balls of both radii by distance transforms, without periodic sides."""
    from edt import edt  # type: ignore[import-not-found, unused-ignore]

    found = np.zeros((edge,) * 3, dtype=bool)
    for one in np.unique(radius):
        seeds = np.ones((edge,) * 3, dtype=bool)
        seeds[tuple((position[radius == one] / BOX * edge).astype(int).T)] = False
        found |= edt(seeds) < one / BOX[0] * edge
    return found


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beads", type=int, default=14204)
    parser.add_argument("--edge", type=int, default=200, help="voxels along each side")
    chosen = parser.parse_args()
    position, radius = scattered(chosen.beads)
    label, shape = np.arange(1, chosen.beads + 1, dtype=np.int32), (chosen.edge,) * 3
    stamped = best(lambda: stamp(position, radius, label, BOX[0] / chosen.edge, shape), 9)
    print(f"balls stamped, {chosen.beads} beads in {chosen.edge}^3, periodic and labelled: {stamped * 1e3:.0f} ms")
    print(
        f"distance transforms (edt), neither: {best(lambda: by_porespy(position, radius, chosen.edge), 3) * 1e3:.0f} ms"
    )
    try:
        beads, recipe = packed()
        counts = f"{(beads.kind == ACTIVE).sum()} active and {(beads.kind == CBD).sum()} CBD beads"
        took = best(lambda: voxelise(beads, recipe), 3)
        print(f"electrode with gaps closed, {counts}, voxels of {recipe.numerics.voxel:g} um: {took * 1e3:.0f} ms")
    except Exception as error:  # noqa: BLE001 - a crowded packing has no room for its volumes
        print(f"electrode with gaps closed: {error}")


if __name__ == "__main__":
    main()
