"""The terms of partial convolution and RFR against both public codes' formulas, in PyTorch's layout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import refused

from scan_jax.losses.restoration import feature_terms, pixel_terms, total_variation

torch = pytest.importorskip("torch")
l1 = torch.nn.functional.l1_loss


def draw():
    rng = np.random.default_rng(0)
    prediction, image = rng.normal(size=(2, 2, 9, 7, 3)).astype(np.float32)
    known = (rng.random((2, 9, 7, 1)) > 0.4).astype(np.float32)
    return prediction, image, known


def nchw(*images):
    return [torch.tensor(image).double().permute(0, 3, 1, 2) for image in images]


def test_pixel_terms():
    found = jax.jit(pixel_terms)(*draw())
    output, truth, mask = nchw(*draw())
    assert float(found["hole"].mean()) == pytest.approx(float(l1((1 - mask) * output, (1 - mask) * truth)), rel=1e-5)
    assert float(found["valid"].mean()) == pytest.approx(float(l1(mask * output, mask * truth)), rel=1e-5)
    refused("known", pixel_terms, (draw()[0], draw()[1], draw()[0]))


def test_total_variation_and_its_gradient_where_it_is_flat():
    image = draw()[0]
    (x,) = nchw(image)
    wanted = (x[..., :-1] - x[..., 1:]).abs().mean() + (x[..., :-1, :] - x[..., 1:, :]).abs().mean()
    run = jax.jit(jax.value_and_grad(total_variation))
    assert float(run(image)[0]) == pytest.approx(float(wanted), rel=1e-5)
    assert not np.any(run(np.ones_like(image))[1])
    refused("2x2", total_variation, (np.ones((1, 1, 4, 3)),))


def test_feature_terms_are_of_prediction_and_completion():
    def look(image):
        return {"fine": image[:, ::2] ** 2, "coarse": jnp.concatenate([image, 2 * image], -1)}

    prediction, image, known = draw()
    completion = image * known + prediction * (1 - known)
    images = prediction, completion, image
    found = jax.jit(lambda *x: feature_terms(look, *x, {"perceptual": 0.1, "style": 1.0, "hole": 2.0}))(*images)
    features = [[torch.tensor(np.array(x)).double().permute(0, 3, 1, 2) for x in look(y).values()] for y in images]

    def gram(x):
        flat = x.flatten(2)
        return flat @ flat.mT / flat[0].numel()

    raw, completed, truth = features
    perceptual = sum(l1(a, c) + l1(b, c) for a, b, c in zip(raw, completed, truth))
    style = sum(l1(gram(a), gram(c)) + l1(gram(b), gram(c)) for a, b, c in zip(raw, completed, truth))
    assert found.keys() == {"perceptual", "style"}
    assert float(found["perceptual"]) == pytest.approx(float(perceptual), rel=1e-5)
    assert float(found["style"]) == pytest.approx(float(style), rel=1e-5)
    # without feature terms nothing is looked at
    assert feature_terms(lambda image: pytest.fail("looked"), *images, {"hole": 6.0}) == {}
