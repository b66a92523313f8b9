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
    PREDICTED,
    PRESSED,
    PUBLISHED_CORES,
    PUBLISHED_HOURS,
)
from mesoforge.physics.microstructure.pores import RESOLVED

Json = dict[str, Any]
NOT_GIVEN = "not given"
STANDARD = 100.0
"""Pressure of the predicted route at which single figures are shown [MPa]."""
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

    @property
    def levels(self) -> list[float]:
        """Return the levels that are there."""
        return sorted({row["level"] for row in self.rows})

    def by_seed(self) -> Iterator[list[Json]]:
        """Yield the rows of each seed in the order of their levels."""
        for seed in sorted({row["seed"] for row in self.rows}):
            yield sorted((row for row in self.rows if row["seed"] == seed), key=lambda row: float(row["level"]))

    def values(self, of: Callable[[Json], float]) -> NDArray[np.float64]:
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


def number(name: str) -> Callable[[Json], float]:
    """Return how a property is read from a row."""
    return lambda row: float(row["properties"].get(name, math.nan))


def of_state(when: str, name: str) -> Callable[[Json], float]:
    """Return how a number of the dried or calendered state is read from a row."""
    return lambda row: float(row[when]["numbers"].get(name, math.nan))


def large(when: str, what: str) -> Callable[[Json], float]:
    """Return how the mean of pores, or of throats, above the paper's resolution is read from a row."""

    def mean(row: Json) -> float:
        pores = row[when]["pores"]
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


def faces(when: str) -> Callable[[Json], float]:
    """Return how the active material's share in the outer tenths of the thickness, over its mean, is read."""

    def ratio(row: Json) -> float:
        along = np.array(row[when]["profile"]["active_material"])
        layers = max(1, round(0.1 * len(along)))
        return float(np.concatenate([along[:layers], along[-layers:]]).mean() / along.mean())

    return ratio


def reaching(rows: Rows, of: Callable[[Json], float], *, logarithmic: bool = False) -> list[float]:
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
            "fitted: bead size on these densities, solids content inferred from them",
        )


def _imposed(rows: Rows) -> Iterator[Claim]:
    at = rows.at(PRESSED)
    yield Claim(
        "fig. 2",
        "96 %: dried porosity",
        "thickness from it",
        f"{DRIED}",
        spread(at.values(number("dried_porosity"))),
        "imposed",
    )
    added = 1 - (1 - DRIED) / (1 - PRESSED)
    yield Claim(
        "fig. 2a",
        f"96 %: porosity under load at {PRESSED:.1%} compression",
        NOT_GIVEN,
        f"{CALENDERED}",
        spread(at.values(number("porosity_under_load"))),
        f"mass balance of {DRIED} and {PRESSED:.1%}: {added:.3f}; the paper's three numbers contradict it",
    )
    yield Claim(
        "fig. 2a",
        "the same after release",
        NOT_GIVEN,
        f"{CALENDERED} (the paper's state)",
        f"{spread(at.values(number('porosity')))}, "
        f"compression {spread(at.values(number('compression_after_release')))}",
        "predicted: spring-back, with an assumed permanent share",
    )
    balance = 1 - (1 - DRIED) / (1 - CALENDERED)
    yield Claim(
        "fig. 2a",
        f"96 %: compression at which the porosity is {CALENDERED}, under load",
        NOT_GIVEN,
        f"{PRESSED:.1%}",
        f"{balance:.1%}",
        "mass balance alone",
    )
    after = [100 * value for value in reaching(rows, number("porosity"))]
    yield Claim(
        "fig. 2a",
        f"96 %: compression under load that leaves {CALENDERED} after release",
        NOT_GIVEN,
        NOT_GIVEN,
        reached(after, "%", f"{max(rows.levels, default=0):.0%}", 1),
        "predicted",
    )
    yield Claim(
        "fig. 2a",
        f"96 %: pressure at {PRESSED:.1%} compression, MPa",
        NOT_GIVEN,
        NOT_GIVEN,
        spread(at.values(number("calendering_pressure")), 0),
        "predicted",
    )


