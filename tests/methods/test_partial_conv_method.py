"""Partial convolution as a method: its phases, its loss by the public formulas, its features."""

import jax
import numpy as np
import optax
import pytest
from small_methods import begin, loss_of, moved, noise_example, random_features, take_steps

from scan_jax.methods import api

SMALL = {"name": "partial_conv", "width": 4, "depth": 3, "loss": {"perceptual": 0.0, "style": 0.0}}
WITH_FEATURES = {"name": "partial_conv", "width": 4, "depth": 3, "features": {"name": "squeezenet"}}


def part(tree, prefix):
    return {name: branch for name, branch in tree.items() if name.startswith(prefix)}


@pytest.mark.slow
def test_the_first_phase_learns_and_the_second_freezes_the_encoders_statistics():
    method = api.build_method(SMALL)
    first, step = begin(method, noise_example(), optax.adam(1e-3))
    state, scalars = take_steps(step, first, noise_example(), phase="first")
    assert scalars[-1]["loss/generator"] < scalars[0]["loss/generator"]
    assert all(moved(first.stats, state.stats)) and np.mean(moved(first.params, state.params)) > 0.9
    tuned, (scalars,) = take_steps(step, state, noise_example(), 1, phase="finetune")
    before, after = (s.stats["generator"]["batch_stats"] for s in (state, tuned))
    assert not any(moved(part(before, "enc"), part(after, "enc")))
    assert all(moved(part(before, "dec"), part(after, "dec")))
    params = [s.params["generator"]["enc2"] for s in (state, tuned)]
    assert all(moved(*params)), "frozen are the statistics alone"
    assert set(scalars) == {"loss/finetune", "gradient_norm/finetune"} | {f"term/{term}" for term in method.weights}
    assert not any(moved(state.opt["generator"], tuned.opt["generator"]))


@pytest.mark.parametrize("phase", [0, 1])
def test_the_loss_is_the_public_formula(phase):
    """The public port's images, and with them its pixel terms, are normalised by ImageNet's statistics."""
    method = api.build_method(WITH_FEATURES)
    variables = jax.jit(method.init)(jax.random.key(0), noise_example())
    frozen = random_features(method, noise_example())
    loss, aux = loss_of(method.updates[phase], variables, noise_example(), frozen=frozen)
    networks = {"params": variables.params["generator"], **variables.stats["generator"]}
    train = (("encoder", "decoder"), ("decoder",))[phase]
    given, known = noise_example(), np.asarray(noise_example().known, np.float64)
    apply, seen = jax.jit(method.generator.apply, static_argnames=("train", "mutable")), given.observe()
    prediction, _ = apply(networks, seen.image, seen.known, train=train, mutable=("batch_stats",))
    completion = given.image * given.known + prediction * (1 - given.known)
    look = jax.jit(method.features)
    features = [
        {name: np.asarray(x, np.float64) for name, x in look(frozen["features"], image).items()}
        for image in (prediction, completion, given.image)
    ]
    output, merged, truth = (
        (np.asarray(x, np.float64) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        for x in (prediction, completion, given.image)
    )

    def gram(x):
        flat = x.reshape(x.shape[0], -1, x.shape[-1])
        return np.einsum("bnc,bnd->bcd", flat, flat) / flat[0].size

    raw, completed, real = features
    wanted = {
        "hole": np.abs((1 - known) * (output - truth)).mean(),
        "valid": np.abs(known * (output - truth)).mean(),
        "perceptual": sum(np.abs(f[n] - real[n]).mean() for f in (raw, completed) for n in real),
        "style": sum(np.abs(gram(f[n]) - gram(real[n])).mean() for f in (raw, completed) for n in real),
        "total_variation": np.abs(np.diff(merged, axis=1)).mean() + np.abs(np.diff(merged, axis=2)).mean(),
    }
    weights = {"valid": 1.0, "hole": 6.0, "total_variation": 0.1, "perceptual": 0.05, "style": 120.0}
    assert aux.terms.keys() == wanted.keys() == method.weights.keys()
    for name, value in wanted.items():
        assert float(aux.terms[name]) == pytest.approx(value, rel=1e-5), name
    assert float(loss) == pytest.approx(sum(weights[name] * value for name, value in wanted.items()), rel=1e-5)
