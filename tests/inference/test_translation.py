"""What becomes ONNX computes what JAX does: operation by operation, and network by network."""

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
import pytest
import small_methods
from jax import lax
from small_networks import PLAIN, observation, small_trained

from scan_jax.inference.bundles import program
from scan_jax.inference.translation.walk import translate
from scan_jax.ops.smooth_fill import biharmonic_fill
from scan_jax.weights import safetensors_tree

X = np.random.default_rng(0).normal(size=(2, 6, 5, 4)).astype(np.float32)
KERNEL = np.random.default_rng(1).normal(size=(3, 3, 4, 4)).astype(np.float32)
NHWC = {"dimension_numbers": ("NHWC", "HWIO", "NHWC")}
PLACES = jnp.array([[0, 3], [2, 0], [3, 1], [-1, 1], [1, 7]])


def computed(model, *given):
    names = [each.name for each in model.graph.input]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip(names, map(np.asarray, given))))[0]


def translated(function, *given):
    shapes = [jax.ShapeDtypeStruct(np.shape(each), jnp.asarray(each).dtype) for each in given]
    model = translate(function, shapes, [f"x{i}" for i in range(len(given))], "y")
    onnx.checker.check_model(model, full_check=True)
    return model


def by_places(mode):
    return lambda x: x[0, :, :, 0].at[(jnp.round(x[0, 0, 0, 0]) * 0 + PLACES.T).astype(int)[0], PLACES[:, 1]].get(
        mode=mode, wrap_negative_indices=False
    )  # fmt: skip


def until(x):
    """Rounds whose number depends on x, four at most."""
    state = 0, x, jnp.array(True)
    return lax.while_loop(lambda s: (s[0] < 4) & s[2], lambda s: (s[0] + 1, 2 * s[1], s[1].sum() * s[0] < 9), state)[1]


def draw(x):
    """Of a fixed key, among as many as x says."""
    return jax.random.randint(jax.random.key(1), (50,), 0, 1 + jnp.sum(x > 0))


