"""Region normalisation's generator: against plain PyTorch with the same random weights, and what it depends on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sean_variables import random_variables

from scan_jax.models.region_norm import RegionNormGenerator

SMALL = {"width": 4, "blocks": 2}


def inputs(batch=2, height=32, width=48):
    image = jax.random.uniform(jax.random.key(5), (batch, height, width, 3))
    known = jnp.ones((batch, height, width, 1)).at[:, 8:20, 4:30].set(0)
    return image, known.at[0, :, :9].set(0)


@pytest.fixture(scope="module")
def network():
    model = RegionNormGenerator(**SMALL)
    variables = random_variables(model, *inputs(), train=False)
    return jax.jit(lambda image, known: model.apply(variables, image, known, train=False))


def test_it_equals_pytorch_in_training_and_an_image_at_a_time_besides():
    torch_edge_connect = pytest.importorskip("torch_edge_connect")
    from torch_sean import to_numpy, to_torch, torch

    model, given = RegionNormGenerator(**SMALL), inputs()
    variables = random_variables(model, *given, train=False)
    apply = jax.jit(model.apply, static_argnames="train")
    with torch.no_grad():
        together = to_numpy(torch_edge_connect.fill_by_regions(variables, *map(to_torch, given)))
        alone = [
            to_numpy(torch_edge_connect.fill_by_regions(variables, *(to_torch(value[i : i + 1]) for value in given)))
            for i in range(2)
        ]
    for train, wanted in ((True, together), (False, np.concatenate(alone))):
        error = np.linalg.norm(apply(variables, *given, train=train) - wanted) / np.linalg.norm(wanted)
        print(f"\ntrain={train}: relative error {error:.1e}")
        assert error < 1e-4
    assert np.linalg.norm(together - np.concatenate(alone)) > 1e-2 * np.linalg.norm(together), "statistics differ"


def test_it_makes_images(network):
    found = network(*inputs())
    assert found.shape == (2, 32, 48, 3)
    assert 0 <= float(found.min()) < float(found.max()) <= 1


def test_the_hole_has_no_influence(network):
    image, known = inputs()
    other = jnp.where(known > 0, image, jax.random.uniform(jax.random.key(9), image.shape))
    np.testing.assert_array_equal(network(image, known), network(other, known))


def test_a_sample_does_not_depend_on_its_batch(network):
    given = inputs(batch=3)
    np.testing.assert_allclose(network(*given)[1:2], network(*(value[1:2] for value in given)), atol=2e-5)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_hole_and_no_hole_are_answered(network, value):
    image, known = inputs()
    assert np.isfinite(network(image, jnp.full_like(known, value))).all()


def test_sizes_must_fit_the_stride():
    with pytest.raises(ValueError, match="multiples of 16"):
        RegionNormGenerator(**SMALL).init(
            jax.random.key(0), jnp.zeros((1, 40, 32, 3)), jnp.zeros((1, 40, 32, 1)), train=False
        )
