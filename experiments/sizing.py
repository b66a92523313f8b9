"""Volumes of several sizes in a study: cheap small ones are learned from, the last one decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mesoforge.errors import InputError
from mesoforge.optimize.fidelity import Fidelity
from mesoforge.optimize.space import Space
from mesoforge.physics.balance import balance
from mesoforge.physics.recipe import Recipe

SIDE: Final = "volume.side"
"""The input of a recipe that may have several values."""


def fidelity_of(said: Mapping[str, object], base: Recipe, kind: str) -> Fidelity | None:
    """Return what a study says under ``fidelity``, with costs by the number of beads; none where it says nothing.

    Raises:
        InputError: one sentence on what is wrong.
    """
    if not said:
        return None
    if kind != "optimize":
        raise InputError(f"'fidelity' is of studies that are optimized: vary {SIDE} to sample several sizes.")
    if unknown := set(said) - {SIDE}:
        raise InputError(f"fidelity has '{sorted(unknown)[0]}' but volumes may differ in {SIDE} alone: use that.")
    if base.volume.start_box is not None:
        raise InputError("fidelity and volume.start_box are given but each size starts in a box of its own: drop one.")
    values = _numbers(said[SIDE])
    _check_base(base, values)
    return Fidelity(SIDE, values, tuple(float(_beads(base, value)) for value in values))


def sized(base: Recipe, fidelity: Fidelity | None) -> Recipe:
    """Return the base recipe in the size that decides."""
    return base if fidelity is None else base.with_values({SIDE: fidelity.target})


def check_not_varied(fidelity: Fidelity, space: Space) -> None:
    """Refuse a size that is varied too.

    Raises:
        InputError: it is.
    """
    if fidelity.name in (*space.names, *(name for name, _ in space.derived)):
        raise InputError(f"'{fidelity.name}' is varied and in fidelity too: keep it in one of them.")


def size_words(fidelity: Fidelity) -> str:
    """Say in which sizes electrodes are made."""
    cheaper = " and ".join(f"{value:g}" for value in fidelity.cheaper)
    return f"{fidelity.name} {fidelity.target:g} um decides; volumes of {cheaper} um are learned from"


def _numbers(values: object) -> tuple[float, ...]:
    return tuple(map(_number, values if isinstance(values, list | tuple) else [values]))


def _number(one: object) -> float:
    if isinstance(one, bool) or not isinstance(one, int | float):
        raise InputError(f"fidelity has {SIDE} {one!r} but numbers were due: write them like [12, 18].")
    return float(one)


def _check_base(base: Recipe, values: tuple[float, ...]) -> None:
    """Refuse a recipe that names another size than the one that decides."""
    side = base.volume.side
    if values and side not in (values[-1], Recipe().volume.side):
        raise InputError(
            f"the recipe's {SIDE} is {side:g} but fidelity decides at {values[-1]:g}: make them the same, or leave the "
            "recipe's out."
        )


def _beads(base: Recipe, side: float) -> int:
    try:
        amounts = balance(base.with_values({SIDE: side}))
    except InputError as error:
        raise InputError(f"fidelity has {SIDE} {side:g}, which no recipe allows: {error}") from None
    return amounts.active_beads + amounts.cbd_beads
