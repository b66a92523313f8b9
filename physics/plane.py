"""A plane that moves on the coating: it goes at a steered speed until what it seeks has come to rest.

Every few steps the script reads the pressure on the plane and sets its speed from an error between -1 and 1 (positive:
press on). Pressures are in kPa inside the script.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.contact import KPA_PER_MPA, Law, wall_law
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.lammps.execute import execute
from mesoforge.physics.lammps.files import DUMP, read_curve
from mesoforge.physics.recipe import Recipe

CHUNK = 10
"""Steps between two looks at the pressure."""
CURVE = "stroke.csv"
NOT_CONVERGED, UNREACHABLE = "not_converged", "unreachable"
GAVE_UP = {
    NOT_CONVERGED: "the plane did not come to rest in '{name}', last at a height of {height:.4g} um",
    UNREACHABLE: "'{name}' met the limit of pressure at a height of {height:.4g} um",
}
"""Files that a script leaves where it gave up, by the kind of failure, and what is said then."""
FINISH = f"""
write_dump      all custom {DUMP} id xu yu zu modify sort id format float %.12g
print           "done" file done
"""
GROUPS = ("active", "cbd")
INSIDE = "inside"
"""Name of the fix off which soft beads bounce back."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """One movement of the plane.

    ``error`` and ``speed`` are LAMMPS formulas of ``v_height`` [um], ``v_load`` and ``v_peak`` [kPa]. The stroke is
    over once the error has stayed within ``tolerance`` for ``hold`` looks; after ``most`` looks, or beyond a load of
    ``limit`` [kPa], it has failed.
    """

    name: str
    error: str
    speed: str
    tolerance: float
    hold: int
    most: int = 20000
    limit: float | None = None
    step: str | None = None
    """Formula of the time step [us], read at each look; without one it stays as it is."""


@dataclass(frozen=True, slots=True)
class Curve:
    """What the plane felt: stroke number, height [um], pressure on plane and on collector [MPa], each (n,)."""

    stroke: NDArray[np.int64]
    height: NDArray[np.float64]
    pressure: NDArray[np.float64]
    collector_pressure: NDArray[np.float64]

    def __add__(self, later: Curve) -> Curve:
        """Append the strokes that came later."""
        return Curve(*(np.concatenate([getattr(self, name), getattr(later, name)]) for name in self.__slots__))

    def of(self, stroke: int) -> Curve:
        """Return the part of one stroke."""
        return Curve(*(getattr(self, name)[self.stroke == stroke] for name in self.__slots__))

    def save(self, path: Path) -> None:
        """Write the curve as CSV: stroke, height_um, pressure_MPa, collector_pressure_MPa."""
        table = np.column_stack([self.stroke, self.height, self.pressure, self.collector_pressure])
        header = "stroke,height_um,pressure_MPa,collector_pressure_MPa"
        np.savetxt(path, table, delimiter=",", header=header, comments="", fmt=["%d", "%.8g", "%.8g", "%.8g"])

    def last(self, stroke: int) -> float:
        """Return the height at the end of a stroke [um]."""
        return float(self.height[self.stroke == stroke][-1])

    def sprung_back(self, load: int, share: float) -> Curve:
        """Return the curve whose later strokes went only this share of the way from the end of stroke ``load`` on."""
        top = self.last(load)
        return replace(self, height=np.where(self.stroke > load, top + share * (self.height - top), self.height))

    def end_of(self, stroke: int, looks: int) -> tuple[float, float]:
        """Return height [um] and pressure [MPa] averaged over the last looks of a stroke."""
        chosen = np.flatnonzero(self.stroke == stroke)[-looks:]
        return float(self.height[chosen].mean()), float(self.pressure[chosen].mean())


def plane_script(law: Law, start: float, look: int = CHUNK, reach: float = 1.0) -> str:
    """Write the collector, the plane at height ``start`` [um] and the pressures on both, measured every ``look`` steps.

    ``look`` is even. Beads within the share ``reach`` of the height from a wall at the start may ever meet it: a third
    of the time goes into looking for contacts with walls. A wall does not feel a bead whose centre lies behind it, so a
    soft bead that is pressed so far bounces back.
    """
    walls, sums = [], []
    for group in GROUPS:
        contact = wall_law(law, group)
        walls.append(f"group           low_{group} intersect {group} low_part")
        walls.append(f"group           top_{group} intersect {group} top_part")
        walls.append(f"fix             low_{group} low_{group} wall/gran {contact} zplane 0.0 NULL contacts")
        walls.append(f"fix             top_{group} top_{group} wall/gran/region {contact} region above contacts")
        sums.append(f"compute         on_top_{group} {group} reduce sum f_top_{group}[4]")
        sums.append(f"compute         on_low_{group} {group} reduce sum f_low_{group}[4]")
    return f"""variable        start equal {start:.12g}
