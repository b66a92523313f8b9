"""How do pores, surfaces and transport change when an electrode is calendered, and what does the voxel's edge do?

``python benchmarks/pore_networks.py [--home FOLDER] [--recipe FILE] [--edges 0.25 0.4 0.642]`` makes one electrode (or
finds it), turns it into voxels dried and calendered at each edge, and prints the network of its pores (all, and those
of more than 1 um of radius, as the paper counts them; by SNOW, and by a watershed from peaks of 0.3 um), flatness, and
tortuosity factors with the CBD porous (0.354), blocking and counted as free pore, with the porosities that enter them.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from mesoforge.physics.balance import as_dried
from mesoforge.physics.beads import Beads
from mesoforge.physics.failure import Failure
from mesoforge.physics.manufacture import BEADS, obtain
from mesoforge.physics.microstructure.measure import measure
from mesoforge.physics.microstructure.pores import RESOLVED, PoreNetwork, pore_network
from mesoforge.physics.microstructure.quantity import Conductors
from mesoforge.physics.recipe import Recipe, load_recipe
from mesoforge.physics.store import Store
from mesoforge.physics.voxels import voxelise

SHOWN = (
    "porosity_voxels", "porosity_resolved", "network_pores", "network_pore_radius_mean", "network_throat_radius_mean",
    "network_coordination_mean", "network_large_pore_radius_mean", "network_large_throat_radius_mean",
    "network_large_coordination_mean", "peaks_pores", "peaks_large_pores", "peaks_large_pore_radius_mean",
    "peaks_large_throat_radius_mean", "peaks_large_coordination_mean", "pore_diameter_mean", "tortuosity_factor_z",
    "tortuosity_factor_z_blocking", "tortuosity_factor_z_without_cbd", "cbd_fraction", "surface_sa", "surface_sq",
    "collector_sa", "krumbein_sphericity_voxels", "wadell_sphericity_mean", "orientation_order",
    "active_surface_share", "collector_coverage_active", "seconds",
)  # fmt: skip
MADE = ("packing", "slurry", "drying", "calendering")
GROUPS = ("phases", "transport", "interfaces", "flatness", "pore_sizes", "pore_network", "particles")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path("mlruns"))
    parser.add_argument("--recipe", type=Path, help="a recipe; by default the default recipe")
    parser.add_argument("--edges", type=float, nargs="+", default=[0.25, 0.4, 0.642])
    chosen = parser.parse_args()
    recipe = load_recipe(chosen.recipe) if chosen.recipe else Recipe()
    done = obtain(recipe, Store(chosen.home / "store"), MADE)
    if isinstance(done, Failure):
        raise SystemExit(f"failed in {done.stage}: {done.reason}")
    columns, recipe = {}, as_dried(recipe)
    for stage, word in (("drying", "dried"), ("calendering", "calendered")):
        beads = Beads.load(done[stage].folder / BEADS)
        for edge in chosen.edges:
            began = time.process_time()
            voxels = voxelise(beads, recipe.with_values({"numerics.voxel": edge}))
            columns[f"{word} {edge:g}"] = measure(voxels, Conductors(recipe.drying.cbd_nanoporosity), GROUPS).numbers
            columns[f"{word} {edge:g}"]["seconds"] = time.process_time() - began
            columns[f"{word} {edge:g}"] |= peaks(pore_network(voxels, "h_maxima"))
    print(f"{'':34}" + "".join(f"{name:>17}" for name in columns))
    for name in SHOWN:
        print(f"{name:34}" + "".join(f"{found.get(name, float('nan')):17.3f}" for found in columns.values()))


def peaks(net: PoreNetwork) -> dict[str, float]:
    """Return the numbers of the network whose pores are peaks of depth."""
    large = net.radius > RESOLVED
    return {
        "peaks_pores": float(len(net.radius)),
        "peaks_large_pores": float(large.sum()),
        "peaks_large_pore_radius_mean": float(net.radius[large].mean()),
        "peaks_large_throat_radius_mean": float(net.throat_radius[net.throat_radius > RESOLVED].mean()),
        "peaks_large_coordination_mean": float(net.coordination[large].mean()),
    }


if __name__ == "__main__":
    main()
