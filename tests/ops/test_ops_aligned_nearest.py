"""Shrinking with aligned corners, against TensorFlow's formula and PyTorch's neighbour that it is not."""

import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.ops.aligned_nearest import shrink_nearest


def tensorflow_rows(count, factor):
    """Which rows TensorFlow 1 takes: round(y * (H - 1) / (n - 1)) in float32, halves away from zero."""
    height = count * factor
    scale = np.float32(height - 1) / np.float32(count - 1) if count > 1 else np.float32(factor)
    rows = [int(np.floor(np.float64(np.float32(y) * scale) + 0.5)) for y in range(count)]
    return np.minimum(rows, height - 1)


@pytest.mark.parametrize("factor", [1, 2, 4])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 16, 32, 33, 64])
def test_it_takes_the_rows_and_columns_that_tensorflow_takes(count, factor):
    columns = 6
    x = np.arange(count * factor * columns * factor, dtype=np.float32).reshape(1, count * factor, -1, 1)
    found = shrink_nearest(jnp.asarray(x), factor)
    wanted = x[:, tensorflow_rows(count, factor)][:, :, tensorflow_rows(columns, factor)]
    np.testing.assert_array_equal(found, wanted)


def test_corners_stay_and_the_lower_half_takes_odd_rows():
    rows = shrink_nearest(jnp.arange(8.0).reshape(1, 8, 1, 1).repeat(8, axis=2), 2)[0, :, 0, 0]
    np.testing.assert_array_equal(rows, [0, 2, 5, 7])


@pytest.mark.parametrize(("shape", "factor"), [((4, 4, 1), 2), ((1, 6, 4, 1), 4), ((1, 4, 6, 1), 4), ((1, 4, 4, 1), 0)])
def test_other_shapes_are_refused(shape, factor):
    with pytest.raises(ValueError, match="multiples of"):
        shrink_nearest(jnp.zeros(shape), factor)
