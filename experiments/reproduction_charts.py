"""The paper's figures, drawn from our electrodes: compaction, tortuosity, profiles, pores, sphericity, flatness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mesoforge.experiments.canvas import COLOURS, INK, NoPicture, new_figure, save, style
from mesoforge.experiments.claims import BINS, STANDARD, Rows, chosen, number, of_state
from mesoforge.experiments.paper import (
    CALENDERED,
    DRIED,
    IMPOSED,
    IMPOSED_BONDED,
    PREDICTED,
    PREDICTED_BONDED,
    PRESSED,
)
from mesoforge.physics.microstructure.pores import RESOLVED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Json = dict[str, Any]
SERIES: Final[Mapping[tuple[str, str], tuple[str, str]]] = {
    ("96", IMPOSED): ("96 %, dried porosity imposed", "#c0392b"),
    ("96", PREDICTED): ("96 %, predicted", "#e69f00"),
    ("94", PREDICTED): ("94 %, predicted", "#2c6fbb"),
    ("96", IMPOSED_BONDED): ("96 %, imposed, bonded", "#6b3a2e"),
    ("96", PREDICTED_BONDED): ("96 %, predicted, bonded", "#3d8c5a"),
    ("94", PREDICTED_BONDED): ("94 %, predicted, bonded", "#7b4fa3"),
}
"""What is drawn in which colour; told apart by colour-blind people too."""
BONDED: Final = (IMPOSED_BONDED, PREDICTED_BONDED)
"""What has squares where the rigid has circles."""
TOUCHED: Final = 0.5
"""Pressure up to which the plane only settles the loose beads at the surface, in jerks [MPa]."""
STATES: Final = {"dried": "#8a8f98", "calendered": "#c0392b"}


def draw(found: Sequence[Json], folder: Path) -> dict[str, Path]:
    """Draw all figures into a folder; return them by name, without those that have nothing to show."""
    series = {key: rows for key in SERIES if (rows := chosen(found, *key)).rows}
    shown = _shown(series)
    made: dict[str, Path | NoPicture] = {"compaction": compaction(series, folder / "compaction.png")}
    made["tortuosity"] = tortuosity(series, folder / "tortuosity.png")
    made["pressure"] = pressure(series, folder / "pressure.png")
    made["flatness"] = flatness(series, folder / "flatness.png")
    if shown is not None:
        made["profiles"] = profiles(shown, folder / "profiles.png")
        made["pores"] = pores(shown, folder / "pores.png")
        made["sphericity"] = sphericity(shown, folder / "sphericity.png")
    return {name: path for name, path in made.items() if isinstance(path, Path)}


def _mark(key: tuple[str, str]) -> str:
    """Return the mark of a series, for who sees no colours."""
    return "s" if key[1] in BONDED else "o"


def _above(key: tuple[str, str]) -> float:
    """Return the order in which a series is drawn: dried coatings are those of rigid particles, which shall be seen."""
    return 2.1 if key[1] in BONDED else 2.2


def _shown(series: Mapping[tuple[str, str], Rows]) -> Rows | None:
    """Return the electrodes that single pictures show: the paper's imposed state, else the predicted one."""
    for key, level in ((("96", IMPOSED), PRESSED), (("96", PREDICTED), STANDARD)):
        if key in series and series[key].at(level).rows:
            return series[key].at(level)
    return None


def compaction(series: Mapping[tuple[str, str], Rows], path: Path) -> Path:
    """Draw porosity against compression under load (lines) and after release (points), and the paper's state."""
    with style():
        figure, (axes,) = new_figure(7.2, 5.6)
        for key, rows in series.items():
            label, colour = SERIES[key]
            for row in _farthest(rows):
                axes.plot(
                    _percent(row["curve"]["compression"]), row["curve"]["porosity"], color=colour, lw=1, alpha=0.7
                )
            after = [(100 * number("compression_after_release")(row), number("porosity")(row)) for row in rows.rows]
            axes.plot(*np.array(after).T, _mark(key), zorder=_above(key), color=colour, ms=5, label=label)
        way = np.linspace(0, 0.42, 100)
        axes.plot(100 * way, 1 - (1 - DRIED) / (1 - way), color=INK, lw=1, ls=":", label=f"mass balance from {DRIED}")
        axes.plot([100 * PRESSED], [CALENDERED], "*", color=INK, ms=13, label="the paper's calendered electrode")
        axes.set(xlabel="Compression of the dried thickness (%)", ylabel="Porosity, nanopores included", xlim=(0, 45))
        _explain(figure, axes)
        return save(figure, path)


