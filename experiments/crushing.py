"""The test rig's results: a table by direction, curves and the picture of a crushed ball."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mesoforge.errors import InputError
from mesoforge.experiments.canvas import INK, new_figure, save, style
from mesoforge.experiments.home import Home
from mesoforge.physics.beads import Beads
from mesoforge.physics.bonding import left
from mesoforge.physics.bonds import bonds_of, pieces
from mesoforge.physics.crush import BEADS, UPRIGHT, Course, Trial, course, crush
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.lammps.files import DUMP, read_positions
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import Store, Stored, digest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

LEAST, MOST = 5.0, 40.0
"""Widths in pitches that can be tested: thinner ones are all surface, thicker ones take long."""
COLOURS = {"100": "#c0392b", "110": "#2c6fbb", "111": "#e69f00"}
READ = (
    ("modulus", "press", "modulus"),
    ("first_break", "pull", "onset"),
    ("tensile_strength", "pull", "strength"),
    ("bar_first_break", "press", "onset"),
    ("bar_crushing_strength", "press", "strength"),
    ("ball_first_break", "ball", "onset"),
    ("crushing_strength", "ball", "strength"),
)
"""Columns of the table: name, test and what is read of it."""
Found = Mapping[Trial, Stored]


def crushing(
    recipe: Recipe, width: float, repeats: int, home: Home, on_trial: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Press, pull and crush specimens of a width [um] and gather what they say.

    Returns:
        Material, directions with means and standard deviations (GPa, MPa), how far directions differ, and files; or
        kind, stage and reason of a failure.

    Raises:
        InputError: the width cannot be tested.
    """
    pitch = recipe.particles.primary_diameter
    if not LEAST * pitch <= width <= MOST * pitch:
        raise InputError(
            f"--diameter is {width:g} um but must be {LEAST * pitch:.3g} to {MOST * pitch:.3g} um with beads of "
            f"{pitch:g} um: change it, or particles.primary_diameter."
        )
    try:
        found = crush(recipe, width, repeats, Store(home.store), on_trial)
    except PhysicsError as error:
        return {"kind": error.kind, "stage": "crush", "reason": error.reason}
    rows = [row(found, direction) for direction in UPRIGHT]
    folder = home.root / "crush" / digest({"trials": sorted(str(one.folder.name) for one in found.values())})[:24]
    return {
        "material": {
            "name": recipe.materials.active.name,
            "young_modulus": recipe.materials.active.young_modulus,
            "particle_strength": recipe.force_field.particle_strength,
        },
        "diameter": width,
        "repeats": repeats,
        "directions": rows,
        "largest_over_least": {name: spread([one[name] for one in rows]) for name, _, _ in READ},
        "curves": str(write_curves(found, pitch, folder / "crush.csv")),
        "picture": str(draw(found, pitch, folder / "crush.png")),
    }


def row(found: Found, direction: str) -> dict[str, Any]:
    """Return mean and standard deviation of all that is read along one direction."""
    told: dict[str, Any] = {"direction": direction}
    for name, test, read in READ:
        values = [
            one.result[read] for trial, one in found.items() if (trial.test, trial.direction) == (test, direction)
        ]
        told[name] = float(np.mean(values))
        told[f"{name}_sd"] = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return told


def spread(values: list[float]) -> float:
    """Return the largest value over the least."""
    return max(values) / min(values)


def _course(trial: Trial, folder: Path, pitch: float) -> tuple[Course, Beads]:
    beads = Beads.load(folder / BEADS)
    return course(trial, beads, len(bonds_of(beads, pitch)), pitch, folder), beads


def write_curves(found: Found, pitch: float, path: Path) -> Path:
    """Write all readings of all tests as CSV: test, direction, seed, strain, stress [MPa], share of bonds broken."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with part.open("w", encoding="utf-8") as file:
        file.write("test,direction,seed,strain,stress_MPa,broken\n")
        for trial, one in found.items():
            read, _ = _course(trial, one.folder, pitch)
            for values in zip(read.strain, read.stress, read.broken, strict=True):
                shown = ",".join(f"{value:.7g}" for value in values)
                file.write(f"{trial.test},{trial.direction},{trial.seed},{shown}\n")
    return part.replace(path)


def draw(found: Found, pitch: float, path: Path) -> Path:
    """Draw stress against strain of bars and balls, and a slice through each crushed ball, its pieces in colours."""
    with style():
        figure, axes = new_figure(11, 7, rows=2, columns=3)
        for panel, test in zip(axes[:3], ("press", "pull", "ball"), strict=True):
            _curves(panel, {trial: one for trial, one in found.items() if trial.test == test}, pitch)
        for panel, direction in zip(axes[3:], UPRIGHT, strict=True):
            trial = next(one for one in found if (one.test, one.direction, one.seed) == ("ball", direction, 0))
            shades = _slice(panel, trial, found[trial].folder, pitch)
        figure.colorbar(shades, ax=axes[3:], label="Broken bonds of a bead (%)", fraction=0.03, pad=0.01, aspect=22)
        return save(figure, path)


TITLES = {"press": "Bar pressed", "pull": "Bar pulled", "ball": "Ball crushed, 2.8 F / (π d²)"}


def _curves(panel: Axes, found: Found, pitch: float) -> None:
    for trial, one in found.items():
        read, _ = _course(trial, one.folder, pitch)
        label = f"⟨{trial.direction}⟩" if trial.seed == 0 else None
        peak = int(read.stress.argmax())
        gone = np.flatnonzero(read.stress[peak:] < read.stress[peak] / 2)  # then the halves of a bar ring
        end = peak + int(gone[0]) if len(gone) else len(read.stress)
        panel.plot(100 * read.strain[:end], read.stress[:end], color=COLOURS[trial.direction], lw=1, label=label)
    panel.set(xlabel="Strain (%)", ylabel="Stress (MPa)", title=TITLES[next(iter(found)).test])
    panel.set_ylim(0, None)
    panel.legend()


def _slice(panel: Axes, trial: Trial, folder: Path, pitch: float) -> ScalarMappable:
    """Draw the beads near the upright plane through the middle, the darker the more of their bonds are broken."""
    beads = Beads.load(folder / BEADS)
    place = read_positions(folder / DUMP, len(beads))
    bonds = bonds_of(beads, pitch)
    kept = left(bonds, folder)
    lost = 100 * (1 - kept.touched(len(beads)) / np.maximum(bonds.touched(len(beads)), 1))
    near = np.abs(beads.position[:, 1] - beads.box[1] / 2) < 0.6 * pitch
    drawn = panel.scatter(
        place[near, 0], place[near, 2], s=110, c=lost[near], cmap="Reds", vmin=0, vmax=100, edgecolors=INK, lw=0.4
    )
    whole = int(pieces(kept, len(beads)).max()) + 1
    panel.set(aspect="equal", title=f"Ball along ⟨{trial.direction}⟩, slice: {whole} piece{'s' * (whole > 1)}")
    panel.set(xlabel="Width (µm)", ylabel="Height (µm)")
    return drawn
