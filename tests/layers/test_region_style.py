"""The region-adaptive normalisation against its literal form in float64, and its parts against PyTorch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import refused

from scan_jax.layers.conv import ConvTranspose3
from scan_jax.layers.normalization import BatchNorm
from scan_jax.layers.region_style import RegionStyleNorm, StyleBranch, small_xavier_pair

DEVICES = 2
N, S, C = 5, 6, 4
CLASSES = np.arange(N)[None, :, None]


def randomize(module, *inputs, **options):
    """Parameters drawn anew, so that no start at zero hides a mistake."""
    rng = np.random.default_rng(9)
    made = jax.eval_shape(lambda: module.init(jax.random.key(0), *inputs, **options))["params"]
    return jax.tree.map(lambda leaf: (0.3 * rng.standard_normal(leaf.shape)).astype(np.float32), made)


def make():
    rng = np.random.default_rng(1)
    scale = np.float32([2, 1, 3, 4])[:, None, None, None]  # a sample's
    x = 1 + scale * rng.standard_normal((4, 8, 6, C), np.float32)
    labels = rng.integers(0, N - 1, (4, 8, 6)).astype(np.int32)  # class N-1 is absent
    inputs = x, labels, rng.standard_normal((4, N, S), np.float32)
    mean, variance = (np.linspace(*ends, C, dtype=np.float32) for ends in ((-1, 1), (1, 3)))
    stats = {"norm": {"mean": mean, "variance": variance}}
    return inputs, {"params": randomize(RegionStyleNorm(N, hidden=3), *inputs, None, train=False), "batch_stats": stats}


@functools.cache
def compiled(dtype=jnp.float32):
    return jax.jit(RegionStyleNorm(N, hidden=3, dtype=dtype).apply, static_argnames=("train", "mutable"))


def to_torch(x):
    """[B,H,W,C] -> a tensor [B,C,H,W]."""
    return pytest.importorskip("torch").tensor(np.asarray(x).transpose(0, 3, 1, 2).copy())


def literal_style_branch(params, styles, labels):
    """The map of S channels is built and convolved, in float64: gamma and beta [B,H,W,2C]."""
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    hidden = np.einsum("bns,nst->bnt", styles, params["dense"]["kernel"]) + params["dense"]["bias"]
    rows = np.concatenate([np.maximum(hidden, 0), np.zeros((len(hidden), 1, S))], axis=1)  # none for no class
    chosen = np.where((labels >= 0) & (labels < N), labels, N)
    spread = rows[np.arange(len(rows))[:, None, None], chosen]
    padded = np.pad(spread, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = labels.shape[1:]
    taps = [padded[:, i : i + height, j : j + width] @ params["kernel"][i, j] for i, j in np.ndindex(3, 3)]
    return sum(taps) + params["bias"]


def test_the_contracted_style_branch_equals_the_literal_one_times_its_share():
    rng, branch = np.random.default_rng(2), StyleBranch(C)
    styles, apply = rng.standard_normal((2, N, S), np.float32), jax.jit(branch.apply)
    for highest, share in ((N - 1, np.ones(2 * C)), (N + 3, np.ones(2 * C)), (N, np.linspace(0, 1, 2 * C))):
        labels = rng.integers(-1, highest, (2, 9, 7)).astype(np.int32)
        params = randomize(branch, styles, labels, np.float32(share))
        found = apply({"params": params}, styles, labels, np.float32(share))
        wanted = literal_style_branch(params, styles, labels) * share
        assert np.linalg.norm(found - wanted) < 1e-5 * np.linalg.norm(wanted)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_batch_norm_equals_pytorch_far_from_zero():
    torch = pytest.importorskip("torch")
    x = 100 + np.random.default_rng(0).standard_normal((2, 5, 3, C), np.float32)
    layer, reference = BatchNorm(), torch.nn.BatchNorm2d(C, affine=False)
    variables = jax.jit(lambda x: layer.init(jax.random.key(0), x, train=True))(x)
    np.testing.assert_array_equal(variables["batch_stats"]["mean"], 0)  # initialisation counts as no pass
    for train in (True, False):
        run = jax.jit(lambda v, x, t=train: layer.apply(v, x, train=t, mutable=["batch_stats"]))
        found, changed = run(variables, x)
        variables = {**variables, **changed}
        wanted = reference.train(train)(to_torch(x)).numpy().transpose(0, 2, 3, 1)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=2e-4)


def test_gradients_are_finite_and_reach_every_parameter_and_two_devices_compute_what_one_does():
    (x, labels, styles), variables = make()
    keys = jax.random.split(jax.random.key(3), 4)

    def loss(params, x, styles, labels, keys):
        given = {**variables, "params": params}, x, labels, styles, keys
        found, changed = compiled()(*given, train=True, mutable=("batch_stats",))
        return jnp.sum(jnp.sin(found)), changed

    step = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True))
    inputs = x, styles, labels, keys
    wanted = step(variables["params"], *inputs)
    for path, leaf in jax.tree_util.tree_leaves_with_path(wanted[1]):
        assert np.isfinite(leaf).all() and np.abs(leaf).max() > 0, path
    mesh = jax.make_mesh((2,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    spread = jax.device_put(inputs, jax.NamedSharding(mesh, jax.P("data")))
    params = jax.device_put(variables["params"], jax.NamedSharding(mesh, jax.P()))
    for ours, truth in zip(jax.tree.leaves(step(params, *spread)), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(ours, truth, rtol=1e-4, atol=1e-4)


def test_evaluation_is_pure_each_image_is_alone_and_noise_depends_on_the_sample_s_key():
    inputs, variables = make()
    one, other, third, last = jax.random.split(jax.random.key(4), 4)

    def run(inputs, *keys):
        return compiled()(variables, *inputs, jnp.stack(keys), train=False, mutable=("batch_stats",))

    whole, same = run(inputs, one, other, third, last)
    jax.tree.map(np.testing.assert_array_equal, same["batch_stats"], variables["batch_stats"])
    turned, _ = run([part[[3, 1, 0, 2]] for part in inputs], last, other, one, third)
    np.testing.assert_allclose(turned, whole[np.array([3, 1, 0, 2])], rtol=1e-5, atol=1e-5)
    found, _ = run([np.repeat(part[:1], 4, axis=0) for part in inputs], one, one, other, other)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_allclose(found[0], whole[0], rtol=1e-5, atol=1e-5)  # the others are of no account
    assert float(np.abs(found[0] - found[2]).max()) > 1e-2


def test_a_style_reaches_its_class_and_the_border_only():
    (x, labels, styles), variables = make()
    labels[:, :, :3], labels[:, :, 3:] = 0, 1
    before, after, absent = (
        np.asarray(compiled()(variables, x, labels, styles + (changed == CLASSES), None, train=False))
        for changed in (-1, 1, 4)
    )
    np.testing.assert_array_equal(before[:, :, :2], after[:, :, :2])
    assert np.abs(before - after)[:, :, 2:].max() > 1e-3
    np.testing.assert_array_equal(before, absent)


def test_bfloat16_stays_near_float32():
    inputs, variables = make()
    wanted, found = (compiled(d)(variables, *inputs, None, train=False) for d in (jnp.float32, jnp.bfloat16))
    assert found.dtype == jnp.bfloat16
    assert np.linalg.norm(found.astype(jnp.float32) - wanted) < 0.02 * np.linalg.norm(wanted)


def test_wrong_shapes_are_refused():
    (x, labels, styles), variables = make()
    refused("labels", compiled(), (variables, x, labels[:, ::2], styles, None), train=False)
    refused("styles", compiled(), (variables, x, labels, styles[:, 1:], None), train=False)


def test_the_transposed_convolution_equals_pytorch():
    torch = pytest.importorskip("torch")
    layer, x = ConvTranspose3(5), np.random.default_rng(0).standard_normal((2, 4, 3, 6), np.float32)
    params = randomize(layer, x)
    weight, bias = torch.tensor(params["kernel"].transpose(2, 3, 0, 1).copy()), torch.tensor(params["bias"])
    wanted = torch.nn.functional.conv_transpose2d(to_torch(x), weight, bias, stride=2, padding=1, output_padding=1)
    found = jax.jit(layer.apply)({"params": params}, x)
    np.testing.assert_allclose(found, wanted.numpy().transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-5)


def test_gamma_and_beta_start_unlike_each_other_and_as_one_kernel_would():
    pair = np.asarray(small_xavier_pair(jax.random.key(0), (3, 3, 64, 64)))
    halves = np.split(pair, 2, axis=-1)
    assert abs(np.corrcoef(*(half.ravel() for half in halves))[0, 1]) < 0.03
    for half in halves:
        assert half.std() == pytest.approx(0.02 / np.sqrt(9 * (64 + 32) / 2), rel=0.02)