def _explain(figure: Figure, axes: Axes) -> None:
    """Put the legend below the panels: up to eight series leave no room beside what they show."""
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)


def _farthest(rows: Rows) -> list[Json]:
    """Return each seed's electrode that was pressed most: its curve holds the others'."""
    return [some[-1] for some in rows.by_seed()]


def _percent(values: Sequence[float]) -> list[float]:
    return [100 * value for value in values]


def tortuosity(series: Mapping[tuple[str, str], Rows], path: Path) -> Path:
    """Draw the tortuosity factor against the porosity, dried (open) and calendered (filled)."""
    with style():
        figure, (axes,) = new_figure(6.6, 5.2)
        for key, rows in series.items():
            label, colour = SERIES[key]
            for when, fill in (("dried", "white"), ("calendered", colour)):
                porosity, tau = (
                    rows.values(of_state(when, name)) for name in ("porosity_voxels", "tortuosity_factor_z")
                )
                said = None if when == "dried" else label
                axes.plot(porosity, tau, _mark(key), zorder=_above(key), color=colour, mfc=fill, ms=6, label=said)
        axes.set(xlabel="Porosity, nanopores included", ylabel="Tortuosity factor along the thickness")
        _explain(figure, axes)
        return save(figure, path)


def pressure(series: Mapping[tuple[str, str], Rows], path: Path) -> Path | NoPicture:
    """Draw the porosity under load against the pressure, seed by seed."""
    some = {key: rows for key, rows in series.items() if key[1] in (PREDICTED, PREDICTED_BONDED)}
    if not some:
        return NoPicture("No electrode was driven by a pressure.")
    with style():
        figure, (axes,) = new_figure(6.6, 5.2)
        for key, rows in some.items():
            label, colour = SERIES[key]
            for row in _farthest(rows):
                felt = np.array(row["curve"]["pressure"])
                on = slice(int(np.flatnonzero(felt < TOUCHED).max(initial=-1)) + 1, None)
                axes.plot(felt[on], np.array(row["curve"]["porosity"])[on], color=colour, lw=1, alpha=0.7)
            after = np.array([(number("calendering_pressure")(row), number("porosity")(row)) for row in rows.rows])
            axes.plot(*after.T, _mark(key), zorder=_above(key), color=colour, ms=5, label=label)
        axes.axhline(CALENDERED, color=INK, lw=1, ls=":", label="the paper's calendered porosity")
        axes.set(xscale="log", xlabel="Pressure of the plane (MPa)", ylabel="Porosity, nanopores included")
        _explain(figure, axes)
        return save(figure, path)


def flatness(series: Mapping[tuple[str, str], Rows], path: Path) -> Path:
    """Draw the roughness of the free surface and of the collector's face against the compression after release."""
    with style():
        figure, axes = new_figure(9.0, 4.6, 1, 2)
        faces = {"surface_sa": "Free surface: Sa (µm)", "collector_sa": "Face at the collector: Sa (µm)"}
        for (name, label), panel in zip(faces.items(), axes, strict=True):
            for key, rows in series.items():
                words, colour = SERIES[key]
                bare, pressed = (rows.values(of_state(when, name)) for when in ("dried", "calendered"))
                panel.plot(np.zeros_like(bare), bare, _mark(key), zorder=_above(key), color=colour, mfc="white", ms=5)
                after = 100 * rows.values(number("compression_after_release"))
                panel.plot(after, pressed, _mark(key), zorder=_above(key), color=colour, ms=5, label=words)
            panel.set(xlabel="Compression after release (%)", ylabel=label, ylim=(0, None))
        _explain(figure, axes[0])
        return save(figure, path)


