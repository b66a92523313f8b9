"""Whether to go on from what was made before: the largest expected gain for its cost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from mesoforge.optimize.sequence import sobol_points
from mesoforge.optimize.stages import Branch, Reuse
from mesoforge.optimize.strategies.botorch import within
from mesoforge.optimize.view import View
from mesoforge.surrogate.door import tensor
from mesoforge.surrogate.gp import GaussianProcess
from mesoforge.surrogate.shared import telling
from mesoforge.surrogate.table import Array

if TYPE_CHECKING:
    from botorch.acquisition.acquisition import AcquisitionFunction

LOOKS = 8
"""Places at which each branch is looked at."""
MOST = 3
"""Branches that are searched, the most promising ones."""
STARTS = 4


def best_for_its_cost(
    acquisition: AcquisitionFunction, gp: GaussianProcess, view: View, reuse: Reuse, fresh: Array
) -> tuple[Array, Branch | None]:
    """Return the point of the largest log acquisition less log cost, and the branch that it goes on from, if any.

    What an electrode of an old slurry is worth is lessened by how much less it tells than one of a new slurry would.
    """
    best, chosen = (_values(acquisition, fresh[None])[0], fresh), None
    for branch, starts in _promising(acquisition, gp, view, reuse):
        point = view.first_admissible(_local_optima(acquisition, view, branch, starts))
        if point is not None:
            value = _worth(acquisition, gp, view, reuse, branch, point[None])[0]
            best, chosen = max((best, chosen), ((value, point), branch), key=lambda offer: offer[0][0])
    return best[1], chosen


def _promising(
    acquisition: AcquisitionFunction, gp: GaussianProcess, view: View, reuse: Reuse
) -> list[tuple[Branch, Array]]:
    """Return the branches that look best at a few places each, with their best places (k, d) to search from."""
    looks = [_places(view, branch) for branch in reuse.branches]
    some = [(branch, places) for branch, places in zip(reuse.branches, looks, strict=True) if len(places)]
    found = []
    for branch, places in some:
        worth = _worth(acquisition, gp, view, reuse, branch, places)
        order = np.argsort(-worth, kind="stable")
        found.append((float(worth[order[0]]), branch, places[order[:STARTS]]))
    found.sort(key=lambda one: -one[0])
    return [(branch, places) for _, branch, places in found[:MOST]]


def _places(view: View, branch: Branch) -> Array:
    """Return allowed places of a branch (k, d), evenly over the axes that are free."""
    points = np.tile(branch.point, (LOOKS, 1))
    points[:, branch.free] = sobol_points(len(branch.free), view.seed, LOOKS)
    return view.space.allowed(points)


def _worth(
    acquisition: AcquisitionFunction, gp: GaussianProcess, view: View, reuse: Reuse, branch: Branch, points: Array
) -> Array:
    """Return log acquisition less log cost at points (k, d) of a branch, lessened by what its slurry's error hides."""
    told = telling(gp, points, branch.group, (view.pending, reuse.pending))
    return np.asarray(_values(acquisition, points) + np.log(told) - math.log(branch.share))


def _values(acquisition: AcquisitionFunction, points: Array) -> Array:
    with torch.no_grad():
        values: Array = acquisition(tensor(points).unsqueeze(1)).numpy()
    return np.nan_to_num(values, nan=-np.inf)


def _local_optima(acquisition: AcquisitionFunction, view: View, branch: Branch, starts: Array) -> list[Array]:
    """Return local optima of the acquisition function within a branch, the best first."""
    from botorch.optim.optimize import optimize_acqf

    cube = torch.stack([torch.zeros(view.dimensions), torch.ones(view.dimensions)]).double()
    fixed = {axis: float(branch.point[axis]) for axis in range(view.dimensions) if axis not in branch.free}
    points, values = optimize_acqf(
        acquisition,
        cube,
        q=1,
        num_restarts=len(starts),
        fixed_features=fixed,
        return_best_only=False,
        **within(view, starts),
    )
    order = torch.argsort(cast("Tensor", values), descending=True, stable=True)
    found = points[order].squeeze(1).clamp(0, 1).numpy()
    return [view.space.pulled(point, branch.point) for point in found]
