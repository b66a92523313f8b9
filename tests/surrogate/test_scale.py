"""Outputs learned by their logarithm: against the process of the logarithm itself, against samples, and by units."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mesoforge.errors import InputError
from mesoforge.surrogate.dependence import partial_dependence
from mesoforge.surrogate.door import calm
from mesoforge.surrogate.gp import GaussianProcess, fit_gp, load_gp, loo, save_gp
from mesoforge.surrogate.likeness import moves, with_level
from mesoforge.surrogate.replicates import with_known_noise
from mesoforge.surrogate.scale import expected
from mesoforge.surrogate.sensitivity import drawn
from mesoforge.surrogate.shared import left_out_within, predict_within, telling
from mesoforge.surrogate.shift import shifts
from mesoforge.surrogate.table import Array, Table
from mesoforge.surrogate.validation import NORMAL_95, least_sd, loo_by_refits

NOISE = 0.2
"""Of the first output's logarithm."""
SOME = np.random.default_rng(7).random((12, 2))


def exponent(X: Array) -> Array:
    return np.asarray(2 * np.sin(3 * X[:, 0]) + X[:, 1])


def made(rows: int = 30, seed: int = 0, **given: object) -> Table:
    """Return an output that varies tenfold and scatters in proportion, and one that is as any other."""
    rng = np.random.default_rng(seed)
    X = rng.random((rows, 2))
    tau = np.exp(exponent(X) + rng.normal(0, NOISE, rows))
    return Table(X, np.column_stack([tau, X.sum(axis=1) - 1]), ("tau", "line"), logs=("tau",), **given)  # type: ignore[arg-type]


def its_logarithm(table: Table) -> Table:
    """Return the table of the logarithm itself."""
    return replace(table, Y=table.learned, logs=())


TABLES = {
    "alone": made(),
    "of slurries": made(groups=np.repeat(np.arange(10), 3)),
    "of levels": made(levels=np.repeat([0, 1], [12, 18])),
    "of known noise": made(noise_variance=np.full((30, 2), NOISE**2)),
}


@pytest.fixture(scope="module", params=TABLES)
def pair(request: pytest.FixtureRequest) -> tuple[GaussianProcess, GaussianProcess]:
    """Return the processes of a table, and those of its logarithm."""
    table = TABLES[request.param]
    return fit_gp(table), fit_gp(its_logarithm(table))


@pytest.fixture(scope="module")
def gp() -> GaussianProcess:
    return fit_gp(TABLES["alone"])


