"""Calls that must be refused."""

import pytest


def refused(complaint, function, *cases, error=ValueError, **options):
    """Each of the cases, a tuple of arguments, raises an error that says this."""
    for case in cases:
        with pytest.raises(error, match=complaint):
            function(*case, **options)
