"""What may drive the calender: each setting as a stroke of the plane.

The volume is a piece of the coating that passes the rolls. The piece may be thinner: thickness, gap and line load are
those of the whole coating, whose height follows from the piece's by the ratio of their mass loadings, the loose layers
at both faces counted once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mesoforge.physics.contact import KPA_PER_MPA, Law
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.plane import Stroke, press_to
from mesoforge.physics.recipe import Recipe

LOOKS = 50
GAIN = 3.0
"""Speed of the plane over its greatest one, per relative deviation of the pressure."""
FACES = 1.1
"""Height that the loose layers at collector and surface add to a coating [um]; from nominal and bulk porosity of
calendered volumes."""
UM_PER_MM = 1000.0
N_PER_MM_UM_IN_MPA = 1000.0
"""1 N/mm over 1 um in MPa."""


@dataclass(frozen=True, slots=True)
class Task:
    """A recipe's calendering of a volume: contacts as simulated, and the volume's dried thickness [um]."""

    recipe: Recipe
    law: Law
    dried: float

    @property
    def speed(self) -> float:
        """Greatest speed of the plane [um/us]."""
        return self.recipe.numerics.plane_speed

    @property
    def kpa(self) -> float:
        """Simulated kPa per real MPa."""
        return KPA_PER_MPA / self.law.scale

    @property
    def ratio(self) -> float:
        """Mass loading of the whole coating over that of the volume."""
        whole = self.recipe.calendering.mass_loading
        return 1.0 if whole is None else whole / self.recipe.volume.mass_loading

    def whole(self, height: float) -> float:
        """Return the height of the whole coating where the volume has this height [um]."""
        return self.ratio * (height - FACES) + FACES

    def piece(self, height: float) -> float:
        """Return the height of the volume where the whole coating has this height [um]."""
        return (height - FACES) / self.ratio + FACES


def loading(task: Task) -> Stroke:
    """Return the loading stroke that the recipe asks for.

    Raises:
        PhysicsError: ``no_contact``, if the rolls would not touch the coating.
    """
    return LOADINGS[task.recipe.calendering.drive](task, _setting(task.recipe))


def _setting(recipe: Recipe) -> float:
    return float(getattr(recipe.calendering, recipe.calendering.drive))


def _by_pressure(task: Task, pressure: float) -> Stroke:
    return press_to(pressure * task.kpa, task.speed, "load to pressure", GAIN)


def _by_compression(task: Task, compression: float) -> Stroke:
    return _to_height(task, task.dried * (1 - compression), f"a compression of {compression:g}")


def _by_thickness(task: Task, thickness: float) -> Stroke:
    _must_touch(task, thickness, "thickness under load")
    return _to_height(task, task.piece(thickness), f"a thickness of {thickness:g} um")


def _by_gap(task: Task, gap: float) -> Stroke:
    """Press until the machine's own spring and the electrode are in balance."""
    _must_touch(task, gap, "roll gap")
    stiffness = task.recipe.calendering.stiffness * task.kpa * task.ratio
    wanted = f"({stiffness:.10g}*(v_height-{task.piece(gap):.10g}))"
    error = f"2*({wanted}-v_load)/(abs({wanted})+v_load+{0.1 * task.kpa:g})"
    return Stroke("load to roll gap", error, f"{task.speed:.10g}", 0.04, LOOKS)


def _by_line_load(task: Task, line_load: float) -> Stroke:
    """Press until the mean pressure times the length of the arc between rolls and coating is the line load.

    The arc is (R (h0 - h))^(1/2) long, R the rolls' radius, h0 and h the whole coating's height before and under load.
    """
    radius = task.recipe.calendering.roll_diameter / 2 * UM_PER_MM
    arc = f"sqrt({radius * task.ratio:.10g}*({task.dried:.10g}-v_height)*(v_height<{task.dried:.10g}))"
    wanted = line_load * N_PER_MM_UM_IN_MPA * task.kpa
    error = f"1.5*({wanted:.10g}-v_load*{arc})/{wanted:.10g}"
    return Stroke("load to line load", error, f"{task.speed:.10g}", 0.03, LOOKS)


def _to_height(task: Task, height: float, name: str) -> Stroke:
    error = f"(v_height-{height:.10g})/{0.01 * task.dried:.10g}"
    limit = task.recipe.numerics.pressure_limit * task.kpa
    return Stroke(f"load to {name}", error, f"{task.speed:.10g}", 0.02, LOOKS, limit=limit)


def _must_touch(task: Task, height: float, name: str) -> None:
    dried = task.whole(task.dried)
    if height >= dried:
        raise PhysicsError(
            "no_contact", f"the {name} of {height:g} um is wider than the dried coating of {dried:.4g} um"
        )


LOADINGS: dict[str, Callable[[Task, float], Stroke]] = {
    "compression": _by_compression,
    "thickness": _by_thickness,
    "pressure": _by_pressure,
    "line_load": _by_line_load,
    "gap": _by_gap,
}
"""Per drive, the stroke that a setting of it asks for."""
