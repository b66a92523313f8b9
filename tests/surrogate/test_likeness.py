"""Laws of learning from cheaper likenesses: against the textbook, in both limits; noise by level; what moves a mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from mesoforge.errors import InputError
from mesoforge.surrogate import gp as processes
from mesoforge.surrogate.door import calm
from mesoforge.surrogate.gp import GaussianProcess, fit_gp, load_gp, loo, save_gp
from mesoforge.surrogate.likeness import at_level, moves, with_level
from mesoforge.surrogate.table import Array, Table
from mesoforge.surrogate.trust import trust
from mesoforge.surrogate.validation import NORMAL_95, k_fold, loo_by_refits

DEAR, CHEAP = 0.05, 0.15
"""Standard deviations of the errors of either level."""
NONE = np.zeros((0, 3))
SOME = np.random.default_rng(7).random((30, 2))


def truth(X: Array) -> Array:
    return np.asarray(np.sin(5 * X[:, 0]) + 0.5 * X[:, 1] ** 2)


def biased(X: Array) -> Array:
    """Return what the cheap level is worth without its noise: shifted, flatter, tilted."""
    return np.asarray(1 + 0.8 * truth(X) + 0.3 * X[:, 0])


def both(dear: int, cheap: int, seed: int = 0) -> Table:
    """Return measurements at two levels, at places of their own."""
    rng = np.random.default_rng(seed)
    X, levels = rng.random((dear + cheap, 2)), np.repeat([0, 1], [dear, cheap])
    y = np.where(levels == 0, truth(X) + rng.normal(0, DEAR, len(X)), biased(X) + rng.normal(0, CHEAP, len(X)))
    return Table(X, y[:, None], ("y",), levels=levels)


@pytest.fixture(scope="module")
def gp() -> GaussianProcess:
    return fit_gp(both(8, 25))


def textbook(gp: GaussianProcess, rows: slice | npt.NDArray[np.bool_], X: Array) -> tuple[Array, Array]:
    """Return mean and sd (k,) of a new measurement of level 0, of a process of one level that was told some rows."""
    model, table = gp.models[0], gp.table
    noise, kernel = model.likelihood.noise_covar.raw_noise[0].item(), model.covar_module.inner
    constant = model.mean_module.constant.item()
    scale, centre = table.Y.std(ddof=1), table.Y.mean()
    known, points = torch.tensor(table.X[rows]), torch.tensor(X)
    with torch.no_grad(), calm():
        A = kernel(known, known).to_dense().numpy() + noise * np.eye(len(known))
        across = kernel(points, known).to_dense().numpy()
        own = kernel(points, diag=True).numpy() + noise
    mean = constant + across @ np.linalg.solve(A, (table.Y[rows, 0] - centre) / scale - constant)
    variance = own - np.sum(across * np.linalg.solve(A, across.T).T, axis=1)
    return mean * scale + centre, np.sqrt(variance) * scale


def with_numbers(gp: GaussianProcess, **numbers: float) -> GaussianProcess:
    """Return the processes with other numbers of the likeness, and the dear level's noise for both."""
    again = at_level(gp, 0)
    with torch.no_grad():
        for name, value in numbers.items():
            getattr(again.models[0].covar_module, name).fill_(value)
        noise = again.models[0].likelihood.noise_covar.raw_noise
        noise.copy_(noise[[0, 0]])
    return again


# The two limits


def test_a_perfect_likeness_is_as_good_as_the_thing_itself(gp: GaussianProcess) -> None:
    same = with_numbers(gp, likeness=1.0, own_scale=0.0, shift_scale=0.0)
    mean, sd = textbook(same, slice(None), SOME)
    np.testing.assert_allclose(same.predict(SOME)[0][:, 0], mean, rtol=1e-6)
    np.testing.assert_allclose(same.predict(SOME)[1][:, 0], sd, rtol=1e-6)


