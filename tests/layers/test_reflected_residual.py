"""Maps continued by reflection: values and gradients as NumPy and JAX have them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.layers.reflected_residual import reflect


@pytest.mark.parametrize(("size", "pad"), [((5, 7), 1), ((4, 9), 3), ((3, 3), 2), ((8, 5), 2)])
def test_values_and_gradients(size, pad):
    x = jax.random.normal(jax.random.key(0), (2, *size, 3))
    around = ((0, 0), (pad, pad), (pad, pad), (0, 0))
    found, back = jax.vjp(jax.jit(lambda x: reflect(x, pad)), x)
    np.testing.assert_array_equal(found, np.pad(x, around, mode="reflect"))
    wanted = jax.vjp(lambda x: jnp.pad(x, around, mode="reflect"), x)[1]
    change = jax.random.normal(jax.random.key(1), found.shape)
    np.testing.assert_allclose(back(change)[0], wanted(change)[0], atol=1e-5)