variable        height equal {start:.12g}
variable        speed equal 0
variable        since equal 0
variable        load equal 0
variable        peak equal 0
variable        lift equal v_height-v_start+v_speed*(step-v_since)*dt
variable        plane equal v_start+v_lift
fix             {INSIDE} cbd wall/reflect zlo 0 zhi v_plane
region          above plane 0 0 {start:.12g} 0 0 -1 move NULL NULL v_lift
region          low_part block INF INF INF INF INF {reach * start:.12g}
region          top_part block INF INF INF INF {(1 - reach) * start:.12g} INF
group           low_part region low_part
group           top_part region top_part
{chr(10).join(walls)}
{chr(10).join(sums)}
variable        top equal -(c_on_top_active+c_on_top_cbd)/(lx*ly)
variable        low equal (c_on_low_active+c_on_low_cbd)/(lx*ly)
fix             felt all ave/time {look // 2} 2 {look} v_top v_low
thermo_style    custom step v_height v_top v_low
thermo          {look * 100}
print           "stroke,height,top,low" file {CURVE}
run             0 post no
"""


def stroke_script(number: int, stroke: Stroke, look: int = CHUNK) -> str:
    """Write one stroke, steered every ``look`` steps; its number names the rows of the curve."""
    return f"""
# {stroke.name}
variable        calm equal 0
variable        error equal "{stroke.error}"
variable        most equal "{stroke.speed}"
variable        pace equal 1
variable        was equal 0
variable        i loop {stroke.most}
label           stroke_{number}
variable        bounded equal ternary(v_error>1,1,ternary(v_error<-1,-1,v_error))
variable        pace equal $(ternary(v_error*v_was<0,0.8*v_pace,ternary(v_pace<0.9,1.1*v_pace,1)))
variable        was equal $(v_error)
variable        next equal $(-v_most*v_pace*v_bounded)
{_paced(stroke)}variable        since equal $(step)
variable        speed equal ${{next}}
run             {look} pre no post no
variable        height equal $(v_height+v_speed*{look}*dt)
variable        since equal $(step)
variable        load equal $(f_felt[1])
variable        peak equal $(ternary(v_load>v_peak,v_load,v_peak))
print           "{number},$(v_height:%.10g),$(v_load:%.8g),$(f_felt[2]:%.8g)" append {CURVE} screen no
{_guard(stroke)}variable        calm equal $(ternary(abs(v_error)<{stroke.tolerance:.10g},v_calm+1,0))
if "${{calm}} >= {stroke.hold}" then "jump SELF rest_{number}"
next            i
jump            SELF stroke_{number}
print           "{stroke.name}" file {NOT_CONVERGED}
quit            1
label           rest_{number}
variable        i delete
"""


def _paced(stroke: Stroke) -> str:
    """Write the time step of the steps until the next look."""
    return "" if stroke.step is None else f"timestep        $({stroke.step}:%.10g)\n"


def _guard(stroke: Stroke) -> str:
    """Write the end of a stroke whose load is beyond its limit."""
    if stroke.limit is None:
        return ""
    return f"""if "${{load}} > {stroke.limit:.10g}" then &
   "print '{stroke.name}' file {UNREACHABLE}" "quit 1"
"""


def read_strokes(folder: Path, scale: float) -> Curve:
    """Read the curve of all strokes; simulated pressures are multiplied by ``scale``."""
    rows = read_curve(folder / CURVE)
    pressures = rows[:, 2:4] * scale / KPA_PER_MPA
    return Curve(rows[:, 0].astype(np.int64), rows[:, 1], pressures[:, 0], pressures[:, 1])


def execute_plane(script: str, recipe: Recipe, folder: Path) -> None:
    """Run a script of strokes in a folder that holds its beads.

    Raises:
        PhysicsError: as ``execute`` does; ``not_converged`` with the stroke in which the plane found no rest, or
            ``unreachable`` with the one whose load went beyond its limit.
    """
    try:
        execute(script, folder, recipe.numerics.time_limit, recipe.numerics.ranks)
    except PhysicsError:
        for kind, said in GAVE_UP.items():
            if (folder / kind).exists():
                name = (folder / kind).read_text(encoding="utf-8").strip()
                raise PhysicsError(kind, said.format(name=name, height=_last_height(folder))) from None
        raise


def _last_height(folder: Path) -> float:
    return float(read_curve(folder / CURVE)[-1, 1])


def press_to(kpa: float, speed: float, name: str, gain: float = 1.5) -> Stroke:
    """Press until the plane carries a pressure [kPa], slowing down on the way to it."""
    return Stroke(name, f"{gain:.10g}*({kpa:.10g}-v_load)/{kpa:.10g}", f"{speed:.10g}", 0.02 * gain, 50)


def release_to(gauge: str, speed: float, name: str) -> Stroke:
    """Lift the plane until it carries only the gauge pressure, a formula [kPa], ever slower as the load falls."""
    slow = f"{speed:.10g}*(0.15+0.5*v_load/(v_peak+{gauge}))"
    return Stroke(name, f"({gauge}-v_load)/{gauge}", slow, 0.5, 100)