@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_what_is_not_alike_teaches_nothing(gp: GaussianProcess, shift: float) -> None:
    other = with_numbers(gp, likeness=0.0, own_scale=1.0, shift_scale=shift)
    mean, sd = textbook(other, gp.table.aimed, SOME)
    np.testing.assert_allclose(other.predict(SOME)[0][:, 0], mean, rtol=1e-6)
    np.testing.assert_allclose(other.predict(SOME)[1][:, 0], sd, rtol=1e-6)


def test_a_constant_shift_is_learned_from_what_both_levels_say_and_not_put_into_the_thing_itself() -> None:
    X = np.random.default_rng(1).random((30, 2))
    levels = np.repeat([0, 1], 15)
    exact = truth(X) + 5.0 * levels
    table = Table(X, (exact + np.random.default_rng(2).normal(0, 0.01, 30))[:, None], ("y",), levels=levels)
    assert np.abs(fit_gp(table).predict(SOME)[0][:, 0] - truth(SOME)).max() < 0.15


# What is learned


def test_many_cheap_measurements_and_few_dear_ones_foretell_better_than_these_alone() -> None:
    alone, together, inside = [], [], []
    for seed in range(6):
        table = both(6, 25, seed)
        dear = Table(table.X[table.aimed], table.Y[table.aimed], ("y",))
        found = fit_gp(table)
        away = [np.sqrt(np.mean((one.predict(SOME)[0][:, 0] - truth(SOME)) ** 2)) for one in (fit_gp(dear), found)]
        alone.append(away[0])
        together.append(away[1])
        off = np.abs(found.predict(SOME)[0][:, 0] - truth(SOME))
        inside.append(np.mean(off < NORMAL_95 * found.latent_sd(SOME)[:, 0]))
    assert np.mean(together) < 0.6 * np.mean(alone)
    assert np.mean(inside) > 0.85


def test_each_level_has_its_own_noise() -> None:
    table = both(60, 60, 3)
    found = fit_gp(table).models[0].likelihood.noise_covar.raw_noise.detach().numpy()
    np.testing.assert_allclose(table.Y.std(ddof=1) * np.sqrt(found), [DEAR, CHEAP], rtol=0.3)


def test_either_level_can_be_foretold(gp: GaussianProcess) -> None:
    cheap = at_level(gp, 1)
    assert np.abs(cheap.predict(SOME)[0][:, 0] - biased(SOME)).mean() < 0.15
    assert np.abs(gp.predict(SOME)[0][:, 0] - truth(SOME)).mean() < 0.15
    assert np.array_equal(at_level(cheap, 0).predict(SOME), gp.predict(SOME))


def test_a_level_of_which_few_rows_are_tuned_on_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    table = both(11, 2)
    monkeypatch.setattr(processes, "MOST_TO_TUNE", 4)
    levels = np.where(np.arange(13) == 11, 2, np.asarray(table.levels))
    assert fit_gp(replace(table, levels=levels)).models[0].covar_module.likeness.shape == (2,)


def test_levels_survive_saving(gp: GaussianProcess, tmp_path: Path) -> None:
    save_gp(gp, tmp_path / "gp.npz")
    again = load_gp(tmp_path / "gp.npz")
    assert np.array_equal(again.predict(SOME), gp.predict(SOME))
    assert np.array_equal(at_level(again, 1).predict(SOME), at_level(gp, 1).predict(SOME))


# What one more measurement would move


def knowing(gp: GaussianProcess, table: Table) -> GaussianProcess:
    """Return the processes with the same numbers and another table, in the same standardized units."""
    again = processes._restored(table, {"state/" + k: v.numpy() for k, v in gp.model.state_dict().items()})
    scale, centre = gp.table.Y.std(ddof=1), gp.table.Y.mean()
    model: Any = again.models[0]
    with torch.no_grad(), calm():
        model.set_train_data(targets=torch.tensor((table.Y[:, 0] - centre) / scale), strict=False)
    return again


