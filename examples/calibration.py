"""Calibration: fit the force field to measured slurries, look at what the data determine, use it."""

# %% [markdown]
# # What do two measured slurry densities say of the bead size factor?

# %%
import os

from mesoforge.experiments import run_calibration
from mesoforge.physics import Recipe

found = run_calibration("examples/calibrate_slurry.yaml", budget=os.environ.get("MESOFORGE_SETS", ""))
[(one["name"], one["value"], one["low95"], one["high95"]) for one in found["parameters"]]

# %% [markdown]
# ## Each row as measured, as fitted, and as the other rows foretell it

# %%
[(row["name"], row["measured"], row["fit"], row["foretold"], row["foretold_sd"]) for row in found["rows"]]

# %% [markdown]
# ## A recipe that uses what was fitted

# %%
recipe = Recipe().with_values({"force_field": found["force_field"]}) if "force_field" in found else Recipe()
recipe
