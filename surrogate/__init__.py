"""Models that learn from numbers: inputs, outputs and their noise."""

if not __name__.startswith("mesoforge."):
    raise ImportError("this folder is installed as mesoforge.surrogate: import it by that name")
