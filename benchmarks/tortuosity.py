"""How fast and how exact is the tortuosity factor by our solver, TauFactor, pyamg and PoreSpy?

``python benchmarks/tortuosity.py [--edges 100 200] [--porosities .2 .35 .5 .65 .8] [--solvers ...] [--repeats 3]``
draws an image of smoothed noise for each edge and porosity and solves it along its last axis with every solver, each in
a process of its own with one thread, after a warm-up on a small image, and takes medians over the repeats. It
prints processor time (which other work on the machine disturbs less than wall time), its multiple of ours, wall time,
tortuosity factor, relative error and peak memory above the start of the solution (Linux). Errors are against a
conjugate gradient in double precision to a residual of 1e-10 (``exact``: pyamg's hierarchy preconditions it), where the
edge is at most ``--exact`` voxels.
pyamg and PoreSpy's finite differences (with OpenPNM) are left out, with a word, where they are not installed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

Pores = NDArray[np.bool_]
WIDTH = 3.0
"""Standard deviation of the filter that smooths the noise [voxels]."""
HOUR = 3600.0


def blobs(edge: int, porosity: float) -> Pores:
    """Return pores in smoothed noise, (edge, edge, edge)."""
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(1).normal(size=(edge,) * 3).astype(np.float32)
    smooth = gaussian_filter(noise, WIDTH)
    pores: Pores = smooth < np.quantile(smooth[::2, ::2, ::2], porosity)
    return pores


def ours(pores: Pores) -> float:
    """Solve by the project's multigrid."""
    from mesoforge.physics.microstructure.transport import transport

    return transport(pores.astype(np.uint8), {1: 1.0}).conductivity


def by_taufactor(pores: Pores, convergence: float = 1e-2) -> float:
    """Solve by TauFactor at its own default of convergence."""
    import torch

    from mesoforge.physics.microstructure.reference import taufactor_transport

    torch.set_num_threads(1)
    return taufactor_transport(pores.astype(np.uint8), {1: 1.0}, convergence=convergence).conductivity


def by_taufactor_finer(pores: Pores) -> float:
    """Solve by TauFactor to a tenth of its default."""
    return by_taufactor(pores, 1e-3)


def by_pyamg(pores: Pores, tolerance: float = 1e-5) -> float:
    """Solve by conjugate gradients with a smoothed-aggregation hierarchy, and read the far electrode's flux."""
    import pyamg  # type: ignore[import-not-found, unused-ignore]

    matrix, far = _system(pores)
    hierarchy = pyamg.smoothed_aggregation_solver(matrix, max_coarse=500)
    potential = hierarchy.solve(far, tol=tolerance, accel="cg", maxiter=300)
    edge = pores.shape[2]
    return float((far * (1 - potential)).sum() * edge / (pores.shape[0] * pores.shape[1]))


def exact(pores: Pores) -> float:
    """Solve to a residual of 1e-10 in double precision."""
    return by_pyamg(pores, 1e-10)


def by_porespy(pores: Pores) -> float:
    """Solve by PoreSpy's finite differences at its own default."""
    import openpnm  # type: ignore[import-not-found, unused-ignore]  # noqa: F401 - PoreSpy needs it and says so late
    from porespy.simulations import tortuosity_fd

    return 1 / float(tortuosity_fd(pores, axis=2).formation_factor)


def _system(pores: Pores):  # type: ignore[no-untyped-def]  # noqa: ANN202 - scipy has no types
    """Return the matrix of what percolates, and its right-hand side for a far electrode at 1."""
    from scipy.sparse import coo_matrix, diags

    from mesoforge.physics.microstructure.paths import THROUGH, joined

    kept = joined(pores, (False, False)) == THROUGH
    count = int(kept.sum())
    number = np.full(pores.shape, -1, dtype=np.int32)
    number[kept] = np.arange(count)
    pairs = []
    for axis in range(3):
        here, there = np.moveaxis(number, axis, 0)[:-1], np.moveaxis(number, axis, 0)[1:]
        both = (here >= 0) & (there >= 0)
        pairs.append(np.stack([here[both], there[both]]))
    i, j = np.concatenate(pairs, axis=1)
    links = coo_matrix((np.ones(2 * len(i)), (np.r_[i, j], np.r_[j, i])), shape=(count, count)).tocsr()
    near, far = np.zeros(count), np.zeros(count)
    near[number[:, :, 0][kept[:, :, 0]]] = 2
    far[number[:, :, -1][kept[:, :, -1]]] = 2
    matrix = diags(np.asarray(links.sum(axis=1)).ravel() + near + far) - links
    return matrix.tocsr(), far


SOLVERS: dict[str, Callable[[Pores], float]] = {
    "mesoforge": ours,
    "taufactor": by_taufactor,
    "taufactor_1e-3": by_taufactor_finer,
    "pyamg": by_pyamg,
    "porespy": by_porespy,
    "exact": exact,
}
DEFAULT = ("mesoforge", "taufactor", "pyamg", "porespy")


