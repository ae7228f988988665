"""Maps continued by reflection: values and gradients as NumPy and JAX have them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.layers.reflected_residual import reflect


@pytest.mark.parametrize(("size", "pad"), [((5, 7), 1), ((4, 9), 3), ((3, 3), 2), ((8, 5), 2)])
def test_values_and_gradients(size, pad):
    rng, around = np.random.default_rng(0), ((0, 0), (pad, pad), (pad, pad), (0, 0))
    x = rng.standard_normal((2, *size, 3), np.float32)
    change = rng.standard_normal((2, size[0] + 2 * pad, size[1] + 2 * pad, 3), np.float32)

    @jax.jit
    def run(x, change):
        found, back = jax.vjp(lambda x: reflect(x, pad), x)
        return found, back(change)[0], jax.vjp(lambda x: jnp.pad(x, around, mode="reflect"), x)[1](change)[0]

    found, slope, wanted = run(x, change)
    np.testing.assert_array_equal(found, np.pad(x, around, mode="reflect"))
    np.testing.assert_allclose(slope, wanted, atol=1e-5)
