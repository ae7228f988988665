"""The one exception that a user is meant to read."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can put right: one line that says what is wrong and what to do.

    Commands print it as `error: ...` and exit with a non-zero code; a traceback would only hide the line.
    """


def require_at_least(least: float, where: str, **values: float) -> None:
    """Refuses settings below `least`; the UserError names the first, in `where`, such as "config.training"."""
    for key, value in values.items():
        if not value >= least:
            raise UserError(f"{where}.{key} must be at least {least:g}, not {value:g}")
