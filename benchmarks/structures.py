"""Generated electrode structures as published by Duquesnoy et al. (2020), which are not part of this repository."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from mesoforge.surrogate.table import Array

STRUCTURES = Path("../shared/data/electrode_structures_train.csv")
INPUTS = {"Gap": (1, 91), "AM": (93, 96), "porous": (40, 50)}
"""Names and bounds of the inputs: roll gap, share of active material and porosity before calendering [%]."""


def read(path: Path) -> tuple[Array, dict[str, Array]]:
    """Return the inputs scaled by their bounds, (n, 3), and all columns (n,) by name."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    return np.column_stack([(columns[name] - low) / (high - low) for name, (low, high) in INPUTS.items()]), columns
