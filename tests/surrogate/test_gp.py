"""The Gaussian processes against closed forms, against scikit-learn and against refits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.gaussian_process.kernels import RBF

from mesoforge.errors import InputError
from mesoforge.surrogate.gp import GaussianProcess, fit_gp, load_gp, loo, save_gp
from mesoforge.surrogate.table import Array, Builder, Table
from mesoforge.surrogate.twin import fit_twin
from mesoforge.surrogate.validation import LeaveOneOut, loo_by_refits

NOISE = 0.1
LEARNED = ("main_length", "joint_length", "main_scale", "joint_scale")


def truth(X: Array) -> Array:
    return np.column_stack([np.sin(4 * X[:, 0]) + X[:, 1], 50 + 5 * X[:, 0] * X[:, 1]])


def noisy_table(rows: int, seed: int) -> Table:
    rng = np.random.default_rng(seed)
    X = rng.random((rows, 2))
    return Table(X, truth(X) + NOISE * rng.standard_normal((rows, 2)), ("wave", "product"))


@pytest.fixture(scope="module")
def table() -> Table:
    return noisy_table(40, seed=0)


@pytest.fixture(scope="module")
def gp(table: Table) -> GaussianProcess:
    return fit_gp(table)


@pytest.fixture(scope="module")
def points() -> Array:
    return np.random.default_rng(1).random((200, 2))


class Frozen:
    """The textbook's process with the fitted hyperparameters, on the standardized output: scikit-learn's kernels."""

    def __init__(self, gp: GaussianProcess, output: int) -> None:
        self.y = gp.table.Y[:, output]
        state = {name: value.numpy() for name, value in gp.models[output].state_dict().items()}
        self.constant = state["mean_module.raw_constant"].item()
        self.noise = state["likelihood.noise_covar.raw_noise"].item()
        learned = {name: state[f"covar_module.{name}"].ravel() for name in LEARNED}
        self.scales = learned["main_scale"].item(), learned["joint_scale"].item()
        self.main = [RBF(length) for length in learned["main_length"]]
        self.joint = RBF(learned["joint_length"])
        self.standard = (self.y - self.y.mean()) / self.y.std(ddof=1) - self.constant

    def kernel(self, X: Array, Z: Array) -> Array:
        """Return the covariance of two sets of points."""
        each = [one(X[:, [axis]], Z[:, [axis]]) for axis, one in enumerate(self.main)]
        return np.asarray(self.scales[0] * np.mean(each, axis=0) + self.scales[1] * self.joint(X, Z))

    def predict(self, X: Array, rows: Array, points: Array) -> tuple[Array, Array]:
        """Return mean and noise-free sd at the points, learned from the rows that are not 0."""
        X, y = X[rows.astype(bool)], self.standard[rows.astype(bool)]
        across = self.kernel(points, X)
        weights = np.linalg.solve(self.kernel(X, X) + self.noise * np.eye(len(X)), across.T)
        variance = np.diag(self.kernel(points, points)) - np.sum(across * weights.T, axis=1)
        mean = y @ weights + self.constant
        return mean * self.y.std(ddof=1) + self.y.mean(), np.sqrt(variance) * self.y.std(ddof=1)


@pytest.mark.parametrize("output", [0, 1])
def test_posterior_equals_the_textbooks_with_the_same_hyperparameters(
    gp: GaussianProcess, points: Array, output: int
) -> None:
    mean, sd = Frozen(gp, output).predict(gp.table.X, np.ones(len(gp.table)), points)
    np.testing.assert_allclose(gp.predict(points)[0][:, output], mean, rtol=1e-6)
    np.testing.assert_allclose(gp.latent_sd(points)[:, output], sd, rtol=1e-4)


@pytest.mark.parametrize("output", [0, 1])
def test_leave_one_out_in_closed_form_equals_explicit_refits(gp: GaussianProcess, output: int) -> None:
    other, X = Frozen(gp, output), gp.table.X
    others = 1 - np.eye(len(X))
    refits = [other.predict(X, others[row], X[[row]])[0].item() for row in range(len(X))]
    np.testing.assert_allclose(loo(gp).mean[:, output], refits, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("build", [fit_gp, fit_twin])
def test_what_is_foretold_is_near_the_truth(table: Table, points: Array, build: Builder) -> None:
    mean, _ = build(table).predict(points)
    error = np.sqrt(np.mean((mean - truth(points)) ** 2, axis=0))
    assert np.all(error < NOISE)


@pytest.mark.parametrize("build", [fit_gp, fit_twin])
def test_the_spread_covers_new_measurements_as_often_as_it_says(points: Array, build: Builder) -> None:
    measured = truth(points) + NOISE * np.random.default_rng(2).standard_normal(points.shape)
    forecasts = [build(noisy_table(40, seed)).predict(points) for seed in range(4)]
    inside = [np.abs(measured - mean) < 1.96 * sd for mean, sd in forecasts]
    assert 0.9 < np.mean(inside) < 0.98


@pytest.mark.parametrize("build", [fit_gp, fit_twin])
def test_a_new_measurement_is_less_certain_than_the_function_by_the_noise(
    table: Table, points: Array, build: Builder
) -> None:
    model = build(table)
    inferred = np.sqrt(model.predict(points)[1] ** 2 - model.latent_sd(points) ** 2)
    np.testing.assert_allclose(inferred, inferred[:1].repeat(len(points), axis=0), rtol=1e-6)
    np.testing.assert_allclose(inferred[0], NOISE, rtol=0.4)


def test_processes_agree_with_the_scikit_learn_twin(table: Table, gp: GaussianProcess, points: Array) -> None:
    difference = gp.predict(points)[0] - fit_twin(table).predict(points)[0]
    assert np.sqrt(np.mean(difference**2)) < NOISE / 2


def test_known_noise_is_used(table: Table, points: Array) -> None:
    known = Table(table.X, table.Y, table.names, np.full_like(table.Y, 0.25))
    model = fit_gp(known)
    added = model.predict(points)[1] ** 2 - model.latent_sd(points) ** 2
    np.testing.assert_allclose(added, 0.25, rtol=1e-6)


def test_the_same_table_gives_the_same_model_bit_for_bit(table: Table, gp: GaussianProcess, points: Array) -> None:
    torch.manual_seed(123)
    mean, sd = fit_gp(table).predict(points)
    assert np.array_equal(mean, gp.predict(points)[0])
    assert np.array_equal(sd, gp.predict(points)[1])


def test_fitting_leaves_torchs_threads_and_random_numbers_alone(table: Table) -> None:
    torch.manual_seed(5)
    expected, threads = torch.rand(1).item(), torch.get_num_threads()
    torch.manual_seed(5)
    fit_gp(table)
    assert torch.rand(1).item() == expected
    assert torch.get_num_threads() == threads


def test_a_constant_output_is_foretold_as_that_constant() -> None:
    X = np.random.default_rng(0).random((8, 2))
    mean, sd = fit_gp(Table(X, np.full((8, 1), 3.0), ("flat",))).predict(X)
    np.testing.assert_allclose(mean, 3.0)
    assert sd.max() < 1e-8
    mean, sd = fit_gp(Table(X, np.zeros((8, 1)), ("none",))).predict(X)
    assert np.abs(mean).max() < 1e-8
    assert sd.max() < 1e-8


def test_the_unit_of_an_output_does_not_matter() -> None:
    X = np.random.default_rng(0).random((12, 2))
    y = 3 + np.sin(3 * X[:, [0]])
    (mean, sd), (small, small_sd) = (fit_gp(Table(X, y * unit, ("y",))).predict(X[:4] / 2) for unit in (1.0, 1e-14))
    np.testing.assert_allclose(small * 1e14, mean, rtol=1e-3)
    np.testing.assert_allclose(small_sd * 1e14, sd, rtol=1e-2)


def test_replicates_that_differ_are_noise_and_their_mean_is_foretold() -> None:
    rng = np.random.default_rng(7)
    X = np.repeat(np.linspace(0, 1, 5)[:, None], 4, axis=0)
    y = 3 * X + 0.2 * rng.standard_normal(X.shape)
    gp = fit_gp(Table(X, y, ("y",)))
    spread = np.sqrt(np.mean([y[4 * k : 4 * k + 4].var(ddof=1) for k in range(5)]))
    noise = np.sqrt(gp.predict(X)[1] ** 2 - gp.latent_sd(X) ** 2)
    np.testing.assert_allclose(noise, spread, rtol=0.25)
    np.testing.assert_allclose(gp.predict(X)[0][::4, 0], y.reshape(5, 4).mean(axis=1), atol=0.15)


def test_hyperparameters_tuned_on_some_rows_serve_all(monkeypatch: pytest.MonkeyPatch, points: Array) -> None:
    whole = fit_gp(noisy_table(80, seed=6))
    monkeypatch.setattr("mesoforge.surrogate.gp.MOST_TO_TUNE", 40)
    tuned = fit_gp(noisy_table(80, seed=6))
    assert not np.array_equal(tuned.predict(points)[0], whole.predict(points)[0])
    assert np.sqrt(np.mean((tuned.predict(points)[0] - whole.predict(points)[0]) ** 2)) < NOISE / 2
    np.testing.assert_allclose(tuned.predict(points)[1], whole.predict(points)[1], rtol=0.5)


def test_two_rows_suffice() -> None:
    gp = fit_gp(Table(np.array([[0.1], [0.9]]), np.array([[1.0], [2.0]]), ("y",)))
    assert np.all(np.isfinite(np.hstack(gp.predict(np.array([[0.5]])))))


def test_a_saved_process_foretells_the_same(gp: GaussianProcess, points: Array, tmp_path: Path) -> None:
    save_gp(gp, tmp_path / "gp.npz")
    again = load_gp(tmp_path / "gp.npz")
    assert again.table.names == gp.table.names
    assert np.array_equal(again.predict(points)[0], gp.predict(points)[0])
    assert np.array_equal(again.predict(points)[1], gp.predict(points)[1])


@pytest.mark.parametrize("content", [b"", b"not an archive", None])
def test_a_file_that_holds_no_surrogate_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "gp.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="is no saved surrogate"):
        load_gp(path)


@pytest.mark.parametrize("build", [fit_gp, fit_twin])
@pytest.mark.parametrize(
    ("points", "words"),
    [
        pytest.param(np.zeros((1, 3)), "one row of 2 numbers", id="three inputs"),
        pytest.param(np.zeros(2), "one row of 2 numbers", id="flat"),
        pytest.param(np.full((1, 2), 1.5), r"outside \[0, 1\]", id="outside"),
    ],
)
def test_points_of_another_space_are_refused(build: Builder, points: Array, words: str) -> None:
    model = build(noisy_table(6, seed=3))
    with pytest.raises(InputError, match=words):
        model.predict(points)


def test_the_twin_refuses_known_noise(table: Table) -> None:
    with pytest.raises(InputError, match="use fit_gp instead"):
        fit_twin(Table(table.X, table.Y, table.names, np.ones_like(table.Y)))


def test_r2_and_coverage_are_those_of_the_textbook() -> None:
    measured = np.array([[0.0, 1.0], [2.0, 1.0]])
    result = LeaveOneOut(("y", "flat"), measured, np.array([[1.0, 1.0], [2.0, 1.0]]), np.full((2, 2), 0.5))
    assert result.r2["y"] == pytest.approx(0.5)
    assert np.isnan(result.r2["flat"])
    assert result.coverage95 == {"y": 0.5, "flat": 1.0}


def test_closed_form_and_full_refits_tell_the_same_story() -> None:
    table = noisy_table(12, seed=4)
    short, long = loo(fit_gp(table)), loo_by_refits(table, fit_gp)
    assert np.array_equal(short.measured, long.measured)
    assert short.r2["wave"] == pytest.approx(long.r2["wave"], abs=0.1)
    assert np.corrcoef(short.mean[:, 0], long.mean[:, 0])[0, 1] > 0.98


def test_refits_leave_the_known_noise_of_the_row_out_too() -> None:
    table = noisy_table(5, seed=5)
    known = Table(table.X, table.Y, table.names, np.linspace(0.1, 1, 10).reshape(5, 2))
    assert loo_by_refits(known, fit_gp).sd.shape == (5, 2)


def test_many_rows_are_foretold_as_each_by_itself() -> None:
    rng = np.random.default_rng(3)
    X = rng.random((9, 2))
    gp = fit_gp(Table(X, np.sin(3 * X), ("a", "b")))
    points = rng.random((300, 2))
    mean, sd = gp.predict(points)
    assert gp.latent_sd(points).shape == mean.shape == (300, 2)
    for row in (0, 127, 128, 299):
        one, width = gp.predict(points[[row]])
        assert (one[0], width[0]) == (pytest.approx(mean[row], rel=1e-8), pytest.approx(sd[row], rel=1e-6))
