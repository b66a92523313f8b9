"""Particle swarm optimization (Kennedy and Eberhart 1995), the field's usual way to calibrate, as a rival."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesoforge.optimize.trial import Origin
from mesoforge.optimize.view import View
from mesoforge.surrogate.table import Array

INERTIA, OWN, SWARM = 0.7298, 1.49618, 1.49618  # the constriction of Clerc and Kennedy (2002)


@dataclass(frozen=True, slots=True)
class ParticleSwarm:
    """v <- w v + c1 r1 (own best - x) + c2 r2 (swarm's best - x), x <- x + v, with the start as first generation.

    Particle and velocity are read off the record: the measured trials are the particles in turn, generation after
    generation. A particle that would leave the unit cube stays at its wall.
    """

    origin: Origin = "bo"

    def propose(self, view: View) -> Array:
        """Return the next place of the particle whose turn it is."""
        size = min(view.start, len(view.X))
        places = view.X[(len(view.X) + len(view.pending)) % size :: size]
        scores = view.ranked[(len(view.X) + len(view.pending)) % size :: size]
        here, before = places[-1], places[max(len(places) - 2, 0)]
        own, swarm = places[np.argmax(scores)], view.X[np.argmax(view.ranked)]
        first, second = np.random.default_rng(view.seed).random((2, view.dimensions))
        speed = INERTIA * (here - before) + OWN * first * (own - here) + SWARM * second * (swarm - here)
        return np.asarray(np.clip(here + speed, 0, 1))


PSO = ParticleSwarm()
