"""The paper's numbers, one by one, beside ours: what was measured, simulated, imposed, fitted or predicted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesoforge.experiments.paper import (
    CALENDERED,
    COMPRESSIONS,
    DRIED,
    IMPOSED,
    IMPOSED_BONDED,
    PREDICTED,
    PREDICTED_BONDED,
    PRESSED,
    PUBLISHED_CORES,
    PUBLISHED_HOURS,
)
from mesoforge.physics.microstructure.pores import RESOLVED
from mesoforge.physics.microstructure.separation import EXTENT

Json = dict[str, Any]
Reader = Callable[[Json], float]
NOT_GIVEN = "not given"
STANDARD = 100.0
"""Pressure of the predicted route at which single figures are shown [MPa]."""
BOTH = {
    "porosity": ("porosity_under_load", "porosity"),
    "compression": ("compression_under_load", "compression_after_release"),
}
"""Properties under load and after release."""
BINS = np.arange(0.3, 1.0001, 0.05)
"""Edges of the classes in which sphericities are counted, as in figure 4."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One row of the page: where it stands in the paper, its numbers and ours, and what ours rests on."""

    place: str
    what: str
    experiment: str
    paper: str
    ours: str
    basis: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Electrodes of one formulation and route that did not fail, by seed and level."""

    rows: tuple[Json, ...]

    def at(self, level: float) -> Rows:
        """Return those of one level."""
        return Rows(tuple(row for row in self.rows if row["level"] == level))

    def seeds(self, other: Rows) -> Rows:
        """Return those whose seed the others have, too."""
        known = {row["seed"] for row in other.rows}
        return Rows(tuple(row for row in self.rows if row["seed"] in known))

    @property
    def levels(self) -> list[float]:
        """Return the levels that are there."""
        return sorted({row["level"] for row in self.rows})

    def by_seed(self) -> Iterator[list[Json]]:
        """Yield the rows of each seed in the order of their levels."""
        for seed in sorted({row["seed"] for row in self.rows}):
            yield sorted((row for row in self.rows if row["seed"] == seed), key=lambda row: float(row["level"]))

    def values(self, of: Reader) -> NDArray[np.float64]:
        """Return a number of each row, (n,)."""
        return np.array([of(row) for row in self.rows], dtype=np.float64)


def chosen(found: Sequence[Json], formulation: str, route: str) -> Rows:
    """Return the electrodes of a formulation and a route that were made."""
    return Rows(
        tuple(
            row for row in found if "properties" in row and (row["formulation"], row["route"]) == (formulation, route)
        )
    )


def spread(values: Iterable[float], digits: int = 3) -> str:
    """Return mean and standard deviation over seeds; a dash without any."""
    known = np.array([value for value in values if math.isfinite(value)])
    if not len(known):
        return "-"
    mean = f"{known.mean():.{digits}f}"
    return f"{mean} ± {known.std(ddof=1):.{digits}f}" if len(known) > 1 else mean


def number(name: str) -> Reader:
    """Return how a property is read from a row."""
    return lambda row: float(row["properties"].get(name, math.nan))


def of_state(when: str, name: str) -> Reader:
    """Return how a number of the dried or calendered state is read from a row."""
    return lambda row: float(row[when]["numbers"].get(name, math.nan))


def large(when: str, what: str, network: str = "pores") -> Reader:
    """Return how the mean of pores, or throats, above the paper's resolution is read from one of a row's networks."""

    def mean(row: Json) -> float:
        pores = row[when][network]
        size = np.array(pores["throat_radius" if what == "throat_radius" else "radius"])
        some = np.array(pores[what], dtype=float)[size > RESOLVED]
        return float(some.mean()) if len(some) else math.nan

    return mean


def peak(rows: Rows, when: str) -> str:
    """Return the class of Krumbein sphericity with most particles, all seeds together."""
    values = np.concatenate([row[when]["krumbein"] for row in rows.rows] or [np.zeros(0)])
    if not len(values):
        return "-"
    most = int(np.argmax(np.histogram(values, BINS)[0]))
    return f"{BINS[most]:.2f} to {BINS[most + 1]:.2f} (mean {values.mean():.3f})"


def faces(when: str) -> Reader:
    """Return how the active material's share in the outer tenths of the thickness, over its mean, is read."""

    def ratio(row: Json) -> float:
        along = np.array(row[when]["profile"]["active_material"])
        layers = max(1, round(0.1 * len(along)))
        return float(np.concatenate([along[:layers], along[-layers:]]).mean() / along.mean())

    return ratio


