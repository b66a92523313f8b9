"""A generator of particles fitted to a library: sizes, axis ratios and roughness with their correlations, outlines.

Each particle has four figures: equivalent diameter, b/a and c/b of its ellipsoid of inertia, and the rms of its
outline's harmonics. Their distributions are kept as quantiles, their rank correlations as those of a Gaussian copula;
the harmonics are Gaussian, with the mean spectrum of the library. The statistics of a calendered NMC electrode are
shipped (``nmc_calendered.yaml``), so that nobody needs a tomogram.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from mesoforge.physics.recipe import Particles
from mesoforge.physics.record import Record, read_yaml
from mesoforge.physics.shapes.figures import Mask, Reals, figures, solidity
from mesoforge.physics.shapes.library import Contacts, Library, Origin, write_library
from mesoforge.physics.shapes.outline import FIRST, LAST, Outline, degrees, measured
from mesoforge.physics.shapes.shape import Shape, random_rotation

SHIPPED = Path(__file__).with_name("nmc_calendered.yaml")
NAMES = ("diameter", "ratio_b", "ratio_c", "roughness")
SHARES = np.linspace(0.005, 0.995, 34)
"""Shares at which the distributions are kept; beyond the ends nothing is drawn."""
ROUNDS, SAMPLE = 3, 400
"""Rounds of correction, and particles generated in each by default."""
FEWEST = 50
"""Voxels of a particle below which its outline is not measured."""


class Statistics(Record):
    """What a library's particles are like, in a few numbers."""

    source: str
    """Where they come from."""
    particles: int
    """How many were measured."""
    voxel_um: float
    """Edge of the voxels that they were measured on [um]: what is finer is not in the statistics."""
    quantiles: dict[str, list[float]]
    """Of equivalent diameter [um], b/a, c/b and roughness, at even shares from 0.005 to 0.995."""
    correlation: list[list[float]]
    """Correlations of the four after each was made normal."""
    spectrum: list[float]
    """Share of the mean square of ln r that harmonics of each degree have, from 3 to 16."""

    def save(self, path: Path) -> None:
        """Write the statistics as YAML."""
        import yaml

        path.write_text(yaml.safe_dump(self.model_dump(), sort_keys=False, default_flow_style=None), encoding="utf-8")


@lru_cache(maxsize=4)
def load_statistics(path: Path = SHIPPED) -> Statistics:
    """Read statistics from YAML."""
    return Statistics.from_mapping(read_yaml(path), str(path))


def fit(library: Library, seed: int = 1, sample: int = SAMPLE) -> Statistics:
    """Measure the statistics of a library's particles.

    Voxels blur the finest harmonics and shift axis ratios a little; and real particles have sharper ridges than
    Gaussian harmonics of the same rms. Spectrum, axis ratios and roughness are therefore corrected, in a few rounds, by
    what particles generated on the same voxels give: spectrum and mean axis ratios as measured, and roughness such that
    the mean of 1 - solidity is the library's.
    """
    wanted = _measured(library.masks(), library.voxel_um)
    normal = np.array([_normal_scores(wanted.columns[name]) for name in NAMES])
    columns, spectrum = dict(wanted.columns), wanted.spectrum
    for turn in range(ROUNDS + 1):
        found = Statistics(
            source=library.origin.source,
            particles=len(library),
            voxel_um=library.voxel_um,
            quantiles={name: _rounded(np.quantile(columns[name], SHARES)) for name in NAMES},
            correlation=[_rounded(row) for row in np.corrcoef(normal)],
            spectrum=_rounded(spectrum / spectrum.sum()),
        )
        if turn == ROUNDS:
            break
        masks = Generator(found).masks(sample, library.voxel_um, np.random.default_rng(seed))
        came = _measured((mask for mask in masks if mask.sum() >= FEWEST), library.voxel_um)
        columns, spectrum = _corrected(columns, spectrum, wanted, came)
    return found


@dataclass(frozen=True, slots=True)
class _Measured:
    """The four figures of particles, (n,) each, the mean square that each degree has, (l,), and mean 1 - solidity."""

    columns: dict[str, Reals]
    spectrum: Reals
    hollow: float


def _measured(masks: Iterable[Mask], voxel_um: float) -> _Measured:
    rows = [(int(mask.sum()), *measured(mask), solidity(mask)) for mask in masks]
    volumes, axes, coefficients, solid = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    columns = {
        "diameter": np.cbrt(6 / np.pi * volumes) * voxel_um,
        "ratio_b": axes[:, 1] / axes[:, 0],
        "ratio_c": axes[:, 2] / axes[:, 1],
        "roughness": np.sqrt((coefficients**2).sum(axis=1) / (4 * np.pi)),
    }
    degree = degrees()
    spectrum = [(coefficients[:, degree == one] ** 2).sum(axis=1).mean() for one in range(FIRST, LAST + 1)]
    return _Measured(columns, np.array(spectrum), float(1 - solid.mean()))


