"""The same function without random numbers, calls, platforms and indices that lie outside."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from small_networks import MASKED_ATTENTION, PLAIN, SCAN, observation, small_trained

from scan_jax.inference.bundles import program
from scan_jax.inference.bundles.onnx_file import fold
from scan_jax.weights import safetensors_tree

UNKNOWN = {"random_bits", "threefry2x32", "random_wrap", "random_fold_in", "custom_vjp_call", "custom_jvp_call"}


def primitives(jaxpr):
    """The names of all operations, those in loops and functions included."""
    names = set()
    for equation in jaxpr.eqns:
        names.add(equation.primitive.name)
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda each: hasattr(each, "eqns")):
            names |= primitives(inner) if hasattr(inner, "eqns") else set()
    return names


@pytest.mark.parametrize(
    "section",
    [
        {**PLAIN, "attention": ("channel",)},
        pytest.param(SCAN, marks=pytest.mark.slow),
        pytest.param({**MASKED_ATTENTION, "attention": "contextual"}, marks=pytest.mark.slow),
    ],
    ids=["plain", "scan", "masked_attention"],
)
def test_networks_answer_as_before(section):
    trained = small_trained(section)
    method, stride = trained.method, trained.method.stride
    image, known, *labels = observation((1, 3 * stride, 2 * stride), method.num_labels)
    seen = [image * known, known, *labels[: method.num_labels]]
    flat = safetensors_tree.flatten({"params": trained.variables.params, "stats": trained.variables.stats})
    fill = program.make_fill(method)
    folded = fold(lambda *given: fill(flat, *given), *seen)
    np.testing.assert_allclose(jax.jit(folded)(*seen), jax.jit(fill)(flat, *seen), atol=1e-5)
    left = primitives(jax.make_jaxpr(folded)(*seen).jaxpr)
    assert "conv_general_dilated" in left and not left & UNKNOWN
    assert not {"platform_index", "cond"} & left


@pytest.mark.parametrize("mode", ["fill", "clip"])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.int32])
def test_gathers_keep_their_meaning_beyond_the_array(mode, dtype):
    array = jnp.arange(12, dtype=dtype).reshape(3, 4)

    def take(rows, columns):
        return array.at[rows, columns].get(mode=mode, wrap_negative_indices=False)

    rows, columns = jnp.array([0, 2, 3, -1, 1]), jnp.array([3, 0, 1, 1, 7])
    np.testing.assert_array_equal(fold(take, rows, columns)(rows, columns), take(rows, columns))


def test_what_is_known_is_computed_at_once_and_the_general_form_taken():
    def function(x):
        noise = jax.random.normal(jax.random.key(3), (4,))
        return lax.platform_dependent(x, cpu=lambda x: x - 1.0, default=lambda x: x + 1.0) + noise

    folded = fold(function, jnp.zeros(4))
    assert primitives(jax.make_jaxpr(folded)(jnp.zeros(4)).jaxpr) == {"add"}
    np.testing.assert_allclose(folded(jnp.ones(4)), 2.0 + jax.random.normal(jax.random.key(3), (4,)))