OPERATIONS = {
    "strided convolution": lambda x: lax.conv_general_dilated(x, KERNEL, (2, 1), ((1, 2), (0, 1)), **NHWC),
    "dilated kernels": lambda x: lax.conv_general_dilated(x, KERNEL, (1, 1), "SAME", rhs_dilation=(2, 1), **NHWC),
    "transposed": lambda x: lax.conv_general_dilated(x, KERNEL, (1, 1), ((1, 2), (2, 0)), lhs_dilation=(2, 2), **NHWC),
    "transposed far": lambda x: lax.conv_general_dilated(x, KERNEL, (1, 1), ((3, 1), (-1, 2)), lhs_dilation=(2, 1),
                                                         **NHWC),
    "by channels": lambda x: lax.conv_general_dilated(x, KERNEL[:, :, :1], (1, 1), "SAME", feature_group_count=4,
                                                      **NHWC),
    "own kernels": lambda x: lax.conv_general_dilated(x, x[0, :3, :3, :, None], (1, 1), "VALID", **NHWC),
    "products": lambda x: jnp.einsum("bhwc,bhvd->bwvcd", x, x) + jnp.einsum("bhwc,ck->bhwk", x, KERNEL[0, 0]).sum(),
    "windows": lambda x: lax.reduce_window(x[..., 0], -jnp.inf, lax.max, (1, 3, 2), (1, 2, 1), "SAME")
    + lax.reduce_window(x[..., 1], 0.0, lax.add, (1, 3, 2), (1, 2, 1), "SAME"),
    "pads": lambda x: lax.pad(x, 7.0, ((0, 0, 0), (-1, 2, 1), (1, -2, 0), (0, 0, 2))),
    "order": lambda x: jnp.concatenate([x.transpose(2, 0, 3, 1)[::-1, :, 1:3], jnp.ones((5, 2, 1, 6))], axis=2),
    "shapes": lambda x: jnp.broadcast_to(x[:, :1], (2, 3, 5, 4)).reshape(2, 15, 2, 2) * jnp.ones((1, 15, 1, 1)),
    "sorted": lambda x: jnp.take_along_axis(x, jnp.argsort(x > 0, axis=2, stable=True), axis=2) + jnp.sort(x, axis=2),
    "largest": lambda x: lax.top_k(x, 2)[0] * jnp.argmax(x, axis=3)[..., None] + jnp.cumsum(x, axis=1)[..., :2],
    "updates": lambda x: lax.dynamic_update_slice(x, 2 * x[:1, :2, :3], (1, 2, 1, 0)),
    "scattered": lambda x: x.at[:, jnp.array([1, 4]), :, 2].add(1.0).at[1, 2].set(x[0, 0]),
    "rounds": until,
    "fewer rounds": lambda x: until(jnp.abs(x)),
    "unsigned": lambda x: jnp.abs(9 * x).astype(jnp.uint32) * np.uint32(2654435761) + np.uint32(7),
    "draws": draw,
    "remainders": lambda x: lax.rem(jnp.round(9 * x).astype(int), 4) + jnp.round(9 * x).astype(int) // 4,
    "long sums": lambda x: jnp.sum(jnp.tile(x, (1, 64, 64, 1)), axis=(1, 2)) + x.std(),
    "choices": lambda x: jnp.where(x > 0, x < 1, x > -1) & ~jnp.isfinite(jnp.log(x)),
    **{f"places, {mode}": by_places(mode) for mode in ("fill", "clip")},
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation(name):
    answer = computed(translated(OPERATIONS[name], X), X)
    truth = np.asarray(OPERATIONS[name](jnp.asarray(X)))
    assert answer.shape == truth.shape and (answer != answer.flat[0]).any()
    np.testing.assert_allclose(
        answer, truth, rtol=0, atol=2e-6 * np.max(np.abs(truth), where=np.isfinite(truth), initial=1)
    )


def test_what_is_known_is_computed_at_once_and_the_general_form_taken():
    def function(x):
        noise = jax.random.normal(jax.random.key(3), (4,))
        return lax.platform_dependent(x, cpu=lambda x: x - 1.0, default=lambda x: x + 1.0) + noise

    model = translated(function, jnp.zeros(4))
    assert [node.op_type for node in model.graph.node] == ["Add", "Add", "Identity"]
    np.testing.assert_allclose(computed(model, np.ones(4, np.float32)), function(jnp.ones(4)) + 2, rtol=1e-6)


def test_a_loop_without_an_end_is_refused():
    with pytest.raises(NotImplementedError, match="rounds"):
        translated(lambda x: lax.while_loop(lambda y: y.sum() < 9, lambda y: 2 * y, x), X)


def test_equations_answer_within_a_hundredth_of_a_level():
    """Unrolled for as many cycles as there are at most, a solver is no other than the one that ends early."""
    image, known, _ = observation((1, 40, 32), seed=3)
    answer = computed(translated(lambda *given: biharmonic_fill(*given, 4), image, known), image, known)
    assert 255 * np.abs(answer - jax.jit(lambda *given: biharmonic_fill(*given, 4))(image, known)).max() < 0.01


NETWORKS = {name: {"name": name, **section} for name, section in small_methods.SMALL.items()}
NETWORKS |= {"prior": {**PLAIN, "prior": "both", "share": "pixel"}}
FAST = ("partial_conv", "region_norm")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name not in FAST)) for name in NETWORKS]
)
def test_a_network(name):
    """No operation is left that depends on nothing, no loop, and no integers that browsers and tract do not have."""
    trained = small_trained(NETWORKS[name])
    method, side = trained.method, max(trained.method.stride, 16)
    image, known, *labels = observation((1, 2 * side, 3 * side), method.num_labels)
    seen = [image * known, known, *labels[: method.num_labels]]
    flat = safetensors_tree.flatten({"params": trained.variables.params, "stats": trained.variables.stats})
    fill = program.make_fill(method)
    if name in ("lama", "edge_connect"):
        with pytest.raises(NotImplementedError, match=r"fft|rounds"):
            translated(lambda *given: fill(flat, *given), *seen)
        return
    model = translated(lambda *given: fill(flat, *given), *seen)
    np.testing.assert_allclose(computed(model, *seen), jax.jit(fill)(flat, *seen), rtol=0, atol=2e-5)
    constants = {each.name for each in model.graph.initializer}
    alone = {node.op_type for node in model.graph.node if not set(node.input) - constants}
    assert alone <= {"Expand", "Reshape", "Transpose"}  # which keep a constant small in the file
    assert not {"Loop", "Scan", "If", "RandomNormal"} & {node.op_type for node in model.graph.node}
    kinds = onnx.TensorProto
    assert {each.data_type for each in model.graph.initializer} <= {kinds.FLOAT, kinds.INT64, kinds.BOOL}
