"""LaMa as a method: its updates train what they say, on the released code's losses."""

import jax
import numpy as np
import optax
import pytest
from small_methods import begin, loss_of, moved, noise_example, take_steps

from scan_jax.core.errors import UserError
from scan_jax.methods import api

SMALL = {"name": "lama", "width": 4, "critic_width": 4, "blocks": 1, "loss": {"perceptual": 0.0}}
WEIGHTS = {"l1": 10.0, "adversarial": 10.0, "feature_matching": 100.0, "perceptual": 0.1}


@pytest.fixture(scope="module")
def begun():
    method = api.build_method(SMALL)
    return method, *begin(method, noise_example(64), optax.adam(1e-3))


@pytest.mark.slow
def test_steps_train_both_networks_and_learn(begun):
    _, first, step = begun
    state, scalars = take_steps(step, first, noise_example(64), 6)
    assert scalars[-1]["term/l1"] < scalars[0]["term/l1"]
    for name in ("generator", "critic"):
        assert np.mean(moved(first.params[name], state.params[name])) > 0.9
        assert all(moved(first.stats[name], state.stats[name]))
    assert all(np.isfinite(value) for value in scalars[-1].values())
    assert {"loss/generator", "loss/critic", "term/critic_accuracy", "term/critic_slope"} <= set(scalars[-1])


def answers(params, image):
    """The critic's layers by PyTorch, the logits last; tensors by our names, and [B,3,H,W]."""
    import torch

    x, found = image, []
    for depth in range(6):
        layer = params[f"conv{depth}" if depth < 5 else "logits"]
        x = torch.nn.functional.conv2d(x, layer["kernel"].permute(3, 2, 0, 1), layer["bias"], 2 if depth < 4 else 1, 2)
        if 0 < depth < 5:
            norm = params[f"norm{depth}"]
            x = torch.nn.functional.batch_norm(x, None, None, norm["scale"], norm["bias"], True)
        x = torch.nn.functional.leaky_relu(x, 0.2) if depth < 5 else x
        found.append(x)
    return found


@pytest.mark.slow
def test_losses_and_the_critics_gradient_are_the_published_ones(begun):
    """The gradient is of second order, by the penalty."""
    torch = pytest.importorskip("torch")
    (method, state, _), given = begun, noise_example(64)
    loss, aux = loss_of(method.updates[0], state, given)
    params = jax.tree.map(lambda leaf: torch.tensor(np.array(leaf), requires_grad=True), state.params["critic"])
    fake, image, known = (
        torch.tensor(np.array(x)).permute(0, 3, 1, 2) for x in (aux.carried, given.image, given.known)
    )
    real, judged = answers(params, image.requires_grad_()), answers(params, fake)
    softplus = torch.nn.functional.softplus
    matching = torch.stack([torch.nn.functional.mse_loss(a, b) for a, b in zip(judged[:-1], real[:-1])]).mean()
    terms = {
        "l1": ((fake - image).abs() * known).mean(),
        "adversarial": softplus(-judged[-1]).mean(),
        "feature_matching": matching,
    }
    assert aux.terms.keys() == terms.keys()
    for name, term in terms.items():
        assert float(aux.terms[name]) == pytest.approx(term.item(), rel=1e-4), name
    assert float(loss) == pytest.approx(sum(WEIGHTS[name] * term.item() for name, term in terms.items()), rel=1e-4)

    (slopes,) = torch.autograd.grad(real[-1].sum(), image, create_graph=True)
    hole = torch.nn.functional.interpolate(1 - known, size=judged[-1].shape[2:])
    of_fake = hole * softplus(judged[-1]) + (1 - hole) * softplus(-judged[-1])
    # Weighted by 1 here, that the gradient is of it above all.
    wanted = softplus(-real[-1]).mean() + of_fake.mean() + slopes.square().sum((1, 2, 3)).mean()
    strict = api.build_method({**SMALL, "gradient_penalty": 1.0})
    (loss, _), found = loss_of(strict.updates[1], state, given, carried=aux.carried, slopes=True)
    assert float(loss) == pytest.approx(wanted.item(), rel=1e-4)
    wanted.backward()
    for path, leaf in jax.tree_util.tree_leaves_with_path(found["critic"]):
        by_torch = params[path[0].key][path[1].key].grad.numpy()
        near = 1e-3 * max(np.linalg.norm(by_torch), 0.1)  # a bias before a normalisation has rounding alone
        assert np.linalg.norm(leaf - by_torch) < near, jax.tree_util.keystr(path)


@pytest.mark.parametrize(
    ("weights", "terms"),
    [({}, set(WEIGHTS)), ({"adversarial": 0.0, "feature_matching": 0.0, "perceptual": 0.0}, {"l1"})],
)
def test_terms_without_weight_are_left_out_and_the_critic_with_its_own(weights, terms):
    method, given = api.build_method({**SMALL, "loss": weights, "features": {"name": "squeezenet"}}), noise_example(64)
    variables = jax.eval_shape(method.init, jax.random.key(0), given)
    assert set(variables.params) == set(method.networks) == {"generator", "critic"} - ({"critic"} if weights else set())
    frozen = {"critic": variables.params.get("critic"), **method.frozen_shapes()}
    params = {"generator": variables.params["generator"]}
    _, aux = jax.eval_shape(method.generator_loss, params, frozen, variables.stats, given, None, jax.random.key(0))
    assert set(aux.terms) == terms


def test_feature_matching_needs_a_critic_that_is_trained():
    with pytest.raises(UserError, match="feature_matching must be 0 where adversarial is"):
        api.build_method({**SMALL, "loss": {"adversarial": 0.0}})
