"""Laws of campaigns: phases, replay, resume, failure, waiting, refusal."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from problems import OBJECTIVES, SPACE, campaign, measure, problem, truth

from mesoforge.errors import InputError
from mesoforge.optimize.campaign import Campaign, gaussian_process, run_sequentially
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.pareto import hypervolume
from mesoforge.optimize.problem import Budget, Problem
from mesoforge.optimize.space import Space
from mesoforge.optimize.strategies import STRATEGIES
from mesoforge.optimize.trial import Failed, Measured, Outcome, Trial
from mesoforge.optimize.view import FAILURE_RADIUS, SAME
from mesoforge.surrogate.gp import fit_gp
from mesoforge.surrogate.table import Table

BUDGET = Budget(start=4, proposed=3, confirmations=2)
UNSTABLE = Failed("unstable", "slurry", "The pressure rose beyond all bounds.")


def ask(running: Campaign) -> Trial:
    trial = running.ask()
    assert trial is not None
    return trial


def finished(path: Path, budget: Budget = BUDGET) -> Campaign:
    running = campaign(problem(budget), path)
    run_sequentially(running, measure)
    return running


def places(trials: tuple[Trial, ...]) -> np.ndarray:
    return SPACE.rows([trial.values for trial in trials])


def least_distance(X: np.ndarray, Z: np.ndarray) -> float:
    return float(np.min(np.linalg.norm(X[:, None] - Z[None], axis=2), initial=np.inf))


# Phases and budgets


def test_a_campaign_goes_through_its_phases_and_ends(tmp_path: Path) -> None:
    running, phases = campaign(problem(BUDGET), tmp_path / "j"), []
    while (trial := running.ask()) is not None:
        phases.append(running.phase)
        running.tell(trial.number, measure(trial))
    assert [trial.origin for trial in running.trials] == ["sobol"] * 4 + ["sample"] * 3 + ["confirm"] * 2
    assert [trial.number for trial in running.trials] == list(range(9))
    assert phases == ["start"] * 3 + ["proposals"] * 4 + ["confirmations"] * 2
    assert running.done
    assert running.ask() is None


def test_every_trial_has_a_fresh_seed_that_lammps_takes(tmp_path: Path) -> None:
    seeds = [trial.seed for trial in finished(tmp_path / "j").trials]
    assert len(set(seeds)) == len(seeds)
    assert all(0 < seed < 2**31 for seed in seeds)
    assert seeds == [trial.seed for trial in finished(tmp_path / "k").trials]
    assert problem(BUDGET, seed=1).trial_seed(0) not in seeds


def test_a_larger_budget_extends_a_finished_campaign(tmp_path: Path) -> None:
    before = finished(tmp_path / "j").trials
    longer = campaign(problem(Budget(4, 5, 3)), tmp_path / "j")
    assert not longer.done
    run_sequentially(longer, measure)
    assert longer.trials[: len(before)] == before
    assert len(longer.trials) == 4 + 5 + 3
    assert campaign(problem(Budget(4, 5, 3)), tmp_path / "j").done


def test_a_smaller_budget_is_refused(tmp_path: Path) -> None:
    finished(tmp_path / "j")
    with pytest.raises(InputError, match="proposed was 3 and is now 2, but a budget can only grow"):
        campaign(problem(Budget(4, 2, 2)), tmp_path / "j")


@pytest.mark.parametrize(
    ("start", "proposed", "confirmations", "replicates", "words"),
    [
        pytest.param(0, 1, 1, 1, "start is 0", id="no start"),
        pytest.param(1, -1, 1, 1, "proposed is -1", id="negative"),
        pytest.param(1, 1, 1, 0, "replicates is 0", id="no replicate"),
        pytest.param(1, 1, True, 1, "confirmations is True", id="truth"),
    ],
)
def test_a_wrong_budget_is_refused(start: int, proposed: int, confirmations: int, replicates: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Budget(start, proposed, confirmations, replicates)


# Replay and resume


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_replay_gives_the_same_proposal_bit_for_bit(strategy: str, tmp_path: Path) -> None:
    given = problem(Budget(5, 3, 1))
    running = campaign(given, tmp_path / "j", strategy, gaussian_process)
    for _ in range(5):
        trial = ask(running)
        if trial.number != 3:
            running.tell(trial.number, measure(trial))
    (tmp_path / "k").write_bytes((tmp_path / "j").read_bytes())
    first, second = ask(running), ask(campaign(given, tmp_path / "k", strategy, gaussian_process))
    assert replace(first, asked_at=0) == replace(second, asked_at=0)
    assert first.number == 5


def test_a_campaign_killed_after_any_byte_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = finished(tmp_path / "j", Budget(3, 2, 1))
    content = (tmp_path / "j").read_bytes()
    for length in range(0, len(content), 97):
        (tmp_path / "k").write_bytes(content[:length])
        again = campaign(whole.problem, tmp_path / "k")
        run_sequentially(again, measure)
        assert [(t.values, t.seed, t.outcome) for t in again.trials] == [
            (t.values, t.seed, t.outcome) for t in whole.trials
        ]
        assert again.reference_point == whole.reference_point


def test_trials_without_outcome_are_pending_after_a_resume(tmp_path: Path) -> None:
    running = campaign(problem(BUDGET), tmp_path / "j")
    asked = [ask(running) for _ in range(3)]
    running.tell(1, measure(asked[1]))
    again = campaign(problem(BUDGET), tmp_path / "j")
    assert again.pending == (asked[0], asked[2])
    assert again.trials == running.trials
    assert ask(again).number == 3


def test_outcomes_come_back_from_the_journal_as_they_were(tmp_path: Path) -> None:
    running = campaign(problem(BUDGET), tmp_path / "j")
    running.end(ask(running).number, UNSTABLE)
    trial = ask(running)
    running.end(trial.number, measure(trial))
    again = campaign(problem(BUDGET), tmp_path / "j")
    assert [trial.outcome for trial in again.trials] == [UNSTABLE, measure(trial)]
    assert [trial.ended_at for trial in again.trials] == [1.0, 3.0]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        pytest.param(
            Problem("n", Space((replace(SPACE.variables[0], high=200.0), SPACE.variables[1])), OBJECTIVES, BUDGET),
            "variables.pressure.high was 150.0 and is now 200.0",
            id="a bound",
        ),
        pytest.param(Problem("n", Space(SPACE.variables[:1]), OBJECTIVES, BUDGET), "variables.order was", id="fewer"),
        pytest.param(Problem("n", Space(SPACE.variables[::-1]), OBJECTIVES, BUDGET), "variables.order was", id="order"),
        pytest.param(
            Problem("n", SPACE, Objectives.from_mapping({"porosity": "minimize"}), BUDGET),
            "objectives.order was",
            id="an objective",
        ),
        pytest.param(Problem("n", SPACE, OBJECTIVES, BUDGET, seed=1), "seed was 0 and is now 1", id="the seed"),
        pytest.param(
            Problem("n", SPACE, OBJECTIVES, BUDGET, context={"carbon": 0.02}),
            "context.carbon was 'absent' and is now 0.02",
            id="the fixed recipe",
        ),
    ],
)
def test_the_journal_of_another_problem_is_refused_and_left_alone(tmp_path: Path, other: Problem, words: str) -> None:
    finished(tmp_path / "j")
    content = (tmp_path / "j").read_bytes()
    with pytest.raises(InputError, match=f"another problem: {words}"):
        campaign(other, tmp_path / "j")
    assert (tmp_path / "j").read_bytes() == content


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(InputError, match="seed is -1"):
        problem(BUDGET, seed=-1)


# Telling


def test_what_was_not_asked_or_has_ended_cannot_be_told(tmp_path: Path) -> None:
    running = campaign(problem(BUDGET), tmp_path / "j")
    trial = ask(running)
    with pytest.raises(InputError, match="trial 7 came, but 1 were asked"):
        running.tell(7, measure(trial))
    running.tell(0, measure(trial))
    with pytest.raises(InputError, match="trial 0 has ended"):
        running.fail(0, UNSTABLE)


@pytest.mark.parametrize("value", [math.nan, None])
def test_an_objective_that_is_no_number_cannot_be_told(tmp_path: Path, value: float | None) -> None:
    running = campaign(problem(BUDGET), tmp_path / "j")
    ask(running)
    properties = {"porosity": 0.3} | ({} if value is None else {"tortuosity": value})
    with pytest.raises(InputError, match=r"tortuosity is .*tell a failure"):
        running.tell(0, Measured(properties))
    assert running.pending[0].number == 0


# Failures


def test_failures_count_and_do_not_stop_a_campaign(tmp_path: Path) -> None:
    running = campaign(problem(Budget(4, 4, 1)), tmp_path / "j", "botorch", fit_gp)
    run_sequentially(running, lambda trial: UNSTABLE if trial.number % 3 == 1 else measure(trial))
    assert running.done
    assert len(running.trials) == 9
    assert len(running.measured) == 6
    assert running.hypervolume() is not None


def test_nothing_is_proposed_next_to_a_physics_failure(tmp_path: Path) -> None:
    def fails_beyond_a_pressure(trial: Trial) -> Outcome:
        return UNSTABLE if float(trial.values["pressure"]) > 30 else measure(trial)

    running = campaign(problem(Budget(6, 4, 0)), tmp_path / "j", "botorch", fit_gp)
    run_sequentially(running, fails_beyond_a_pressure)
    failed = tuple(trial for trial in running.trials if trial.outcome == UNSTABLE)
    for trial in running.trials[6:]:
        earlier = tuple(other for other in failed if other.number < trial.number)
        assert least_distance(places((trial,)), places(earlier)) > FAILURE_RADIUS


def test_a_campaign_of_failures_ends_too(tmp_path: Path) -> None:
    running = campaign(problem(BUDGET), tmp_path / "j", "botorch", fit_gp)
    run_sequentially(running, lambda trial: UNSTABLE)
    assert running.done
    assert [trial.origin for trial in running.trials] == ["sobol"] * 7
    assert running.pareto() == ()
    assert running.reference_point is None
    assert running.hypervolume() is None
    assert running.surrogate() is None


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
    mean, sd = fit_gp(Table(places(before), Y, OBJECTIVES.names)).predict(places(foretold.trials[row : row + 1]))
    prediction = foretold.trials[row].prediction
    np.testing.assert_allclose([prediction[name].mean for name in OBJECTIVES.names], mean[0], rtol=1e-9)
    np.testing.assert_allclose([prediction[name].sd for name in OBJECTIVES.names], sd[0], rtol=1e-9)


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
    np.testing.assert_allclose(list(frozen.values()), scores.min(axis=0) - 0.1 * np.ptp(scores, axis=0))
    run_sequentially(running, measure)
    assert running.reference_point == frozen
    assert campaign(running.problem, tmp_path / "j").reference_point == frozen
    assert sum('"event":"reference"' in line for line in (tmp_path / "j").read_text().splitlines()) == 1


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
            campaign(problem(Budget(5, 5, 0), seed), tmp_path / f"{strategy}-{seed}", strategy) for seed in range(3)
        ]
        for running in runs:
            run_sequentially(running, measure)
        missed[strategy] = float(np.median([missed_by(running) for running in runs]))
    assert missed["botorch"] < missed["sobol"] / 2


def test_the_journal_is_plain_json_that_names_each_event(tmp_path: Path) -> None:
    finished(tmp_path / "j")
    kinds = [json.loads(line)["event"] for line in (tmp_path / "j").read_text().splitlines()]
    assert kinds[:4] == ["problem", "budget", "ask", "tell"]
    assert set(kinds) == {"problem", "budget", "ask", "tell", "reference"}
    assert len(Journal(tmp_path / "j").events()) == len(kinds)
