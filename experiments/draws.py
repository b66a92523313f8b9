"""Draws of a calibration's posterior: what nature may be, for simulations that average over it."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesoforge.errors import InputError
from mesoforge.surrogate.table import Array

LEAST = 2


@dataclass(frozen=True, eq=False, slots=True)
class Draws:
    """Equally probable sets of parameters, ``values`` (n, d) by ``names``, as `mesoforge calibrate` writes them."""

    path: Path
    names: tuple[str, ...]
    values: Array
    digest: str

    @classmethod
    def read(cls, path: Path) -> Draws:
        """Read a ``posterior.csv``.

        Raises:
            InputError: it cannot be read, or is no table of numbers with at least two rows.
        """
        try:
            content = path.read_bytes()
            heading, *rows = list(csv.reader(content.decode("utf-8").splitlines()))
            values = np.array([[float(cell) for cell in row] for row in rows]).reshape(len(rows), len(heading))
        except (OSError, ValueError) as error:
            raise InputError(
                f"cannot read '{path}' as draws of a posterior ({error}): give the 'posterior.csv' that 'mesoforge "
                "calibrate' wrote."
            ) from None
        if len(rows) < LEAST or not bool(np.all(np.isfinite(values))):
            raise InputError(
                f"'{path}' holds {len(rows)} draws, but {LEAST} rows of finite numbers were due: calibrate."
            )
        return cls(path, tuple(heading), values, hashlib.sha256(content).hexdigest()[:16])

    def of(self, seed: int) -> dict[str, float]:
        """Return the draw that belongs to a simulation's seed: always the same one, all as often."""
        return self._named(self.values[int(np.random.default_rng([seed, 5]).integers(len(self.values)))])

    def ends(self) -> Iterator[dict[str, float]]:
        """Yield the draws with the least and the largest value of each parameter."""
        for column in range(len(self.names)):
            for place in (int(np.argmin(self.values[:, column])), int(np.argmax(self.values[:, column]))):
                yield self._named(self.values[place])

    def _named(self, row: Array) -> dict[str, float]:
        return {name: float(value) for name, value in zip(self.names, row, strict=True) if math.isfinite(value)}
