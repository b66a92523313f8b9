"""Gaussian processes, one for each output, with the noise inferred (BoTorch)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch

from mesoforge.errors import InputError
from mesoforge.surrogate.door import (
    AppendFeatures,
    ExactMarginalLogLikelihood,
    GaussianLikelihood,
    GPyTorchPosterior,
    GreaterThan,
    ModelFittingError,
    ModelListGP,
    SingleTaskGP,
    Standardize,
    calm,
    efficient_loo_cv,
    fit_gpytorch_mll,
    min_variance,
    tensor,
)
from mesoforge.surrogate.kernel import FIRST_NOISE, LEAST, LEAST_NOISE, NOISE, Effects, Levels
from mesoforge.surrogate.scale import in_units
from mesoforge.surrogate.shared import left_out, level_likelihood, shared_likelihood
from mesoforge.surrogate.table import Array, Groups, Table, Which, check_inputs
from mesoforge.surrogate.validation import LeaveOneOut, parts, some_rows

STATE = "state/"
BLOCK = 128
"""Rows that are foretold at once."""
ROUNDING, TINY = 1e-9, 1e-150
"""Of an output's size: less than this is no difference. The smallest spread whose square is a number."""
LEARNED = ("covar_module.", "mean_module.", "likelihood.noise_covar.raw_")
MOST_TO_TUNE = 250  # rows; a likelihood of twice as many takes five times as long and moves little
ENOUGH = 1e-6  # relative change of the likelihood at which its search ends; a tighter one takes five times as long


