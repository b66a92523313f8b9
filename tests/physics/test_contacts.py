"""One contact at a time, in real LAMMPS, against closed forms: Hertz, Johnson-Kendall-Roberts, Mindlin and Coulomb.

Beads are led along given paths, so that nothing but the law of the contact decides on the force.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from making import small
from scipy.optimize import brentq

from mesoforge.physics.balance import masses
from mesoforge.physics.beads import ACTIVE, CBD, Beads
from mesoforge.physics.contact import Law, calendering_law, contact_script, diameters, drying_law
from mesoforge.physics.lammps.execute import execute
from mesoforge.physics.lammps.files import DATA, write_data
from mesoforge.physics.plane import plane_script

RECIPE = small(force_field__friction=0.2)
LAWS = {"drying": drying_law(RECIPE), "calendering": calendering_law(RECIPE)}
KINDS = {"active": (ACTIVE, ACTIVE), "mixed": (ACTIVE, CBD), "cbd": (CBD, CBD)}
SIDE, HEIGHT, GAP = 40.0, 20.0, 0.02
SLOW, STEP = 1e-5, 20.0
"""Speed [um/us] and time step [us]: what is led needs no stable step, and damping has no part."""


@dataclass(frozen=True)
class Contact:
    """A contact: effective modulus [kPa] and radius [um], surface energy [mJ/m2]."""

    modulus: float
    radius: float
    adhesion: float = 0.0

    def width(self, overlap: float) -> float:
        """Return the radius of the circle of contact [um], of its two the stable one; without adhesion Hertz's."""

        def missed(width: float) -> float:
            return width**2 / self.radius - math.sqrt(4 * math.pi * self.adhesion * width / self.modulus) - overlap

        least = (math.pi * self.adhesion * self.radius**2 / (4 * self.modulus)) ** (1 / 3)  # least overlap of all
        return float(brentq(missed, least, self.radius * 2, xtol=1e-14))

    def force(self, overlap: float) -> float:
        """Return the force [nN], positive where the bodies push one another away."""
        width = self.width(overlap)
        pull = math.sqrt(16 * math.pi * self.adhesion * self.modulus * width**3)
        return 4 * self.modulus * width**3 / (3 * self.radius) - pull

    @property
    def pull_off(self) -> float:
        """Greatest force that holds the bodies together [nN]; w = 2 g is the work of adhesion, 3/2 pi w R."""
        return 3 * math.pi * self.adhesion * self.radius


def contact(law: Law, kinds: str) -> Contact:
    """Return the contact of two beads under a law."""
    size = {ACTIVE: RECIPE.particles.primary_diameter / 2, CBD: RECIPE.drying.cbd_diameter / 2}
    modulus = {ACTIVE: law.active, CBD: law.cbd}
    one, two = KINDS[kinds]
    shape = 1 - law.poisson**2
    effective = 1 / (shape / modulus[one] + shape / modulus[two])
    radius = 1 / (1 / size[one] + 1 / size[two])
    return Contact(effective, radius, 0.0 if kinds == "active" else law.adhesion)


def wall(law: Law, kind: int) -> Contact:
    """Return the contact of a bead with a wall that is as stiff as itself."""
    modulus = law.active if kind == ACTIVE else law.cbd
    radius = (RECIPE.particles.primary_diameter if kind == ACTIVE else RECIPE.drying.cbd_diameter) / 2
    return Contact(modulus / (2 * (1 - law.poisson**2)), radius)


def stage() -> Beads:
    """Return three pairs of beads, apart by a gap along x, then one bead of each kind just below the plane."""
    radius = {ACTIVE: RECIPE.particles.primary_diameter / 2, CBD: RECIPE.drying.cbd_diameter / 2}
    position, kind = [], []
    for row, (one, two) in enumerate(KINDS.values()):
        position += [[10, 5 + 5 * row, 10], [10 + radius[one] + radius[two] + GAP, 5 + 5 * row, 10]]
        kind += [one, two]
    for row, one in enumerate((ACTIVE, CBD)):
        position.append([30, 5 + 5 * row, HEIGHT - radius[one] - GAP])
        kind.append(one)
    kinds = np.array(kind, dtype=np.int32)
    particle = np.where(kinds == ACTIVE, np.cumsum(kinds == ACTIVE), 0).astype(np.int32)
    return Beads(np.array(position), kinds, particle, np.array([SIDE, SIDE, HEIGHT]))


