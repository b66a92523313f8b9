"""A space, objectives, and a record of what was asked and told."""

if not __name__.startswith("mesoforge."):
    raise ImportError(
        "this folder is installed as mesoforge.optimize: write 'import mesoforge.optimize', not 'import optimize'"
    )
