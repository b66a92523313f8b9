"""Calibration: the posterior against quadrature and refits, the search on a problem with a known truth, the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad

from mesoforge.errors import InputError
from mesoforge.optimize.calibration import SPREAD, Calibrated, Calibration
from mesoforge.optimize.importance import ENOUGH, posterior
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.posterior import DISCREPANCIES, Targets, quantiles
from mesoforge.optimize.space import Space
from mesoforge.optimize.trial import Failed, Measured, Trial, Value
from mesoforge.optimize.view import NoProposal, View
from mesoforge.surrogate.table import Array, Table

SLOPES = np.linspace(0.5, 2.0, 7)
SPACE = Space.from_mapping({"friction": {"low": 0, "high": 1}, "stiffness": {"low": 0.1, "high": 10, "scale": "log"}})
NAMES = ("a", "b", "c")


@dataclass(frozen=True)
class Exact:
    """A surrogate that knows its functions: y_i = slope_i times the first parameter, the second plays no part."""

    slopes: Array
    dimensions: int = 1
    spread: float = 0.0

    @property
    def table(self) -> Table:
        """Two rows of it."""
        X = np.linspace(0, 1, 2)[:, None] * np.ones(self.dimensions)
        return Table(X, self.predict(X)[0], tuple(f"row {n}" for n in range(len(self.slopes))))

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Know all but for the spread."""
        mean = X[:, [0]] * self.slopes
        return mean, np.full_like(mean, self.spread)

    def latent_sd(self, X: Array) -> Array:
        """Return the spread."""
        return self.predict(X)[1]


@dataclass(frozen=True)
class Linear(Exact):
    """The same of rows that follow all parameters: slopes (m, d)."""

    dimensions: int = 5

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Know all."""
        mean = X @ self.slopes.T
        return mean, np.zeros_like(mean)


def targets(values: Array, sd: float, held: tuple[int, ...] = ()) -> Targets:
    names = tuple(f"row {n}" for n in range(len(values)))
    return Targets(names, values, np.full(len(values), sd), np.isin(np.arange(len(values)), held))


def test_the_posterior_is_that_of_a_quadrature() -> None:
    rng = np.random.default_rng(0)
    values, sd = SLOPES * 0.4 + rng.normal(0, 0.03, len(SLOPES)), 0.02

    def density(theta: float) -> float:
        miss = np.square(values - SLOPES * theta)
        variances = [(1 + f**2) * sd**2 for f in DISCREPANCIES]
        return float(sum(np.exp(-0.5 * np.sum(miss / v)) / v ** (len(values) / 2) for v in variances))

    whole = quad(density, 0, 1, limit=200)[0]
    mean = quad(lambda theta: theta * density(theta), 0, 1, limit=200)[0] / whole
    square = quad(lambda theta: theta**2 * density(theta), 0, 1, limit=200)[0] / whole
    found = posterior(Exact(SLOPES), targets(values, sd), seed=1)
    assert found.weight @ found.points[:, 0] == pytest.approx(mean, abs=1e-4)
    assert found.weight @ found.points[:, 0] ** 2 == pytest.approx(square, abs=1e-4)
    assert found.effective >= ENOUGH
    assert np.all(np.isin(found.interval[:, 0], found.points))


def test_five_parameters_that_the_data_determine_well_are_found_with_their_spread() -> None:
    """Rows that are linear in the parameters: for each discrepancy the posterior is a normal distribution."""
    rng = np.random.default_rng(5)
    slopes, truth, sd = rng.normal(size=(15, 5)), rng.uniform(0.3, 0.7, 5), 0.03
    found = posterior(Linear(slopes), targets(slopes @ truth, sd), 1)
    wider = 1 + np.square(DISCREPANCIES)
    share = wider ** -((15 - 5) / 2) / np.sum(wider ** -((15 - 5) / 2))
    covariance = np.linalg.inv(slopes.T @ slopes) * sd**2 * (share @ wider)
    centre = found.weight @ found.points
    spread = found.points - centre
    expected = np.sqrt(np.diag(covariance))
    assert found.effective >= ENOUGH
    np.testing.assert_allclose((centre - truth) / expected, 0, atol=0.08)
    np.testing.assert_allclose(np.sqrt(found.weight @ spread**2), expected, rtol=0.08)
    assert found.discrepancy == pytest.approx(share @ DISCREPANCIES, abs=0.02)


def test_a_model_that_cannot_meet_the_data_is_found_out() -> None:
    values = SLOPES * 0.4
    right = posterior(Exact(SLOPES), targets(values, 0.02), 1)
    wrong = posterior(Exact(SLOPES), targets(values + 0.1 * np.array([1, -1, 1, -1, 1, -1, 1]), 0.02), 1)
    assert right.discrepancy < 1 < 3 < wrong.discrepancy
    assert wrong.determined[0] < right.determined[0]


def test_what_the_data_say_nothing_of_stays_as_wide_as_it_was() -> None:
    found = posterior(Exact(SLOPES, dimensions=2), targets(SLOPES * 0.4, 0.02), 3)
    assert found.determined[0] > 0.9
    assert abs(found.determined[1]) < 0.05
    assert abs(found.correlation[0, 1]) < 0.1
    low, high = found.interval[:, 1]
    assert (low, high) == (pytest.approx(0.025, abs=0.01), pytest.approx(0.975, abs=0.01))


def test_a_row_is_foretold_as_if_it_had_never_been_measured() -> None:
    values = SLOPES * 0.4 + np.array([0, 0, 0, 0.2, 0, 0, 0])
    whole = posterior(Exact(SLOPES), targets(values, 0.02), 1)
    without = posterior(Exact(SLOPES), targets(values, 0.02, held=(3,)), 1)
    assert whole.foretold()[0][3] == pytest.approx(without.foretold()[0][3], abs=1e-3)
    assert whole.foretold()[0][3] == pytest.approx(SLOPES[3] * 0.4, abs=5e-3)
    assert whole.at_best[3] > without.at_best[3], "the fit itself leans to the odd row"


def test_a_row_far_off_is_foretold_by_enough_points() -> None:
    """The others' posterior lies away from where all rows together put it."""
    rng = np.random.default_rng(3)
    slopes, truth = rng.normal(size=(8, 4)), rng.uniform(0.3, 0.7, 4)
    values = slopes @ truth + 0.15 * (np.arange(8) == 2)
    whole = posterior(Linear(slopes, dimensions=4), targets(values, 0.01), 1)
    without = posterior(Linear(slopes, dimensions=4), targets(values, 0.01, held=(2,)), 2)
    (mean, sd), (expected, spread) = (found.foretold() for found in (whole, without))
    assert mean[2] == pytest.approx(expected[2], abs=0.2 * spread[2])
    assert sd[2] == pytest.approx(spread[2], rel=0.2)


