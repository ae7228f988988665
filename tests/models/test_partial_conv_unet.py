"""The U-Net of partial convolutions: against its literal form in PyTorch, and what it must not depend on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lively_variables import lively_variables

from scan_jax.models.partial_conv_unet import PartialConvUNet, kernel_sizes, level_widths

SMALL = PartialConvUNet(width=4, depth=4)


def inputs(batch=2, height=32, width=48):
    image = jax.random.uniform(jax.random.key(1), (batch, height, width, 3))
    known = (jax.random.uniform(jax.random.key(2), (batch, height, width, 1)) > 0.4).astype(jnp.float32)
    return image, known.at[:, 4:28, 10:40].set(0)


@pytest.fixture(scope="module")
def network():
    variables = lively_variables(SMALL, *inputs())
    return variables, jax.jit(SMALL.apply, static_argnames=("train", "mutable"))


def test_published_widths_and_kernels():
    assert level_widths(64, 7) == (3, 64, 128, 256, 512, 512, 512, 512)
    assert kernel_sizes(7) == (7, 5, 5, 3, 3, 3, 3)
    assert kernel_sizes(2) == (7, 5)


def test_equals_the_literal_form_in_all_phases(network):
    pytest.importorskip("torch")
    from torch_layers import Norms, to_numpy, to_torch
    from torch_partial_conv import unet

    variables, apply = network
    norms = Norms(variables["batch_stats"])
    for train in (("encoder", "decoder"), ("decoder",), ()):
        found, changed = apply(variables, *inputs(), train=train, mutable=("batch_stats",))
        variables = {**variables, **changed}
        wanted = to_numpy(unet(variables["params"], norms, *map(to_torch, inputs()), train))
        assert np.linalg.norm(found - wanted) < 1e-4 * np.linalg.norm(wanted - wanted.mean()), train
        for (name, _), (mean, variance) in norms.running.items():
            stats = changed["batch_stats"][name]["norm"]["norm"]
            np.testing.assert_allclose(stats["mean"], mean, rtol=1e-3, atol=1e-5)
            np.testing.assert_allclose(stats["variance"], variance, rtol=1e-3, atol=1e-5)


def test_only_the_statistics_that_are_named_move(network):
    variables, apply = network
    for train, moves in ((("decoder",), {"dec"}), ((), set()), (("encoder", "decoder"), {"enc", "dec"})):
        _, changed = apply(variables, *inputs(), train=train, mutable=("batch_stats",))
        before, after = (
            {name: level["norm"]["norm"]["mean"] for name, level in tree["batch_stats"].items()}
            for tree in (variables, changed)
        )
        assert {name[:3] for name in before if not np.array_equal(before[name], after[name])} == moves


def test_the_hole_has_no_influence(network):
    variables, apply = network
    image, known = inputs()
    other = jnp.where(known > 0, image, 5.0)
    np.testing.assert_array_equal(apply(variables, image, known), apply(variables, other, known))


def test_an_image_does_not_depend_on_its_batch(network):
    variables, apply = network
    image, known = inputs()
    alone = apply(variables, image[1:], known[1:])
    np.testing.assert_allclose(apply(variables, image, known)[1:], alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_hole_and_no_hole_are_answered(network, value):
    variables, apply = network
    image, known = inputs()
    assert np.isfinite(apply(variables, image, jnp.full_like(known, value))).all()


def test_sizes_must_fit_the_depth():
    with pytest.raises(ValueError, match="multiples of 16"):
        jax.eval_shape(SMALL.init, jax.random.key(0), *inputs(height=40))


def test_bfloat16_stays_near_float32(network):
    variables, apply = network
    rough = PartialConvUNet(width=4, depth=4, dtype=jnp.bfloat16)
    found = jax.jit(rough.apply)(variables, *inputs())
    exact = apply(variables, *inputs())
    assert found.dtype == jnp.float32
    assert np.linalg.norm(found - exact) < 0.05 * np.linalg.norm(exact - exact.mean())
