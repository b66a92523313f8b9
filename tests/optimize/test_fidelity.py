"""Laws of several sizes: what counts, what it costs, which one is chosen, and replay."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from problems import BUDGET, OBJECTIVES, SPACE, ask, little_care, problem, ticking, truth

from mesoforge.errors import InputError
from mesoforge.optimize.campaign import Campaign, run_sequentially
from mesoforge.optimize.fidelity import Fidelity, Offers
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.pareto import hypervolume
from mesoforge.optimize.problem import Budget, OtherProblemError, Problem
from mesoforge.optimize.record import asked
from mesoforge.optimize.reuse import Stages, slurries
from mesoforge.optimize.stopping import Stop, stop
from mesoforge.optimize.strategies.sizes import best_for_its_cost
from mesoforge.optimize.tolerances import Tolerances
from mesoforge.optimize.trial import Failed, Measured, Outcome, Trial
from mesoforge.surrogate.gp import GaussianProcess, fit_gp
from mesoforge.surrogate.likeness import at_level

SIZES = Fidelity("side", (9.0, 18.0), (1.0, 4.0))
SMALL, LARGE = SIZES.values
CRACKED = Failed("unstable", "calendering", "The plane was lost.")


@pytest.fixture(scope="module", autouse=True)
def coarse() -> Iterator[None]:
    """Search with little care: what counts does not depend on it."""
    with little_care():
        yield


def measure(trial: Trial) -> Measured:
    """Return the truth with noise; in a small volume with more, more porous by 0.06 and less tortuous."""
    small = trial.fidelity == SMALL
    noise = np.random.default_rng(trial.seed).normal(0, (0.006, 0.04) if small else (0.003, 0.02))
    exact = truth(trial.values)
    shift = {"porosity": 0.06, "tortuosity": -0.3} if small else {}
    return Measured({name: exact[name] + shift.get(name, 0) + float(e) for name, e in zip(exact, noise, strict=True)})


def given(budget: Budget, sizes: Fidelity | None = SIZES, objectives: Objectives = OBJECTIVES) -> Problem:
    return replace(problem(budget, objectives=objectives), fidelity=sizes)


def campaign(one: Problem, path: Path, *, stop: Stop | None = None, repeat: bool = False) -> Campaign:
    return Campaign(one, Journal(path), "botorch", learn=fit_gp, clock=ticking(), stop=stop, repeat=repeat)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Return a campaign in two sizes that has run to its end."""
    running = campaign(given(Budget(6, 2, 2)), tmp_path_factory.mktemp("done") / "j")
    run_sequentially(running, measure)
    return running


# Sizes


def test_levels_count_from_the_size_that_decides() -> None:
    three = Fidelity("side", (9.0, 12.0, 18.0), (1.0, 2.0, 4.0))
    assert [three.level(value) for value in three.values] == [2, 1, 0]
    assert [three.value(level) for level in (0, 1, 2)] == [18.0, 12.0, 9.0]
    assert three.target == 18.0
    assert [three.value(three.of_start(number)) for number in range(6)] == [18.0, 9.0, 18.0, 12.0, 18.0, 9.0]
    assert three.least_start == 5


def test_costs_are_the_medians_of_what_trials_of_each_size_took() -> None:
    def took(size: float, seconds: float) -> Trial:
        return Trial(0, "bo", {}, 1, 0.0, outcome=Measured({}, wall_s=seconds), fidelity=size)

    assert SIZES.shares([]) == (1.0, 0.25)
    assert SIZES.shares([took(LARGE, 90), took(SMALL, 0.1)]) == (1.0, 0.25)  # the small one was found in the store
    some = [took(LARGE, 90), took(LARGE, 110), took(SMALL, 30), took(SMALL, 20), took(SMALL, 40)]
    assert SIZES.shares(some) == (1.0, 0.3)


