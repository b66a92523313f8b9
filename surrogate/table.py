"""What a surrogate learns from, and what every surrogate can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from mesoforge.errors import InputError

Array: TypeAlias = npt.NDArray[np.float64]
Which: TypeAlias = npt.NDArray[np.bool_]
Groups: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Table:
    """Training data: X (n, d) in the unit cube, Y (n, m) in any units, and one name for each column of Y.

    X is scaled by the bounds of the space that it comes from, never by the data. ``noise_variance`` (n, m) is the known
    variance of each entry of Y, in its unit squared; without it the noise is inferred. Equal rows of X are replicates.
    ``categories`` (d,) holds the number of choices of each input, which share [0, 1] in equal parts; 0 for a number.
    ``groups`` (n,) are whole numbers: rows of one group share an error, as electrodes of one slurry do.
    ``levels`` (n,) are whole numbers from 0: at 0 is what is to be foretold, at 1 and on cheaper likenesses of it.
    ``logs`` names outputs, all positive, of which a Gaussian process learns the logarithm: those that scatter and err
    in proportion to what they are. Their ``noise_variance`` is that of the logarithm.

    Raises:
        InputError: Shapes disagree, a number is not finite, X leaves the unit cube, a variance is not positive, or an
            output that is to be learned by its logarithm is unknown or not positive.
    """

    X: Array
    Y: Array
    names: tuple[str, ...]
    noise_variance: Array | None = None
    categories: tuple[int, ...] = ()
    groups: Groups | None = None
    levels: Groups | None = None
    logs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_shapes(self)
        check_inputs(self.X, self.X.shape[1])
        _check_numbers(self)

    def __len__(self) -> int:
        return len(self.X)

    @property
    def logged(self) -> Which:
        """Which outputs (m,) are learned by their logarithm."""
        return np.isin(self.names, self.logs)

    @property
    def learned(self) -> Array:
        """Y (n, m) as the processes learn it: the logarithm where it is asked for."""
        found = self.Y.astype(np.float64)
        found[:, self.logged] = np.log(found[:, self.logged])
        return found

    @property
    def aimed(self) -> Which:
        """Which rows (n,) are of what is to be foretold, and of no likeness of it."""
        return np.ones(len(self.X), dtype=bool) if self.levels is None else self.levels == 0


class Surrogate(Protocol):
    """A fitted model of every column of a table; it never changes."""

    @property
    def table(self) -> Table:
        """What it was fitted to."""
        ...

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Return mean (k, m) and standard deviation (k, m) of one new measurement at X (k, d), its noise included."""
        ...

    def latent_sd(self, X: Array) -> Array:
        """Return the standard deviation (k, m) of the noise-free function at X (k, d)."""
        ...


Builder: TypeAlias = Callable[[Table], Surrogate]


def check_inputs(X: Array, dimensions: int) -> None:
    """Refuse points that are not rows of finite numbers in the unit cube.

    Raises:
        InputError: X is not (k, dimensions) or leaves the unit cube.
    """
    if X.ndim != 2 or X.shape[1] != dimensions:
        raise InputError(
            f"X has shape {X.shape}, but one row of {dimensions} numbers for each point was due: reshape it"
        )
    if not bool(np.all((X >= 0) & (X <= 1))):
        raise InputError("X holds numbers outside [0, 1], but points of the unit cube were due: scale X by its bounds")


def check_noise_inferred(table: Table) -> None:
    """Refuse a table that gives its noise, for models that infer it.

    Raises:
        InputError: It does.
    """
    if table.noise_variance is not None:
        raise InputError("the table gives a noise variance, but it is inferred here: use fit_gp instead")


def _check_shapes(table: Table) -> None:
    if table.X.ndim != 2 or table.Y.ndim != 2 or len(table.X) != len(table.Y):
        raise InputError(
            f"X has shape {table.X.shape} and Y {table.Y.shape}, but two tables with equally many rows were due: align"
        )
    if len(table.X) < 2:
        raise InputError(f"the table has {len(table.X)} row, but a surrogate needs at least 2: measure more points")
    if table.groups is not None and (
        table.groups.shape != (len(table.X),) or not np.issubdtype(table.groups.dtype, np.integer)
    ):
        raise InputError(
            f"groups came as {table.groups.dtype} of shape {table.groups.shape}, but one whole number for each of "
            f"{len(table.X)} rows was due: number the slurries"
        )
    if table.levels is not None:
        _check_levels(table)
    if len(set(table.names)) != table.Y.shape[1] or len(table.names) != table.Y.shape[1]:
        raise InputError(
            f"{table.names} came as names, but {table.Y.shape[1]} different ones were due: name each column of Y once"
        )


def _check_levels(table: Table) -> None:
    levels = table.levels
    if levels is None or levels.shape != (len(table.X),) or not np.issubdtype(levels.dtype, np.integer):
        raise InputError(
            f"levels came as {levels!r}, but one whole number for each of {len(table.X)} rows was due: number them "
            "from 0"
        )
    if int(levels.min()) < 0:
        raise InputError(f"a level is {levels.min()}, but whole numbers from 0 were due: number them from 0")
    if table.noise_variance is not None:
        raise InputError("the table gives levels and a noise variance, but the noise of levels is inferred: drop one")


def _check_numbers(table: Table) -> None:
    if not bool(np.all(np.isfinite(table.Y))):
        raise InputError("Y holds numbers that are not finite, but only measured rows were due: leave failed rows out")
    variance = table.noise_variance
    if variance is not None and (variance.shape != table.Y.shape or not bool(np.all(variance > 0))):
        raise InputError(
            f"noise_variance has shape {variance.shape} or is not positive, but positive numbers of shape "
            f"{table.Y.shape} were due: pool the variance of few replicates, and never give 0"
        )
    for name in table.logs:
        if name not in table.names:
            raise InputError(f"the logarithm of {name} came, but {', '.join(table.names)} are outputs: choose of these")
        least = float(table.Y[:, table.names.index(name)].min())
        if least <= 0:
            raise InputError(f"{name} is to be learned by its logarithm, but {least:g} came: give positive values")
