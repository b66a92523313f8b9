"""All that is measured on an image of an electrode, by one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mesoforge.errors import InputError
from mesoforge.physics.microstructure.conduction import CONDUCTION
from mesoforge.physics.microstructure.correlation import CORRELATION
from mesoforge.physics.microstructure.flatness import FLATNESS
from mesoforge.physics.microstructure.interfaces import INTERFACES
from mesoforge.physics.microstructure.particles import PARTICLES
from mesoforge.physics.microstructure.phases import PHASES
from mesoforge.physics.microstructure.pores import PORE_NETWORK, PORE_SIZES
from mesoforge.physics.microstructure.quantity import Conductors, Measure, Properties, Property, Quantity, quantity
from mesoforge.physics.voxels import Voxels

MEASURES: tuple[Measure, ...] = (
    PHASES,
    CONDUCTION,
    INTERFACES,
    FLATNESS,
    PORE_SIZES,
    PORE_NETWORK,
    PARTICLES,
    CORRELATION,
)
"""What can be measured; a new measure is one line here."""
IMAGE_PROPERTIES: dict[str, Property] = {name: what for one in MEASURES for name, what in one.properties.items()}


def measure(
    voxels: Voxels,
    conductors: Conductors | None = None,
    only: Sequence[str] = (),
    on_measure: Callable[[str], None] = lambda _: None,
) -> Properties:
    """Measure an image.

    Args:
        voxels: the image.
        conductors: what its phases conduct.
        only: names of measures; by default all.
        on_measure: told the name of each measure before it begins.

    Raises:
        InputError: a name that is no measure's.
        PhysicsError: ``not_converged`` if the transport solver gave up.
    """
    found: dict[str, Quantity] = {}
    for one in chosen(only):
        on_measure(one.name)
        values = one.run(voxels, conductors or Conductors())
        found |= {name: quantity(name, what, values[name]) for name, what in one.properties.items()}
    return Properties(found)


def chosen(names: Sequence[str]) -> tuple[Measure, ...]:
    """Return the measures of these names, in their own order; all without a name.

    Raises:
        InputError: a name that is no measure's.
    """
    known = {one.name for one in MEASURES}
    for name in names:
        if name not in known:
            raise InputError(f"'{name}' is no measure: use one of {', '.join(one.name for one in MEASURES)}.")
    return tuple(one for one in MEASURES if not names or one.name in names)
