"""The one exception that a user is meant to read."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can put right: one line that says what is wrong and what to do.

    Commands print it as `error: ...` and exit with a non-zero code; a traceback would only hide the line.
    """
