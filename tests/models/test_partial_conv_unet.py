"""The U-Net of partial convolutions: against its literal form in PyTorch, and what it must not depend on."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from comparison import close, error_of
from lively_variables import lively_variables

from scan_jax.models.partial_conv_unet import PartialConvUNet, kernel_sizes, level_widths

MODEL = PartialConvUNet(width=4, depth=4)
apply = jax.jit(MODEL.apply, static_argnames=("train", "mutable"))


def inputs():
    rng = np.random.default_rng(1)
    image, known = rng.random((2, 32, 48, 3), np.float32), np.float32(rng.random((2, 32, 48, 1)) > 0.4)
    known[:, 4:28, 10:40] = 0
    return image, known


@functools.cache
def variables():
    return lively_variables(MODEL, *inputs())


def fill(*given):
    return apply(variables(), *given, train=(), mutable=("batch_stats",))[0]


def test_published_widths_and_kernels():
    assert level_widths(64, 7) == (3, 64, 128, 256, 512, 512, 512, 512)
    assert kernel_sizes(7) == (7, 5, 5, 3, 3, 3, 3)
    assert kernel_sizes(2) == (7, 5)


def test_it_equals_the_literal_form_in_all_phases():
    """Those statistics alone move that are named."""
    pytest.importorskip("torch")
    from torch_layers import Norms, to_numpy, to_torch
    from torch_partial_conv import unet

    ours = variables()
    norms = Norms(ours["batch_stats"])
    for train in (("encoder", "decoder"), ("decoder",), ()):
        found, changed = apply(ours, *inputs(), train=train, mutable=("batch_stats",))
        ours = {**ours, **changed}
        close(found, to_numpy(unet(ours["params"], norms, *map(to_torch, inputs()), train)))
        norms.equal(ours["batch_stats"])


def test_bfloat16_stays_near_float32():
    found = jax.jit(PartialConvUNet(width=4, depth=4, dtype=jnp.bfloat16).apply)(variables(), *inputs())
    assert found.dtype == jnp.float32
    assert error_of(found, fill(*inputs())) < 0.05
