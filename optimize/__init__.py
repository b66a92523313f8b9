"""A space, objectives, and a record of what was asked and told."""

if not __name__.startswith("mesoforge."):
    raise ImportError("this folder is installed as mesoforge.optimize: import it by that name")
