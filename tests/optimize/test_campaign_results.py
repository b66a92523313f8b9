"""Laws of what campaigns lead to: failures, waiting, predictions, confirmations, fronts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from problems import (
    BUDGET,
    OBJECTIVES,
    UNSTABLE,
    ask,
    campaign,
    finished,
    least_distance,
    measure,
    places,
    problem,
    truth,
)

from mesoforge.optimize.campaign import Campaign, run_sequentially
from mesoforge.optimize.confirmed import confirmed
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.pareto import hypervolume
from mesoforge.optimize.problem import Budget
from mesoforge.optimize.space import Space
from mesoforge.optimize.trial import Failed, Measured, Outcome, Trial
from mesoforge.optimize.view import SAME, NoProposal
from mesoforge.surrogate.gp import fit_gp, loo
from mesoforge.surrogate.table import Table

# Failures


def test_failures_count_and_do_not_stop_a_campaign(tmp_path: Path) -> None:
    running = campaign(problem(Budget(4, 4, 1)), tmp_path / "j")
    run_sequentially(running, lambda trial: UNSTABLE if trial.number % 3 == 1 else measure(trial))
    assert running.done
    assert len(running.trials) == 9
    assert len(running.measured) == 6
    assert running.hypervolume() is not None


def test_where_the_physics_fails_is_learned_and_left_alone(tmp_path: Path) -> None:
    def fails_beyond_a_pressure(trial: Trial) -> Outcome:
        return UNSTABLE if float(trial.values["pressure"]) > 60 else measure(trial)

    running = campaign(problem(Budget(6, 8, 0)), tmp_path / "j", "botorch", fit_gp)
    run_sequentially(running, fails_beyond_a_pressure)
    failed = tuple(trial for trial in running.trials if trial.outcome == UNSTABLE)
    started = sum(trial.number < 6 for trial in failed)
    assert started > 0
    assert len(failed) - started <= 2
    best = max(float(trial.values["pressure"]) for trial in running.measured)
    assert 30 < best <= 60


def test_a_campaign_of_failures_ends_too(tmp_path: Path) -> None:
    running = campaign(problem(BUDGET), tmp_path / "j", "botorch", fit_gp)
    run_sequentially(running, lambda trial: UNSTABLE)
    assert running.done
    assert [trial.origin for trial in running.trials] == ["sobol"] * 7
    assert running.pareto() == ()
    assert running.reference_point is None
    assert running.hypervolume() is None
    assert running.surrogate() is None


def test_a_sobol_point_stands_in_where_a_strategy_cannot_propose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise NoProposal

    monkeypatch.setattr("mesoforge.optimize.strategies.random.Random.propose", fail)
    running = finished(tmp_path / "j")
    assert [trial.origin for trial in running.trials[4:7]] == ["sobol"] * 3
    assert len({trial.values["pressure"] for trial in running.trials[:7]}) == 7


def test_one_success_is_confirmed_without_a_prediction(tmp_path: Path) -> None:
    running = campaign(problem(BUDGET), tmp_path / "j", "botorch", fit_gp)
    run_sequentially(running, lambda trial: measure(trial) if trial.number in (2, 7) else UNSTABLE)
    assert [trial.confirms for trial in running.trials[7:]] == [2]
    assert running.trials[7].prediction == {}


# Asynchronous


def test_pending_points_are_never_proposed_again(tmp_path: Path) -> None:
    running = campaign(problem(Budget(4, 3, 0)), tmp_path / "j", "botorch", fit_gp)
    for trial in [ask(running) for _ in range(4)]:
        running.tell(trial.number, measure(trial))
    together = [ask(running) for _ in range(3)]
    X = places(running.trials)
    assert min(least_distance(X[[row]], np.delete(X, row, axis=0)) for row in range(len(X))) > 1000 * SAME
    assert len(running.pending) == len(together)


def test_a_proposal_waits_for_two_measurements_while_something_is_pending(tmp_path: Path) -> None:
    running = campaign(problem(Budget(2, 2, 0)), tmp_path / "j")
    first, second = ask(running), ask(running)
    assert running.ask() is None
    running.tell(first.number, measure(first))
    assert running.ask() is None
    running.tell(second.number, measure(second))
    assert ask(running).origin == "sample"


def test_confirmations_wait_for_the_last_proposal(tmp_path: Path) -> None:
    running = campaign(problem(Budget(2, 1, 1)), tmp_path / "j")
    for _ in range(2):
        trial = ask(running)
        running.tell(trial.number, measure(trial))
    last = ask(running)
    assert running.ask() is None
    assert running.phase == "proposals"
    running.tell(last.number, measure(last))
    assert ask(running).origin == "confirm"
    assert running.ask() is None
    assert not running.done


def test_a_space_of_few_points_is_proposed_more_than_once_rather_than_never(tmp_path: Path) -> None:
    space = Space.from_mapping({"pressure": {"low": 5, "high": 7, "integer": True}})
    given = problem(Budget(3, 4, 0), space=space)
    running = campaign(given, tmp_path / "j", "botorch", fit_gp)
    run_sequentially(running, lambda trial: measure(replace(trial, values={**trial.values, "active_material": 0.95})))
    assert len({trial.values["pressure"] for trial in running.trials}) == 3
    assert len(running.trials) == 7


# Predictions and confirmations


@pytest.fixture(scope="module")
def foretold(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    running = campaign(
        problem(Budget(6, 2, 2, replicates=2)), tmp_path_factory.mktemp("foretold") / "j", "botorch", fit_gp
    )
    run_sequentially(running, measure)
    return running


def test_every_trial_after_the_start_is_foretold_for_each_objective(foretold: Campaign) -> None:
    assert all(trial.prediction == {} for trial in foretold.trials[:6])
    for trial in foretold.trials[6:]:
        assert tuple(trial.prediction) == OBJECTIVES.names
        assert all(estimate.sd > 0 for estimate in trial.prediction.values())


@pytest.mark.parametrize(("row", "known"), [(6, 6), (7, 7), (8, 8), (9, 8), (10, 8), (11, 8)])
def test_a_trial_is_foretold_from_what_was_explored_before_it(foretold: Campaign, row: int, known: int) -> None:
    before = foretold.trials[:known]
    Y = np.array([OBJECTIVES.row(trial.outcome.properties) for trial in before if isinstance(trial.outcome, Measured)])
    known_model = fit_gp(Table(places(before), Y, OBJECTIVES.names))
    mean, sd = known_model.predict(places(foretold.trials[row : row + 1]))
    prediction = foretold.trials[row].prediction
    np.testing.assert_allclose([prediction[name].mean for name in OBJECTIVES.names], mean[0], rtol=1e-9)
    least = loo(known_model).rmse
    np.testing.assert_allclose([prediction[name].sd for name in OBJECTIVES.names], np.maximum(sd[0], least), rtol=1e-9)


def test_confirmations_repeat_the_best_points_with_new_seeds(foretold: Campaign) -> None:
    confirmations = foretold.trials[8:]
    originals = [trial.confirms for trial in confirmations]
    assert originals[:2] == originals[2:]
    assert len(set(originals)) == 2
    for trial in confirmations:
        assert trial.values == foretold.trials[trial.confirms or 0].values
    assert len({trial.seed for trial in foretold.trials}) == 12


def test_the_point_that_the_model_sees_nearest_the_target_is_confirmed(tmp_path: Path) -> None:
    given = problem(
        Budget(8, 0, 1), objectives=Objectives.from_mapping({"porosity": {"match": 0.3, "tolerance": 0.01}})
    )
    running = campaign(given, tmp_path / "j", "botorch", fit_gp)
    run_sequentially(running, lambda trial: Measured({"porosity": truth(trial.values)["porosity"]}))
    X = places(running.trials[:8])
    Y = np.array([[truth(trial.values)["porosity"]] for trial in running.trials[:8]])
    mean, _ = fit_gp(Table(X, Y, ("porosity",))).predict(X)
    assert running.trials[8].confirms == int(np.argmin(abs(mean - 0.3)))


# Reference point, hypervolume, front


def test_the_reference_is_frozen_when_the_start_has_ended(tmp_path: Path) -> None:
    running = campaign(problem(Budget(4, 4, 0)), tmp_path / "j")
    trials = [ask(running) for _ in range(4)]
    for trial in trials[:3]:
        running.tell(trial.number, measure(trial))
    early = ask(running)
    running.tell(early.number, measure(early))
    before = running.reference_point
    running.tell(3, measure(trials[3]))
    frozen = running.reference_point
    scores = OBJECTIVES.scores(np.array([OBJECTIVES.row(measure(trial).properties) for trial in trials]))
    assert before is None
    assert frozen is not None
    below = scores.min(axis=0) - 0.1 * np.ptp(scores, axis=0)
    assert below[0] < -3, "further from the target than a match counts"
    np.testing.assert_allclose(list(frozen.values()), [-3, below[1]])
    run_sequentially(running, measure)
    assert running.reference_point == frozen
    assert campaign(running.problem, tmp_path / "j").reference_point == frozen
    assert sum('"event":"reference"' in line for line in (tmp_path / "j").read_text().splitlines()) == 1


def test_the_reference_follows_what_measured_electrodes_say(tmp_path: Path) -> None:
    wanted = Objectives.from_mapping({"porosity": {"goal": "minimize", "threshold": 0.4}, "tortuosity": "minimize"})
    running = campaign(problem(Budget(4, 2, 0), objectives=wanted), tmp_path / "j")
    run_sequentially(running, measure)
    before = running.reference_point
    running.shift({"porosity": (0.05, 0.01)})
    assert before is not None
    assert running.reference_point == {"porosity": pytest.approx(-0.35), "tortuosity": before["tortuosity"]}
    again = campaign(problem(Budget(4, 2, 0), objectives=wanted), tmp_path / "j")
    assert again.reference_point == running.reference_point


def test_hypervolume_never_falls_and_ends_at_todays(tmp_path: Path) -> None:
    done = finished(tmp_path / "j")
    trace = [done.hypervolume(outcomes) or 0.0 for outcomes in range(10)]
    assert trace == sorted(trace)
    assert trace[0] == 0
    assert trace[-1] == done.hypervolume()


def test_the_front_alone_has_the_whole_hypervolume(tmp_path: Path) -> None:
    done = finished(tmp_path / "j")
    outcomes = [trial.outcome for trial in done.pareto()]
    Y = np.array([OBJECTIVES.row(outcome.properties) for outcome in outcomes if isinstance(outcome, Measured)])
    reference = np.array(list((done.reference_point or {}).values()))
    assert hypervolume(OBJECTIVES.scores(Y), reference) == pytest.approx(done.hypervolume())
    assert 0 < len(done.pareto()) < len(done.trials)
    shortfalls = OBJECTIVES.shortfall(Y).tolist()
    assert shortfalls == sorted(shortfalls), "what meets the target comes first"
    assert len(set(shortfalls)) > 1


# The point of it all


def missed_by(running: Campaign) -> float:
    """Return the best noise-free tortuosity among points whose porosity truly matches, above the best there is."""
    exact = [truth(trial.values) for trial in running.trials]
    met = [one["tortuosity"] for one in exact if abs(one["porosity"] - 0.3) <= 0.01]
    return min(met, default=2.0) - 1.39


def test_proposals_beat_sobol_with_the_same_budget(tmp_path: Path) -> None:
    missed = {}
    for strategy in ("botorch", "sobol"):
        runs = [
            campaign(problem(Budget(5, 4, 0), seed), tmp_path / f"{strategy}-{seed}", strategy) for seed in range(3)
        ]
        for running in runs:
            run_sequentially(running, measure)
        missed[strategy] = float(np.median([missed_by(running) for running in runs]))
    assert missed["botorch"] < missed["sobol"] / 2


# What is reported as best


def confirmation(number: int, confirms: int, porosity: float, tortuosity: float) -> Trial:
    outcome = Measured({"porosity": porosity, "tortuosity": tortuosity})
    return Trial(number, "confirm", {}, number, 0.0, confirms=confirms, outcome=outcome)


def test_what_is_best_is_a_mean_over_new_seeds_and_the_lucky_first_run_does_not_count() -> None:
    first = [replace(confirmation(n, 0, p, 2.0), confirms=None) for n, p in ((7, 0.3), (10, 0.309))]
    again = [confirmation(11, 7, 0.285, 1.5), confirmation(12, 7, 0.275, 1.5)]
    again += [confirmation(13, 10, 0.304, 2.0), confirmation(14, 10, 0.308, 2.2)]
    best, other = confirmed(OBJECTIVES, [*first, *again], np.array([-10.0, -5.0]))
    assert (best.number, best.seeds, other.number) == (10, 2, 7)
    np.testing.assert_allclose(best.mean, [0.306, 2.1])
    np.testing.assert_allclose(best.sd, [0.004 / np.sqrt(2), 0.2 / np.sqrt(2)])


def test_with_targets_alone_the_nearest_is_best() -> None:
    targets = Objectives.from_mapping(
        {"porosity": {"match": 0.3, "tolerance": 0.01}, "tortuosity": {"match": 2.0, "tolerance": 0.5}}
    )
    again = [confirmation(1, 0, 0.309, 2.0), confirmation(3, 2, 0.302, 2.1), confirmation(5, 4, 0.3, 2.6)]
    assert [one.number for one in confirmed(targets, again, None)] == [2, 0, 4]
    assert np.isnan(confirmed(targets, again, None)[0].sd).all()


def test_a_recipe_that_mostly_fails_is_not_best_by_the_seed_that_came_to_an_end() -> None:
    failed = [replace(confirmation(n, 7, 0.0, 0.0), outcome=UNSTABLE) for n in (12, 13)]
    lost = replace(confirmation(14, 10, 0.0, 0.0), outcome=Failed("interrupted", "slurry", "The worker was killed."))
    again = [confirmation(11, 7, 0.3, 1.2), *failed, confirmation(15, 10, 0.3, 2.0), lost]
    assert [(one.number, one.seeds, one.failed) for one in confirmed(OBJECTIVES, again, None)] == [
        (10, 1, 0),
        (7, 1, 2),
    ]


def test_one_recipe_is_confirmed_as_one(tmp_path: Path) -> None:
    running = campaign(problem(Budget(4, 0, 3, replicates=2)), tmp_path / "j", "botorch", fit_gp)
    best = {"pressure": 40.0, "active_material": 0.94}
    for seed in range(3):
        outcome = measure(Trial(0, "known", dict(best), seed, 0.0))
        running.know(best, seed, outcome)
    run_sequentially(running, measure)
    again = [trial for trial in running.trials if trial.confirms is not None]
    assert len({tuple(trial.values.values()) for trial in again}) == 3
    assert sorted(Counter(trial.confirms for trial in again).values()) == [2, 2, 2]


def test_what_is_best_after_a_larger_budget_is_confirmed_too(tmp_path: Path) -> None:
    first = campaign(problem(Budget(4, 0, 2, replicates=2)), tmp_path / "j", "botorch", fit_gp)
    run_sequentially(first, measure)
    longer = campaign(problem(Budget(4, 10, 2, replicates=2)), tmp_path / "j", "botorch", fit_gp)
    run_sequentially(longer, measure)
    chosen = {trial.confirms for trial in longer.trials if trial.confirms is not None and trial.number >= 8}
    assert max(number for number in chosen if number is not None) >= 8
    assert campaign(problem(Budget(4, 10, 2, replicates=2)), tmp_path / "j", "botorch", fit_gp).done
    more = campaign(problem(Budget(4, 10, 2, replicates=3)), tmp_path / "j", "botorch", fit_gp)
    run_sequentially(more, measure)
    assert {trial.confirms for trial in more.trials[-2:]} == {one.number for one in more.confirmed() if one.seeds == 3}


def test_nothing_is_best_before_a_confirmation(tmp_path: Path) -> None:
    running = campaign(problem(Budget(4, 0, 1)), tmp_path / "j")
    run_sequentially(running, measure)
    assert running.confirmed(4) == []
    assert [one.number for one in running.confirmed()] == [running.trials[4].confirms]


# Replicates


def test_a_campaign_that_may_repeat_does_so_under_noise_and_learns_its_size(tmp_path: Path) -> None:
    target = Objectives.from_mapping({"porosity": {"match": 0.33, "tolerance": 0.01}})

    def noisy(trial: Trial) -> Measured:
        return Measured(
            {"porosity": truth(trial.values)["porosity"] + np.random.default_rng(trial.seed).normal(0, 0.05)}
        )

    given = problem(Budget(8, 8, 0), objectives=target)
    running = Campaign(given, Journal(tmp_path / "j"), "botorch", learn=fit_gp, repeat=True)
    run_sequentially(running, noisy)
    again = [trial for trial in running.trials if trial.origin == "repeat"]
    assert again
    for trial in again:
        assert any(trial.values == other.values for other in running.trials[: trial.number])
    assert len({trial.seed for trial in running.trials}) == 16
    assert len(running.trials) == 16


def test_confirmations_enough_tell_the_noise(tmp_path: Path) -> None:
    running = campaign(problem(Budget(5, 0, 3, replicates=3)), tmp_path / "j", "botorch", fit_gp)
    run_sequentially(running, measure)
    surrogate = running.surrogate()
    assert surrogate is not None
    variance = surrogate.table.noise_variance
    assert variance is not None
    np.testing.assert_allclose(np.sqrt(variance[0]), [0.003, 0.02], rtol=0.6)


def test_with_several_aims_a_point_is_repeated_under_noise_too(tmp_path: Path) -> None:
    def noisy(trial: Trial) -> Measured:
        errors = np.random.default_rng(trial.seed).normal(0, (0.05, 0.3))
        return Measured({name: y + e for (name, y), e in zip(truth(trial.values).items(), errors, strict=True)})

    running = Campaign(problem(Budget(10, 6, 0)), Journal(tmp_path / "j"), "botorch", learn=fit_gp, repeat=True)
    run_sequentially(running, noisy)
    again = [trial for trial in running.trials if trial.origin == "repeat"]
    assert again
    assert all(any(trial.values == other.values for other in running.trials[: trial.number]) for trial in again)
    assert len({trial.seed for trial in running.trials}) == 16
