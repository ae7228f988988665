"""ImageNet's normalisation and its reverse."""

import jax.numpy as jnp
import numpy as np
from refusals import refused

from scan_jax.ops.imagenet import denormalize, normalize


def test_there_and_back():
    image = np.random.default_rng(0).random((2, 3, 5, 3)).astype(np.float32)
    wanted = (image.astype(np.float64) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(normalize(jnp.asarray(image)), wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(denormalize(normalize(jnp.asarray(image))), image, rtol=1e-5, atol=1e-6)


def test_other_shapes_are_refused():
    for convert in (normalize, denormalize):
        refused("B,H,W,3", convert, (np.zeros((3, 3, 3)),))