def profiles(rows: Rows, path: Path) -> Path:
    """Draw the phases along the thickness, dried and calendered, each seed a line."""
    with style():
        figure, axes = new_figure(9.0, 4.2, 1, 2)
        phases = {"active_material": "active material", "cbd": "CBD", "pore": "pore"}
        for panel, when in zip(axes, STATES, strict=True):
            for name, label in phases.items():
                colour = "#5b636b" if name == "pore" else COLOURS[label]
                for place, row in enumerate(rows.rows):
                    along = row[when]["profile"]
                    panel.plot(_percent(along[name]), along["height"], color=colour, lw=1.2, alpha=0.8,
                               label=None if place else label)  # fmt: skip
            panel.set(
                title=when, xlabel="Share of the volume (%)", ylabel="Height over the collector (µm)", xlim=(0, 100)
            )
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(phases))
        return save(figure, path)


def pores(rows: Rows, path: Path) -> Path:
    """Draw the network before and after: radii of pores and throats, coordination along the thickness."""
    with style():
        figure, axes = new_figure(12.0, 4.0, 1, 3)
        for when, colour in STATES.items():
            for panel, name in ((axes[0], "radius"), (axes[1], "throat_radius")):
                _outline(panel, [row[when]["pores"][name] for row in rows.rows], colour, when)
            _along(axes[2], rows, when, colour)
        for panel, label in ((axes[0], "Radius of a pore (µm)"), (axes[1], "Radius of a throat (µm)")):
            panel.axvline(RESOLVED, color=INK, lw=1, ls=":")
            panel.set(xlabel=label, ylabel="Number per electrode")
        axes[2].set(xlabel="Mean coordination of a layer", ylabel="Height over thickness", ylim=(0, 1))
        axes[0].legend()
        return save(figure, path)


def _outline(panel: Axes, values: list[list[float]], colour: str, label: str) -> None:
    together = np.concatenate([np.array(one) for one in values])
    edges = np.arange(0, 5.01, 0.2).tolist()
    panel.hist(together, edges, weights=np.full(len(together), 1 / len(values)), histtype="step", lw=2, color=colour,
               label=label)  # fmt: skip


def _along(panel: Axes, rows: Rows, when: str, colour: str) -> None:
    """Draw the mean coordination of pores above the resolution in ten layers, all seeds together."""
    height, count = [], []
    for row in rows.rows:
        net = row[when]["pores"]
        some = np.array(net["radius"]) > RESOLVED
        height.append(np.array(net["height"])[some] / row[when]["thickness"])
        count.append(np.array(net["coordination"])[some])
    layer = np.minimum((np.concatenate(height) * 10).astype(int), 9)
    sums, many = np.bincount(layer, np.concatenate(count), 10), np.bincount(layer, minlength=10)
    known = many > 0
    panel.plot(sums[known] / many[known], (np.arange(10)[known] + 0.5) / 10, "o-", color=colour, label=when)


def sphericity(rows: Rows, path: Path) -> Path:
    """Draw the distribution of Krumbein's sphericity before and after, as in figure 4."""
    with style():
        figure, (axes,) = new_figure(6.2, 4.2)
        for when, colour in STATES.items():
            together = np.concatenate([np.array(row[when]["krumbein"]) for row in rows.rows])
            shares = np.full(len(together), 100 / max(len(together), 1))
            axes.hist(together, BINS.tolist(), weights=shares, histtype="step", lw=2, color=colour,
                      label=f"{when}, {len(together)} particles")  # fmt: skip
        axes.axvspan(0.7, 0.8, color="#e69f00", alpha=0.15, lw=0, label="the paper's peak")
        axes.set(xlabel="Krumbein's sphericity", ylabel="Share of the particles (%)")
        axes.legend()
        return save(figure, path)
