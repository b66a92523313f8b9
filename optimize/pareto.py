"""Which scores are best when there are several: dominance, hypervolume, and an order to confirm them in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mesoforge.optimize.objectives import Objectives
from mesoforge.surrogate.table import Array

MARGIN = 0.1  # of the scores' range: how far below the worst the inferred reference point lies
OF_USE = 3.0  # tolerances: a match that misses by more is not wanted, however good the rest is


def pareto_mask(scores: Array) -> npt.NDArray[np.bool_]:
    """Return which rows of scores (n, m) no other row dominates: at least as good in all, better in one."""
    at_least = np.all(scores[:, None] >= scores[None], axis=2)
    better = np.any(scores[:, None] > scores[None], axis=2)
    dominates: npt.NDArray[np.bool_] = at_least & better
    return np.asarray(~dominates.any(axis=0))


def hypervolume(scores: Array, reference: Array) -> float:
    """Return the volume that scores (n, m) dominate above the reference point (m,), exactly (BoTorch from three on)."""
    if len(reference) == 1:
        return max(float(np.max(scores, initial=reference[0])) - float(reference[0]), 0.0)
    if len(reference) == 2:
        return float(hypervolumes(scores.reshape(1, -1, 2), reference)[0])
    from mesoforge.surrogate.door import Hypervolume, tensor

    front = scores[pareto_mask(scores)] if len(scores) else scores
    return float(Hypervolume(tensor(reference)).compute(tensor(front.reshape(-1, len(reference)))))


def hypervolumes(scores: Array, reference: Array) -> Array:
    """Return the hypervolume (n,) of each of n sets of scores (n, j, m); of two scores all at once, by a sweep."""
    if len(reference) != 2:
        return np.array([hypervolume(one, reference) for one in scores])
    above = np.maximum(scores - reference, 0)
    order = np.argsort(-above[..., 0], axis=1, kind="stable")
    first, second = (np.take_along_axis(above[..., column], order, axis=1) for column in (0, 1))
    widths = first - np.concatenate([first[:, 1:], np.zeros((len(first), 1))], axis=1)
    return np.asarray(np.sum(widths * np.maximum.accumulate(second, axis=1), axis=1))


def reference_point(objectives: Objectives, Y: Array) -> Array:
    """Return the point (m,) to count hypervolume from: a threshold's score, else below the worst of Y (n, k).

    Below means by a tenth of the scores' range; where all are equal, by a tenth of their size. A match beside
    other aims counts up to three tolerances: its points far off would else take most of the volume, and of proposals.
    """
    scores = objectives.scores(Y)
    worst, spread = scores.min(axis=0), np.ptp(scores, axis=0)
    size = np.where(worst != 0, np.abs(worst), 1.0)
    inferred = worst - MARGIN * np.where(spread > 0, spread, size)
    beside = np.array([one.goal == "match" and not objectives.one_aim for one in objectives.each])
    inferred = np.where(beside, np.maximum(inferred, -OF_USE), inferred)
    given = [one.worst_score for one in objectives.each]
    return np.array([low if score is None else score for score, low in zip(given, inferred, strict=True)])


def best_first(objectives: Objectives, Y: Array, reference: Array) -> list[int]:
    """Return the rows of Y (n, k) in the order to confirm them.

    First come rows that keep every limit and meet every target within its tolerance, then those that miss targets by
    least, last those that break limits, by how much. Among the first the best leads where there is one aim; else one
    Pareto layer after another, and within a layer each next row is the one that adds most hypervolume.
    """
    return in_order(standing(objectives, Y), reference)


@dataclass(frozen=True, eq=False, slots=True)
class Standing:
    """How rows stand: ``excess`` (n,) over limits, ``shortfall`` (n,) of targets, and ``aims`` (n, 1 or m)."""

    excess: Array
    shortfall: Array
    aims: Array


def standing(objectives: Objectives, Y: Array, each: int = 1) -> Standing:
    """Return how rows of Y (n, k) stand; with ``each`` above 1 on the mean over so many rows, one after another.

    A limit is then kept where the mean keeps it, a target met where the mean miss is within its tolerance, as where
    proposals are made. Where objectives have weights, these say what a missed target is worth, and no row falls short.
    """

    def mean(one: Array) -> Array:
        return np.asarray(one.reshape(len(one) // each, each, *one.shape[1:]).mean(axis=1))

    aims, misses = mean(objectives.aims(Y)), mean(objectives.misses(Y))
    shortfall = np.zeros(len(aims)) if objectives.weights else np.max(misses, axis=1, initial=0.0)
    return Standing(objectives.excess(mean(Y)), shortfall, aims)


def in_order(found: Standing, reference: Array) -> list[int]:
    """Return rows as `best_first` orders them."""
    good = (found.excess == 0) & (found.shortfall == 0)
    met, missed = np.flatnonzero(good), np.flatnonzero(~good)
    by_miss = missed[np.lexsort((found.shortfall[missed], found.excess[missed]))]
    if found.aims.shape[1] == 1:
        order = np.argsort(-found.aims[met, 0], kind="stable")
        return [*met[order].tolist(), *by_miss.tolist()]
    return [*_layers(found.aims, met.tolist(), reference), *by_miss.tolist()]


def _layers(scores: Array, rows: list[int], reference: Array) -> Iterator[int]:
    while rows:
        mask = pareto_mask(scores[rows])
        layer = [row for row, best in zip(rows, mask, strict=True) if best]
        rows = [row for row, best in zip(rows, mask, strict=True) if not best]
        yield from _spread(scores, layer, reference)


def _spread(scores: Array, layer: list[int], reference: Array) -> Iterator[int]:
    chosen: list[int] = []
    while layer:
        gains = [hypervolume(scores[[*chosen, row]], reference) for row in layer]
        chosen.append(layer.pop(int(np.argmax(gains))))
        yield chosen[-1]
