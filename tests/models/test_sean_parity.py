"""SEAN's parts and the whole generator against the literal form in PyTorch, with the same random weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sean_variables import random_variables
from torch_sean import Block, Decoder, Encoder, Norm, to_numpy, to_torch, torch

from scan_jax.layers.region_style import RegionStyleNorm
from scan_jax.models.sean import BLOCKS, Sean, StyleResidualBlock
from scan_jax.models.style_encoder import StyleEncoder

N, S = 5, 6


def draw(height, width, channels):
    x = 1 + 2 * jax.random.normal(jax.random.key(1), (2, height, width, channels))
    labels = jax.random.randint(jax.random.key(2), (2, height, width), 0, N - 1)  # class N-1 is absent
    return x, labels, jax.random.normal(jax.random.key(3), (2, N, S))


def jitted(module):
    return jax.jit(module.apply, static_argnames=("train", "mutable"))


def close(found, wanted):
    """Relative error of the whole below 1e-4."""
    assert np.linalg.norm(found - wanted) < 1e-4 * np.linalg.norm(wanted)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())


@pytest.mark.parametrize("styled", [True, False])
def test_norm_in_training_and_evaluation(styled):
    norm, (x, labels, styles) = RegionStyleNorm(N, hidden=3), draw(8, 6, 4)
    inputs = (x, labels, styles if styled else None)
    variables = random_variables(norm, *inputs, None, train=False)
    reference, apply = Norm(variables["params"], 4), jitted(norm)
    for train in (True, True, False):
        found, changed = apply(variables, *inputs, None, train=train, mutable=("batch_stats",))
        variables = {**variables, **changed}
        close(found, to_numpy(reference.train(train)(*map(to_torch, inputs))))
    stats = variables["batch_stats"]["norm"]
    np.testing.assert_allclose(stats["mean"], reference.norm.running_mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(stats["variance"], reference.norm.running_var, rtol=1e-5)


def test_norm_with_noise():
    norm, inputs = RegionStyleNorm(N, hidden=3), draw(8, 6, 4)
    variables = random_variables(norm, *inputs, None, train=False)
    keys = jax.random.split(jax.random.key(4), 2)
    found = jitted(norm)(variables, *inputs, keys, train=True, mutable=("batch_stats",))[0]
    noise = jax.vmap(lambda key: jax.random.normal(key, (8, 6, 1)))(keys)
    reference = Norm(variables["params"], 4).train()
    close(found, to_numpy(reference(*map(to_torch, inputs), noise=to_torch(noise))))


@pytest.mark.parametrize(("inputs", "outputs"), [(4, 4), (6, 3), (3, 6)])
def test_residual_block(inputs, outputs):
    block, given = StyleResidualBlock(outputs, N, 3, jnp.float32), draw(5, 6, inputs)
    variables = random_variables(block, *given, None, train=False)
    reference, apply = Block(variables, inputs), jitted(block)
    for train in (True, True, False):
        found, changed = apply(variables, *given, None, train=train, mutable=("batch_stats", "spectral"))
        variables = {**variables, **changed}
        close(found, to_numpy(reference.train(train)(*map(to_torch, given))))


@pytest.mark.parametrize("attention", ["none", "contextual"])
def test_style_encoder(attention):
    encoder = StyleEncoder(N, 4, S, attention)
    image = jax.random.uniform(jax.random.key(1), (2, 16, 12, 3))
    known = (jax.random.uniform(jax.random.key(2), (2, 16, 12, 1)) > 0.3).astype(jnp.float32)
    labels = jax.random.randint(jax.random.key(3), (2, 16, 12), 0, N - 1)
    variables = random_variables(encoder, image, known, labels)
    found = jitted(encoder)(variables, image, known, labels)
    np.testing.assert_array_equal(found[:, N - 1], 0)
    wanted = Encoder(variables["params"])(to_torch(image), to_torch(known), to_torch(labels), N)
    close(found, wanted.detach().numpy())


def test_whole_generator():
    model = Sean(N, width=2, style_size=S, hidden=3, attention="contextual")
    image = jax.random.uniform(jax.random.key(1), (2, 64, 32, 3))
    known = (jax.random.uniform(jax.random.key(2), (2, 64, 32, 1)) > 0.3).astype(jnp.float32)
    labels = jax.random.randint(jax.random.key(3), (2, 64, 32), 0, N)
    variables = random_variables(model, image, known, labels, None, train=False)
    found, _ = jitted(model)(variables, image, known, labels, None, train=True, mutable=("batch_stats",))
    decoder = {collection: tree["decoder"] for collection, tree in variables.items()}
    with torch.no_grad():
        styles = Encoder(variables["params"]["encoder"])(to_torch(image), to_torch(known), to_torch(labels), N)
        wanted = Decoder(decoder, [name for name, _, _ in BLOCKS]).train()(styles, to_torch(labels))
    close(found, to_numpy(wanted))
