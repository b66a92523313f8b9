"""What a campaign learns from, and when."""

from __future__ import annotations

from itertools import pairwise

from mesoforge.optimize.learning import in_steps


def test_a_surrogate_is_fitted_anew_when_the_record_grew_by_a_share() -> None:
    steps = [in_steps(rows, 0.1) for rows in range(601)]
    assert steps[:4] == [0, 1, 2, 3]
    assert steps[103:113] == [103] * 10
    assert all(later >= earlier for earlier, later in pairwise(steps))
    assert all(fitted > rows / 1.11 - 1 for rows, fitted in enumerate(steps))
    assert len(set(steps)) < 60
