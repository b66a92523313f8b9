"""How one electrode is made and measured."""

if not __name__.startswith("mesoforge."):
    raise ImportError("this folder is installed as mesoforge.physics: import it by that name")
