"""Figures that are looked at before they become files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mesoforge.experiments import calender_charts, charts, pictures, structure_charts, study_charts

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def collected(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Return the list to which figures are added instead of being written."""
    figures: list[Figure] = []

    def keep(figure: Figure, path: Path) -> Path:
        figures.append(figure)
        return path

    for room in (pictures, charts, calender_charts, structure_charts, study_charts):
        monkeypatch.setattr(room, "save", keep)
    return figures
