"""Laws of going on from what was made before: what is shared, what it costs, replay, and what it saves."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from problems import OBJECTIVES, SPACE, ask, least_distance, little_care, places, problem, ticking, truth

from mesoforge.errors import InputError
from mesoforge.optimize.campaign import Campaign, run_sequentially
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.pareto import hypervolume
from mesoforge.optimize.problem import Budget, Problem
from mesoforge.optimize.reuse import Stages, reusable, slurries
from mesoforge.optimize.space import Space
from mesoforge.optimize.trial import Failed, Measured, Outcome, Trial, Value
from mesoforge.optimize.view import SAME
from mesoforge.surrogate.gp import GaussianProcess, fit_gp
from mesoforge.surrogate.table import Array

COSTS = {"packing": 1.0, "slurry": 14.0, "drying": 23.0, "calendering": 34.0, "measurement": 28.0}
STAGES = Stages(tuple(COSTS), {"pressure": "calendering", "active_material": "packing"}, COSTS)
CHEAP = replace(STAGES, costs=COSTS | {"drying": 200.0})
"""Where most of the time goes into drying."""
CRACKED = Failed("unstable", "calendering", "The plane was lost.")


@pytest.fixture(scope="module", autouse=True)
def coarse() -> Iterator[None]:
    """Search with little care: what is shared does not depend on it."""
    with little_care():
        yield


def chance(*inputs: float) -> np.random.Generator:
    """Return what depends on some inputs alone."""
    return np.random.default_rng([int(abs(one) * 1e6) for one in inputs])


def measure(trial: Trial) -> Measured:
    """Return the truth with an error of the slurry and a smaller one of the electrode."""
    pressure, material = float(trial.values["pressure"]), float(trial.values["active_material"])
    shared = chance(trial.seed, material).normal(0, (0.006, 0.03))
    own = chance(trial.seed, material, pressure).normal(0, (0.002, 0.01))
    exact = truth(trial.values)
    found = {name: exact[name] + float(error) for name, error in zip(exact, shared + own, strict=True)}
    return Measured(found)


def given(budget: Budget, stages: Stages = STAGES, space: Space = SPACE, seed: int = 0) -> Problem:
    return replace(problem(budget, seed, space=space), stages=stages)


def campaign(one: Problem, path: Path, *, reuse: bool = True) -> Campaign:
    return Campaign(one, Journal(path), "botorch", learn=fit_gp, clock=ticking(), reuse=reuse)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Campaign, Path]:
    """Return a campaign that reused coatings, and its journal."""
    path = tmp_path_factory.mktemp("reuse") / "j"
    running = campaign(given(Budget(6, 1, 1), CHEAP), path)
    run_sequentially(running, measure)
    return running, path


def again(running: Campaign) -> list[Trial]:
    return [trial for trial in running.trials if trial.reuses is not None]


# What is shared


def test_a_trial_that_goes_on_from_another_shares_its_seed_and_its_first_inputs(done: tuple[Campaign, Path]) -> None:
    running, _ = done
    assert again(running)
    for trial in again(running):
        assert trial.reuses is not None
        first = running.trials[trial.reuses]
        assert trial.seed == first.seed
        assert trial.values["active_material"] == first.values["active_material"]
        assert trial.values["pressure"] != first.values["pressure"]
        assert STAGES.key(trial, 3) == STAGES.key(first, 3)
        assert trial.share == pytest.approx(62 / 277)


def test_no_electrode_is_made_twice(done: tuple[Campaign, Path]) -> None:
    explored = tuple(trial for trial in done[0].trials if trial.confirms is None)
    X = places(explored)
    assert all(least_distance(X[[row]], np.delete(X, row, axis=0)) > SAME for row in range(len(X)))


def test_a_share_of_an_electrode_takes_a_share_of_the_budget(done: tuple[Campaign, Path]) -> None:
    running, _ = done
    assert running.done
    explored = [trial for trial in running.trials if trial.confirms is None]
    assert len(explored) > 7
    assert running.spent == pytest.approx(sum(trial.share for trial in explored))
    assert 7 - 1e-3 < running.spent < 8


def test_confirmations_are_new_slurries(done: tuple[Campaign, Path]) -> None:
    running, _ = done
    confirmed = [trial for trial in running.trials if trial.confirms is not None]
    assert {trial.seed for trial in confirmed}.isdisjoint({trial.seed for trial in running.trials[:-1]})
    assert all(trial.share == 1 and trial.reuses is None for trial in confirmed)


def test_the_journal_gives_the_same_trials_again_to_the_last_bit(done: tuple[Campaign, Path], tmp_path: Path) -> None:
    running, path = done
    lines = path.read_bytes().splitlines(keepends=True)
    asks = [number for number, line in enumerate(lines) if b'"reuses"' in line]
    for number in (asks[0], asks[-1]):
        cut = tmp_path / f"cut{number}"
        cut.write_bytes(b"".join(lines[:number]))
        replayed = campaign(running.problem, cut)
        expected = running.trials[len(replayed.trials)]
        assert replace(ask(replayed), asked_at=0) == replace(expected, asked_at=0, outcome=None, ended_at=None)
    shutil.copyfile(path, tmp_path / "whole")
    assert campaign(running.problem, tmp_path / "whole").trials == running.trials


def test_the_surrogate_knows_which_trials_share_a_slurry(done: tuple[Campaign, Path]) -> None:
    running, _ = done
    surrogate = running.surrogate()
    assert isinstance(surrogate, GaussianProcess)
    groups = surrogate.table.groups
    assert groups is not None
    numbers = [trial.number for trial in running.measured]
    for trial in again(running):
        assert trial.reuses is not None
        assert groups[numbers.index(trial.number)] == groups[numbers.index(trial.reuses)]
    assert len(set(groups.tolist())) == len(running.trials) - len(again(running))


# Pending and failed trials, other spaces


def test_a_coating_that_is_being_made_may_be_gone_on_from_and_one_that_failed_may_not(tmp_path: Path) -> None:
    trials = tuple(
        Trial(number, "sobol", {"pressure": 20.0, "active_material": 0.9 + 0.01 * number}, number + 1, 0.0)
        for number in range(5)
    )
    outcomes: list[Outcome | None] = [
        None,
        CRACKED,
        Failed("unstable", "slurry", "It broke."),
        Failed("infrastructure", "calendering", "The disk is full."),
        Measured({"porosity": 0.3, "tortuosity": 2.0}),
    ]
    told = [replace(trial, outcome=outcome) for trial, outcome in zip(trials, outcomes, strict=True)]
    found = reusable(STAGES, SPACE, told)
    assert [branch.trial for branch in found.branches] == [0, 1, 4]
    assert {branch.free for branch in found.branches} == {(0,)}
    assert len(found.measured) == len(found.pending) == 1


def test_there_are_as_many_ways_on_as_stages_where_trials_may_part() -> None:
    names: dict[str, dict[str, object]] = {
        "solids": {"low": 0.6, "high": 0.7},
        "rate": {"low": 1, "high": 2},
        "pressure": {"low": 5, "high": 150},
    }
    stages = Stages(tuple(COSTS), {"solids": "packing", "rate": "drying", "pressure": "calendering"}, COSTS)
    here: dict[str, Value] = {"solids": 0.65, "rate": 1.5, "pressure": 20.0}
    done = Measured({"porosity": 0.3})
    trials = [
        Trial(0, "bo", dict(here), 7, 0.0, outcome=done),
        Trial(1, "bo", here | {"pressure": 60.0}, 7, 0.0, outcome=done),
        Trial(2, "bo", here | {"rate": 1.7}, 7, 0.0, outcome=done),
    ]
    found = reusable(stages, Space.from_mapping(names), trials)
    assert stages.cuts == (2, 3)
    assert [(branch.trial, branch.free) for branch in found.branches] == [(0, (1, 2)), (0, (2,)), (2, (2,))]
    assert [branch.share for branch in found.branches] == pytest.approx([0.85, 0.62, 0.62])
    assert len(set(slurries(stages, trials).tolist())) == 1


def test_costs_are_the_medians_of_what_trials_took() -> None:
    def took(*seconds: float) -> Trial:
        outcome = Measured({}, stage_s=dict(zip(COSTS, seconds, strict=False)))
        return Trial(0, "bo", {}, 1, 0.0, outcome=outcome)

    assert STAGES.cost_from(3, [took(1, 1)]) == pytest.approx(0.62)
    assert STAGES.cost_from(3, [took(1, 9, 50, 20, 20), took(1, 9, 50, 30, 10), took(1, 9, 50, 99, 15)]) == 0.45 / 1.05


def test_several_workers_may_use_one_coating(tmp_path: Path) -> None:
    running = campaign(given(Budget(5, 2, 0), CHEAP), tmp_path / "j")
    for _ in range(5):
        running.tell((trial := ask(running)).number, measure(trial))
    asked = [ask(running) for _ in range(3)]
    assert sum(trial.reuses is not None for trial in asked) >= 2
    X = places(running.trials)
    assert all(least_distance(X[[row]], np.delete(X, row, axis=0)) > SAME for row in range(len(X)))
    for trial in asked[::-1]:
        running.end(trial.number, CRACKED if trial.number == 6 else measure(trial))
    assert running.ask() is not None


def test_inequalities_hold_where_a_coating_is_used_again(tmp_path: Path) -> None:
    tied = Space.from_mapping(SPACE.to_mapping(), ["pressure + 1000 * active_material <= 1030"])
    running = campaign(given(Budget(6, 1, 0), CHEAP, tied), tmp_path / "j")
    run_sequentially(running, measure)
    assert again(running)
    for trial in running.trials:
        assert float(trial.values["pressure"]) + 1000 * float(trial.values["active_material"]) <= 1030


def test_limits_and_failures_do_not_hinder(tmp_path: Path) -> None:
    bounded = Objectives.from_mapping({"tortuosity": "minimize"}, {"porosity": {"at_least": 0.31}})

    def weak(trial: Trial) -> Outcome:
        return CRACKED if float(trial.values["pressure"]) > 60 else measure(trial)

    one = replace(given(Budget(6, 1, 0), CHEAP), objectives=bounded)
    running = campaign(one, tmp_path / "j")
    run_sequentially(running, weak)
    assert again(running)
    assert running.done


# What it saves


def true_worth(trials: tuple[Trial, ...]) -> float:
    """Return the hypervolume of the noise-free truth, within 5 tolerances of the target."""
    scores = OBJECTIVES.scores(np.array([list(truth(trial.values).values()) for trial in trials]))
    return hypervolume(scores, np.array([-5.0, -1.8]))


def worth_by_cost(path: Path, seed: int, *, reuse: bool) -> tuple[Array, Array]:
    """Return the cost after each trial of a campaign, in whole electrodes, and what all that was found is worth."""
    running = campaign(given(Budget(6, 2, 0), CHEAP, seed=seed), path, reuse=reuse)
    run_sequentially(running, measure)
    worth = [true_worth(running.trials[: count + 1]) for count in range(len(running.trials))]
    return np.cumsum([trial.share for trial in running.trials]), np.array(worth)


def test_the_same_hypervolume_costs_less_where_coatings_are_used_again(tmp_path: Path) -> None:
    gains, needed = [], []
    for seed in range(2):
        _, alone = worth_by_cost(tmp_path / f"own{seed}", seed, reuse=False)
        cost, worth = worth_by_cost(tmp_path / f"again{seed}", seed, reuse=True)
        gains.append(worth[cost < 8 + 1e-9][-1] - alone[-1])
        needed.append(min(cost[worth >= alone[-1]], default=9.0) - 6)
    assert np.mean(gains) > 0
    assert np.mean(needed) < 1.8  # of the 2 electrodes that were spent alone


# What is refused


def test_reuse_is_refused_where_nothing_can_be_shared_or_no_cost_is_weighed(tmp_path: Path) -> None:
    alone = replace(STAGES, first=dict.fromkeys(STAGES.first, "packing"))
    with pytest.raises(InputError, match=r"all variables are inputs of the first stage \(packing\).*drop reuse"):
        campaign(given(Budget(4, 1, 0), alone), tmp_path / "a")
    with pytest.raises(InputError, match="the strategy 'optuna-tpe' weighs no costs: use botorch"):
        Campaign(given(Budget(4, 1, 0)), Journal(tmp_path / "b"), "optuna-tpe", learn=None, reuse=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"first": {"pressure": "baking"}}, "pressure is of stage 'baking'", id="unknown stage"),
        pytest.param({"costs": {}}, "stage packing costs None, but more than 0 was due", id="no cost"),
    ],
)
def test_wrong_stages_are_refused(change: dict[str, dict[str, str]], words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(STAGES, **change)  # type: ignore[arg-type]