def reaching(rows: Rows, of: Reader, *, logarithmic: bool = False) -> list[float]:
    """Return per seed the level at which a falling number reaches the paper's porosity; nan where it does not."""
    found = []
    for some in rows.by_seed():
        levels = np.array([row["level"] for row in some])
        way = np.log(levels) if logarithmic else levels
        values = np.array([of(row) for row in some])
        inside = len(values) > 1 and values.min() <= CALENDERED <= values.max()
        place = float(np.interp(-CALENDERED, -np.maximum.accumulate(values[::-1])[::-1], way)) if inside else math.nan
        found.append(math.exp(place) if logarithmic else place)
    return found


def reached(values: Sequence[float], unit: str, limit: str, digits: int) -> str:
    """Return a level with its spread, and how many seeds did not come to it."""
    short = sum(not math.isfinite(value) for value in values)
    if short == len(values):
        return f"not within {limit}"
    some = f" ({short} of {len(values)} seeds not within {limit})" if short else ""
    return f"{spread(values, digits)} {unit}{some}".replace(" %", " %")


def claims(found: Sequence[Json]) -> list[Claim]:
    """Return the page's table from what was found."""
    imposed, predicted = chosen(found, "96", IMPOSED), chosen(found, "96", PREDICTED)
    other = chosen(found, "94", PREDICTED)
    return [
        *_counts(predicted, other),
        *_slurries(predicted, other),
        *_imposed(imposed),
        *_predicted(predicted, other),
        *_structure(imposed.at(PRESSED), f"imposed, {PRESSED:.1%}"),
        *_structure(imposed.at(COMPRESSIONS[-1]), f"imposed, {COMPRESSIONS[-1]:.0%}"),
        *_structure(predicted.at(STANDARD), f"predicted, {STANDARD:g} MPa"),
        *_bonded(found),
    ]


def _counts(main: Rows, other: Rows) -> Iterator[Claim]:
    for name, rows, particles, beads in (("96", main, 166, (10330, 3877)), ("94", other, 165, (9494, 5458))):
        ours = rows.rows[0]["beads"] if rows.rows else ["-", "-"]
        yield Claim(
            "text",
            f"{name} %: beads of active material, CBD",
            NOT_GIVEN,
            "{} + {}".format(*beads),
            f"{ours[0]} + {ours[1]}",
            "given: loading and CBD density were chosen for it",
        )
        count = spread(rows.values(lambda row: float(row["particles"])), 0)
        yield Claim("text", f"{name} %: secondary particles", NOT_GIVEN, str(particles), count, "drawn by size")


def _slurries(main: Rows, other: Rows) -> Iterator[Claim]:
    for name, rows, measured, simulated in (("94", other, 2.03, 2.04), ("96", main, 2.14, 2.18)):
        one = rows.at(STANDARD)
        added = spread(one.values(number("slurry_density_additive")))
        yield Claim(
            "table 1",
            f"{name} %: slurry density, g/cm3",
            f"{measured}",
            f"{simulated}",
            f"{spread(one.values(number('slurry_density')))} (volumes just added: {added.split()[0]})",
            "fitted: the bead's size and both solids contents, on these densities",
        )


def _compacted(what: str, ours: str, basis: str = "predicted", paper: str = NOT_GIVEN) -> Claim:
    """Return a row on figure 2a, for which the paper prints no measured number."""
    return Claim("fig. 2a", what, NOT_GIVEN, paper, ours, basis)