def test_the_emulators_doubt_widens_what_is_known() -> None:
    sure = posterior(Exact(SLOPES), targets(SLOPES * 0.4, 0.02), 1)
    unsure = posterior(Exact(SLOPES, spread=0.2), targets(SLOPES * 0.4, 0.02), 1)
    noisy = posterior(Exact(SLOPES), targets(SLOPES * 0.4, 0.02), 1, noise=np.full(len(SLOPES), 0.04))
    assert unsure.determined[0] < sure.determined[0]
    assert noisy.determined == pytest.approx(unsure.determined, abs=1e-6)


def test_weighted_quantiles_of_equal_weights_are_plain_ones() -> None:
    values = np.random.default_rng(0).permutation(1001).astype(float)
    assert quantiles(values, np.full(1001, 1 / 1001), (0.1, 0.5)) == pytest.approx([100, 500], abs=1)


def simulated(values: Mapping[str, Value]) -> Array:
    """Three rows that two parameters determine, one of them on a log scale."""
    friction, stiffness = float(values["friction"]), np.log10(float(values["stiffness"]))
    return np.array([friction + 0.3 * stiffness, friction**2 - 0.2 * stiffness, np.sin(3 * friction) + stiffness])


TRUE: dict[str, Value] = {"friction": 0.37, "stiffness": 2.0}


def problem(proposed: int = 6, **changes: object) -> Calibrated:
    rows = Targets(NAMES, simulated(TRUE), np.full(3, 0.01), np.zeros(3, dtype=bool))
    return Calibrated("toy", SPACE, **{"targets": rows, "start": 5, "proposed": proposed, "seed": 2} | changes)  # type: ignore[arg-type]


def run(calibration: Calibration, answer: Callable[[Trial], Measured | Failed]) -> None:
    for trial in calibration.pending:
        calibration.end(trial.number, answer(trial))
    while (asked := calibration.ask()) is not None:
        calibration.end(asked.number, answer(asked))