@pytest.mark.parametrize(
    ("values", "costs", "words"),
    [
        pytest.param((18.0,), (1.0,), "fidelity has side 18, but two or more different values were due", id="one"),
        pytest.param((), (), "fidelity has side none, but two or more", id="none"),
        pytest.param((18.0, 18.0), (1.0, 1.0), "side 18, 18, but two or more different", id="twice"),
        pytest.param((18.0, 9.0), (4.0, 1.0), "each was due to be dearer than the one before", id="dearest first"),
        pytest.param((9.0, 18.0), (0.0, 1.0), "at costs of 0, 1, but each was due", id="for nothing"),
    ],
)
def test_wrong_sizes_are_refused(values: tuple[float, ...], costs: tuple[float, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Fidelity("side", values, costs)


def test_a_size_that_is_none_of_the_campaigns_is_refused() -> None:
    with pytest.raises(InputError, match=r"a trial of side 12\.0 came, but one of 9, 18 was due"):
        SIZES.level(12.0)


# What counts


def test_the_start_is_made_in_both_sizes_and_fills_the_space_as_ever(done: Campaign, tmp_path: Path) -> None:
    start = done.trials[:6]
    assert [trial.fidelity for trial in start] == [LARGE, SMALL] * 3
    plain = campaign(given(Budget(6, 0, 0), None), tmp_path / "j")
    run_sequentially(plain, measure)
    assert [trial.values for trial in start] == [trial.values for trial in plain.trials]


def test_only_the_size_that_decides_counts(done: Campaign) -> None:
    large = [trial for trial in done.trials if trial.fidelity == LARGE]
    assert list(done.counted) == large
    assert all(trial in large for trial in (*done.pareto(), *done.feasible()))
    scores = OBJECTIVES.scores(np.array([[*trial.outcome.properties.values()] for trial in large]))  # type: ignore[union-attr]
    assert done.reference_point is not None
    expected = hypervolume(scores, np.array([*done.reference_point.values()]))
    assert done.hypervolume() == pytest.approx(expected)
    confirmations = [trial for trial in done.trials if trial.confirms is not None]
    assert len(confirmations) == 2
    assert {trial.fidelity for trial in confirmations} == {LARGE}
    assert {done.trials[trial.confirms or 0].fidelity for trial in confirmations} == {LARGE}


def test_the_budget_counts_what_a_proposal_costs(done: Campaign) -> None:
    assert all(trial.share == (0.25 if trial.fidelity == SMALL else 1.0) for trial in done.trials)
    proposals = [trial for trial in done.trials[6:] if trial.confirms is None]
    assert 2 <= sum(trial.share for trial in proposals) < 3
    assert done.spent == 6 + sum(trial.share for trial in proposals)


def test_each_size_is_foretold_as_what_it_is(tmp_path: Path) -> None:
    running = campaign(given(Budget(12, 1, 0)), tmp_path / "j")
    for _ in range(12):
        running.tell((trial := ask(running)).number, measure(trial))
    fitted = running.surrogate()
    assert isinstance(fitted, GaussianProcess)
    X = SPACE.rows([trial.values for trial in running.trials])
    exact = np.array([truth(trial.values)["porosity"] for trial in running.trials])
    assert np.abs(fitted.predict(X)[0][:, 0] - exact).max() < 0.02
    assert np.abs(at_level(fitted, 1).predict(X)[0][:, 0] - exact - 0.06).max() < 0.03
    small = running._trial("bo", X[0], fitted, 1)
    assert small.prediction["porosity"].mean == pytest.approx(at_level(fitted, 1).predict(X[[0]])[0][0, 0])


def test_the_stopping_rule_waits_for_trials_that_count(tmp_path: Path) -> None:
    rule = stop("hypervolume gained less than 90 % over 1 simulations")
    running = campaign(given(Budget(6, 4, 0)), tmp_path / "j", stop=rule)
    for _ in range(6):
        running.tell((trial := ask(running)).number, measure(trial))
    small = replace(running._trial("bo", np.array([0.4, 0.4])), fidelity=SMALL, share=0.25)
    for kind, ends in ((small, False), (replace(small, number=7, fidelity=LARGE, share=1.0), True)):
        running._record(asked(kind, "botorch"))
        running.tell(kind.number, measure(kind))
        assert running.stopped is ends


# The journal


def test_the_same_journal_gives_the_same_proposals(done: Campaign, tmp_path: Path) -> None:
    lines = done._journal.path.read_bytes().splitlines(keepends=True)
    asks = [number for number, line in enumerate(lines) if b'"event":"ask"' in line]
    for trial in (1, 6, 7, len(asks) - 1):
        path = tmp_path / f"j{trial}"
        path.write_bytes(b"".join(lines[: asks[trial]]))
        again = ask(campaign(done.problem, path))
        assert replace(again, asked_at=0) == replace(done.trials[trial], asked_at=0, outcome=None, ended_at=None)


def test_a_journal_of_one_size_says_nothing_of_sizes(tmp_path: Path) -> None:
    running = Campaign(given(BUDGET, None), Journal(tmp_path / "j"), "random", learn=None)
    run_sequentially(running, measure)
    assert "fidelity" not in (tmp_path / "j").read_text()
    assert "share" not in (tmp_path / "j").read_text()


def test_other_sizes_are_another_problem(done: Campaign, tmp_path: Path) -> None:
    shutil.copy(done._journal.path, tmp_path / "j")
    with pytest.raises(OtherProblemError, match=r"fidelity.side was \[9.0, 18.0\] and is now \[12.0, 18.0\]"):
        campaign(given(Budget(6, 2, 2), Fidelity("side", (12.0, 18.0), (1.0, 2.0))), tmp_path / "j")
    with pytest.raises(OtherProblemError, match=r"fidelity was .* and is now 'absent'"):
        campaign(given(Budget(6, 2, 2), None), tmp_path / "j")


def test_sizes_stand_in_the_journal(done: Campaign) -> None:
    events = [json.loads(line) for line in done._journal.path.read_text().splitlines()]
    assert events[0]["fidelity"] == {"side": [9.0, 18.0]}
    assert [event["fidelity"] for event in events if event["event"] == "ask"] == [one.fidelity for one in done.trials]


def test_what_was_made_before_has_its_size(tmp_path: Path) -> None:
    running = campaign(given(Budget(6, 0, 0)), tmp_path / "j")
    values = SPACE.from_unit(np.array([0.5, 0.5]))
    for size in (SMALL, None):
        running.know(values, 3, measure(Trial(0, "known", values, 3, 0.0, fidelity=size)), size)
    assert [trial.fidelity for trial in running.trials] == [SMALL, LARGE]
    assert [trial.number for trial in running.counted] == [1]
    assert running.spent == 0
    assert ask(running).fidelity == LARGE


def test_volumes_of_two_sizes_share_no_slurry() -> None:
    values = SPACE.from_unit(np.array([0.5, 0.5]))
    stages = Stages(("slurry", "calendering"), {"pressure": "calendering"}, {"slurry": 1.0, "calendering": 1.0})
    some = [Trial(0, "known", values, 3, 0.0, fidelity=size) for size in (SMALL, LARGE, LARGE)]
    one, other, same = slurries(stages, some).tolist()
    assert one != other == same


# Which size is chosen


def likened(gp: GaussianProcess, likeness: float, own: float) -> GaussianProcess:
    """Return processes whose cheap level follows the target by so much, with so much of its own, at equal noise."""
    import torch

    again = at_level(gp, 0)
    with torch.no_grad():
        for model in again.models:
            model.covar_module.likeness.fill_(likeness)
            model.covar_module.own_scale.fill_(own)
            model.likelihood.noise_covar.raw_noise.fill_(0.01)
    return again


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Return a campaign whose start has ended."""
    one_aim = Objectives.from_mapping({"tortuosity": "minimize"})
    running = campaign(given(Budget(6, 9, 0), objectives=one_aim), tmp_path_factory.mktemp("begun") / "j")
    for _ in range(6):
        running.tell((trial := ask(running)).number, measure(trial))
    return running


def chosen(running: Campaign, likeness: float, own: float, share: float) -> int:
    fitted = running.surrogate()
    assert isinstance(fitted, GaussianProcess)
    view, points = running._view(fitted), np.array([[0.05, 0.2]])
    offers = Offers((1.0, share), np.zeros((0, 3)))
    return best_for_its_cost(likened(fitted, likeness, own), view, offers, points)[1]


def test_what_is_not_alike_is_not_made_however_cheap(begun: Campaign) -> None:
    assert chosen(begun, 0.0, 1.0, 0.01) == 0


def test_what_is_alike_is_made_if_it_costs_next_to_nothing_and_not_if_it_costs_as_much(begun: Campaign) -> None:
    assert chosen(begun, 1.0, 1e-6, 0.01) == 1
    assert chosen(begun, 1.0, 1e-6, 1.0) == 0


def test_failures_of_small_volumes_forbid_no_recipe_and_are_not_sought_again(tmp_path: Path) -> None:
    running = campaign(given(Budget(8, 9, 0)), tmp_path / "j")
    for _ in range(8):
        trial = ask(running)
        bad = trial.fidelity == SMALL and float(trial.values["pressure"]) > 30
        running.end(trial.number, CRACKED if bad else measure(trial))
    view, offers = running._view(running.surrogate()), running._offers(SIZES)
    assert view.viability is None
    assert len(view.failed) == 0
    cracked = SPACE.rows([trial.values for trial in running.trials if trial.failed_in_physics])
    assert len(cracked)
    assert [offers.chance(0, cracked[0]), offers.chance(1, cracked[0])] == [1.0, pytest.approx(0.1, abs=0.2)]


# With all else


def test_what_is_best_within_tolerances_is_sought_in_several_sizes(tmp_path: Path) -> None:
    within = Tolerances.from_mapping({"pressure": "5 %"}, SPACE)
    running = campaign(replace(given(Budget(6, 1, 1)), tolerances=within), tmp_path / "j")
    run_sequentially(running, measure)
    assert running.done
    assert running.confirmed()


def test_targets_limits_and_failures_go_along(tmp_path: Path) -> None:
    match = {"porosity": {"match": 0.33, "tolerance": 0.01}}
    bounded = Objectives.from_mapping(match, {"tortuosity": {"at_most": 1.5}})

    def weak(trial: Trial) -> Outcome:
        return CRACKED if float(trial.values["pressure"]) > 90 else measure(trial)

    running = campaign(given(Budget(6, 1, 1), objectives=bounded), tmp_path / "j")
    run_sequentially(running, weak)
    assert running.done
    assert running.confirmed()


def test_several_workers_and_a_point_being_made(tmp_path: Path) -> None:
    running = campaign(given(Budget(6, 2, 0)), tmp_path / "j")
    for _ in range(6):
        running.tell((trial := ask(running)).number, measure(trial))
    one, other = ask(running), ask(running)
    apart = np.linalg.norm(np.diff(SPACE.rows([one.values, other.values]), axis=0))
    assert one.fidelity != other.fidelity or apart > 1e-3
    running.tell(other.number, measure(other))
    running.fail(one.number, CRACKED)
    assert running.phase in ("proposals", "done")


def test_a_trial_is_repeated_in_the_size_that_decides(tmp_path: Path) -> None:
    running = campaign(given(Budget(6, 1, 0)), tmp_path / "j", repeat=True)
    run_sequentially(running, measure)
    assert all(trial.fidelity == LARGE for trial in running.trials if trial.origin == "repeat")


# What is refused


def test_what_cannot_weigh_sizes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="several side, but the strategy 'optuna-tpe' weighs no costs: use botorch"):
        Campaign(given(BUDGET), Journal(tmp_path / "a"), "optuna-tpe", learn=None)
    with pytest.raises(InputError, match="the budget's start is 2, but 3 were due to make 2 values of side"):
        campaign(given(Budget(2, 3, 0)), tmp_path / "b")
    with pytest.raises(InputError, match=r"reuse is true and fidelity has several side.*drop reuse or fidelity"):
        Campaign(given(BUDGET), Journal(tmp_path / "c"), reuse=True)
