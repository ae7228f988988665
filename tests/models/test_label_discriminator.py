"""The two-scale critic: shapes, conditioning, and PyTorch layers on the same weights."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.models.discriminators import LabelDiscriminator

LABELS = 3
MODEL = LabelDiscriminator(num_labels=LABELS, width=4)
judge = jax.jit(MODEL.apply, static_argnames=("train", "mutable"))


def draw():
    rng = np.random.default_rng(0)
    return rng.integers(0, LABELS, (2, 17, 14), np.int32), rng.random((2, 17, 14, 3), np.float32)


@functools.cache
def variables():
    return jax.jit(functools.partial(MODEL.init, train=False))(jax.random.key(0), *draw())


def test_parameters_are_the_papers():
    model = LabelDiscriminator(num_labels=19, layers=5)
    labels, image = jax.ShapeDtypeStruct((1, 64, 64), jnp.int32), jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    made = jax.eval_shape(lambda *x: model.init(jax.random.key(0), *x, train=False), labels, image)
    one = {
        name: {part: leaf.shape for part, leaf in layer.items()} for name, layer in made["params"]["scale_1"].items()
    }
    assert one == {
        "input": {"kernel": (4, 4, 22, 64), "bias": (64,)},
        "layer_1": {"kernel": (4, 4, 64, 128)},
        "layer_2": {"kernel": (4, 4, 128, 256)},
        "layer_3": {"kernel": (4, 4, 256, 512)},
        "layer_4": {"kernel": (4, 4, 512, 512)},
        "logits": {"kernel": (4, 4, 512, 1), "bias": (1,)},
    }
    assert set(made["spectral"]["scale_0"]) == {"layer_1", "layer_2", "layer_3", "layer_4"}


def test_it_equals_pytorch():
    torch = pytest.importorskip("torch")
    from torch_layers import F, module, part, tensor, to_numpy, to_torch

    labels, image = draw()
    x = torch.cat([F.one_hot(tensor(labels).long(), LABELS).permute(0, 3, 1, 2), to_torch(image) * 2 - 1], 1)

    def convolve(x, scale, name, stride):
        return module(part(part(variables(), scale), name), stride=stride, padding=2).eval()(x)

    for scale, found in enumerate(judge(variables(), labels, image, train=False)):
        y, expected = x, []
        for name, stride in (("input", 2), ("layer_1", 2), ("layer_2", 2)):
            y = convolve(y, f"scale_{scale}", name, stride)
            y = F.leaky_relu(y if name == "input" else F.instance_norm(y), 0.2)
            expected.append(y)
        expected.append(convolve(y, f"scale_{scale}", "logits", 1))
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, to_numpy(theirs), rtol=1e-4, atol=1e-4)
        x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)


def test_each_scale_judges_the_image_for_its_labels_and_each_sample_alone():
    labels, image = draw()
    both = judge(variables(), labels, image, train=False)
    assert jax.tree.map(jnp.shape, both) == (
        ((2, 9, 8, 4), (2, 5, 5, 8), (2, 3, 3, 16), (2, 4, 4, 1)),
        ((2, 5, 4, 4), (2, 3, 3, 8), (2, 2, 2, 16), (2, 3, 3, 1)),
    )
    relabelled = judge(variables(), (labels + 1) % LABELS, image, train=False)
    alone = judge(variables(), labels[[1, 1]], image[[1, 1]], train=False)
    for one, other, single in zip(both, relabelled, alone):
        assert np.abs(one[-1] - other[-1]).max() > 1e-2
        np.testing.assert_allclose(one[-1][1], single[-1][1], rtol=1e-4, atol=1e-5)


def test_in_training_the_vectors_of_every_scale_move_and_the_gradient_reaches_the_image():
    labels, image = draw()

    @jax.jit
    @functools.partial(jax.grad, has_aux=True)
    def step(image, variables):
        scales, changed = MODEL.apply(variables, labels, image, train=True, mutable=["spectral"])
        return sum(scale[-1].sum() for scale in scales), changed

    gradient, changed = step(image, variables())
    moved = jax.tree.map(lambda a, b: bool(np.any(a != b)), changed["spectral"], variables()["spectral"])
    assert all(jax.tree.leaves(moved)) and set(moved) == {"scale_0", "scale_1"}
    assert np.isfinite(gradient).all() and np.any(gradient)


def test_bfloat16_gives_float32_logits():
    rough = LabelDiscriminator(num_labels=LABELS, width=4, dtype=jnp.bfloat16)
    for *layers, logits in jax.eval_shape(lambda: rough.apply(variables(), *draw(), train=False)):
        assert logits.dtype == jnp.float32 and all(layer.dtype == jnp.bfloat16 for layer in layers)


def test_labels_of_another_size_or_type_are_refused():
    labels, image = draw()
    for wrong in (labels[:, 1:], labels.astype(np.float32)):
        with pytest.raises(ValueError, match="integer labels"):
            MODEL.apply(variables(), wrong, image, train=False)
