"""Manufacturing for several aims: run a study, look at its front, ask its surrogate, make one more electrode."""

# %% [markdown]
# # Which recipe has 30 % porosity, conducts ions well and holds much charge?
# Run this file as a whole, or cell by cell in an editor or notebook that knows `# %%`. About ten minutes on two cores;
# a second run finds everything in the store.

# %%
import os
from pathlib import Path

from mesoforge.experiments import run_study
from mesoforge.physics import manufacture

BUDGET = os.environ.get("MESOFORGE_BUDGET", "6+6+2")
study = run_study("examples/quickstart.yaml", budget=BUDGET)
study

# %% [markdown]
# ## The best electrode, and what the surrogate foretells of another pressure

# %%
best = study.best
foretold = study.predict({"calendering.pressure": 60.0})
{name: (one["low"], one["mean"], one["high"]) for name, one in foretold["properties"].items()}, foretold["notes"]

# %% [markdown]
# ## All electrodes as a table

# %%
study.trials()[[*study.plan.problem.space.names, *study.plan.problem.objectives.names]]

# %% [markdown]
# ## Make that other one with physics: its stages up to drying are found in the store

# %%
recipe = study.plan.recipe_at({**best, "calendering.pressure": 60.0}, seed=1)
if os.environ.get("MESOFORGE_MAKE", "yes") == "yes":
    electrode = manufacture(recipe, Path("mlruns/store"))
    electrode

# %%
study.report("quickstart.html")
