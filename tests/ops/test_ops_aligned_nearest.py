"""Shrinking with aligned corners, against TensorFlow's formula and PyTorch's neighbour that it is not."""

import jax
import numpy as np
import pytest
from refusals import refused

from scan_jax.ops.aligned_nearest import shrink_nearest

COUNTS = (1, 2, 3, 4, 5, 8, 16, 32, 33, 64)


def tensorflow_rows(count, factor):
    """Which rows TensorFlow 1 takes: round(y * (H - 1) / (n - 1)) in float32, halves away from zero."""
    height = count * factor
    scale = np.float32(height - 1) / np.float32(count - 1) if count > 1 else np.float32(factor)
    rows = [int(np.floor(np.float64(np.float32(y) * scale) + 0.5)) for y in range(count)]
    return np.minimum(rows, height - 1)


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_it_takes_the_rows_and_columns_that_tensorflow_takes(factor):
    columns = 6
    maps = [np.arange(n * factor * columns * factor, dtype=np.float32).reshape(1, n * factor, -1, 1) for n in COUNTS]
    shrunk = jax.jit(lambda maps: [shrink_nearest(one, factor) for one in maps])(maps)
    for count, x, found in zip(COUNTS, maps, shrunk, strict=True):
        wanted = x[:, tensorflow_rows(count, factor)][:, :, tensorflow_rows(columns, factor)]
        np.testing.assert_array_equal(found, wanted)


def test_other_shapes_are_refused():
    for shape, factor in (((4, 4, 1), 2), ((1, 6, 4, 1), 4), ((1, 4, 6, 1), 4), ((1, 4, 4, 1), 0)):
        refused("multiples of", shrink_nearest, (np.zeros(shape), factor))