@dataclass(frozen=True, eq=False, slots=True)
class GaussianProcess:
    """Independent Gaussian processes of a table's outputs, in double precision; ``models`` are BoTorch's.

    They are processes of the logarithm where the table says so; what is foretold is in the outputs' units all the same.
    ``converged`` is false where no optimum of the likelihood was found and the priors' hyperparameters were kept.
    With a table's known ``noise_variance`` the noise of a new measurement is the mean of those variances. With its
    ``groups`` rows of one group share a part of their errors, and what is foretold is of a new group. With its
    ``levels`` the models learn from all of them, with noise of each, and foretell ``level``: 0, what is aimed at, or as
    `likeness.at_level` has it. Points have no level: the models append it.
    """

    table: Table
    models: tuple[SingleTaskGP, ...]
    converged: bool = True
    level: int = 0

    @property
    def model(self) -> ModelListGP:
        """All outputs as one BoTorch model."""
        return ModelListGP(*self.models)

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Return mean (k, m) and standard deviation (k, m) of one new measurement at X (k, d), its noise included."""
        return in_units(*self._posterior(X, noise=True), self.table.logged)

    def latent_sd(self, X: Array) -> Array:
        """Return the standard deviation (k, m) of the noise-free function at X (k, d)."""
        mean, variance = self._posterior(X, noise=False)
        raised = mean + self.log_noise / 2  # what is expected of a seed, as `expected` has it
        return in_units(raised, variance, self.table.logged)[1]

    def unlearned(self, X: Array) -> Array:
        """Return the latent standard deviation (k, m) at X (k, d) over that of all rows, of outputs as learned.

        Near 0 much was learned there, near 1 nothing; not a number or infinite where an output is constant.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.sqrt(self._posterior(X, noise=False)[1]) / self.table.learned.std(axis=0))

    @property
    def log_noise(self) -> Array:
        """The variance (m,) of the logarithm of a new measurement from seed to seed; 0 of other outputs."""
        if not self.table.logs:
            return np.zeros(len(self.models))
        somewhere = np.full((1, self.table.X.shape[1]), 0.5)
        noisy, exact = (self._posterior(somewhere, noise=noise)[1][0] for noise in (True, False))
        return np.where(self.table.logged, noisy - exact, 0.0)

    def _posterior(self, X: Array, *, noise: bool) -> tuple[Array, Array]:
        check_inputs(X, self.table.X.shape[1])
        parts = [self._block(block, noise=noise) for block in np.array_split(X, max(1, -(-len(X) // BLOCK)))]
        return np.vstack([mean for mean, _ in parts]), np.vstack([variance for _, variance in parts])

    def _block(self, X: Array, *, noise: bool) -> tuple[Array, Array]:
        """Return mean and variance of a few rows, as learned: a posterior holds the covariance of all its rows."""
        with torch.no_grad(), calm(), min_variance(double_value=TINY**2):  # its own 1e-10 is much in some units
            posterior = self.model.posterior(tensor(X), observation_noise=noise)
            return posterior.mean.numpy(), posterior.variance.numpy()


def fit_gp(table: Table, seed: int = 0) -> GaussianProcess:
    """Fit one Gaussian process to each output by its marginal likelihood under its priors.

    The same table and seed give the same model to the last bit. From more than ``MOST_TO_TUNE`` rows the
    hyperparameters are learned on an even selection of so many, and all rows are conditioned on.
    """
    with calm(seed):
        models = _models(table)
        converged = [_tune(model, table, column) for column, model in enumerate(models)]
    return GaussianProcess(table, models, all(converged))


def loo(gp: GaussianProcess) -> LeaveOneOut:
    """Foretell each row from all others, in closed form: the hyperparameters stay those of the whole table.

    So it is a little kind to small tables. Rows are left out one by one: replicates of a row stay in. Of a table with
    groups, each group is left out as a whole. Of a table with levels those rows are foretold, from all others, that are
    of the level which ``gp`` foretells; where there is none, all.
    """
    if gp.table.groups is not None or gp.table.levels is not None:
        means, variances = zip(*(left_out(model, gp, parts(gp.table)) for model in gp.models), strict=True)
        foretold = in_units(np.column_stack(means), np.column_stack(variances), gp.table.logged)
        found = (gp.table.Y, *foretold)
        return LeaveOneOut(gp.table.names, *(column[_of_level(gp)] for column in found))
    with torch.no_grad(), calm():
        posteriors = [cast("GPyTorchPosterior", efficient_loo_cv(model).posterior) for model in gp.models]
        mean = np.column_stack([posterior.mean.flatten().numpy() for posterior in posteriors])
        variance = np.column_stack([posterior.variance.flatten().numpy() for posterior in posteriors])
    return LeaveOneOut(gp.table.names, gp.table.Y, *in_units(mean, variance, gp.table.logged))


def _of_level(gp: GaussianProcess) -> Which:
    rows = np.ones(len(gp.table), dtype=bool) if gp.table.levels is None else gp.table.levels == gp.level
    return rows if rows.any() else ~rows


def save_gp(gp: GaussianProcess, path: Path) -> None:
    """Write the training table and the hyperparameters as a NumPy archive of plain arrays."""
    arrays = {STATE + name: value.numpy() for name, value in gp.model.state_dict().items()}
    arrays |= {"X": gp.table.X, "Y": gp.table.Y, "names": np.array(gp.table.names)}
    arrays |= {"categories": np.array(gp.table.categories, dtype=np.int64)} if gp.table.categories else {}
    optional = {"noise_variance": gp.table.noise_variance, "groups": gp.table.groups, "levels": gp.table.levels}
    arrays |= {"logs": np.array(gp.table.logs)} if gp.table.logs else {}
    arrays |= {name: value for name, value in optional.items() if value is not None}
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_gp(path: Path) -> GaussianProcess:
    """Read what `save_gp` wrote; nothing is fitted again and nothing pickled is read.

    Raises:
        InputError: The file is no such archive.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = dict(archive)
            table = Table(
                arrays["X"],
                arrays["Y"],
                tuple(arrays["names"].tolist()),
                arrays.get("noise_variance"),
                tuple(arrays["categories"].tolist()) if "categories" in arrays else (),
                arrays.get("groups"),
                arrays.get("levels"),
                tuple(arrays["logs"].tolist()) if "logs" in arrays else (),
            )
            return _restored(table, arrays)
    except (OSError, EOFError, KeyError, ValueError, RuntimeError) as error:
        raise InputError(f"{path} is no saved surrogate ({error}): give a file that save_gp wrote") from error


def _restored(table: Table, arrays: dict[str, Array]) -> GaussianProcess:
    with calm():
        gp = GaussianProcess(table, _models(table))
        state = {name.removeprefix(STATE): torch.tensor(arrays[name]) for name in arrays if name.startswith(STATE)}
        gp.model.load_state_dict(state)
    gp.model.eval()
    return gp


def _models(table: Table) -> tuple[SingleTaskGP, ...]:
    return tuple(_model(table, column) for column in range(table.Y.shape[1]))


def _model(table: Table, column: int, cheaper: int | None = None) -> SingleTaskGP:
    """Return the model of one output before it is fitted; it knows ``cheaper`` levels, by default the table's."""
    if table.levels is not None:
        return _of_levels(table, column, int(table.levels.max()) if cheaper is None else cheaper)
    known = None if table.noise_variance is None else table.noise_variance[:, column]
    likelihood, y = None if known is not None else _independent(), table.learned[:, column]
    if table.groups is not None:
        likelihood = shared_likelihood(table.X, y, table.groups, known)
    return _with_scale(
        SingleTaskGP(
            tensor(table.X),
            tensor(y[:, None]),
            train_Yvar=None if known is None or likelihood is not None else tensor(known[:, None]),
            likelihood=likelihood,
            covar_module=Effects(table.X.shape[1], table.categories),
            outcome_transform=_standardize(table, column),
        ),
        table,
        column,
    )


def _standardize(table: Table, column: int) -> Standardize:
    """Return what brings an output to variance 1, in whatever unit it is, but where it differs by rounding alone."""
    return Standardize(m=1, min_stdv=_rounding(table, column))


def _with_scale(model: SingleTaskGP, table: Table, column: int) -> SingleTaskGP:
    """Return the model with a constant output known to rounding; BoTorch would doubt it by parts of its unit."""
    rounding = _rounding(table, column)
    if table.learned[:, column].std() <= rounding:
        transform = cast("Standardize", model.outcome_transform)
        transform.stdvs.fill_(rounding)
        transform._stdvs_sq = transform.stdvs**2
    return model


def _rounding(table: Table, column: int) -> float:
    """Return what rounding may make of an output as it is learned: a share of its size, of a logarithm that share."""
    size = 1.0 if table.logged[column] else float(np.abs(table.Y[:, column]).max())
    return max(ROUNDING * size, TINY)


def _independent() -> GaussianLikelihood:
    """Return the likelihood of rows with errors of their own, of one inferred variance."""
    least = GreaterThan(LEAST_NOISE, transform=None, initial_value=FIRST_NOISE)
    return GaussianLikelihood(noise_prior=NOISE, noise_constraint=least)


def _of_levels(table: Table, column: int, cheaper: int) -> SingleTaskGP:
    """Return a model whose inputs end with the level; what is asked of it has level 0 appended."""
    levels = cast("Groups", table.levels)
    X, y = np.column_stack([table.X, levels]), table.learned[:, [column]]
    model = SingleTaskGP(
        tensor(X),
        tensor(y),
        likelihood=level_likelihood(X, table.groups, cheaper),
        covar_module=Levels(Effects(table.X.shape[1], table.categories, LEAST), cheaper),
        outcome_transform=_standardize(table, column),
        input_transform=AppendFeatures(torch.zeros(1, 1).double()),
    )
    return _with_scale(model, table, column)


def _tune(model: SingleTaskGP, table: Table, column: int) -> bool:
    if len(table) <= MOST_TO_TUNE:
        return _fit(model)
    rows = np.linspace(0, len(table) - 1, MOST_TO_TUNE).round().astype(int)
    cheaper = None if table.levels is None else int(table.levels.max())
    some = _model(some_rows(table, np.isin(np.arange(len(table)), rows)), column, cheaper)
    converged = _fit(some)
    learned = {name: value for name, value in some.state_dict().items() if name.startswith(LEARNED)}
    model.load_state_dict(learned, strict=False)
    model.eval()
    return converged


def _fit(model: SingleTaskGP) -> bool:
    try:
        likelihood = ExactMarginalLogLikelihood(model.likelihood, model)
        fit_gpytorch_mll(likelihood, optimizer_kwargs={"options": {"ftol": ENOUGH}})
    except ModelFittingError:
        model.eval()
        return False
    return True
