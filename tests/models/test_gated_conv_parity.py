"""Gated convolution's layers and networks against their literal form in PyTorch, with the same random weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from torch_gated_conv import Conv, Critic, F, Generator, contextual_attention, resize, same, to_numpy, to_torch, torch

from scan_jax.layers.gated_conv import GatedConv, SameConv
from scan_jax.models.gated_conv import GatedConvGenerator
from scan_jax.models.sn_patch_gan import SnPatchGan
from scan_jax.ops import contextual_attention as ours
from scan_jax.ops.aligned_nearest import shrink_nearest
from scan_jax.ops.image import enlarge


def randomized(params, seed=0, gain=1.5):
    """Weights that keep the scale of a map through gates, and biases that count."""
    draw = np.random.default_rng(seed)

    def random(leaf):
        if leaf.ndim == 1:
            return draw.uniform(-0.2, 0.2, leaf.shape).astype(np.float32)
        return (gain * draw.normal(size=leaf.shape) / np.prod(leaf.shape[:-1]) ** 0.5).astype(np.float32)

    return jax.tree.map(random, params)


def pair(batch, height, width, channels=3):
    keys = jax.random.split(jax.random.key(1))
    known = jnp.ones((batch, height, width, 1)).at[0, height // 4 :, : width // 3].set(0)
    known = known.at[1:, height // 2 : height // 2 + 5, width // 4 : -9].set(0)
    return jax.random.uniform(keys[0], (batch, height, width, channels)), known


def close(found, wanted, limit=1e-4):
    """Relative error of the whole; it is printed."""
    error = float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))
    print(f"\nrelative error {error:.1e}, largest {np.abs(found - wanted).max():.1e}")
    assert error < limit


@pytest.mark.parametrize(
    ("size", "stride", "dilation"), [(5, 1, 1), (3, 1, 1), (3, 2, 1), (3, 1, 2), (3, 1, 4), (3, 1, 8), (3, 1, 16)]
)
@pytest.mark.parametrize("activation", ["elu", "relu", None])
def test_convolution(size, stride, dilation, activation):
    x = jax.random.normal(jax.random.key(0), (2, 12, 10, 6))
    shape = {"kernel_size": size, "stride": stride, "dilation": dilation}
    layer = GatedConv(4, **shape, activation=getattr(jax.nn, activation)) if activation else SameConv(3, **shape)
    params = randomized(jax.eval_shape(layer.init, jax.random.key(0), x)["params"])
    reference = Conv(params, stride, dilation, getattr(F, activation) if activation else None)
    found = jax.jit(layer.apply)({"params": params}, x)
    close(found, to_numpy(reference(to_torch(x))), 1e-5)


def test_upsampling_and_resizing():
    x = jax.random.normal(jax.random.key(0), (2, 12, 8, 3))
    np.testing.assert_array_equal(enlarge(x, 2), to_numpy(F.interpolate(to_torch(x), scale_factor=2, mode="nearest")))
    np.testing.assert_array_equal(shrink_nearest(x, 4), to_numpy(resize(to_torch(x), 3, 2)))


@pytest.mark.parametrize(("height", "width"), [(16, 16), (10, 22)])
def test_attention(height, width):
    x, known = pair(3, height, width, 5)
    found = jax.jit(ours.contextual_attention)(0.5 * x, 1 - known)
    close(found, to_numpy(contextual_attention(to_torch(0.5 * x), to_torch(1 - known))))


@pytest.mark.parametrize(("height", "width"), [(64, 64), (40, 72)])
def test_whole_generator(height, width):
    model, (image, known) = GatedConvGenerator(width=8), pair(2, height, width)
    params = randomized(jax.eval_shape(model.init, jax.random.key(0), image, known)["params"])
    stages = jax.jit(model.apply)({"params": params}, image * known, known)
    with torch.no_grad():
        wanted = Generator(params)(to_torch(image * known), to_torch(known))
    for found, stage in zip(stages, wanted):
        assert float(jnp.std(found)) > 0.05, "something is painted"
        close(found, to_numpy(stage))


@pytest.mark.parametrize(("height", "width"), [(64, 64), (40, 72)])
def test_critic(height, width):
    model, (image, known) = SnPatchGan(width=4), pair(2, height, width)
    variables = jax.jit(lambda key: model.init(key, image, known, train=False))(jax.random.key(0))
    params = jax.tree.map(lambda leaf: leaf + 0.1 if leaf.ndim == 1 else leaf, variables["params"])
    found = jax.jit(lambda variables: model.apply(variables, image, known, train=False))(
        {**variables, "params": params}
    )
    with torch.no_grad():
        wanted = Critic(params, variables["spectral"])(to_torch(image), to_torch(known))
    assert found.shape == (2, -(-height // 64), -(-width // 64), 16)
    close(found, to_numpy(wanted))


def test_gradients_of_the_generator():
    """To every parameter, of a loss that sees both stages."""
    model, (image, known) = GatedConvGenerator(width=4), pair(2, 32, 24)
    params = randomized(jax.eval_shape(model.init, jax.random.key(0), image, known)["params"])

    def loss(params):
        return sum(
            jnp.mean(jnp.square(stage - image)) for stage in model.apply({"params": params}, image * known, known)
        )

    found = jax.jit(jax.grad(loss))(params)
    reference = Generator(params)
    stages = reference(to_torch(image * known), to_torch(known))
    sum(torch.mean((stage - to_torch(image)) ** 2) for stage in stages).backward()
    first = reference.coarse[0][0].conv.weight.grad.numpy().transpose(2, 3, 1, 0)
    close(found["coarse_encoder"]["conv1"]["kernel"], first, 1e-3)
    inner = reference.attentive[0].conv.weight.grad.numpy().transpose(2, 3, 1, 0)
    close(found["attentive_branch"]["encoder"]["conv1"]["kernel"], inner, 1e-3)
    last = reference.fine[9].conv.weight.grad.numpy().transpose(2, 3, 1, 0)
    close(found["fine_encoder"]["conv10"]["kernel"], last, 1e-3)


def test_padding_is_tensorflows():
    """For an even side, kernel 3 at stride 2 has no zero before and one after; kernel 5 has one and two."""
    x = torch.ones(1, 1, 8, 8)
    for size, before in ((3, 0), (5, 1)):
        padded = same(x, size, 2)[0, 0]
        assert padded.shape == (6 + size, 6 + size)
        assert int(padded[:, 4].argmax()) == before
