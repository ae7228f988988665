"""The region-adaptive normalisation against its literal form in float64, and its parts against PyTorch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.layers.batch_norm import BatchNorm
from scan_jax.layers.region_style import RegionStyleNorm, StyleBranch
from scan_jax.layers.transposed_conv import TransposedConv

N, S, C = 5, 6, 4


def randomize(tree, seed=9, scale=0.3):
    """Every leaf drawn anew, so that no start at zero hides a mistake."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: (scale * rng.standard_normal(leaf.shape)).astype(np.float32), tree)


def shapes(module, *inputs):
    return jax.eval_shape(lambda: module.init(jax.random.key(0), *inputs))["params"]


def make(dtype=jnp.float32):
    """A compiled norm, its inputs and random variables."""
    norm = RegionStyleNorm(N, hidden=3, dtype=dtype)
    x = 1 + 2 * jax.random.normal(jax.random.key(1), (3, 8, 6, C))
    labels = jax.random.randint(jax.random.key(2), (3, 8, 6), 0, N - 1)  # class N-1 is absent
    codes = jax.random.normal(jax.random.key(3), (3, N, S))
    made = jax.eval_shape(lambda: norm.init(jax.random.key(0), x, labels, codes, None, train=False))
    stats = {"norm": {"mean": jnp.linspace(-1, 1, C), "variance": jnp.linspace(1, 3, C)}}
    variables = {"params": randomize(made["params"]), "batch_stats": stats}
    return jax.jit(norm.apply, static_argnames=("train", "mutable")), (x, labels, codes), variables


def to_torch(x):
    """[B,H,W,C] -> a tensor [B,C,H,W]."""
    return pytest.importorskip("torch").tensor(np.asarray(x).transpose(0, 3, 1, 2).copy())


def literal_style_branch(params, styles, labels):
    """The map of S channels is built and convolved, in float64: gamma and beta [B,H,W,2C]."""
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    styles, labels = np.asarray(styles, np.float64), np.asarray(labels)
    hidden = np.einsum("bns,nst->bnt", styles, params["dense"]["kernel"]) + params["dense"]["bias"]
    spread = np.zeros((*labels.shape, styles.shape[-1]))
    for sample, row, column in np.ndindex(labels.shape):
        label = labels[sample, row, column]
        if 0 <= label < styles.shape[1]:
            spread[sample, row, column] = np.maximum(hidden[sample, label], 0)
    padded = np.pad(spread, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = labels.shape[1:]
    taps = [padded[:, i : i + height, j : j + width] @ params["kernel"][i, j] for i in range(3) for j in range(3)]
    return sum(taps) + params["bias"]


@pytest.mark.parametrize("highest", [N - 1, N + 3])
def test_the_contracted_style_branch_equals_the_literal_one(highest):
    labels = jax.random.randint(jax.random.key(2), (2, 9, 7), -1, highest)
    styles = jax.random.normal(jax.random.key(3), (2, N, S))
    branch, share = StyleBranch(C), jnp.ones(2 * C)
    params = randomize(shapes(branch, styles, labels, share))
    found = branch.apply({"params": params}, styles, labels, share)
    wanted = literal_style_branch(params, styles, labels)
    assert np.linalg.norm(found - wanted) < 1e-5 * np.linalg.norm(wanted)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_the_share_scales_a_branch():
    labels, styles = jnp.zeros((1, 4, 4), jnp.int32), jnp.ones((1, N, S))
    branch, share = StyleBranch(C), jnp.linspace(0, 1, 2 * C)
    params = {"params": randomize(shapes(branch, styles, labels, share))}
    whole = branch.apply(params, styles, labels, jnp.ones(2 * C))
    np.testing.assert_allclose(branch.apply(params, styles, labels, share), whole * share[None, None, None], rtol=1e-5)


def test_batch_norm_equals_pytorch_far_from_zero():
    torch = pytest.importorskip("torch")
    x = 100 + jax.random.normal(jax.random.key(0), (2, 5, 3, C))
    layer, reference = BatchNorm(), torch.nn.BatchNorm2d(C, affine=False)
    variables = layer.init(jax.random.key(0), x, train=True)
    np.testing.assert_array_equal(variables["batch_stats"]["mean"], 0)  # initialisation counts as no pass
    for train in (True, False):
        found, changed = layer.apply(variables, x, train=train, mutable=("batch_stats",))
        variables = {**variables, **changed}
        wanted = reference.train(train)(to_torch(x)).numpy().transpose(0, 2, 3, 1)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=2e-4)