def _predicted(main: Rows, other: Rows) -> Iterator[Claim]:
    for name, rows, dried in (("96", main, f"{DRIED} (imposed)"), ("94", other, NOT_GIVEN)):
        at = rows.at(STANDARD)
        yield Claim(
            "fig. 2a",
            f"{name} %: dried porosity from a drying pressure",
            NOT_GIVEN,
            dried,
            spread(at.values(number("dried_porosity"))),
            "predicted; the level of the pressure was fitted",
        )
        yield Claim(
            "fig. 2a",
            f"{name} %: porosity under load and after release at {STANDARD:g} MPa",
            NOT_GIVEN,
            NOT_GIVEN,
            f"{spread(at.values(number('porosity_under_load')))}; {spread(at.values(number('porosity')))}",
            "predicted",
        )
        yield Claim(
            "fig. 2a",
            f"{name} %: compression under load and after release at {STANDARD:g} MPa",
            NOT_GIVEN,
            NOT_GIVEN,
            f"{spread(at.values(number('compression_under_load')))}; "
            f"{spread(at.values(number('compression_after_release')))}",
            "predicted",
        )
        limit = f"{max(rows.levels, default=0):g} MPa"
        for words, key in (("under load", "porosity_under_load"), ("after release", "porosity")):
            level = reached(reaching(rows, number(key), logarithmic=True), "MPa", limit, 0)
            yield Claim(
                "fig. 2a",
                f"{name} %: pressure at which the porosity {words} is {CALENDERED}",
                NOT_GIVEN,
                NOT_GIVEN,
                level,
                "predicted",
            )


def _structure(rows: Rows, how: str) -> Iterator[Claim]:
    def pair(of: Callable[[str], Callable[[Json], float]], digits: int = 3) -> str:
        return " → ".join(spread(rows.values(of(when)), digits) for when in ("dried", "calendered"))

    def ratio(what: str) -> str:
        return spread(rows.values(large("calendered", what)) / rows.values(large("dried", what)), 2)

    state = f"96 %, {how}, dried → calendered"
    yield Claim(
        "fig. 2b",
        f"tortuosity factor along the thickness ({state})",
        NOT_GIVEN,
        NOT_GIVEN,
        pair(lambda when: of_state(when, "tortuosity_factor_z"), 2),
        "measured on the structure; falls with the voxel's edge",
    )
    yield Claim(
        "fig. 2d, g",
        f"active material near both faces over its mean ({state})",
        "below 1",
        "below 1; nearer to 1 after",
        pair(faces, 2),
        "measured",
    )
    yield Claim(
        "fig. 2d, g",
        f"unevenness of the active material's profile, sd over mean ({state})",
        NOT_GIVEN,
        "less after",
        pair(lambda when: of_state(when, "heterogeneity_active_material")),
        "measured",
    )
    yield Claim(
        "fig. 3",
        f"mean radius of pores above {RESOLVED:g} um, um ({state})",
        "3.76 → 2.16",
        "2.99 → 2.28",
        f"{pair(lambda when: large(when, 'radius'), 2)}; ratio {ratio('radius')}",
        "measured (SNOW, sphere of equal volume); the paper's ratio is 0.76, by another program on voxels not given",
    )
    yield Claim(
        "fig. 3",
        f"mean inscribed radius of the same pores, um ({state})",
        NOT_GIVEN,
        NOT_GIVEN,
        f"{pair(lambda when: large(when, 'inscribed'), 2)}; ratio {ratio('inscribed')}",
        "measured",
    )
    yield Claim(
        "fig. 3",
        f"mean radius of throats above {RESOLVED:g} um, um ({state})",
        NOT_GIVEN,
        "narrower after",
        f"{pair(lambda when: large(when, 'throat_radius'), 2)}; ratio {ratio('throat_radius')}",
        "measured",
    )
    yield Claim(
        "fig. 3",
        f"mean coordination of pores above {RESOLVED:g} um ({state})",
        NOT_GIVEN,
        "lower after",
        pair(lambda when: large(when, "coordination"), 1),
        "measured",
    )
    yield Claim(
        "fig. 4",
        f"peak of Krumbein's sphericity ({state})",
        NOT_GIVEN,
        "0.7 to 0.8 before and after",
        f"{peak(rows, 'dried')} → {peak(rows, 'calendered')}",
        "given by the shapes; rigid particles keep theirs",
    )
    yield Claim(
        "text",
        f"order of the long axes to the thickness ({state})",
        NOT_GIVEN,
        "no pattern",
        pair(lambda when: of_state(when, "orientation_order")),
        "measured; 0 is none, -0.5 flat",
    )
    yield Claim(
        "text",
        f"roughness Sa of the free surface, um ({state})",
        NOT_GIVEN,
        "flatter after",
        pair(lambda when: of_state(when, "surface_sa"), 2),
        "measured",
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
