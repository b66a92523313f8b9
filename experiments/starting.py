"""The files that people begin with: a commented study, or a recipe with all its settings."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from mesoforge.errors import InputError

Starter = Literal["study", "sample", "recipe"]

_HEAD: Final = """\
# A study: what to vary, what to aim at, how much to spend.
#   mesoforge validate {file}                 is all of it right?
#   mesoforge optimize {file} --dry-run       what will it cost?
#   mesoforge optimize {file}                 Ctrl-C stops it; the same command goes on
name: {name}                     # its folder, and its experiment in MLflow
note: >-                         # the question, in words; the report begins with it
  Which formulation, solids content and calendering pressure give a porosity of 30 % with a low tortuosity factor and a
  high areal capacity?
"""
_SAMPLE_HEAD: Final = """\
# A sample: simulate points spread evenly over a space, to learn how the inputs act; force-field values may be varied.
#   mesoforge validate {file}
#   mesoforge sample {file} --dry-run
#   mesoforge sample {file}
name: {name}
note: How do friction and calendering pressure act on the porosity?
"""
_RECIPE: Final = """\
recipe:                          # what differs from the defaults that 'mesoforge recipe' prints; or the path of a file
  volume: {side: 16, mass_loading: 5}   # um and mg/cm2; larger volumes scatter less and cost more
  # calendering: {temperature: 25}      # degrees C
"""
_VARIABLES: Final = """\
variables:                       # inputs by section.name, each between low and high
  formulation.active_material: {low: 0.92, high: 0.97}        # mass fraction of the dry electrode
  formulation.solids_content: {low: 0.62, high: 0.70}         # mass fraction of the slurry
  calendering.pressure: {low: 10, high: 200, scale: log}      # MPa; log: as many points from 10 to 45 as from 45 to 200
  # calendering.line_load: {low: 50, high: 900}               # N/mm, in place of the pressure: one drive at a time
objectives:                      # properties, as 'mesoforge make' prints them: minimize, maximize or match
  porosity: {match: 0.30, tolerance: 0.01}   # fractions, not percent
  tortuosity_factor_z: minimize
  areal_capacity: maximize
# constraints:                   # bounds that a measured property must keep: at_least, at_most or between
#   electrode_density: {at_least: 2.8}
# input_constraints:             # what variables must keep together
#   - formulation.solids_content <= 3.6 - 3 * formulation.active_material
# derived:                       # inputs that follow from variables
#   formulation.carbon: 0.6 - 0.6 * formulation.active_material
#   formulation.binder: 0.4 - 0.4 * formulation.active_material
# tolerances:                    # how exactly inputs are kept: the best recipe is then best on average within them
#   calendering.pressure: 5 %
budget:                          # simulations
  start: 6                       # spread over the space before there is anything to learn from
  proposed: 6                    # where the surrogate expects most
  confirmations: 2               # the best again, with new seeds
# stop: hypervolume gained less than 1 % over 8 simulations     # ends the proposals before the budget is spent
# repeat: true                   # measure a recipe again where that tells more than a new one
# reuse: true                    # go on from a coating made before where that gains more for its cost
# fidelity: {volume.side: [12, 16]}   # small volumes are learned from where that gains more; the last size decides
# average_over: mlruns/calibrations/NAME/posterior.csv            # each simulation draws its force field from it
# start_from_known: false        # a new study begins with what was made before, unless told not to
strategy: botorch                # or thompson (many workers), optuna-tpe, optuna-nsga2, optuna-gp, sobol, random
seed: 1
workers: 2                       # simulations at a time
synchronous: false               # true: proposals that are the same on any machine, for some waiting
where: local                     # or slurm, pbs, sge, lsf, tcp://HOST:PORT, or a mapping (docs/campaigns.md)
"""
_SAMPLED: Final = """\
variables:                       # inputs by section.name, each between low and high
  force_field.friction: {low: 0.1, high: 0.6}
  calendering.pressure: {low: 10, high: 200, scale: log}      # MPa
design: sobol                    # or latin-hypercube; grid: give variables 'levels: 3'; list: give 'points'
budget: {start: 8, replicates: 1}   # points, and seeds of each
seeds: fresh                     # or shared: the same seeds for all points, which then share slurries
seed: 1
workers: 2                       # simulations at a time
"""


def starter(kind: Starter, path: Path) -> str:
    """Return the text of a file to begin with."""
    if kind == "recipe":
        from mesoforge.experiments.printing import recipe_template

        return recipe_template() + "\n"
    name = path.stem if path.stem.replace("-", "").replace("_", "").isalnum() else "my-study"
    head = _HEAD if kind == "study" else _SAMPLE_HEAD
    return head.format(file=path, name=name) + _RECIPE + (_VARIABLES if kind == "study" else _SAMPLED)


def write_starter(kind: Starter, path: Path, *, force: bool) -> None:
    """Write a file to begin with, and never over one that is there unless forced.

    Raises:
        InputError: the file is there, or cannot be written.
    """
    if path.exists() and not force:
        raise InputError(f"'{path}' is there already: give another name, or --force to write over it.")
    try:
        path.write_text(starter(kind, path), encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write '{path}' ({error.strerror}): give a path that can be written.") from None