def exact(trial: Trial) -> Measured:
    return Measured(dict(zip(NAMES, simulated(trial.values).tolist(), strict=True)))


def test_eleven_sets_find_the_true_parameters(tmp_path: Path) -> None:
    calibration = Calibration(problem(), Journal(tmp_path / "journal.jsonl"))
    run(calibration, exact)
    found = calibration.posterior()
    best = SPACE.from_unit(found.best)
    assert best["friction"] == pytest.approx(0.37, abs=0.02)
    assert best["stiffness"] == pytest.approx(2.0, rel=0.05)
    low, high = (SPACE.from_unit(edge) for edge in found.interval)
    assert float(low["friction"]) <= 0.37 <= float(high["friction"])
    assert calibration.phase == "done"
    confirmation = calibration.confirmation
    assert confirmation is not None
    assert confirmation.values == best
    assert calibration.misfit(confirmation) < 1.5


def test_the_journal_goes_on_where_it_was_cut_and_proposes_the_same(tmp_path: Path) -> None:
    whole = Calibration(problem(2), Journal(tmp_path / "whole.jsonl"))
    run(whole, exact)
    lines = (tmp_path / "whole.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_text("".join(lines[:12]), encoding="utf-8")
    again = Calibration(problem(2), Journal(tmp_path / "cut.jsonl"))
    assert len(again.pending) == 1
    run(again, exact)
    assert [trial.values for trial in again.trials.values()] == [trial.values for trial in whole.trials.values()]


def test_another_calibration_is_refused(tmp_path: Path) -> None:
    Calibration(problem(), Journal(tmp_path / "journal.jsonl"))
    with pytest.raises(InputError, match=r"another calibration: seed was 2 and is now 3"):
        Calibration(problem(seed=3), Journal(tmp_path / "journal.jsonl"))


def test_a_larger_budget_goes_on(tmp_path: Path) -> None:
    run(Calibration(problem(1, confirm=False), Journal(tmp_path / "journal.jsonl")), exact)
    longer = Calibration(problem(2, confirm=False), Journal(tmp_path / "journal.jsonl"))
    assert longer.phase == "proposals"
    run(longer, exact)
    assert len(longer.measured) == 7


def test_nothing_is_proposed_where_the_physics_failed(tmp_path: Path) -> None:
    calibration = Calibration(problem(3), Journal(tmp_path / "journal.jsonl"))

    def fragile(trial: Trial) -> Measured | Failed:
        return (
            Failed("unstable", "calendering", "it flew apart")
            if float(trial.values["friction"]) > 0.6
            else exact(trial)
        )

    run(calibration, fragile)
    failed = [trial for trial in calibration.explored if isinstance(trial.outcome, Failed)]
    assert failed
    points = SPACE.rows([trial.values for trial in calibration.explored if trial.origin == "bo"])
    bad = SPACE.rows([trial.values for trial in failed])
    assert np.linalg.norm(points[:, None] - bad[None], axis=2).min() > 0.05


def test_a_row_without_a_value_is_refused(tmp_path: Path) -> None:
    calibration = Calibration(problem(), Journal(tmp_path / "journal.jsonl"))
    trial = calibration.ask()
    assert trial is not None
    with pytest.raises(InputError, match="no finite value came for the row 'b'"):
        calibration.end(trial.number, Measured({"a": 1.0, "b": float("nan"), "c": 1.0}))


def test_held_rows_play_no_part_in_the_search(tmp_path: Path) -> None:
    rows = problem().targets
    held = Targets(NAMES, rows.values + np.array([0, 0, 100]), rows.sds, np.array([False, False, True]))
    two = Targets(NAMES[:2], rows.values[:2], rows.sds[:2], np.zeros(2, dtype=bool))
    found = [
        Calibration(problem(2, targets=some, confirm=False), Journal(tmp_path / f"{len(some.names)}.jsonl"))
        for some in (held, two)
    ]
    for calibration in found:
        run(calibration, exact)
    first, second = ([trial.values for trial in one.explored] for one in found)
    assert first == second


def test_sets_do_not_crowd_at_a_border(tmp_path: Path) -> None:
    """The target lies beyond what one parameter can give: the best set is at the border, and is tried once."""
    space = Space.from_mapping({"friction": {"low": 0, "high": 1}})
    row = Targets(("a",), np.array([1.2]), np.array([0.01]), np.zeros(1, dtype=bool))
    calibration = Calibration(
        Calibrated("toy", space, row, start=3, proposed=3, confirm=False), Journal(tmp_path / "journal.jsonl")
    )
    run(calibration, lambda trial: Measured({"a": float(trial.values["friction"]) ** 2}))
    tried = np.sort(space.rows([trial.values for trial in calibration.explored]).ravel())
    assert tried[-1] == pytest.approx(1, abs=1e-3)
    assert np.diff(tried).min() > 1e-3


def test_few_choices_are_tried_once_each_and_no_more(tmp_path: Path) -> None:
    space = Space.from_mapping(
        {"friction": {"choices": [0.1, 0.4, 0.8]}, "layers": {"low": 1, "high": 2, "integer": True}}
    )
    row = Targets(("a",), np.array([0.8]), np.array([0.01]), np.zeros(1, dtype=bool))
    calibration = Calibration(Calibrated("toy", space, row, start=4, proposed=9), Journal(tmp_path / "journal.jsonl"))
    run(calibration, lambda trial: Measured({"a": float(trial.values["friction"]) * int(trial.values["layers"])}))
    assert space.size == 6
    assert len({tuple(trial.values.values()) for trial in calibration.explored}) == len(calibration.explored) == 6
    assert calibration.confirmation is not None
    assert calibration.phase == "done"


def test_of_few_choices_most_of_which_fail_each_is_tried_once(tmp_path: Path) -> None:
    space = Space.from_mapping({name: {"low": 1, "high": high, "integer": True} for name, high in (("x", 6), ("y", 2))})
    row = Targets(("a",), np.array([2.5]), np.array([0.1]), np.zeros(1, dtype=bool))
    calibration = Calibration(
        Calibrated("toy", space, row, start=5, proposed=13, confirm=False), Journal(tmp_path / "journal.jsonl")
    )

    def fragile(trial: Trial) -> Measured | Failed:
        x, y = (int(value) for value in trial.values.values())
        return Failed("unstable", "calendering", "it flew apart") if x > 2 else Measured({"a": float(x * y)})

    run(calibration, fragile)
    assert len(space.every()) == space.size == len(calibration.explored) == 12
    assert len({tuple(trial.values.values()) for trial in calibration.explored}) == 12


def test_what_a_lost_worker_had_may_be_tried_again(tmp_path: Path) -> None:
    space = Space.from_mapping({"layers": {"low": 1, "high": 4, "integer": True}})
    row = Targets(("a",), np.array([2.5]), np.array([0.1]), np.zeros(1, dtype=bool))
    calibration = Calibration(
        Calibrated("toy", space, row, start=3, proposed=5, confirm=False), Journal(tmp_path / "journal.jsonl")
    )
    lost = Failed("infrastructure", "store", "the disk is full")
    run(calibration, lambda trial: lost if trial.number < 2 else Measured({"a": float(trial.values["layers"])}))
    assert sorted(int(trial.values["layers"]) for trial in calibration.measured) == [1, 2, 3, 4]
    assert calibration.phase == "done"


def test_where_the_numerics_fail_a_sobol_point_is_tried_and_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def propose(self, view: View) -> Array:
            raise NoProposal(f"{view.number}")

    calibration = Calibration(problem(1, confirm=False), Journal(tmp_path / "journal.jsonl"))
    monkeypatch.setattr("mesoforge.optimize.calibration.strategy", lambda _: Broken())
    run(calibration, exact)
    points = SPACE.rows([trial.values for trial in calibration.explored])
    assert [trial.origin for trial in calibration.explored] == ["sobol"] * 6
    assert np.linalg.norm(points[-1] - points[:-1], axis=1).min() > 1e-3


def test_the_spread_over_seeds_is_pooled(tmp_path: Path) -> None:
    calibration = Calibration(problem(0, confirm=False), Journal(tmp_path / "journal.jsonl"))
    spread = iter([0.1, 0.2, 0.3, 0.4, 0.5])

    def noisy(trial: Trial) -> Measured:
        width = next(spread)
        return Measured(exact(trial).properties | {name + SPREAD: width for name in NAMES})

    run(calibration, noisy)
    variance = calibration.seed_variance()
    assert variance is not None
    assert variance == pytest.approx(np.full(3, np.mean(np.square([0.1, 0.2, 0.3, 0.4, 0.5]))))