def test_training_statistics_are_those_of_the_whole_batch():
    x = jax.random.normal(jax.random.key(0), (4, 6, 5, C)) * jnp.arange(1.0, 5)[:, None, None, None]
    layer = BatchNorm()
    found = layer.apply(layer.init(jax.random.key(0), x, train=False), x, train=True, mutable=("batch_stats",))[0]
    np.testing.assert_allclose(found.mean((0, 1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(found.var((0, 1, 2)), 1, rtol=1e-4)
    assert float(found[3].var()) > 4 * float(found[0].var())


def test_eight_devices_compute_what_one_does():
    norm, _, variables = make()
    x = jax.random.normal(jax.random.key(0), (8, 6, 5, C)) * jnp.arange(1.0, 9)[:, None, None, None]
    labels = jax.random.randint(jax.random.key(1), (8, 6, 5), 0, N)
    inputs = (x, labels, jax.random.normal(jax.random.key(2), (8, N, S)), jax.random.split(jax.random.key(3), 8))

    def loss(params, inputs):
        found, changed = norm({**variables, "params": params}, *inputs, train=True, mutable=("batch_stats",))
        return jnp.sum(jnp.sin(found)), changed

    step = jax.jit(jax.value_and_grad(loss, has_aux=True))
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    spread = jax.device_put(inputs, jax.NamedSharding(mesh, jax.P("data")))
    params = jax.device_put(variables["params"], jax.NamedSharding(mesh, jax.P()))
    for found, wanted in zip(jax.tree.leaves(step(params, spread)), jax.tree.leaves(step(variables["params"], inputs))):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_evaluation_is_pure_and_each_image_is_alone():
    norm, (x, labels, styles), variables = make()
    keys = jax.random.split(jax.random.key(4), 3)
    whole, same = norm(variables, x, labels, styles, keys, train=False, mutable=("batch_stats",))
    jax.tree.map(np.testing.assert_array_equal, same["batch_stats"], variables["batch_stats"])
    alone = norm(variables, x[1:2], labels[1:2], styles[1:2], keys[1:2], train=False)
    np.testing.assert_allclose(alone[0], whole[1], rtol=1e-5, atol=1e-5)


def test_noise_depends_on_the_sample_s_key_alone():
    norm, (x, labels, styles), variables = make()
    one, other = jax.random.split(jax.random.key(4))
    same = [jnp.repeat(part[:1], 2, axis=0) for part in (x, labels, styles)]
    found = norm(variables, *same, jnp.stack([one, one]), train=False)
    np.testing.assert_array_equal(found[0], found[1])
    found = norm(variables, *same, jnp.stack([one, other]), train=False)
    assert float(jnp.abs(found[0] - found[1]).max()) > 1e-2


def test_a_style_reaches_its_class_and_the_border_only():
    norm, (x, _, styles), variables = make()
    labels = jnp.zeros((3, 8, 6), jnp.int32).at[:, :, 3:].set(1)
    before = norm(variables, x, labels, styles, None, train=False)
    after = norm(variables, x, labels, styles.at[:, 1].add(1.0), None, train=False)
    np.testing.assert_array_equal(before[:, :, :2], after[:, :, :2])
    assert float(jnp.abs(before - after)[:, :, 2:].max()) > 1e-3
    absent = norm(variables, x, labels, styles.at[:, 4].add(1.0), None, train=False)
    np.testing.assert_array_equal(before, absent)


def test_gradients_are_finite_and_reach_every_parameter():
    norm, (x, labels, styles), variables = make()
    keys = jax.random.split(jax.random.key(4), 3)

    def loss(params, x, styles):
        found, _ = norm({**variables, "params": params}, x, labels, styles, keys, train=True, mutable=("batch_stats",))
        return jnp.sum(jnp.sin(found))

    gradient = jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(variables["params"], x, styles)
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        assert np.isfinite(leaf).all() and np.abs(leaf).max() > 0, path


def test_bfloat16_stays_near_float32():
    norm, inputs, variables = make()
    wanted = norm(variables, *inputs, None, train=False)
    found = make(jnp.bfloat16)[0](variables, *inputs, None, train=False)
    assert found.dtype == jnp.bfloat16
    assert np.linalg.norm(found.astype(jnp.float32) - wanted) < 0.02 * np.linalg.norm(wanted)


def test_wrong_shapes_are_refused():
    norm, (x, labels, styles), variables = make()
    with pytest.raises(ValueError, match="labels"):
        norm(variables, x, labels[:, ::2], styles, None, train=False)
    with pytest.raises(ValueError, match="styles"):
        norm(variables, x, labels, styles[:, 1:], None, train=False)


def test_the_transposed_convolution_equals_pytorch():
    torch = pytest.importorskip("torch")
    layer, x = TransposedConv(5), jax.random.normal(jax.random.key(0), (2, 4, 3, 6))
    params = randomize(shapes(layer, x))
    weight = torch.tensor(np.asarray(params["kernel"]).transpose(2, 3, 0, 1).copy())
    bias = torch.tensor(np.asarray(params["bias"]))
    wanted = torch.nn.functional.conv_transpose2d(to_torch(x), weight, bias, stride=2, padding=1, output_padding=1)
    found = layer.apply({"params": params}, x)
    np.testing.assert_allclose(found, wanted.numpy().transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-5)
