"""Whether to go on from what was made before: the largest expected gain for its cost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from mesoforge.optimize.reuse import Branch, Reuse
from mesoforge.optimize.sequence import sobol_points
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
HOPED, MOST = 12, 3
"""Branches whose error is looked at, and that are searched: those that promise most."""
STARTS = 4
AT_ONCE = 256


def best_for_its_cost(
    acquisition: AcquisitionFunction, gp: GaussianProcess, view: View, reuse: Reuse, fresh: Array
) -> tuple[Array, Branch | None]:
    """Return the point of the largest log acquisition less log cost, and the branch that it goes on from, if any.

    What an electrode of an old slurry is worth is lessened by how much less it tells than one of a new slurry would.
    """
    best: tuple[float, Array, Branch | None] = (float(_values(acquisition, fresh[None])[0]), fresh, None)
    for branch, starts in _promising(acquisition, gp, view, reuse):
        point = view.first_admissible(_local_optima(acquisition, view, branch, starts))
        if point is not None:
            adjusted = _values(acquisition, point[None]) + _adjustment(gp, view, reuse, branch, point[None])
            best = max(best, (float(adjusted[0]), point, branch), key=lambda offer: offer[0])
    return best[1], best[2]


def _promising(
    acquisition: AcquisitionFunction, gp: GaussianProcess, view: View, reuse: Reuse
) -> list[tuple[Branch, Array]]:
    """Return the branches that look best at a few places each, with their best places (k, d) to search from."""
    looks = [_places(view, branch) for branch in reuse.branches]
    some = [(branch, places) for branch, places in zip(reuse.branches, looks, strict=True) if len(places)]
    if not some:
        return []
    values = np.split(
        _values(acquisition, np.vstack([places for _, places in some])), np.cumsum([len(one) for _, one in some])[:-1]
    )
    hopes = [float(value.max()) - math.log(branch.share) for value, (branch, _) in zip(values, some, strict=True)]
    found = []
    for row in np.argsort(-np.array(hopes), kind="stable")[:HOPED]:
        branch, places = some[row]
        worth = values[row] + _adjustment(gp, view, reuse, branch, places)
        order = np.argsort(-worth, kind="stable")
        found.append((float(worth[order[0]]), branch, places[order[:STARTS]]))
    found.sort(key=lambda one: -one[0])
    return [(branch, places) for _, branch, places in found[:MOST]]


def _places(view: View, branch: Branch) -> Array:
    """Return allowed places of a branch (k, d), evenly over the axes that are free."""
    points = np.tile(branch.point, (LOOKS, 1))
    points[:, branch.free] = sobol_points(len(branch.free), view.seed, LOOKS)
    return view.space.allowed(points)


def _adjustment(gp: GaussianProcess, view: View, reuse: Reuse, branch: Branch, points: Array) -> Array:
    """Return what to add to the log acquisition at points (k, d) of a branch: for its cost and what its error hides."""
    told = telling(gp, points, branch.group, (view.pending, reuse.pending))
    return np.asarray(np.log(told) - math.log(branch.share))


def _values(acquisition: AcquisitionFunction, points: Array) -> Array:
    """Return the log acquisition (n,) at points (n, d); next to nothing where it is no number."""
    with torch.no_grad():
        parts = [acquisition(part).numpy() for part in torch.split(tensor(points).unsqueeze(1), AT_ONCE)]
    return np.asarray(np.nan_to_num(np.concatenate(parts), nan=-np.inf))


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