def _corrected(
    columns: dict[str, Reals], spectrum: Reals, wanted: _Measured, came: _Measured
) -> tuple[dict[str, Reals], Reals]:
    """Scale roughness and spectrum, and shift the axis ratios, by what lacked in the particles that came."""
    corrected = dict(columns)
    corrected["roughness"] = columns["roughness"] * np.sqrt(wanted.hollow / came.hollow)  # hollows grow as its square
    for name in ("ratio_b", "ratio_c"):
        shift = float(np.mean(wanted.columns[name]) - np.mean(came.columns[name]))
        corrected[name] = np.minimum(columns[name] + shift, 1.0)
    shares = (one.spectrum / one.spectrum.sum() for one in (wanted, came))
    return corrected, spectrum * next(shares) / next(shares)


def _normal_scores(values: Reals) -> Reals:
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    scores: Reals = ndtri((ranks + 0.5) / len(values))
    return scores


def _rounded(values: Any) -> list[float]:  # noqa: ANN401 - an array of any float
    return [float(f"{value:.5g}") for value in values]


@dataclass(frozen=True, slots=True)
class Generator:
    """Draws particles with the statistics of a library."""

    statistics: Statistics

    def outline(self, rng: np.random.Generator, diameter: float | None = None) -> Outline:
        """Draw a particle, of a diameter [um] that is given or drawn too; its shape goes with its size."""
        found = self._figures(rng, diameter)
        size = found["diameter"] if diameter is None else diameter
        return Outline.of(size, (found["ratio_b"], found["ratio_c"]), self._coefficients(found["roughness"], rng))

    def _figures(self, rng: np.random.Generator, diameter: float | None) -> dict[str, float]:
        """Draw the four figures, given the first one where it is."""
        lower = np.linalg.cholesky(np.array(self.statistics.correlation))
        free = rng.standard_normal(4)
        if diameter is not None:
            free[0] = ndtri(np.interp(diameter, self.statistics.quantiles["diameter"], SHARES))
        shares = ndtr(lower @ free)
        return {
            name: float(np.interp(share, SHARES, self.statistics.quantiles[name]))
            for name, share in zip(NAMES, shares, strict=True)
        }

    def _coefficients(self, roughness: float, rng: np.random.Generator) -> Reals:
        degree = degrees()
        deviation = np.sqrt(np.array(self.statistics.spectrum)[degree - FIRST] / (2 * degree + 1))
        drawn = rng.standard_normal(len(degree)) * deviation
        scaled: Reals = drawn * roughness * np.sqrt(4 * np.pi) / np.linalg.norm(drawn)
        return scaled

    def masks(self, count: int, voxel_um: float, rng: np.random.Generator) -> list[Mask]:
        """Draw so many particles as voxels, at random rotations."""
        return [self.outline(rng).mask(voxel_um, random_rotation(rng), rng.random(3) - 0.5) for _ in range(count)]


def generate(statistics: Statistics, count: int, voxel_um: float, seed: int, path: Path) -> Library:
    """Write a library of generated particles."""
    masks = Generator(statistics).masks(count, voxel_um, np.random.default_rng(seed))
    masks = [mask for mask in masks if mask.sum() >= FEWEST]
    origin = Origin(f"generated, like {statistics.source}", "", {"seed": seed, "count": count})
    rows = ((mask, figures(mask, voxel_um)) for mask in masks)
    return write_library(path, rows, voxel_um, Contacts(np.empty((0, 2), np.int64), np.empty(0)), origin)


@dataclass(frozen=True, slots=True)
class FittedShapes:
    """Particles of primary beads with the statistics that are shipped."""

    particles: Particles

    def shape(self, beads: int, rng: np.random.Generator) -> Shape:
        """Return a particle of exactly ``beads`` beads about its centroid: the lattice points deepest inside."""
        pitch = self.particles.primary_diameter
        diameter = float(np.cbrt(6 / np.pi * beads)) * pitch
        outline = Generator(load_statistics()).outline(rng, diameter)
        reach = int(np.ceil(outline.radii.max() / pitch)) + 1
        steps = np.arange(-reach, reach + 1)
        lattice = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
        points = (lattice + rng.random(3) - 0.5) * pitch
        chosen = points[np.argsort(outline.level(points), kind="stable")[:beads]]
        return Shape(chosen - chosen.mean(axis=0), pitch)