def _imposed(rows: Rows) -> Iterator[Claim]:
    def found(name: str, digits: int = 3) -> str:
        return spread(rows.at(PRESSED).values(number(name)), digits)

    yield Claim("fig. 2", "96 %: dried porosity", "thickness from it", f"{DRIED}", found("dried_porosity"), "imposed")
    added, needed = 1 - (1 - DRIED) / (1 - PRESSED), 1 - (1 - DRIED) / (1 - CALENDERED)
    said = f"mass balance of {DRIED} and {PRESSED:.1%}: {added:.3f}; the paper's three numbers contradict it"
    loaded, left = found("porosity_under_load"), found("porosity")
    yield _compacted(f"96 %: porosity under load at {PRESSED:.1%} compression", loaded, said, f"{CALENDERED}")
    left += f", compression {found('compression_after_release')}"
    said = "predicted: spring-back, with an assumed permanent share"
    yield _compacted("the same after release", left, said, f"{CALENDERED} (the paper's state)")
    what = f"96 %: compression at which the porosity is {CALENDERED}, under load"
    yield _compacted(what, f"{needed:.1%}", "mass balance alone", f"{PRESSED:.1%}")
    after = [100 * value for value in reaching(rows, number("porosity"))]
    level = reached(after, "%", f"{max(rows.levels, default=0):.0%}", 1)
    yield _compacted(f"96 %: compression under load that leaves {CALENDERED} after release", level)
    yield _compacted(f"96 %: pressure at {PRESSED:.1%} compression, MPa", found("calendering_pressure", 0))


def _predicted(main: Rows, other: Rows) -> Iterator[Claim]:
    for name, rows, dried in (("96", main, f"{DRIED} (imposed)"), ("94", other, NOT_GIVEN)):
        at, fitted = rows.at(STANDARD), "predicted; the level of the pressure was fitted"
        own = spread(at.values(number("dried_porosity")))
        yield _compacted(f"{name} %: dried porosity from a drying pressure", own, fitted, dried)
        for words, keys in BOTH.items():
            pair = "; ".join(spread(at.values(number(key))) for key in keys)
            yield _compacted(f"{name} %: {words} under load and after release at {STANDARD:g} MPa", pair)
        limit = f"{max(rows.levels, default=0):g} MPa"
        for words, key in zip(("under load", "after release"), BOTH["porosity"], strict=True):
            level = reached(reaching(rows, number(key), logarithmic=True), "MPa", limit, 0)
            yield _compacted(f"{name} %: pressure at which the porosity {words} is {CALENDERED}", level)


CRACKED: tuple[tuple[str, str, int], ...] = (
    ("pressure, MPa", "calendering_pressure", 0),
    ("porosity under load", "porosity_under_load", 3),
    ("porosity after release", "porosity", 3),
    ("compression after release", "compression_after_release", 3),
    ("broken bonds under load", "broken_bonds_under_load", 4),
    ("particles in two pieces or more, by volume", "cracked_volume", 4),
    ("pressure at the onset of cracking, MPa", "cracking_onset_pressure", 0),
    ("height of the broken bonds over the thickness", "crack_height", 2),
    ("change of a particle's Krumbein sphericity", "krumbein_sphericity_change", 4),
)
"""What is told of bonded particles: words, property, digits."""


def _bonded(found: Sequence[Json]) -> Iterator[Claim]:
    """Yield what particles that crack change, beside rigid ones of the same coatings; nothing without any."""
    for formulation, soft, hard, level, how in (
        ("96", IMPOSED_BONDED, IMPOSED, PRESSED, f"{PRESSED:.1%}"),
        ("96", PREDICTED_BONDED, PREDICTED, STANDARD, f"{STANDARD:g} MPa"),
        ("94", PREDICTED_BONDED, PREDICTED, STANDARD, f"{STANDARD:g} MPa"),
    ):
        bonded = chosen(found, formulation, soft).at(level)
        rigid = chosen(found, formulation, hard).at(level).seeds(bonded)
        if bonded.rows:
            yield from _beside(bonded, rigid, f"{formulation} %, bonded, {how}")
            yield from _structure(bonded, f"bonded, {how}", formulation)


def _beside(bonded: Rows, rigid: Rows, state: str) -> Iterator[Claim]:
    for words, name, digits in CRACKED:
        ours, other = (spread(rows.values(number(name)), digits) for rows in (bonded, rigid))
        said = ours if other == "-" else f"{ours} (rigid, same seeds: {other})"
        yield Claim("beyond it", f"{words} ({state})", NOT_GIVEN, "left for the future", said, "strength assumed")


