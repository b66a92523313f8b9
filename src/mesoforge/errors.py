"""The one exception that people who use mesoforge are meant to meet."""

from __future__ import annotations


class InputError(ValueError):
    """An input was wrong: the message says what came, what was due and what to do.

    Raised before any costly work; the command line prints it without a traceback and exits with status 2.
    """
