"""An electrode in a cell: PyBaMM's parameters of it, and its discharge against lithium. The one door to PyBaMM."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mesoforge.errors import InputError
from mesoforge.experiments.canvas import COLOURS, new_figure, save, style
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.microstructure.particles import particle_table
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.voxels import Voxels

BASE: Final = "Xu2019"
"""PyBaMM's set for what the electrode does not tell: NMC532 against lithium, electrolyte and kinetics included."""
USED: Final = 0.97800 - 0.09601
"""Share of its sites that the base's material fills from 4.2 to 3.5 V, its cut-offs."""
SLOWEST, FASTEST = 0.01, 100.0
"""C-rates that are allowed [1/h]."""
FARADAY: Final = 96485.33
"""[C/mol]"""
AREA_CM2: Final = 1.0
SLACK: Final = 10.0
"""Time allowed for a discharge over the nominal one; the lower cut-off ends it."""


def parameter_set(properties: Mapping[str, float], recipe: Recipe, voxels: Voxels) -> dict[str, Any]:
    """Return an electrode as PyBaMM's ParameterValues take it, and beside that what they cannot hold.

    Porosity counts nanopores. Deff/D0 = eps / tau = eps^b gives the Bruggeman coefficient b = 1 - ln tau / ln eps. The
    particle radius is Sauter's of the spheres of the particles' volumes, sum r^3 / sum r^2, so that volume and surface
    of these are kept; PyBaMM's own surface is 3 eps_am / R. The greatest concentration is chosen so that the material
    holds between the cut-offs the capacity that the recipe says.
    """
    porosity, tau = properties["porosity"], properties["tortuosity_factor_z"]
    share = properties["electrode_density"] * recipe.formulation.active_material / recipe.materials.active.density
    radius = sauter_radius(voxels)
    held = (recipe.materials.active.capacity or 0.0) * recipe.materials.active.density  # mAh/cm3
    capacity = properties["areal_capacity"] * AREA_CM2 / 1000
    return {
        "base": BASE,
        "parameters": {
            "Positive electrode thickness [m]": properties["thickness"] * 1e-6,
            "Positive electrode porosity": porosity,
            "Positive electrode active material volume fraction": share,
            "Positive electrode Bruggeman coefficient (electrolyte)": 1 - math.log(tau) / math.log(porosity),
            "Positive particle radius [m]": radius * 1e-6,
            "Maximum concentration in positive electrode [mol.m-3]": 3.6e6 * held / (FARADAY * USED),
            "Electrode height [m]": math.sqrt(AREA_CM2) / 100,
            "Electrode width [m]": math.sqrt(AREA_CM2) / 100,
            "Nominal cell capacity [A.h]": capacity,
            "Current function [A]": capacity,
        },
        "beside": {
            "tortuosity_factor": tau,
            "specific_surface_spheres_per_m": 3 * share / (radius * 1e-6),
            "specific_surface_measured_per_m": properties["active_surface"] * 1e6,
        },
        "given_by_the_base": "open-circuit voltage, kinetics, diffusivities, electrolyte, separator, lithium",
    }


def sauter_radius(voxels: Voxels) -> float:
    """Return sum r^3 / sum r^2 over the spheres of the particles' volumes [um].

    Raises:
        InputError: no particle is told apart.
    """
    if not voxels.particle.any() or not len(radii := particle_table(voxels).diameter / 2):
        raise InputError("the electrode's particles are not told apart, so they have no radius: use one that was made.")
    return float((radii**3).sum() / (radii**2).sum())


def discharge(told: Mapping[str, Any], rates: Sequence[float]) -> list[dict[str, Any]]:
    """Discharge an electrode against lithium with PyBaMM's DFN at several rates [1/h of the nominal capacity].

    Args:
        told: what `parameter_set` returned.
        rates: C-rates.

    Returns:
        Per rate: capacity [mAh/cm2] until the lower cut-off, its share of the nominal one, mean voltage [V], energy
        [mWh/cm2], and the curve (capacity [mAh/cm2], voltage [V]).

    Raises:
        InputError: a rate is out of range, or PyBaMM is not installed.
        PhysicsError: its solver does not get through.
    """
    if wrong := [rate for rate in rates if not SLOWEST <= rate <= FASTEST]:
        raise InputError(
            f"a rate is {wrong[0]:g} but must be between {SLOWEST:g} and {FASTEST:g} per hour: correct it."
        )
    pybamm = _pybamm()
    values = parameter_values(told)
    model = pybamm.lithium_ion.DFN({"working electrode": "positive"})
    return [_one(pybamm, model, values, rate) for rate in rates]


def parameter_values(told: Mapping[str, Any]) -> Any:  # noqa: ANN401 - PyBaMM's own record
    """Return PyBaMM's ParameterValues of an electrode."""
    values = _pybamm().ParameterValues(told["base"])
    values.update(told["parameters"])
    return values


def _one(pybamm: Any, model: Any, values: Any, rate: float) -> dict[str, Any]:  # noqa: ANN401 - PyBaMM has no types
    import numpy as np

    simulation = pybamm.Simulation(model, parameter_values=values, C_rate=rate)
    try:
        solution = simulation.solve([0, SLACK * 3600 / rate], initial_soc=1.0)
    except pybamm.SolverError as error:
        raise PhysicsError("not_converged", f"PyBaMM at {rate:g}C: {error}") from None
    nominal = values["Nominal cell capacity [A.h]"] * 1000 / AREA_CM2
    capacity = solution["Discharge capacity [A.h]"].entries * 1000 / AREA_CM2
    voltage = solution["Voltage [V]"].entries
    energy = float(np.trapezoid(voltage, capacity))
    return {
        "rate": rate,
        "capacity": float(capacity[-1]),
        "share": float(capacity[-1] / nominal),
        "mean_voltage": energy / float(capacity[-1]),
        "energy": energy,
        "curve": [capacity.tolist(), voltage.tolist()],
    }


def _pybamm() -> Any:  # noqa: ANN401 - PyBaMM has no types
    """Return PyBaMM, told to keep what it sees to itself."""
    os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")
    try:
        import pybamm
    except ImportError:
        raise InputError("discharging needs PyBaMM, which is not installed: pip install 'mesoforge[pybamm]'.") from None
    return pybamm


def rate_chart(found: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """Draw voltage against capacity at each rate, dark for slow and light for fast."""
    from matplotlib import colormaps

    with style():
        figure, (axes,) = new_figure(6.4, 4.2)
        shades = colormaps["viridis"]([place / max(len(found), 2) for place in range(len(found))])
        for one, shade in zip(found, shades, strict=True):
            words = f"{one['rate']:g}C: {one['capacity']:.3g} mAh/cm², {100 * one['share']:.0f} %"
            axes.plot(*one["curve"], color=shade, lw=2, label=words)
        axes.set(xlabel="Discharged capacity (mAh/cm²)", ylabel="Voltage against lithium (V)", xlim=(0, None))
        axes.legend(loc="lower left")
        axes.grid(color=COLOURS["pore"])
        return save(figure, path)