def log_normal(mean: Array, sd: Array) -> tuple[Array, Array]:
    """Return mean and sd by quadrature over the normal distribution: no closed form is used."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    values = np.exp(mean[..., None] + sd[..., None] * nodes)
    first, second = (values**power @ weights / weights.sum() for power in (1, 2))
    return first, np.sqrt(second - first**2)


# What is foretold


def test_what_is_foretold_is_log_normal_and_other_outputs_are_as_before(
    pair: tuple[GaussianProcess, GaussianProcess],
) -> None:
    found, plain = pair
    (mean, sd), (log_mean, log_sd) = found.predict(SOME), plain.predict(SOME)
    np.testing.assert_allclose([mean[:, 0], sd[:, 0]], log_normal(log_mean[:, 0], log_sd[:, 0]), rtol=1e-6)
    assert np.array_equal([mean[:, 1], sd[:, 1]], [log_mean[:, 1], log_sd[:, 1]])
    noise = log_sd[:, 0] ** 2 - plain.latent_sd(SOME)[:, 0] ** 2
    latent = log_normal(log_mean[:, 0] + noise / 2, plain.latent_sd(SOME)[:, 0])
    np.testing.assert_allclose([mean[:, 0], found.latent_sd(SOME)[:, 0]], latent, rtol=1e-6)
    assert np.array_equal(found.latent_sd(SOME)[:, 1], plain.latent_sd(SOME)[:, 1])


def test_rows_left_out_are_foretold_in_units(pair: tuple[GaussianProcess, GaussianProcess]) -> None:
    found, plain = (loo(one) for one in pair)
    assert np.array_equal(found.measured[:, 0], np.exp(plain.measured[:, 0]))
    np.testing.assert_allclose(
        [found.mean[:, 0], found.sd[:, 0]], log_normal(plain.mean[:, 0], plain.sd[:, 0]), rtol=1e-6
    )


def test_another_unit_changes_nothing_else(gp: GaussianProcess) -> None:
    other = fit_gp(replace(gp.table, Y=gp.table.Y * 1e6))
    np.testing.assert_allclose(other.predict(SOME), np.multiply(gp.predict(SOME), 1e6), rtol=1e-4)


def test_intervals_hold_small_and_large_values_alike() -> None:
    plain: list[Array] = []
    ours: list[Array] = []
    new = np.random.default_rng(99).random((300, 2))
    value = np.exp(exponent(new) + np.random.default_rng(98).normal(0, NOISE, len(new)))
    small = exponent(new) < np.quantile(exponent(new), 0.25)
    for seed in range(4):
        for kept, table in ((ours, made(40, seed)), (plain, replace(made(40, seed), logs=()))):
            mean, sd = fit_gp(table).predict(new)
            kept.append(np.abs(value - mean[:, 0])[small] / sd[small, 0])
    rms = [np.sqrt(np.mean(np.square(one))) for one in (ours, plain)]
    assert 0.7 < rms[0] < 1.3
    assert rms[1] < 0.6  # one noise for all says far too much where values are small


def test_no_interval_of_new_electrodes_is_narrower_than_those_left_out_say_in_proportion(gp: GaussianProcess) -> None:
    mean = gp.predict(SOME)[0]
    least, found = least_sd(gp, mean), loo(gp)
    relative = np.sqrt(np.mean((found.measured / found.mean - 1) ** 2, axis=0))
    np.testing.assert_allclose(least[:, 0], relative[0] * mean[:, 0])
    np.testing.assert_allclose(least[:, 1], found.rmse[1])


# Means over seeds


def test_functions_drawn_have_the_mean_that_is_foretold(gp: GaussianProcess) -> None:
    with torch.no_grad(), calm(1):
        functions = expected(gp)(gp.model.posterior(torch.tensor(SOME)).rsample(torch.Size([20000]))).numpy()
    latent = gp.latent_sd(SOME)
    assert np.all(np.abs(functions.mean(axis=0) - gp.predict(SOME)[0]) < 5 * latent / np.sqrt(20000))
    np.testing.assert_allclose(functions.std(axis=0), latent, rtol=0.05)
    curves = drawn(gp, SOME, 0)[0]
    assert np.all(np.abs(curves.mean(axis=0) - gp.predict(SOME)[0][:, 0]) < 5 * latent[:, 0] / np.sqrt(len(curves)))
    assert np.all(partial_dependence(gp, 0)["tau"].mean > 0)


def test_slopes_are_numbers_where_other_outputs_would_overflow(gp: GaussianProcess) -> None:
    drawn = torch.tensor([[0.5, 1e5]], requires_grad=True, dtype=torch.double)
    expected(gp)(drawn).sum().backward()  # type: ignore[no-untyped-call]
    assert drawn.grad is not None
    assert drawn.grad[0, 1] == 1
    assert drawn.grad[0, 0] == pytest.approx(float(np.exp(0.5 + gp.log_noise[0] / 2)))


def test_noise_of_replicates_is_that_of_their_logarithm() -> None:
    rng = np.random.default_rng(2)
    X = np.repeat(rng.random((40, 2)), 2, axis=0)
    table = Table(X, np.exp(exponent(X) + rng.normal(0, NOISE, len(X)))[:, None], ("tau",), logs=("tau",))
    known = with_known_noise(table)
    assert known.noise_variance is not None
    assert np.sqrt(known.noise_variance[0, 0]) == pytest.approx(NOISE, rel=0.3)
    assert np.sqrt(fit_gp(known).log_noise[0]) == pytest.approx(np.sqrt(known.noise_variance[0, 0]), rel=1e-6)


def test_where_little_was_learned_is_said_of_small_values_as_of_large_ones() -> None:
    table = made(30, 5)
    near = table.X[:, 0] < 0.6  # beyond, the output falls to a tenth
    gp = fit_gp(replace(table, X=table.X[near], Y=table.Y[near]))
    inside, outside = gp.unlearned(np.array([[0.3, 0.5], [1.0, 0.5]]))[:, 0]
    assert inside < 0.35 < 0.6 < outside


@pytest.mark.parametrize("size", [1.0, 5.0])
def test_an_output_that_differs_by_rounding_alone_is_constant_whatever_its_size(size: float) -> None:
    X = np.random.default_rng(0).random((8, 2))
    y = size * (1 + 4e-15 * np.random.default_rng(1).standard_normal(8))
    mean, sd = fit_gp(Table(X, y[:, None], ("tau",), logs=("tau",))).predict(SOME)
    np.testing.assert_allclose(mean, size)
    assert sd.max() < 1e-8 * size


# What one more measurement would move


def test_a_measurement_moves_means_by_factors_and_on_average_not_at_all() -> None:
    gp, plain = (fit_gp(table) for table in (TABLES["of levels"], its_logarithm(TABLES["of levels"])))
    offer, none = with_level(SOME[:2], np.array([0, 1])), np.zeros((0, 3))
    found, logs = (moves(one, SOME, offer, none) for one in (gp, plain))
    np.testing.assert_allclose(found.by, logs.by)
    np.testing.assert_allclose(found.mean, gp.predict(SOME)[0])
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    after = found.after(1, range(len(SOME)), np.repeat(nodes[:, None, None], 2, axis=2))
    np.testing.assert_allclose(np.tensordot(weights / weights.sum(), after, 1), found.mean, rtol=1e-9, atol=1e-12)
    factors = after[-1, :, 0] / after[0, :, 0]
    np.testing.assert_allclose(np.log(factors), logs.by[1, :, 0] * (nodes[-1] - nodes[0]))


def test_an_electrode_of_a_known_slurry_is_foretold_in_units() -> None:
    gp, plain = (fit_gp(table) for table in (TABLES["of slurries"], its_logarithm(TABLES["of slurries"])))
    found, logs = (predict_within(one, SOME, 3) for one in (gp, plain))
    np.testing.assert_allclose([one[:, 0] for one in found], log_normal(*(one[:, 0] for one in logs)), rtol=1e-6)
    assert np.array_equal(telling(gp, SOME, 3), telling(plain, SOME, 3))
    within = left_out_within(gp)
    assert within is not None
    assert np.array_equal(within.measured, gp.table.Y)
    assert 0 < within.r2["tau"] < 1


# Measurements, files, and what is refused


def test_the_shift_of_measurements_is_in_units(gp: GaussianProcess) -> None:
    truth = np.exp(exponent(SOME) + NOISE**2 / 2)
    found = shifts(gp, SOME, np.column_stack([truth + 3.0, np.full(12, np.nan)]), np.full((12, 2), 1e-3))["tau"]
    assert found.mean == pytest.approx(3.0, abs=3 * found.sd)
    assert found.z < 2
    alone = shifts(gp, SOME[:1], truth[:1, None] @ np.ones((1, 2)), np.full((1, 2), 1e-6))["tau"]
    spread, latent = gp.table.Y[:, 0].std(), gp.latent_sd(SOME[:1])[0, 0]
    assert alone.sd == pytest.approx((latent**-2 + spread**-2) ** -0.5, rel=1e-4)
    seeds = shifts(gp, SOME[:1], truth[:1, None] @ np.ones((1, 2)), np.full((1, 2), np.nan))["tau"]
    whole = gp.predict(SOME[:1])[1][0, 0]
    assert seeds.sd == pytest.approx((whole**-2 + spread**-2) ** -0.5, rel=1e-4)


def test_logarithms_survive_saving(gp: GaussianProcess, tmp_path: Path) -> None:
    save_gp(gp, tmp_path / "gp.npz")
    again = load_gp(tmp_path / "gp.npz")
    assert again.table.logs == ("tau",)
    assert np.array_equal(again.predict(SOME), gp.predict(SOME))


def test_rows_left_out_in_closed_form_are_near_refits(gp: GaussianProcess) -> None:
    found, refits = loo(gp), loo_by_refits(gp.table, fit_gp)
    away = np.abs(found.mean - refits.mean) / refits.sd
    assert np.median(away[:, 0]) < 0.2
    assert np.mean(np.abs(refits.measured - refits.mean)[:, 0] < NORMAL_95 * refits.sd[:, 0]) > 0.8


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(
            {"logs": ("thickness",)}, "the logarithm of thickness came, but tau, line are outputs", id="unknown"
        ),
        pytest.param({"logs": ("line",)}, "line is to be learned by its logarithm, but -.* came", id="not positive"),
    ],
)
def test_logarithms_of_what_has_none_are_refused(change: dict[str, tuple[str, ...]], words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(made(), **change)  # type: ignore[arg-type]
