"""Laws of campaigns: phases, replay, resume, refusal."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from problems import BUDGET, OBJECTIVES, SPACE, UNSTABLE, ask, campaign, finished, measure, problem

from mesoforge.errors import InputError
from mesoforge.optimize.campaign import gaussian_process, run_sequentially
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.problem import Budget, Problem
from mesoforge.optimize.space import Space
from mesoforge.optimize.strategies import ONE_AIM, STRATEGIES
from mesoforge.optimize.trial import Measured

TARGET = Objectives.from_mapping({"porosity": {"match": 0.3, "tolerance": 0.01}})

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
    aims = TARGET if strategy in ONE_AIM else OBJECTIVES
    given = problem(Budget(5, 3, 1), objectives=aims)
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


def test_a_journal_that_two_campaigns_wrote_at_once_is_refused(tmp_path: Path) -> None:
    one, other = campaign(problem(BUDGET), tmp_path / "j"), campaign(problem(BUDGET), tmp_path / "j")
    ask(one)
    ask(other)
    with pytest.raises(InputError, match="asks trial 0 after 1 trials: two campaigns wrote it"):
        campaign(problem(BUDGET), tmp_path / "j")


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


def test_the_journal_is_plain_json_that_names_each_event(tmp_path: Path) -> None:
    finished(tmp_path / "j")
    kinds = [json.loads(line)["event"] for line in (tmp_path / "j").read_text().splitlines()]
    assert kinds[:4] == ["problem", "budget", "ask", "tell"]
    assert set(kinds) == {"problem", "budget", "ask", "tell", "reference", "chosen"}
    assert len(Journal(tmp_path / "j").events()) == len(kinds)
