"""What a user is meant to read: the one exception, and words in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class UserError(Exception):
    """Something the user can put right: one line that says what is wrong and what to do.

    Commands print it as `error: ...` and exit with a non-zero code; a traceback would only hide the line.
    """


def counted(number: int, one: str, many: str = "") -> str:
    """Such as "1 picture" and "2,000 pictures"; where an "s" does not make it, `many` is said of other numbers."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


class NotHere(UserError):
    """Data or weights that this machine lacks; another one may have them."""


@contextlib.contextmanager
def told_of(what: object) -> Iterator[None]:
    """A context whose UserErrors begin with `what` they are about, such as a file."""
    try:
        yield
    except UserError as error:
        raise type(error)(f"{what}: {error}") from error