LEADER = """group           led id 2 4 6
group           held id 7 8
timestep        {step}
{plane}{watched}
fix             show all print 1 "{row}" file forces.csv screen no title ""
"""
"""Beads are led, not moved by forces: the second of each pair, and those below the plane."""
LEG = """fix             lead led move linear {x:.12g} {y:.12g} 0
fix             keep held move linear 0 {y:.12g} 0
variable        since equal $(step)
variable        speed equal {plane:.12g}
run             {steps} post no
variable        height equal $(v_now)
variable        since equal $(step)
variable        speed equal 0
unfix           lead
unfix           keep
"""
PAIRS = ((1, 2), (3, 4), (5, 6))
WATCHED = [
    *(
        f"{of}[{two}]-{of}[{one}]" if of in "xy" else f"{of}[{two}]"
        for one, two in PAIRS
        for of in ("x", "y", "fx", "fy")
    ),
    "v_height+v_speed*(step-v_since)*dt",
    *(f"{of}[{bead}]" for bead in (7, 8) for of in ("fz", "fy")),
]
"""Per pair the distance x, y and the force x, y on the second bead; the plane's height; force z, y on what is below."""


@dataclass(frozen=True)
class Seen:
    """One contact at each step: overlap [um], force that pushes apart and force along the slide [nN], each (n,)."""

    overlap: np.ndarray
    push: np.ndarray
    drag: np.ndarray


def led(law: Law, path: list[tuple[float, float]], folder: Path) -> dict[str, Seen]:
    """Lead all contacts along legs of closing and of sliding [um]; return what each felt."""
    write_data(stage(), diameters(stage(), RECIPE), masses(stage(), RECIPE), folder / DATA, walls=True)
    watched = "\n".join(f"variable w{i} equal {formula}" for i, formula in enumerate(WATCHED))
    row = ",".join(f"${{w{i}}}" for i in range(len(WATCHED)))
    legs = [
        LEG.format(x=-close / time, y=slide / time, plane=-close / time, steps=steps)
        for close, slide in path
        for steps in [max(1, round(max(abs(close), abs(slide)) / (SLOW * STEP)))]
        for time in [steps * STEP]
    ]
    head = LEADER.format(step=STEP, plane=plane_script(law, HEIGHT), watched=watched, row=row)
    legs = [one.replace("v_now", f"v_w{len(PAIRS) * 4}") for one in legs]
    contacts = "".join(one for one in contact_script(RECIPE, law, 5.0).splitlines(True) if not one.startswith("fix "))
    script = contacts + head + "".join(legs) + 'print "done" file done\n'
    execute(script, folder, 60)
    return seen(np.loadtxt(folder / "forces.csv", delimiter=",", ndmin=2))


def seen(rows: np.ndarray) -> dict[str, Seen]:
    """Read what was watched, forces along and across the line of centres."""
    found = {}
    size = diameters(stage(), RECIPE)
    for i, name in enumerate(KINDS):
        apart, force = rows[:, 4 * i : 4 * i + 2], rows[:, 4 * i + 2 : 4 * i + 4]
        length = np.linalg.norm(apart, axis=1)
        along = apart / length[:, None]
        push = (force * along).sum(axis=1)
        across = force[:, 1] * along[:, 0] - force[:, 0] * along[:, 1]
        found[name] = Seen((size[2 * i] + size[2 * i + 1]) / 2 - length, push, across)
    for i, name in enumerate(("active on plane", "cbd on plane")):
        radius, column = size[6 + i] / 2, 13 + 2 * i
        overlap = stage().position[6 + i, 2] + radius - rows[:, 12]
        found[name] = Seen(overlap, -rows[:, column], rows[:, column + 1])
    return found


CONTACTS = (*KINDS, "active on plane", "cbd on plane")


def form(law: Law, name: str) -> Contact:
    """Return the closed form of what was watched under a name."""
    return contact(law, name) if name in KINDS else wall(law, ACTIVE if name.startswith("active") else CBD)


@pytest.fixture(scope="module", params=LAWS)
def law(request: pytest.FixtureRequest) -> Law:
    return LAWS[request.param]


