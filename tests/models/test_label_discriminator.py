"""The two-scale critic: shapes, conditioning, and PyTorch layers on the same weights."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.models.label_discriminator import LabelDiscriminator

LABELS = 3


@functools.cache
def make(size=(17, 14), **fields):
    model = LabelDiscriminator(num_labels=LABELS, **{"width": 4, **fields})
    rng = np.random.default_rng(0)
    labels = rng.integers(0, LABELS, (2, *size)).astype(np.int32)
    image = rng.random((2, *size, 3), np.float32)
    init = jax.jit(functools.partial(model.init, train=False))
    return model, labels, image, init(jax.random.key(0), labels, image)


def test_each_scale_gives_its_layers_and_logits():
    model, labels, image, variables = make()
    found = jax.tree.map(jnp.shape, model.apply(variables, labels, image, train=False))
    assert found == (
        ((2, 9, 8, 4), (2, 5, 5, 8), (2, 3, 3, 16), (2, 4, 4, 1)),
        ((2, 5, 4, 4), (2, 3, 3, 8), (2, 2, 2, 16), (2, 3, 3, 1)),
    )


def test_parameters_are_the_papers():
    model = LabelDiscriminator(num_labels=19, layers=5)
    labels, image = jax.ShapeDtypeStruct((1, 64, 64), jnp.int32), jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    variables = jax.eval_shape(lambda *x: model.init(jax.random.key(0), *x, train=False), labels, image)
    one = {
        name: {part: leaf.shape for part, leaf in layer.items()}
        for name, layer in variables["params"]["scale_1"].items()
    }
    assert one == {
        "input": {"kernel": (4, 4, 22, 64), "bias": (64,)},
        "layer_1": {"kernel": (4, 4, 64, 128)},
        "layer_2": {"kernel": (4, 4, 128, 256)},
        "layer_3": {"kernel": (4, 4, 256, 512)},
        "layer_4": {"kernel": (4, 4, 512, 512)},
        "logits": {"kernel": (4, 4, 512, 1), "bias": (1,)},
    }
    assert set(variables["spectral"]["scale_0"]) == {"layer_1", "layer_2", "layer_3", "layer_4"}


def test_it_equals_pytorch():
    torch = pytest.importorskip("torch")
    model, labels, image, variables = make(size=(33, 30))
    x = torch.nn.functional.one_hot(torch.tensor(labels).long(), LABELS).permute(0, 3, 1, 2).float()
    x = torch.cat([x, torch.tensor(image.transpose(0, 3, 1, 2)) * 2 - 1], 1)

    def convolve(x, scale, name, stride):
        params = variables["params"][scale][name]
        kernel = np.array(params["kernel"])
        if name in variables["spectral"][scale]:
            vectors = variables["spectral"][scale][name]["vectors"]
            kernel = kernel / float(vectors["v"] @ kernel.reshape(-1, kernel.shape[-1]) @ vectors["u"])
        bias = torch.tensor(np.array(params["bias"])) if "bias" in params else None
        return torch.nn.functional.conv2d(x, torch.tensor(kernel.transpose(3, 2, 0, 1)), bias, stride, padding=2)

    for scale, found in enumerate(model.apply(variables, labels, image, train=False)):
        y, expected = x, []
        for name, stride in (("input", 2), ("layer_1", 2), ("layer_2", 2)):
            y = convolve(y, f"scale_{scale}", name, stride)
            y = torch.nn.functional.leaky_relu(y if name == "input" else torch.nn.functional.instance_norm(y), 0.2)
            expected.append(y)
        expected.append(convolve(y, f"scale_{scale}", "logits", 1))
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs.numpy().transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-4)
        x = torch.nn.functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False)


def test_it_judges_the_image_for_its_labels_and_each_sample_alone():
    model, labels, image, variables = make()
    both = model.apply(variables, labels, image, train=False)
    relabelled = model.apply(variables, (labels + 1) % LABELS, image, train=False)
    alone = model.apply(variables, labels[1:], image[1:], train=False)
    for one, other, single in zip(both, relabelled, alone):
        assert np.abs(one[-1] - other[-1]).max() > 1e-2
        np.testing.assert_allclose(one[-1][1:], single[-1], rtol=1e-4, atol=1e-5)


def test_training_moves_the_spectral_vectors_of_every_scale():
    model, labels, image, variables = make()
    _, changed = model.apply(variables, labels, image, train=True, mutable=["spectral"])
    moved = jax.tree.map(lambda a, b: bool(np.any(a != b)), changed["spectral"], variables["spectral"])
    assert all(jax.tree.leaves(moved)) and set(moved) == {"scale_0", "scale_1"}


def test_gradient_reaches_the_image_and_is_finite():
    model, labels, image, variables = make()
    judge = functools.partial(model.apply, variables, labels, train=False)
    gradient = jax.jit(jax.grad(lambda x: sum(scale[-1].sum() for scale in judge(x))))(image)
    assert np.isfinite(gradient).all() and np.any(gradient)


def test_bfloat16_gives_float32_logits():
    model, labels, image, variables = make(dtype=jnp.bfloat16)
    for *layers, logits in model.apply(variables, labels, image, train=False):
        assert logits.dtype == jnp.float32 and all(layer.dtype == jnp.bfloat16 for layer in layers)


def test_labels_of_another_size_or_type_are_refused():
    model, labels, image, variables = make()
    for wrong in (labels[:, 1:], labels.astype(np.float32)):
        with pytest.raises(ValueError, match="integer labels"):
            model.apply(variables, wrong, image, train=False)
