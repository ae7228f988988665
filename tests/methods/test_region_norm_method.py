"""Region normalisation as a method: its updates train what they say, on the released code's losses."""

import jax
import numpy as np
import optax
import pytest
from small_methods import begin, loss_of, moved, noise_example, take_steps

from scan_jax.methods import api

SMALL = {"name": "region_norm", "width": 4, "critic_width": 4, "blocks": 1}


@pytest.fixture(scope="module")
def begun():
    method = api.build_method(SMALL)
    return method, *begin(method, noise_example(), optax.adam(3e-3, 0.0, 0.9))


@pytest.mark.slow
def test_steps_train_both_networks_and_learn(begun):
    _, first, step = begun
    state, scalars = take_steps(step, first, noise_example())
    assert scalars[-1]["term/l1"] < scalars[0]["term/l1"]
    shares = {name: np.mean(moved(first.params[name], state.params[name])) for name in ("generator", "critic")}
    assert shares["generator"] > 0.7 and shares["critic"] > 0.9  # an empty region's scale gets nothing
    assert np.mean(moved(first.stats["critic"], state.stats["critic"])) > 0.7
    assert all(np.isfinite(value) for value in scalars[-1].values())
    assert {"loss/generator", "loss/critic", "term/critic_accuracy"} <= set(scalars[-1])


@pytest.mark.slow
def test_losses_are_the_published_ones(begun):
    """L1 of the completion by the hole's share; the critic sees raw predictions, and takes the mean of both parts."""
    method, state, _ = begun
    given = noise_example()
    generator, critic = method.updates
    loss, aux = loss_of(generator, state, given)
    prediction, image, known = (np.asarray(value, np.float64) for value in (aux.carried, given.image, given.known))
    variables = {"params": state.params["critic"], **state.stats["critic"]}
    answer = jax.jit(method.networks["critic"].apply, static_argnames="train")

    def cross_entropy(seen, label):
        logits = np.asarray(answer(variables, seen, train=False), np.float64)
        probability = 1 / (1 + np.exp(-logits))
        return -np.mean(np.log(probability if label else 1 - probability))

    l1 = np.abs((prediction - image) * (1 - known)).mean() / (1 - known).mean()
    adversarial = cross_entropy(aux.carried, 1)
    assert float(aux.terms["l1"]) == pytest.approx(l1, rel=1e-5)
    assert float(aux.terms["adversarial"]) == pytest.approx(adversarial, rel=1e-5)
    assert float(loss) == pytest.approx(l1 + 0.1 * adversarial, rel=1e-5)
    critic_loss, _ = loss_of(critic, state, given, carried=aux.carried)
    half = (cross_entropy(given.image, 1) + cross_entropy(aux.carried, 0)) / 2
    assert float(critic_loss) == pytest.approx(half, rel=2e-2), "but for a power iteration"


def test_training_takes_the_batch_s_statistics_and_prediction_each_image_s(begun):
    method, state, _ = begun
    variables, given = api.Variables(state.params, state.stats), noise_example()
    _, aux = loss_of(method.updates[0], state, given)
    found = jax.jit(method.predict)(variables, given.observe(), jax.random.key(1)).image
    assert np.abs(aux.carried - found).max() > 1e-4
    alone = jax.tree.map(lambda leaf: leaf[1:], given)
    _, aux = loss_of(method.updates[0], state, alone)
    np.testing.assert_allclose(aux.carried, found[1:], atol=1e-4)


def test_without_an_adversarial_term_there_is_no_critic():
    method = api.build_method({**SMALL, "loss": {"adversarial": 0.0}})
    assert set(method.networks) == {"generator"}
    variables = jax.eval_shape(method.init, jax.random.key(0), noise_example())
    assert set(variables.params) == {"generator"}
