"""Errors that electrodes of one slurry share: against the textbook, against refits; whether intervals are honest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mesoforge.errors import InputError
from mesoforge.surrogate.door import calm
from mesoforge.surrogate.gp import GaussianProcess, fit_gp, load_gp, loo, save_gp
from mesoforge.surrogate.shared import SharedNoise, predict_within, telling
from mesoforge.surrogate.table import Array, Groups, Table
from mesoforge.surrogate.validation import NORMAL_95, least_sd, loo_by_refits, together

SLURRY, OWN = 0.15, 0.05


def truth(X: Array) -> Array:
    return np.asarray(np.sin(3 * X[:, 0]) + 0.5 * X[:, 1] ** 2)


def electrodes(seed: int, slurries: int = 10, each: int = 5) -> tuple[Table, Array]:
    """Return slurries that are each calendered several times, and their errors."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(slurries), each)
    X = np.column_stack([rng.random(slurries)[groups], rng.random(len(groups))])
    errors = rng.normal(0, SLURRY, slurries)
    y = truth(X) + errors[groups] + rng.normal(0, OWN, len(groups))
    return Table(X, y[:, None], ("y",), groups=groups), errors


@pytest.fixture(scope="module")
def gp() -> GaussianProcess:
    return fit_gp(electrodes(0)[0])


class Textbook:
    """The process by its whole covariance matrix, with the fitted numbers and in standardized units."""

    def __init__(self, gp: GaussianProcess) -> None:
        self.table, model = gp.table, gp.models[0]
        noise = model.likelihood.noise_covar
        assert isinstance(noise, SharedNoise)
        self.total, self.share = noise.raw_noise.item(), noise.share.item()
        self.kernel, self.mean = model.covar_module, model.mean_module.constant.item()
        y = self.table.Y[:, 0]
        self.scale, self.centre = y.std(ddof=1), y.mean()
        self.y = (y - self.centre) / self.scale - self.mean

    def covariance(self, X: Array, Z: Array, of: Groups, other: Groups) -> Array:
        """Return the covariance (k, n) of points of some groups, own errors left out."""
        with torch.no_grad(), calm():
            between: Array = self.kernel(torch.tensor(X), torch.tensor(Z)).to_dense().numpy()
        return np.asarray(between + self.total * self.share * (of[:, None] == other))

    def predict(self, X: Array, group: int) -> tuple[Array, Array]:
        """Return mean and sd (k,) of one new measurement of a group."""
        groups = self.table.groups
        assert groups is not None
        new = np.full(len(X), group)
        A = self.covariance(self.table.X, self.table.X, groups, groups)
        A += self.total * (1 - self.share) * np.eye(len(A))
        across = self.covariance(X, self.table.X, new, groups)
        own = np.diag(self.covariance(X, X, new, new)) + self.total * (1 - self.share)
        variance = own - np.sum(across * np.linalg.solve(A, across.T).T, axis=1)
        mean = across @ np.linalg.solve(A, self.y) + self.mean
        return mean * self.scale + self.centre, np.sqrt(variance) * self.scale


@pytest.mark.parametrize("group", [pytest.param(3, id="known slurry"), pytest.param(-1, id="new slurry")])
def test_an_electrode_is_foretold_as_the_textbook_has_it(gp: GaussianProcess, group: int) -> None:
    X = np.random.default_rng(1).random((20, 2))
    mean, sd = predict_within(gp, X, group)
    expected = Textbook(gp).predict(X, group)
    np.testing.assert_allclose(mean[:, 0], expected[0], rtol=1e-6)
    np.testing.assert_allclose(sd[:, 0], expected[1], rtol=1e-6)
    if group < 0:
        assert np.allclose(gp.predict(X), (mean, sd), rtol=1e-6)


def test_an_electrode_of_a_known_slurry_is_foretold_more_exactly_and_with_its_error() -> None:
    table, errors = electrodes(0, slurries=20, each=4)
    found = fit_gp(table)
    X = np.random.default_rng(2).random((50, 2))
    mean = found.predict(X)[0]
    shifts = np.array([float(np.mean(predict_within(found, X, group)[0] - mean)) for group in range(20)])
    X[:, 0] = table.X[0, 0]
    assert np.all(predict_within(found, X, 0)[1] < 0.7 * found.predict(X)[1])
    assert np.corrcoef(shifts, errors)[0, 1] > 0.8


def test_the_share_of_the_slurry_is_found() -> None:
    table = electrodes(5, slurries=40, each=5)[0]
    found = fit_gp(table).models[0]
    noise = found.likelihood.noise_covar
    scale = table.Y.std(ddof=1)
    assert noise.share.item() == pytest.approx(SLURRY**2 / (SLURRY**2 + OWN**2), abs=0.07)
    assert scale * noise.raw_noise.sqrt().item() == pytest.approx(np.hypot(SLURRY, OWN), rel=0.3)


