"""The toy method and its batches, for every test of the trainer."""

import pytest
from toy_method import ToyMethod, toy_batch


@pytest.fixture
def toy_method():
    return ToyMethod()


@pytest.fixture
def batches_from():
    def batches(step):
        while True:
            yield toy_batch(step)
            step += 1

    return batches
