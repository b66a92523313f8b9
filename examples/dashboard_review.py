"""Review: what did a study find, can it be trusted, what failed? For those who did not run it."""

# %% [markdown]
# # Review of a study that was run before
# The same is in MLflow (`mesoforge dashboard --study quickstart`) and on one page (`mesoforge report quickstart`).

# %%
from mesoforge.experiments import open_study

study = open_study("quickstart")
study

# %% [markdown]
# ## Is the surrogate to be trusted? R2 and coverage of electrodes left out

# %%
study.found["validation"]

# %% [markdown]
# ## Prediction beside physics, for each confirmation with a new seed

# %%
[
    (row["confirms"], name, one["predicted"], one["physics"])
    for row in study.found["confirmations"]
    for name, one in row["properties"].items()
]

# %% [markdown]
# ## What failed, and why

# %%
[(one["trial"], one["stage"], one["reason"]) for one in study.found["failed"]]

# %%
study.report("review.html")
