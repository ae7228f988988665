"""EdgeConnect's networks: against plain PyTorch with the same random weights, and what they must not depend on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sean_variables import random_variables

from scan_jax.models.edge_connect import EdgeConnectGenerator, ImageTransform
from scan_jax.models.patch_discriminator import PatchDiscriminator

SMALL = {"width": 4, "blocks": 2}


def inputs(batch=2, height=32, width=48):
    keys = jax.random.split(jax.random.key(5), 2)
    image = jax.random.uniform(keys[0], (batch, height, width, 3))
    edges = (jax.random.uniform(keys[1], (batch, height, width, 1)) > 0.8).astype(jnp.float32)
    known = jnp.ones((batch, height, width, 1)).at[:, 8:20, 4:30].set(0)
    return image, edges * known, known


def close(found, wanted):
    """Relative error of the whole below 1e-4."""
    error = np.linalg.norm(found - wanted) / np.linalg.norm(wanted)
    print(f"\nrelative error {error:.1e}")
    assert error < 1e-4


@pytest.fixture(scope="module")
def network():
    model = EdgeConnectGenerator(**SMALL)
    variables = random_variables(model, *inputs(), train=False)
    return jax.jit(lambda image, edges, known: model.apply(variables, image, edges, known, train=False))


@pytest.mark.parametrize("kernels", ["free", "spectral"])
def test_the_transform_equals_pytorch_in_training_and_evaluation(kernels):
    torch_edge_connect = pytest.importorskip("torch_edge_connect")
    from torch_sean import to_numpy, to_torch

    model = ImageTransform(3, **SMALL, kernels=kernels)
    x = jax.random.normal(jax.random.key(1), (2, 32, 48, 4))
    variables = random_variables(model, x, train=False)
    reference = torch_edge_connect.Transform(variables)
    apply = jax.jit(model.apply, static_argnames=("train", "mutable"))
    for train in (False, True, True, False):
        found, changed = apply(variables, x, train=train, mutable=("spectral",))
        variables = {**variables, **changed}
        close(found, to_numpy(reference.train(train)(to_torch(x))))


@pytest.mark.parametrize("channels", [2, 3])
def test_the_critic_equals_pytorch_in_all_its_layers(channels):
    torch_edge_connect = pytest.importorskip("torch_edge_connect")
    from torch_sean import to_numpy, to_torch

    model = PatchDiscriminator(4, input_range="unit")
    x = jax.random.uniform(jax.random.key(1), (2, 40, 32, channels))
    variables = random_variables(model, x, train=False)
    reference = torch_edge_connect.Critic(variables).train()
    found, changed = model.apply(variables, x, train=True, method="activations", mutable=("spectral",))
    assert len(found) == 5
    for ours, theirs in zip(found, reference(to_torch(x))):
        close(ours, to_numpy(theirs))
    logits = model.apply({**variables, **changed}, x, train=False)
    close(logits, to_numpy(reference.eval()(to_torch(x))[-1]))


def test_a_signed_critic_sees_images_from_minus_one_on():
    x = jax.random.uniform(jax.random.key(1), (1, 32, 32, 3))
    variables = random_variables(PatchDiscriminator(4), x, train=False)
    signed = PatchDiscriminator(4).apply(variables, x, train=False)
    unit = PatchDiscriminator(4, input_range="unit").apply(variables, 2 * x - 1, train=False)
    np.testing.assert_array_equal(signed, unit)


def test_the_generator_is_its_two_halves():
    model, (image, edges, known) = EdgeConnectGenerator(**SMALL), inputs()
    variables = random_variables(model, image, edges, known, train=False)
    assert set(variables["params"]) == {"edge", "completion"}
    assert set(variables["spectral"]) == {"edge"}
    painted, all_edges = model.apply(variables, image, edges, known, train=False)
    gray = image @ jnp.array([[0.2125], [0.7154], [0.0721]])
    drawn = model.apply(variables, gray, edges, known, train=False, method="draw")
    np.testing.assert_allclose(all_edges, jnp.where(known > 0, edges, drawn), atol=1e-6)
    np.testing.assert_allclose(
        painted, model.apply(variables, image, all_edges, known, method="paint"), rtol=1e-5, atol=1e-6
    )


def test_both_are_images(network):
    painted, edges = network(*inputs())
    assert painted.shape == (2, 32, 48, 3)
    assert edges.shape == (2, 32, 48, 1)
    assert all(float(found.min()) >= 0 and float(found.max()) <= 1 for found in (painted, edges))


def test_the_hole_has_no_influence(network):
    image, edges, known = inputs()
    noise = jax.random.uniform(jax.random.key(9), image.shape)
    other = jnp.where(known > 0, image, noise), jnp.where(known > 0, edges, noise[..., :1]), known
    for a, b in zip(network(image, edges, known), network(*other)):
        np.testing.assert_array_equal(a, b)


def test_a_sample_does_not_depend_on_its_batch(network):
    given = inputs(batch=3)
    for whole, alone in zip(network(*given), network(*(value[1:2] for value in given))):
        np.testing.assert_allclose(whole[1:2], alone, atol=2e-5)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_hole_and_no_hole_are_answered(network, value):
    image, edges, known = inputs()
    assert all(np.isfinite(found).all() for found in network(image, edges, jnp.full_like(known, value)))


def test_sizes_must_fit_the_stride():
    with pytest.raises(ValueError, match="multiples of 16"):
        ImageTransform(1, **SMALL).init(jax.random.key(0), jnp.zeros((1, 32, 40, 3)), train=False)
