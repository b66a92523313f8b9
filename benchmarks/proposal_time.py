"""How long does a proposal take late in a campaign?

``python benchmarks/proposal_time.py [--rows 500] [--inputs 8] [--objectives 3] [--pending 4] [--repeats 3]`` prints the
processor time of fitting the surrogate and of a proposal from it, on one core.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.space import Space
from mesoforge.optimize.strategies.botorch import BOTORCH
from mesoforge.optimize.view import View
from mesoforge.surrogate.gp import fit_gp


def crowded(rows: int, inputs: int, objectives: int, pending: int, seed: int) -> View:
    """Return a view of smooth noisy objectives, each least at a place of its own, one learned by logarithm."""
    rng = np.random.default_rng(seed)
    X, places = rng.random((rows, inputs)), rng.random((objectives, inputs))
    exact = ((X[:, None] - places) ** 2).sum(axis=2)
    Y = exact + 0.02 * rng.standard_normal((rows, objectives))
    names = ["tortuosity_factor", *(f"y{one}" for one in range(1, objectives))]
    return View(
        space=Space.from_mapping({f"x{axis}": {"low": 0, "high": 1} for axis in range(inputs)}),
        objectives=Objectives.from_mapping(dict.fromkeys(names, "minimize")),
        X=X,
        Y=Y,
        pending=rng.random((pending, inputs)),
        failed=np.empty((0, inputs)),
        reference=-Y.max(axis=0),
        number=rows + pending,
        seed=seed,
        campaign_seed=seed,
        start=2 * (inputs + 1),
    )


def main() -> None:
    """Print the times, one line for each repeat."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("rows", 500), ("inputs", 8), ("objectives", 3), ("pending", 4), ("repeats", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    for seed in range(given.repeats):
        view = crowded(given.rows, given.inputs, given.objectives, given.pending, seed)
        times = [time.process_time()]
        gp = fit_gp(view.table)
        times.append(time.process_time())
        BOTORCH.propose(replace(view, surrogate=gp))
        times.append(time.process_time())
        print(f"fit {times[1] - times[0]:.1f} s, proposal {times[2] - times[1]:.1f} s", flush=True)


if __name__ == "__main__":
    main()
