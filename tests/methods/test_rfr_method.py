"""RFR as a method: its phases, its loss by the public formulas, what its features see."""

import jax
import numpy as np
import optax
import pytest
from small_methods import begin, loss_of, moved, noise_example, random_features, take_steps

from scan_jax.methods import api

SMALL = {"name": "rfr", "width": 8, "recurrences": 2, "loss": {"perceptual": 0.0, "style": 0.0}}
WEIGHTS = {"valid": 1.0, "hole": 6.0, "total_variation": 0.1, "perceptual": 0.05, "style": 120.0}


@pytest.mark.slow
def test_the_first_phase_learns_and_the_second_freezes_all_statistics():
    method = api.build_method(SMALL)
    first, step = begin(method, noise_example(), optax.adam(1e-3))
    state, scalars = take_steps(step, first, noise_example(), phase="first")
    assert scalars[-1]["loss/generator"] < scalars[0]["loss/generator"]
    assert all(moved(first.stats, state.stats)) and np.mean(moved(first.params, state.params)) > 0.9
    tuned, (scalars,) = take_steps(step, state, noise_example(), 1, phase="finetune")
    assert not any(moved(state.stats, tuned.stats))
    assert np.mean(moved(state.params, tuned.params)) > 0.9, "frozen are the statistics alone"
    assert set(scalars) == {"loss/finetune", "gradient_norm/finetune"} | {f"term/{term}" for term in method.weights}
    assert not any(moved(state.opt["generator"], tuned.opt["generator"]))


def activations(params, image):
    """VGG-16's poolings of an image as it is, without normalisation: [B,3,H,W] -> three of [B,C,h,w]."""
    import torch

    x, found = image, []
    for block, depth in ((1, 2), (2, 2), (3, 3)):
        for i in range(1, depth + 1):
            layer = {name: torch.tensor(np.array(value)) for name, value in params[f"conv{block}_{i}"].items()}
            x = torch.relu(torch.nn.functional.conv2d(x, layer["kernel"].permute(3, 2, 0, 1), layer["bias"], 1, 1))
        x = torch.nn.functional.max_pool2d(x, 2)
        found.append(x)
    return found


def public_terms(params, prediction, given):
    torch = pytest.importorskip("torch")
    fake, real, mask = (torch.tensor(np.array(x)).permute(0, 3, 1, 2) for x in (prediction, given.image, given.known))
    completion = fake * (1 - mask) + real * mask
    fakes, reals, completions = (activations(params, x) for x in (fake, real, completion))

    def styles(a, b):
        _, c, h, w = a.shape
        a, b = a.flatten(2), b.flatten(2)
        return ((a @ a.mT - b @ b.mT).abs() / (c * h * w)).mean()

    hole = completion * (1 - mask)
    return {
        "valid": ((real - fake).abs() * mask).mean(),
        "hole": ((real - fake).abs() * (1 - mask)).mean(),
        "total_variation": hole.diff(dim=2).abs().mean() + hole.diff(dim=3).abs().mean(),
        "perceptual": sum((a - b).abs().mean() for found in (fakes, completions) for a, b in zip(found, reals)),
        "style": sum(styles(a, b) for found in (fakes, completions) for a, b in zip(found, reals)),
    }


@pytest.mark.parametrize("phase", [0, 1])
def test_the_loss_is_the_public_formula(phase):
    pytest.importorskip("torch")
    method, given = api.build_method({"name": "rfr", "width": 8, "recurrences": 2}), noise_example()
    variables = jax.jit(method.init)(jax.random.key(0), given)
    frozen = random_features(method, given)
    loss, aux = loss_of(method.updates[phase], variables, given, frozen=frozen)
    networks = {"params": variables.params["generator"], **variables.stats["generator"]}
    apply = jax.jit(method.generator.apply, static_argnames=("train", "mutable"))
    seen = given.observe()
    prediction, _ = apply(networks, seen.image, seen.known, train=phase == 0, mutable=("batch_stats",))
    wanted = {name: float(term) for name, term in public_terms(frozen["features"], prediction, given).items()}
    assert aux.terms.keys() == wanted.keys() == method.weights.keys()
    for name, value in wanted.items():
        assert float(aux.terms[name]) == pytest.approx(value, rel=1e-5), name
    assert float(loss) == pytest.approx(sum(WEIGHTS[name] * value for name, value in wanted.items()), rel=1e-5)


def test_other_networks_see_images_as_they_were_trained_to():
    section = {**SMALL, "loss": {}, "features": {"name": "squeezenet"}, "feature_input": "normalized"}
    method, given = api.build_method(section), noise_example()
    frozen = random_features(method, given)
    found = jax.jit(method.activations)(frozen, given.image)
    jax.tree.map(np.testing.assert_array_equal, found, jax.jit(method.features)(frozen["features"], given.image))
    assert set(found) == {"relu_conv1", "fire3", "fire5", "fire7"}
