"""When a campaign has learned enough."""

from __future__ import annotations

from pathlib import Path

import pytest
from problems import OBJECTIVES, measure, problem, ticking

from mesoforge.errors import InputError
from mesoforge.optimize.campaign import Campaign, run_sequentially
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.problem import Budget
from mesoforge.optimize.stopping import Stop, stop

FLAT = Stop("hypervolume", 4, 0.05)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("hypervolume gained less than 1 % over 8 simulations", Stop("hypervolume", 8, 0.01)),
        ("When the hypervolume has gained less than 0.5% in the last 3 trials.", Stop("hypervolume", 3, 0.005)),
        ("2 simulations meet all targets", Stop("targets", 2)),
    ],
)
def test_a_rule_is_read_as_it_is_said_and_said_as_it_is_read(text: str, rule: Stop) -> None:
    assert stop(text) == rule
    assert stop(str(rule)) == rule


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("when it is good", "but 'hypervolume gained less than 1 % over 8 simulations' or"),
        ("hypervolume gained less than 100 % over 8 simulations", "less than 100 % were due"),
        ("0 simulations meet all targets", "at least 1"),
    ],
)
def test_a_rule_that_means_nothing_is_refused(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        stop(text)


def run(path: Path, rule: Stop | None, objectives: Objectives = OBJECTIVES, budget: Budget | None = None) -> Campaign:
    given = problem(budget or Budget(5, 30, 1), objectives=objectives)
    campaign = Campaign(given, Journal(path), "random", learn=None, clock=ticking(), stop=rule)
    run_sequentially(campaign, measure)
    return campaign


def test_proposals_end_once_the_last_ones_gained_too_little(tmp_path: Path) -> None:
    stopped, whole = run(tmp_path / "j", FLAT), run(tmp_path / "k", None)
    count = len(stopped.trials) - 1
    assert stopped.done
    assert stopped.stopped
    assert not whole.stopped
    assert 9 <= count < 35
    assert [trial.values for trial in stopped.trials[:count]] == [trial.values for trial in whole.trials[:count]]
    volumes = [whole.hypervolume(ended) or 0.0 for ended in range(count + 1)]
    gains = [volumes[ended] - volumes[ended - 4] < 0.05 * volumes[ended] for ended in range(9, count + 1)]
    assert gains == [False] * (len(gains) - 1) + [True]
    assert stopped.trials[-1].origin == "confirm"


def test_proposals_end_once_enough_simulations_meet_all_targets(tmp_path: Path) -> None:
    target = Objectives.from_mapping({"porosity": {"match": 0.35, "tolerance": 0.03}})
    stopped = run(tmp_path / "j", Stop("targets", 3), target)
    met = [abs(m.outcome.properties["porosity"] - 0.35) <= 0.03 for m in stopped.trials[:-1] if m.outcome]  # type: ignore[union-attr]
    assert stopped.stopped
    assert sum(met) == 3
    assert met[-1]


def test_a_campaign_that_stopped_resumes_as_stopped_and_goes_on_without_the_rule(tmp_path: Path) -> None:
    stopped = run(tmp_path / "j", FLAT)
    assert run(tmp_path / "j", FLAT).trials == stopped.trials
    on = run(tmp_path / "j", None).trials
    assert sum(trial.confirms is None for trial in on) == 35
    assert [trial.number for trial in on if trial.confirms is not None] == [len(stopped.trials) - 1, len(on) - 1]


def test_a_rule_that_waits_for_targets_is_refused_where_none_is_set(tmp_path: Path) -> None:
    free = problem(Budget(4, 4, 0), objectives=Objectives.from_mapping({"tortuosity": "minimize"}))
    with pytest.raises(InputError, match="no objective is a match and nothing is limited"):
        Campaign(free, Journal(tmp_path / "j"), "random", learn=None, stop=Stop("targets", 2))
    assert not (tmp_path / "j").exists()
    limited = Objectives.from_mapping({"tortuosity": "minimize"}, {"porosity": {"at_most": 0.3}})
    Campaign(problem(Budget(4, 4, 0), objectives=limited), Journal(tmp_path / "k"), "random", stop=Stop("targets", 2))