def told(gp: GaussianProcess, row: Array) -> GaussianProcess:
    """Return the processes with a row (d + 1,) more, whose value is the mean there, and the same numbers."""
    level = int(row[-1])
    value = at_level(gp, level).predict(row[None, :-1])[0]
    table = replace(
        gp.table,
        X=np.vstack([gp.table.X, row[:-1]]),
        Y=np.vstack([gp.table.Y, value]),
        levels=np.append(np.asarray(gp.table.levels), level),
    )
    return knowing(gp, table)


@pytest.mark.parametrize("level", [0, 1])
def test_what_a_mean_moves_is_what_its_variance_loses(gp: GaussianProcess, level: int) -> None:
    row = np.array([0.3, 0.6, level])
    found = moves(gp, SOME, row[None], NONE)
    lost = gp.latent_sd(SOME)[:, 0] ** 2 - told(gp, row).latent_sd(SOME)[:, 0] ** 2
    np.testing.assert_allclose(found.mean, gp.predict(SOME)[0], rtol=1e-6)
    np.testing.assert_allclose(found.by[0, :, 0] ** 2, lost, rtol=1e-4, atol=1e-9)


def test_what_is_being_measured_is_not_told_twice(gp: GaussianProcess) -> None:
    row, waiting = np.array([[0.3, 0.6, 0.0]]), np.array([[0.31, 0.6, 1.0]])
    found, before = moves(gp, SOME, row, waiting), moves(gp, SOME, row, NONE)
    np.testing.assert_allclose(found.mean, before.mean)
    np.testing.assert_allclose(found.by, moves(told(gp, waiting[0]), SOME, row, NONE).by, rtol=1e-4, atol=1e-9)
    assert np.abs(found.by).max() < np.abs(before.by).max()


def test_the_dear_level_moves_most_where_it_is_measured(gp: GaussianProcess) -> None:
    rows = with_level(SOME[[0, 0]], np.array([0, 1]))
    by = moves(gp, SOME[[0]], rows, NONE).by[:, 0, 0]
    assert by[0] > by[1] > 0


# Validation speaks of what is aimed at


def test_only_what_is_aimed_at_is_left_out_and_foretold(gp: GaussianProcess) -> None:
    aimed = gp.table.Y[gp.table.aimed]
    for found in (loo(gp), loo_by_refits(gp.table, lambda _: gp), k_fold(gp.table, lambda _: gp, 4)):
        assert np.array_equal(found.measured, aimed)
    assert np.array_equal(loo(at_level(gp, 1)).measured, gp.table.Y[~gp.table.aimed])
    assert trust(gp.table, lambda _: gp).points == len(aimed)


def test_a_row_that_is_left_out_is_foretold_as_if_it_had_not_been_told(gp: GaussianProcess) -> None:
    out = 3
    kept = np.arange(len(gp.table)) != out
    table = replace(gp.table, X=gp.table.X[kept], Y=gp.table.Y[kept], levels=np.asarray(gp.table.levels)[kept])
    assert loo(gp).mean[out, 0] == pytest.approx(knowing(gp, table).predict(gp.table.X[[out]])[0][0, 0], rel=1e-6)


# What is refused


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"levels": np.zeros(2)}, "levels came as .*, but one whole number for each", id="no integers"),
        pytest.param({"levels": np.zeros(3, dtype=int)}, "levels came as .*for each of 2 rows", id="too many"),
        pytest.param({"levels": np.array([0, -1])}, "a level is -1, but whole numbers from 0", id="negative"),
        pytest.param(
            {"levels": np.array([0, 1]), "noise_variance": np.ones((2, 1))}, "levels and a noise variance", id="noise"
        ),
    ],
)
def test_wrong_levels_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Table(np.zeros((2, 1)), np.zeros((2, 1)), ("y",), **change)
