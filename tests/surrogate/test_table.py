"""A table that is wrong is refused with what to do."""

from __future__ import annotations

import numpy as np
import pytest

from mesoforge.errors import InputError
from mesoforge.surrogate.table import Array, Table

X = np.array([[0.0, 0.5], [1.0, 0.25], [0.5, 0.5]])
Y = np.array([[1.0], [2.0], [3.0]])


@pytest.mark.parametrize(
    ("x", "y", "names", "variance", "words"),
    [
        pytest.param(X[:2], Y, ("a",), None, "equally many rows", id="rows disagree"),
        pytest.param(X[:, 0], Y, ("a",), None, "two tables", id="X is flat"),
        pytest.param(X[:1], Y[:1], ("a",), None, "at least 2", id="one row"),
        pytest.param(X * 2, Y, ("a",), None, r"outside \[0, 1\]", id="not in the cube"),
        pytest.param(X * np.nan, Y, ("a",), None, r"outside \[0, 1\]", id="X is not a number"),
        pytest.param(X, Y * np.nan, ("a",), None, "leave failed rows out", id="Y is not a number"),
        pytest.param(X, Y, ("a", "b"), None, "name each column", id="too many names"),
        pytest.param(X, np.hstack([Y, Y]), ("a", "a"), None, "name each column", id="equal names"),
        pytest.param(X, Y, ("a",), 0 * Y, "never give 0", id="no noise"),
        pytest.param(X, Y, ("a",), Y[:2], "never give 0", id="noise of other rows"),
    ],
)
def test_a_wrong_table_is_refused(x: Array, y: Array, names: tuple[str, ...], variance: Array, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Table(x, y, names, variance)


def test_a_table_is_as_long_as_its_rows() -> None:
    assert len(Table(X, Y, ("a",))) == 3
