"""How like a real library's particles are generated ones, and does picking have the counts that the paper has?

``python benchmarks/shape_likeness.py [--library FILE] [--count N] [--out FOLDER]`` takes a library of real particles
(made by ``benchmarks/shape_extraction.py real``), fits the generator to it, generates as many particles and prints the
distances between the distributions of both, for the fit and for the statistics that are shipped; draws both. Then it
picks particles for the paper's two electrodes from measured NMC111 diameters, if these are there, 2,000 times each.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from mesoforge.experiments.shape_pictures import likeness_picture
from mesoforge.experiments.shapes_table import compared, show_compared
from mesoforge.physics.shapes.fitted import Statistics, fit, generate, load_statistics
from mesoforge.physics.shapes.library import Library, open_library
from mesoforge.physics.shapes.sizes import pick, read_table

DATA = Path("..") / "shared" / "data"
PITCH = 1.284
PAPER = {9494: 165, 10330: 166}


def judged(statistics: Statistics, real: Library, count: int, path: Path) -> None:
    """Generate particles, print how far they are from the real ones and draw both."""
    made = generate(statistics, count, real.voxel_um, 5, path)
    show_compared(compared(real, made))
    print(f"figure: {likeness_picture(real, made, path.with_suffix('.png'))}")


def counted(table: Path) -> None:
    """Compare the numbers of particles picked with the expected ones and with the paper's."""
    law, rng = read_table(table, volume=False).between(2, 14), np.random.default_rng(11)
    for beads, paper in PAPER.items():
        volume = beads * PITCH**3
        counts = np.array([len(pick(law, volume, rng)) for _ in range(2000)])
        low, high = np.percentile(counts[:200], (2.5, 97.5))
        print(
            f"{beads} beads: expected {volume / law.mean_volume:.1f}, picked {counts.mean():.1f} +- "
            f"{counts.std() / len(counts) ** 0.5:.1f}, 95 % of 200 from {low:.0f} to {high:.0f}; the paper {paper}"
        )


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, default=Path("mlruns") / "shapes" / "nmc.h5")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path("mlruns") / "shapes")
    given = parser.parse_args()
    if (given.data / "nmc111_diameters.dat").exists():
        counted(given.data / "nmc111_diameters.dat")
    real = open_library(given.library)
    given.out.mkdir(parents=True, exist_ok=True)
    judged(load_statistics(), real, given.count, given.out / "shipped.h5")
    judged(fit(real), real, given.count, given.out / "fitted.h5")


if __name__ == "__main__":
    main()
