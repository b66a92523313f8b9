"""Studies: the physics run, recorded, learned from and reported."""

if not __name__.startswith("mesoforge."):
    raise ImportError("this folder is installed as mesoforge.experiments: import it by that name")
