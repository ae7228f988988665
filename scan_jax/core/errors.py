"""The one exception that a user is meant to read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class UserError(Exception):
    """Something the user can put right: one line that says what is wrong and what to do.

    Commands print it as `error: ...` and exit with a non-zero code; a traceback would only hide the line.
    """


class NotHere(UserError):
    """Data or weights that this machine lacks; another one may have them."""


@contextlib.contextmanager
def told_of(what: object) -> Iterator[None]:
    """A context whose UserErrors begin with `what` they are about, such as a file."""
    try:
        yield
    except UserError as error:
        raise type(error)(f"{what}: {error}") from error