def test_intervals_are_honest_where_slurries_are_used_again_and_too_narrow_if_that_is_forgotten() -> None:
    X = np.random.default_rng(3).random((100, 2))
    inside: dict[str, list[float]] = {"shared": [], "forgotten": []}
    for seed in range(8):
        table = electrodes(seed, slurries=20, each=3)[0]
        new = truth(X) + np.random.default_rng(seed + 99).normal(0, np.hypot(SLURRY, OWN), len(X))
        for name, given in (("shared", table), ("forgotten", replace(table, groups=None))):
            found = fit_gp(given)
            mean, sd = found.predict(X)
            cautious = np.maximum(sd, least_sd(found, mean))  # as a campaign foretells
            inside[name].append(float(np.mean(np.abs(new - mean[:, 0]) < NORMAL_95 * cautious[:, 0])))
    assert 0.9 < np.mean(inside["shared"]) < 0.98
    assert np.mean(inside["forgotten"]) < 0.85


def test_slurries_are_left_out_as_a_whole(gp: GaussianProcess) -> None:
    table, found = gp.table, loo(gp)
    frozen = Textbook(gp)
    assert table.groups is not None
    kept = table.groups != 4
    frozen.table = Table(table.X[kept], table.Y[kept], table.names, groups=table.groups[kept])
    frozen.y = frozen.y[kept]
    mean, sd = frozen.predict(table.X[~kept], 4)
    np.testing.assert_allclose(found.mean[~kept, 0], mean, rtol=1e-6)
    np.testing.assert_allclose(found.sd[~kept, 0], sd, rtol=1e-6)
    assert found.rmse[0] > 2 * OWN


def test_refits_leave_out_whole_slurries_too() -> None:
    table, seen = electrodes(0, slurries=5, each=2)[0], []

    def build(given: Table) -> GaussianProcess:
        assert given.groups is not None
        seen.append(set(given.groups.tolist()))
        return fit_gp(given)

    loo_by_refits(table, build)
    assert seen == [{0, 1, 2, 3, 4} - {group} for group in np.repeat(np.arange(5), 2)]


def test_folds_keep_replicates_and_slurries_together() -> None:
    X = np.array([[0.1], [0.2], [0.2], [0.3], [0.9], [0.5], [0.6]])
    kinds = together(Table(X, np.arange(7.0)[:, None], ("y",), groups=np.array([0, 0, 1, 1, 2, 3, 4])))
    assert len(set(kinds[:4])) == 1
    assert len(set(kinds[3:])) == 4


def test_of_a_few_slurries_electrodes_are_left_out_one_by_one() -> None:
    table = electrodes(1, slurries=1, each=12)[0]
    found = loo(fit_gp(table))
    assert found.r2["y"] > 0.5
    assert len(set(together(table).tolist())) == 12


def test_slurries_that_are_used_once_make_no_difference() -> None:
    table = electrodes(0, slurries=20, each=1)[0]
    X = np.random.default_rng(4).random((20, 2))
    alone = fit_gp(replace(table, groups=None))
    np.testing.assert_allclose(fit_gp(table).predict(X), alone.predict(X), rtol=0.02)


def test_noise_that_replicates_showed_is_kept_and_its_share_found() -> None:
    table = electrodes(2, slurries=20, each=4)[0]
    known = replace(table, noise_variance=np.full((80, 1), SLURRY**2 + OWN**2))
    found = fit_gp(known)
    noise = found.models[0].likelihood.noise_covar
    X = np.random.default_rng(4).random((9, 2))
    assert noise.share.item() == pytest.approx(0.9, abs=0.1)
    total = found.predict(X)[1] ** 2 - found.latent_sd(X) ** 2
    np.testing.assert_allclose(total, SLURRY**2 + OWN**2, rtol=1e-6)


def test_a_slurry_that_was_measured_often_tells_less_than_a_new_one(gp: GaussianProcess) -> None:
    assert gp.table.groups is not None
    beside = gp.table.X[gp.table.groups == 3][[0]] + [0.0, 0.02]
    often, once = telling(gp, beside, 3), telling(gp, beside, -1)
    waiting = telling(gp, beside, 77, (beside, np.array([77])))
    assert 0 < often[0] < 0.8
    assert once[0] == pytest.approx(1)
    assert waiting[0] < 1


def test_groups_survive_saving(gp: GaussianProcess, tmp_path: Path) -> None:
    save_gp(gp, tmp_path / "gp.npz")
    again, X = load_gp(tmp_path / "gp.npz"), np.random.default_rng(5).random((7, 2))
    assert np.array_equal(again.predict(X), gp.predict(X))
    assert np.array_equal(predict_within(again, X, 2), predict_within(gp, X, 2))


def test_wrong_groups_are_refused() -> None:
    with pytest.raises(InputError, match=r"groups came as float64 of shape \(2,\), but one whole number for each of 2"):
        Table(np.zeros((2, 1)), np.zeros((2, 1)), ("y",), groups=np.zeros(2))  # type: ignore[arg-type]