@pytest.fixture(scope="module")
def pressed(law: Law, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """Close all contacts by 0.06 um beyond touch, then part them again."""
    return led(law, [(GAP + 0.06, 0.0), (-0.2, 0.0)], tmp_path_factory.mktemp("pressed"))


@pytest.fixture(scope="module")
def slid(law: Law, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """Close all contacts by 0.06 um beyond touch, then slide them by 0.12 um."""
    return led(law, [(GAP + 0.06, 0.0), (0.0, 0.12)], tmp_path_factory.mktemp("slid"))


@pytest.mark.parametrize("name", CONTACTS)
def test_a_contact_is_loaded_and_unloaded_along_the_closed_form(law: Law, pressed: dict[str, Seen], name: str) -> None:
    one, closed = pressed[name], form(law, name)
    met = one.overlap > 1e-3
    assert one.overlap.max() == pytest.approx(0.06, abs=1e-9)
    way_in, way_out = np.split(met, [np.argmax(one.overlap)])
    assert min(way_in.sum(), way_out.sum()) > 100
    due = np.array([closed.force(overlap) for overlap in one.overlap[met]])
    np.testing.assert_allclose(one.push[met], due, rtol=1e-4, atol=1e-4 * np.abs(due).max())


@pytest.mark.parametrize("name", ["active", "active on plane", "cbd on plane"])
def test_without_adhesion_the_closed_form_is_that_of_hertz(law: Law, name: str) -> None:
    closed = form(law, name)
    assert closed.force(0.05) == pytest.approx(4 / 3 * closed.modulus * math.sqrt(closed.radius) * 0.05**1.5)


@pytest.mark.parametrize("name", CONTACTS)
def test_bodies_that_have_not_touched_do_not_act_on_one_another(pressed: dict[str, Seen], name: str) -> None:
    one = pressed[name]
    before = np.arange(len(one.overlap)) < np.argmax(one.overlap > 0)
    assert before.sum() > 50
    assert not one.push[before & (one.overlap < -1e-9)].any()


@pytest.mark.parametrize("name", ["mixed", "cbd"])
def test_an_adhesive_contact_holds_until_the_pull_off_force_of_jkr(
    law: Law, pressed: dict[str, Seen], name: str
) -> None:
    one, closed = pressed[name], form(law, name)
    assert -one.push.min() == pytest.approx(closed.pull_off, rel=0.02)
    assert -one.push.min() <= closed.pull_off * (1 + 1e-4)
    width = (9 * math.pi * law.adhesion * closed.radius**2 / (4 * closed.modulus)) ** (1 / 3)
    reach = width**2 / closed.radius - math.sqrt(4 * math.pi * law.adhesion * width / closed.modulus)
    assert one.overlap[one.push != 0].min() == pytest.approx(reach, abs=2 * SLOW * STEP)
    assert not one.push[-10:].any()


@pytest.mark.parametrize("name", CONTACTS)
def test_a_slide_begins_with_mindlin_s_stiffness_and_ends_at_coulomb_s_limit(
    law: Law, slid: dict[str, Seen], name: str
) -> None:
    one, closed = slid[name], form(law, name)
    first = np.flatnonzero(one.drag)[0]
    stiffness = 8 * closed.modulus * 2 * (1 - law.poisson**2) / (4 * (2 - law.poisson) * (1 + law.poisson))
    rise = (one.drag[first] - one.drag[first + 1]) / (SLOW * STEP)
    assert rise == pytest.approx(stiffness * closed.width(one.overlap[first]), rel=1e-3)
    limit = law.friction * np.abs(one.push + 2 * closed.pull_off)  # adhesion presses too: Thornton's limit
    assert (np.abs(one.drag) <= limit * (1 + 1e-6)).all()
    assert -one.drag[-1] == pytest.approx(limit[-1], rel=1e-6)
    assert abs(one.drag[first]) < 0.1 * limit[first]


@pytest.mark.parametrize(("start", "push"), [(HEIGHT - 1, 2e3), (1.0, -2e3)], ids=["plane", "collector"])
def test_a_soft_bead_that_is_pressed_through_a_wall_bounces_back(tmp_path: Path, start: float, push: float) -> None:
    beads = Beads(
        np.array([[5.0, 5.0, start], [20.0, 20.0, HEIGHT / 2], [21.3, 20.0, HEIGHT / 2]]),
        np.array([CBD, ACTIVE, ACTIVE], dtype=np.int32),
        np.array([0, 1, 1], dtype=np.int32),
        np.array([SIDE, SIDE, HEIGHT]),
    )
    write_data(beads, diameters(beads, RECIPE), masses(beads, RECIPE), tmp_path / DATA, walls=True)
    law = LAWS["drying"]
    pushed = f"""fix pushed cbd addforce 0 0 {push}
compute highest cbd reduce max z
compute lowest cbd reduce min z
thermo_style custom step c_highest c_lowest
thermo 1
fix path all print 1 "$(c_highest) $(c_lowest)" file path.csv screen no title ""
run 2000 post no
print "done" file done
"""
    execute(contact_script(RECIPE, law, 100.0) + plane_script(law, HEIGHT) + pushed, tmp_path, 60.0)
    path = np.loadtxt(tmp_path / "path.csv")
    assert path.min() >= 0
    assert path.max() <= HEIGHT
    met = path.max() if push > 0 else HEIGHT - path.min()
    assert met > HEIGHT - 0.2, "it was pressed up to the wall itself, far deeper than its radius"