class Peak:
    """Watches the memory of this process while it is open [bytes]."""

    def __enter__(self) -> Peak:
        """Start to watch."""
        self.start = self.most = resident()
        self._open = True
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop to watch."""
        self._open = False
        self._watcher.join()

    def _watch(self) -> None:
        while self._open:
            self.most = max(self.most, resident())
            time.sleep(0.005)


def resident() -> int:
    """Return the memory that this process holds [bytes]; 0 where the system does not say."""
    table = Path("/proc/self/statm")
    return int(table.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if table.exists() else 0


def solve_one(solver: str, edge: int, porosity: float) -> dict[str, float]:
    """Solve one image in this process, after a warm-up."""
    solve, pores = SOLVERS[solver], blobs(edge, porosity)
    solve(blobs(24, 0.6))
    with Peak() as peak:
        began = time.perf_counter(), time.process_time()
        found = solve(pores)
        ended = time.perf_counter(), time.process_time()
    return {
        "wall_s": ended[0] - began[0],
        "cpu_s": ended[1] - began[1],
        "tortuosity": float(pores.mean()) / found,
        "bytes_per_voxel": (peak.most - peak.start) / pores.size,
    }


def in_a_child(solver: str, edge: int, porosity: float) -> dict[str, float] | str:
    """Solve one image in a process of its own; a word where that went wrong."""
    command = [sys.executable, __file__, "--one", solver, str(edge), str(porosity)]
    try:
        came = subprocess.run(command, capture_output=True, text=True, timeout=HOUR, check=True)
    except subprocess.TimeoutExpired:
        return "over an hour"
    except subprocess.CalledProcessError as error:
        return error.stderr.strip().splitlines()[-1][:60] if error.stderr.strip() else f"ended with {error.returncode}"
    found: dict[str, float] = json.loads(came.stdout.splitlines()[-1])
    return found


def repeated(solver: str, edge: int, porosity: float, times: int) -> dict[str, float] | str:
    """Solve one image so many times, each in a process of its own, and return the medians."""
    found: list[dict[str, float]] = []
    for _ in range(times):
        one = in_a_child(solver, edge, porosity)
        if isinstance(one, str):
            return one
        found.append(one)
    return {name: float(np.median([one[name] for one in found])) for name in found[0]}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edges", type=int, nargs="+", default=[100, 200])
    parser.add_argument("--porosities", type=float, nargs="+", default=[0.2, 0.35, 0.5, 0.65, 0.8])
    parser.add_argument("--solvers", nargs="+", choices=SOLVERS, default=DEFAULT)
    parser.add_argument("--exact", type=int, default=100, metavar="EDGE", help="largest edge that is solved to 1e-10")
    parser.add_argument("--repeats", type=int, default=1, help="solutions of each image, whose median is taken")
    parser.add_argument("--json", type=Path, help="also write all numbers here")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(solve_one(chosen.one[0], int(chosen.one[1]), float(chosen.one[2]))))
        return
    rows = []
    print(
        f"{'edge':>5} {'porosity':>8} {'solver':<15} {'cpu s':>8} {'times':>6} {'wall s':>8} {'tau':>9} {'error':>8}"
        f" {'B/voxel':>8}"
    )
    for edge in chosen.edges:
        for porosity in chosen.porosities:
            rows += _compare(edge, porosity, chosen.solvers, edge <= chosen.exact, chosen.repeats)
    if chosen.json:
        chosen.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def _compare(edge: int, porosity: float, solvers: list[str], to_the_end: bool, times: int) -> list[dict[str, object]]:
    """Solve one image with every solver; print and return a row for each."""
    due = in_a_child("exact", edge, porosity) if to_the_end else "not asked for"
    first, rows = None, []
    for solver in solvers:
        found = repeated(solver, edge, porosity, times)
        row: dict[str, object] = {"edge": edge, "porosity": porosity, "solver": solver}
        if isinstance(found, str):
            print(f"{edge:5d} {porosity:8.2f} {solver:<15} {found}", flush=True)
            rows.append(row | {"word": found})
            continue
        first = first or found["cpu_s"]
        error = found["tortuosity"] / due["tortuosity"] - 1 if isinstance(due, dict) else None
        shown = "-" if error is None else f"{error:.0e}"
        print(
            f"{edge:5d} {porosity:8.2f} {solver:<15} {found['cpu_s']:8.2f} {found['cpu_s'] / first:6.1f} "
            f"{found['wall_s']:8.2f} {found['tortuosity']:9.4f} {shown:>8} {found['bytes_per_voxel']:8.0f}",
            flush=True,
        )
        rows.append(row | found | {"error": error})
    return rows


if __name__ == "__main__":
    main()
