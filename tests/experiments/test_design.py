"""The points of a sample, whose seeds they have, and that what they share is made once and first."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys

from mesoforge.errors import InputError
from mesoforge.experiments.pool import DaskPool, HerePool, local_pool
from mesoforge.experiments.runner import run
from mesoforge.experiments.study import Plan
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.trial import Failed, Value

PRESSURE, SHARE = "calendering.pressure", "formulation.active_material"
LEVELS = {PRESSURE: {"values": [20, 80, 40.5]}, SHARE: {"low": 0.93, "high": 0.96, "levels": 3}}
POINTS = [{PRESSURE: 31.7, SHARE: 0.1 + 0.84}, {PRESSURE: 100, SHARE: 0.95}, {PRESSURE: 40.3, SHARE: 0.95}]


def sample(**changes: object) -> Plan:
    """Return a sample of the toy study."""
    return toys.plan("sample", strategy="sobol", **{"budget": {}, **changes})


def campaign(folder: Path, plan: Plan) -> Campaign:
    """Return the campaign whose journal lies in a folder."""
    return Campaign(plan.problem, Journal(folder / "journal.jsonl"), "sobol", learn=None)


def asked(folder: Path, plan: Plan) -> list[tuple[dict[str, Value], int]]:
    """Return the values and seeds of all trials of a plan."""
    given = campaign(folder, plan)
    while given.ask() is not None:
        pass
    again = campaign(folder, plan)
    assert [one.values for one in given.trials] == [one.values for one in again.trials], "a journal keeps each bit"
    return [(trial.values, trial.seed) for trial in again.trials]


def test_a_grid_has_every_combination_to_the_last_bit(tmp_path: Path) -> None:
    found = [tuple(values.values()) for values, _ in asked(tmp_path, sample(design="grid", variables=LEVELS))]
    assert len(found) == len(set(found)) == 9
    assert {pressure for pressure, _ in found} == {20, 40.5, 80}
    assert {share for _, share in found} == {0.93, 0.945, 0.96}


def test_levels_lie_evenly_on_the_variables_scale() -> None:
    plan = sample(design="grid", variables={PRESSURE: {"low": 1, "high": 100, "levels": 3, "scale": "log"}})
    assert [point[PRESSURE] for point in plan.points] == pytest.approx([1, 10, 100], rel=1e-12)
    whole = sample(design="grid", variables={"numerics.ranks": {"low": 1, "high": 4, "levels": 4, "integer": True}})
    assert [point["numerics.ranks"] for point in whole.points] == [1, 2, 3, 4]


def test_a_list_is_made_as_it_stands_be_it_in_the_study_or_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text(
        f"{PRESSURE},{SHARE}\n" + "".join(f"{one[PRESSURE]!r},{one[SHARE]!r}\n" for one in POINTS), encoding="utf-8"
    )
    here = asked(tmp_path / "a", sample(design="list", points=POINTS, variables={}))
    assert [values for values, _ in here] == POINTS
    study = sample(design="list", points=POINTS, variables={}).study.model_copy(update={"points": "points.csv"})
    assert asked(tmp_path / "b", Plan(study, "sample", tmp_path)) == here


def test_a_latin_hypercube_has_one_point_in_each_stratum_of_each_variable(tmp_path: Path) -> None:
    plan = sample(design="latin-hypercube", budget={"start": 12})
    points = np.array([plan.problem.space.to_unit(values) for values, _ in asked(tmp_path, plan)])
    for column in points.T:
        assert sorted(np.floor(12 * column).astype(int).tolist()) == list(range(12))


def test_replicates_have_seeds_of_their_own_and_points_of_a_sobol_sequence(tmp_path: Path) -> None:
    plain = asked(tmp_path / "plain", sample(budget={"start": 5}))
    thrice = asked(tmp_path / "thrice", sample(budget={"start": 5, "replicates": 3}))
    assert len({seed for _, seed in thrice}) == 15
    assert [values for values, _ in thrice[::3]] == [values for values, _ in plain]
    assert all(thrice[3 * k][0] == thrice[3 * k + 1][0] == thrice[3 * k + 2][0] for k in range(5))


def test_shared_seeds_are_the_same_few_for_all_points(tmp_path: Path) -> None:
    found = asked(tmp_path, sample(budget={"start": 4, "replicates": 2}, seeds="shared"))
    assert Counter(seed for _, seed in found) == dict.fromkeys({found[0][1], found[1][1]}, 4)


def test_a_sobol_plan_with_replicates_can_grow_and_a_hypercube_cannot(tmp_path: Path) -> None:
    few = asked(tmp_path, sample(budget={"start": 3, "replicates": 2}))
    more = asked(tmp_path, sample(budget={"start": 5, "replicates": 2}))
    assert more[:6] == few
    asked(tmp_path / "cube", sample(design="latin-hypercube", budget={"start": 3}))
    with pytest.raises(InputError, match=r"another problem: context\.design was 'latin-hypercube of 3 points .* now"):
        campaign(tmp_path / "cube", sample(design="latin-hypercube", budget={"start": 4}))


WRONG: list[Any] = [
    pytest.param({"design": "grid"}, "is a variable of a grid: give it 'values: [...]', or low, high", id="no levels"),
    pytest.param({"design": "list", "variables": {}}, "give both 'design: list' and 'points'", id="no points"),
    pytest.param({"points": POINTS}, "give both 'design: list' and 'points'", id="points of no list"),
    pytest.param(
        {"design": "list", "points": [{PRESSURE: 1}, {SHARE: 0.9}], "variables": {}},
        f"point 2 names {SHARE}, but {PRESSURE} was due as in the first", id="other variables",
    ),
    pytest.param(
        {"design": "list", "points": [{PRESSURE: 9}, {PRESSURE: 9}], "variables": {}},
        "calendering.pressure is 9 in all points: move it into the recipe.", id="a constant",
    ),
    pytest.param(
        {"design": "list", "points": [{PRESSURE: "high"}, {PRESSURE: 9}], "variables": {}},
        "point 1 has calendering.pressure 'high', but a number was due", id="a word",
    ),
    pytest.param(
        {"design": "list", "points": [{SHARE: 0.95}, {SHARE: 1.5}], "variables": {}},
        "no recipe allows point 2 (formulation.active_material 1.5)", id="no recipe",
    ),
    pytest.param({"design": "list", "points": "away.csv", "variables": {}}, "cannot read the points in", id="no file"),
    pytest.param(
        {"design": "grid", "variables": LEVELS, "budget": {"start": 5}},
        "the grid has 9 points, but the budget's start is 5: leave the start out.", id="a budget that differs",
    ),
    pytest.param(
        {"design": "grid", "variables": {PRESSURE: {"low": 1, "high": 9, "levels": 200000}}},
        "the grid has 200000 points, but 100000 are the most", id="too many",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "words"), WRONG)
def test_points_that_are_wrong_are_refused_in_one_sentence(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as refused:
        sample(**changes)
    assert words in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("key", [{"design": "grid"}, {"points": POINTS}, {"seeds": "shared"}])
def test_an_optimization_takes_no_key_of_a_sample(key: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"'{next(iter(key))}' is of samples, and this study is optimized"):
        toys.plan(**key)


# What they share


@pytest.fixture(scope="module")
def pool() -> Iterator[DaskPool]:
    """Start two real workers."""
    with local_pool(2) as started:
        yield started


SHARED = {"design": "grid", "seeds": "shared", "variables": {PRESSURE: {"values": [20, 40, 80]}, SHARE: LEVELS[SHARE]}}


def test_a_slurry_that_several_points_share_is_made_once_and_first(pool: DaskPool, tmp_path: Path) -> None:
    plan, order = sample(**SHARED), list[int]()
    given = campaign(tmp_path, plan)

    def watch(trial: Any) -> None:  # noqa: ANN401
        if trial.pending:
            order.append(trial.number)

    run(given, plan, tmp_path, pool, toys.make_in_stages_slowly, watch)
    assert len(given.measured) == 9
    made = toys.stages_made(tmp_path)
    assert made == {"packing": 3, "slurry": 3, "drying": 3, "calendering": 9, "measurement": 9}
    shares = [given.trials[number].values[SHARE] for number in order[:2]]
    assert len(set(shares)) == 2, "while one slurry is made, the other worker begins with another"
    assert sorted(order) == list(range(9))


def test_two_drivers_that_want_the_same_slurry_at_once_make_it_once(tmp_path: Path) -> None:
    def one(name: str) -> None:
        plan = sample(**SHARED, name=name)
        run(campaign(tmp_path / name, plan), plan, tmp_path, HerePool(), toys.make_in_stages_slowly, lambda _: None)

    threads = [threading.Thread(target=one, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = toys.stages_made(tmp_path)
    assert made == {"packing": 3, "slurry": 3, "drying": 3, "calendering": 9, "measurement": 9}
    assert list((tmp_path / "store" / "locks").iterdir()) == []


def test_points_whose_slurry_cannot_be_made_fail_with_it(tmp_path: Path) -> None:
    plan = sample(**SHARED)
    given = campaign(tmp_path, plan)
    run(given, plan, tmp_path, HerePool(), toys.fall_apart_in_slurry, lambda _: None)
    assert len(toys.seeds_made(tmp_path)) == 3, "one for each slurry"
    assert {trial.outcome.reason for trial in given.trials if isinstance(trial.outcome, Failed)} == {
        "the slurry came to no rest",
        *(f"the slurry came to no rest (in trial {number}, which shares this stage)" for number in (0, 1, 2)),
    }
