"""Strategies one by one, for one, two and five objectives."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from problems import SPACE
from scipy.stats import qmc

from mesoforge.errors import InputError
from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.pareto import pareto_mask
from mesoforge.optimize.sequence import sobol_points
from mesoforge.optimize.strategies import ONE_AIM, STRATEGIES, check_follows, strategy
from mesoforge.optimize.strategies.botorch import _contenders
from mesoforge.optimize.strategies.sobol import SOBOL
from mesoforge.optimize.strategies.thompson import _order
from mesoforge.optimize.view import VIABLE, NoProposal, View
from mesoforge.surrogate.door import NotPSDError, calm
from mesoforge.surrogate.gp import fit_gp
from mesoforge.surrogate.table import Array
from mesoforge.surrogate.twin import fit_twin
from mesoforge.surrogate.viability import fit_viability

BOWLS = np.array([[0.2, 0.3], [0.8, 0.3], [0.2, 0.9], [0.9, 0.9], [0.5, 0.1]])


def bowls(X: Array, objectives: int) -> Array:
    return np.column_stack([np.sum((X - place) ** 2, axis=1) for place in BOWLS[:objectives]])


def view(objectives: int = 1, rows: int = 10, seed: int = 5) -> View:
    X = sobol_points(2, 0, 16)[:rows]
    return View(
        space=SPACE,
        objectives=Objectives.from_mapping({f"y{i}": "minimize" for i in range(objectives)}),
        X=X,
        Y=bowls(X, objectives),
        pending=np.empty((0, 2)),
        failed=np.empty((0, 2)),
        reference=np.full(objectives, -1.5),
        number=rows,
        seed=seed,
        campaign_seed=0,
        start=6,
    )


SEVERAL = [name for name in STRATEGIES if name not in ONE_AIM]
TARGETS = Objectives.from_mapping({"y0": {"match": 0.3, "tolerance": 0.01}, "y1": {"match": 0.2, "tolerance": 0.02}})


@pytest.mark.parametrize(("name", "objectives"), [*product(STRATEGIES, [1]), *product(SEVERAL, [2]), ("optuna-tpe", 5)])
def test_a_proposal_is_a_point_of_the_cube_and_the_same_again(name: str, objectives: int) -> None:
    here = view(objectives)
    point = strategy(name).propose(here)
    assert point.shape == (2,)
    assert np.all((point >= 0) & (point <= 1))
    assert np.array_equal(strategy(name).propose(here), point)
    assert here.admissible(point)


def test_one_objective_is_minimized_where_the_data_say() -> None:
    np.testing.assert_allclose(strategy("botorch").propose(view()), BOWLS[0], atol=0.08)


def drawn(here: View, count: int) -> Array:
    """Return proposals of draws from the posterior of one surrogate."""
    fitted = replace(here, surrogate=fit_gp(here.table))
    return np.array([strategy("thompson").propose(replace(fitted, seed=seed)) for seed in range(count)])


def test_draws_for_many_workers_gather_about_the_optimum_and_differ() -> None:
    points = drawn(view(), 16)
    assert len(np.unique(points, axis=0)) == 16
    assert np.median(np.linalg.norm(points - BOWLS[0], axis=1)) < 0.1


def test_draws_for_many_workers_spread_along_the_front() -> None:
    points = drawn(view(2, rows=16), 16)
    line = BOWLS[1] - BOWLS[0]
    along = (points - BOWLS[0]) @ line / (line @ line)
    across = np.linalg.norm(points - BOWLS[0] - along[:, None] * line, axis=1)
    assert np.median(across) < 0.1, "the best compromises lie between the two optima"
    assert np.ptp(along) > 0.5


def test_a_draw_keeps_limits_where_the_model_says_that_they_are_kept() -> None:
    limited = Objectives.from_mapping({"y0": "minimize"}, {"y1": {"at_most": 0.15}})
    points = drawn(replace(view(2, rows=16), objectives=limited), 8)
    assert np.median(bowls(points, 2)[:, 1]) < 0.17


def test_a_draw_stays_near_a_target_beside_another_aim_and_seeks_it_from_afar() -> None:
    wanted = Objectives.from_mapping({"y0": {"match": 0.1, "tolerance": 0.01}, "y1": "minimize"})
    here = replace(view(2, rows=16), objectives=wanted, reference=np.array([-3.0, -1.5]))
    far = np.array([[0.9, 0.0], [0.5, 0.5], [0.2, 1.0]])
    assert _order(far, here)[:3] == [2, 1, 0], "nothing adds volume: the nearest to what would"
    many = np.column_stack([np.linspace(0.9, 0.11, 60), np.linspace(0.0, 1.0, 60)])
    assert _order(many, here)[0] >= 58, "of a long front none that adds volume is passed over"


def test_a_target_is_met_between_the_measurements() -> None:
    objectives = Objectives.from_mapping({"y0": {"match": 0.3, "tolerance": 0.01}})
    point = strategy("botorch").propose(replace(view(), objectives=objectives))
    assert bowls(point[None], 1).item() == pytest.approx(0.3, abs=0.03)


def test_several_targets_are_met_together() -> None:
    point = strategy("botorch").propose(replace(view(2), objectives=TARGETS))
    np.testing.assert_allclose(bowls(point[None], 2)[0], [0.3, 0.2], atol=0.03)


def test_targets_alone_are_one_aim_in_tolerances() -> None:
    here = replace(view(2), objectives=TARGETS, Y=np.array([[0.3, 0.2], [0.31, 0.22], [0.3, 0.16]]))
    np.testing.assert_allclose(here.aims, [[0], [-1], [-np.sqrt(2)]], atol=2e-6)
    assert np.array_equal(view(2).aims, view(2).scores)


@pytest.mark.parametrize("name", ONE_AIM)
def test_a_strategy_for_one_aim_refuses_several(name: str) -> None:
    check_follows(name, TARGETS)
    with pytest.raises(InputError, match="follows one aim, but y0, y1 came"):
        check_follows(name, view(2).objectives)


@pytest.mark.parametrize(("name", "least"), [("pso", 0.03), ("cma-es", 0.05)])
def test_strategies_for_one_aim_come_closer_in_time(name: str, least: float) -> None:
    here = view(1, rows=8)
    for number in range(8, 60):
        point = strategy(name).propose(replace(here, number=number, seed=number))
        X = np.vstack([here.X, point])
        here = replace(here, X=X, Y=bowls(X, 1))
    assert here.Y.min() < least * bowls(sobol_points(2, 0, 8), 1).min() + 1e-3


def test_nsga2_breeds_and_so_comes_closer_than_chance() -> None:
    here = view(1, rows=8)
    for number in range(8, 56):
        point = strategy("optuna-nsga2").propose(replace(here, number=number, seed=number))
        X = np.vstack([here.X, point])
        here = replace(here, X=X, Y=bowls(X, 1))
    assert np.median(here.Y[-16:]) < np.median(here.Y[:16]) / 2


def test_two_objectives_are_proposed_between_their_optima() -> None:
    point = strategy("botorch").propose(view(2))
    assert 0.1 < point[0] < 0.9
    assert point[1] == pytest.approx(0.3, abs=0.15)


def test_late_in_a_campaign_the_front_alone_is_the_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesoforge.optimize.strategies.botorch.MANY_ROWS", 30)
    X = sobol_points(2, 0, 64)
    here = replace(view(2), X=X, Y=bowls(X, 2))
    gp = fit_gp(here.table)
    with calm(0):
        kept = _contenders(gp, here).numpy()
    front = X[pareto_mask(here.scores) & np.all(here.scores > here.reference, axis=1)]
    assert len(kept) < 32
    missed = [point for point in front if np.min(np.linalg.norm(kept - point, axis=1)) > 1e-9]
    assert len(missed) <= 1
    point = strategy("botorch").propose(replace(here, surrogate=gp))
    assert 0.15 < point[0] < 0.85
    assert point[1] == pytest.approx(0.3, abs=0.12)


def test_more_than_four_objectives_are_weighed_anew_each_time() -> None:
    first, second = (strategy("botorch").propose(view(5, seed=seed)) for seed in (1, 2))
    assert np.linalg.norm(first - second) > 0.02
    assert view(5).admissible(first)
    assert np.all((first >= 0) & (first <= 1))


@pytest.mark.parametrize("name", ["botorch", "optuna-gp", "optuna-nsga2", "optuna-tpe"])
def test_a_pending_point_changes_the_proposal(name: str) -> None:
    alone = strategy(name).propose(view())
    crowded = replace(view(), pending=np.vstack([alone, alone + 0.001, alone - 0.001]).clip(0, 1))
    if name != "optuna-nsga2":
        assert np.linalg.norm(strategy(name).propose(crowded) - alone) > 1e-4
    assert crowded.admissible(strategy(name).propose(crowded))


def test_the_optimum_is_left_where_physics_failed_there() -> None:
    here = view()
    failed = replace(here, failed=strategy("botorch").propose(here)[None])
    failed = replace(failed, viability=fit_viability(failed.X, failed.failed))
    point = strategy("botorch").propose(failed)
    assert np.linalg.norm(point - failed.failed[0]) > 0.05
    assert failed.viable(point[None])[0] >= VIABLE > failed.viable(failed.failed)[0]
    assert np.linalg.norm(point - failed.failed[0]) < 0.4


def test_the_campaigns_surrogate_is_used_and_a_foreign_one_is_not() -> None:
    fitted = fit_gp(view().table)
    expected = strategy("botorch").propose(view())
    for surrogate in (fitted, fit_twin(view().table)):
        assert np.array_equal(strategy("botorch").propose(replace(view(), surrogate=surrogate)), expected)


def test_sobol_points_by_number_are_the_sequence() -> None:
    whole = qmc.Sobol(2, rng=np.random.default_rng(0)).random_base2(4)
    one_by_one = [SOBOL.propose(replace(view(), number=number)) for number in range(16)]
    np.testing.assert_array_equal(one_by_one, whole)


def test_a_point_is_admissible_unless_it_is_known_or_more_probably_fails() -> None:
    here = replace(view(), pending=np.array([[0.11, 0.22]]), failed=np.array([[0.9, 0.1]]))
    here = replace(here, viability=fit_viability(here.X, here.failed))
    assert not here.admissible(here.X[3])
    assert not here.admissible(np.array([0.11, 0.22]))
    assert not here.admissible(np.array([0.9, 0.1]))
    assert not here.admissible(np.array([0.91, 0.09]))
    assert here.admissible(here.X[3] + 0.01)
    assert here.first_admissible([here.X[3]]) is None


def test_a_failed_factorization_is_no_proposal(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise NotPSDError("not positive definite")

    monkeypatch.setattr("mesoforge.optimize.strategies.botorch._acquisition", fail)
    with pytest.raises(NoProposal, match="not positive definite"):
        strategy("botorch").propose(view())


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(InputError, match="'annealing', but one of botorch"):
        strategy("annealing")


def test_torch_and_optuna_load_only_where_they_are_used() -> None:
    code = (
        "import sys; import mesoforge.optimize.campaign, mesoforge.optimize.baselines; "
        "sys.exit(bool({'torch', 'optuna', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