@dataclass(frozen=True, slots=True)
class Structure:
    """A number of the dried and of the calendered state: how it is read, and what the paper says of it."""

    place: str
    what: str
    of: Callable[[str], Reader]
    digits: int
    experiment: str = NOT_GIVEN
    paper: str = NOT_GIVEN
    basis: str = "measured"
    ratio: bool = False


def _state(name: str) -> Callable[[str], Reader]:
    return lambda when: of_state(when, name)


def _large(what: str, network: str = "pores") -> Callable[[str], Reader]:
    return lambda when: large(when, what, network)


WATERSHED = (
    f"measured (watershed, peaks of {EXTENT:g} um: fitted to the paper's radius when dried); the paper's ratio is 0.76"
)
SNOW = "measured (SNOW, which joins peaks in another way): what counts as one pore decides the ratio"
STRUCTURE = (
    Structure("fig. 2b", "tortuosity factor along the thickness", _state("tortuosity_factor_z"), 2,
              basis="measured on the structure; falls with the voxel's edge"),
    Structure("fig. 2d, g", "active material near both faces over its mean", faces, 2, "below 1",
              "below 1; nearer to 1 after"),
    Structure("fig. 2d, g", "unevenness of the active material's profile, sd over mean",
              _state("heterogeneity_active_material"), 3, paper="less after"),
    Structure("fig. 3", f"mean radius of pores above {RESOLVED:g} um, um", _large("radius"), 2, "3.76 → 2.16",
              "2.99 → 2.28", WATERSHED, ratio=True),
    Structure("fig. 3", "mean inscribed radius of the same pores, um", _large("inscribed"), 2, ratio=True),
    Structure("fig. 3", f"the radius of pores above {RESOLVED:g} um by SNOW, um", _large("radius", "snow"), 2,
              basis=SNOW, ratio=True),
    Structure("fig. 3", f"mean radius of throats above {RESOLVED:g} um, um", _large("throat_radius"), 2,
              paper="narrower after", ratio=True),
    Structure("fig. 3", f"mean coordination of pores above {RESOLVED:g} um", _large("coordination"), 1,
              paper="lower after"),
    Structure("text", "order of the long axes to the thickness", _state("orientation_order"), 3, paper="no pattern",
              basis="measured; 0 is none, -0.5 flat"),
    Structure("text", "roughness Sa of the free surface, um", _state("surface_sa"), 2, paper="flatter after"),
)  # fmt: skip


def _structure(rows: Rows, how: str, formulation: str = "96") -> Iterator[Claim]:
    state = f"{formulation} %, {how}, dried → calendered"
    for one in STRUCTURE:
        before, after = (rows.values(one.of(when)) for when in ("dried", "calendered"))
        ours = f"{spread(before, one.digits)} → {spread(after, one.digits)}"
        ours += f"; ratio {spread(after / before, 2)}" if one.ratio else ""
        yield Claim(one.place, f"{one.what} ({state})", one.experiment, one.paper, ours, one.basis)
    yield Claim(
        "fig. 4",
        f"peak of Krumbein's sphericity ({state})",
        NOT_GIVEN,
        "0.7 to 0.8 before and after",
        f"{peak(rows, 'dried')} → {peak(rows, 'calendered')}",
        "given by the shapes; " + ("bonded particles change it" if "bonded" in how else "rigid particles keep theirs"),
    )


def cost(found: Sequence[Json]) -> dict[str, float]:
    """Return core-hours of all simulations, and the paper's least and most for as many."""
    stages = {
        (stage, one["stage"]): one["core_seconds"]
        for row in found
        if "seconds" in row
        for stage, one in row["seconds"].items()
    }
    hours = [PUBLISHED_HOURS[stage] for stage, _ in stages]
    return {
        "core_hours": sum(stages.values()) / 3600,
        "published_least": PUBLISHED_CORES * float(sum(low for low, _ in hours)),
        "published_most": PUBLISHED_CORES * float(sum(high for _, high in hours)),
        "simulations": float(len(stages)),
    }
