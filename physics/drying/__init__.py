"""The drying of a slurry to an electrode, by one of several models that are registered in ``models``."""
