"""Electrodes made once a session, in real LAMMPS, and shared by all tests that look at them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from phantoms import phantom

from mesoforge.physics.manufacture import Electrode, manufacture
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.shapes.extract import Extraction, extract
from mesoforge.physics.shapes.library import Library
from mesoforge.physics.shapes.stack import array_stack
from mesoforge.physics.store import Store

Make = Callable[[Recipe], Electrode]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("home") / "store")


@pytest.fixture(scope="session")
def make(store: Store) -> Make:
    """Make an electrode in the session's store, which it finds again when asked twice."""

    def made(recipe: Recipe) -> Electrode:
        electrode = manufacture(recipe, store)
        assert isinstance(electrode, Electrode), electrode
        return electrode

    return made


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Return 60 ellipsoids of 2.8 um in mean diameter, from 1.9 to 4.3 um."""
    stack = array_stack((phantom(60, 14, 0.42) > 0).astype(np.uint8), 0.2)
    return extract(stack, Extraction(), tmp_path_factory.mktemp("library") / "small.h5").library
