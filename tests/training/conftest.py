"""The toy method, for every test of the trainer."""

import pytest
from toy_method import ToyMethod

from scan_jax.commands import experiment


@pytest.fixture
def toy_method():
    return ToyMethod()


@pytest.fixture(autouse=True)
def own_cache(monkeypatch):
    """Runs in this process leave where compiled programs are kept as it is."""
    monkeypatch.setattr(experiment, "keep_compilations", lambda: None)
