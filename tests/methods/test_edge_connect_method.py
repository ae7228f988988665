"""EdgeConnect as a method: three phases, each of which trains what it says on the published losses."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from small_methods import begin, loss_of, moved, noise_example, random_features, take_steps

from scan_jax.methods import api
from scan_jax.ops.canny import canny
from scan_jax.ops.image import luma
from scan_jax.training.trainer import updates_in

PHASES = ("edge", "completion", "joint")
LOSS = {"perceptual": 0.0, "style": 0.0}
SMALL = {"name": "edge_connect", "width": 4, "critic_width": 4, "blocks": 1, "sigma": 1.0, "loss": LOSS}


def example():
    """Patches, so that there are edges to find, and a little noise: of two equal slopes either may be the ridge."""
    coarse, fine = jax.random.uniform(jax.random.key(2), (2, 4, 4, 3)), noise_example()
    return dataclasses.replace(fine, image=0.95 * coarse.repeat(8, 1).repeat(8, 2) + 0.05 * fine.image)


@functools.cache
def at_start():
    """The method, and its networks before the first step."""
    method = api.build_method(SMALL)
    return method, jax.jit(method.init)(jax.random.key(0), example())


@pytest.fixture(scope="module")
def begun():
    method, _ = at_start()
    generators = dict.fromkeys(PHASES, optax.adam(1e-3, 0.0, 0.9))  # their updates bear the phases' names
    return method, *begin(method, example(), optax.adam(1e-5, 0.0, 0.9), **generators)


def train(begun, phase, count=2):
    _, state, step = begun
    return take_steps(step, state, example(), count, phase)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("phase", "trained", "spectral"),
    [
        ("edge", {"edge", "edge_critic"}, {"edge", "edge_critic"}),
        ("completion", {"completion", "critic"}, {"critic"}),
        ("joint", {"edge", "completion", "edge_critic", "critic"}, {"edge", "edge_critic", "critic"}),
    ],
)
def test_each_phase_trains_its_networks_and_no_others(begun, phase, trained, spectral):
    _, before, _ = begun
    after, scalars = train(begun, phase)
    parts = {
        **{
            name: (before.params["generator"][name], after.params["generator"][name]) for name in ("edge", "completion")
        },
        **{name: (before.params[name], after.params[name]) for name in ("edge_critic", "critic")},
    }
    for name, pair in parts.items():
        share = np.mean(moved(*pair))
        assert share > 0.6 if name in trained else share == 0, f"{name}: {share}"  # biases before a norm need not move
    stats = {
        "edge": (before.stats["generator"], after.stats["generator"]),
        **{name: (before.stats[name], after.stats[name]) for name in ("edge_critic", "critic")},
    }
    for name, pair in stats.items():
        share = np.mean(moved(*pair))
        assert share > 0.5 if name in spectral else share == 0, f"vectors of {name}: {share}"
    assert all(np.isfinite(value) for found in scalars for value in found.values())
    names = {name.removeprefix("loss/") for name in scalars[0] if name.startswith("loss/")}
    assert names == {update.name for update in updates_in(begun[0].updates, phase)}


def test_an_update_s_name_is_its_own_and_without_an_adversarial_term_there_is_no_critic_of_colours():
    updates = api.build_method(SMALL).updates
    assert len({update.name for update in updates}) == len(updates) == 7
    assert list(dict.fromkeys(update.phase for update in updates)) == list(PHASES)
    method = api.build_method({**SMALL, "loss": {**LOSS, "adversarial": 0.0}})
    assert set(method.networks) == {"generator", "edge_critic"}
    assert {update.name for update in method.updates} == {
        "edge",
        "edge_critic",
        "completion",
        "joint",
        "joint_edge_critic",
    }


@pytest.mark.slow
@pytest.mark.parametrize(("phase", "term"), [("edge", "feature_matching"), ("completion", "l1"), ("joint", "l1")])
def test_it_learns(begun, phase, term):
    _, scalars = train(begun, phase, count=12)
    assert float(scalars[-1][f"term/{term}"]) < float(scalars[0][f"term/{term}"])


@functools.cache
def begun_loss(name):
    """The value, terms and gradient of one update of the generator at the start."""
    method, variables = at_start()
    update = next(update for update in method.updates if update.name == name)
    (loss, aux), gradient = loss_of(update, variables, example(), slopes=True)
    return float(loss), jax.tree.map(np.asarray, aux), gradient["generator"]


@pytest.mark.slow
def test_the_joint_loss_is_both_and_reaches_the_edge_generator():
    loss, aux, gradient = begun_loss("joint")
    weights = {"edge_adversarial": 1.0, "feature_matching": 10.0, "l1": 1.0, "adversarial": 0.1}
    assert set(aux.terms) == set(weights)
    assert loss == pytest.approx(sum(weight * aux.terms[name] for name, weight in weights.items()), rel=1e-5)
    _, _, alone = begun_loss("edge")
    assert not jax.tree.leaves(jax.tree.map(jnp.any, alone["completion"]))[0]
    through = [np.abs(a - b).max() for a, b in zip(jax.tree.leaves(gradient["edge"]), jax.tree.leaves(alone["edge"]))]
    assert max(through) > 1e-6, "the completion's loss says something to the edge generator"


def test_losses_are_the_published_ones():
    """On what the networks answer, in NumPy and 64 bits."""
    method, state = at_start()
    _, aux, _ = begun_loss("joint")
    given, critics = example(), {}
    for name, images in (("edge_critic", ("true", "drawn")), ("critic", ("real", "painted"))):
        for image in images:
            seen = given.image if image == "real" else aux.carried[image]
            variables = {"params": state.params[name], **state.stats[name]}
            answer = jax.jit(functools.partial(method.networks[name].apply, train=False, method="activations"))
            found = answer(variables, seen)
            critics[image] = [np.asarray(layer, np.float64) for layer in found]

    def cross_entropy(logits, label):
        """Of sigmoids, as released."""
        probability = 1 / (1 + np.exp(-logits))
        return -np.mean(np.log(probability if label else 1 - probability))

    matching = sum(np.abs(a - b).mean() for a, b in zip(critics["drawn"], critics["true"]))
    difference = np.abs(np.asarray(aux.carried["painted"], np.float64) - np.asarray(given.image))
    wanted = {
        "edge_adversarial": cross_entropy(critics["drawn"][-1], 1),
        "feature_matching": matching,
        "l1": difference.mean() / np.mean(1 - np.asarray(given.known)),
        "adversarial": cross_entropy(critics["painted"][-1], 1),
    }
    assert len(critics["drawn"]) == 5
    for name, value in wanted.items():
        assert float(aux.terms[name]) == pytest.approx(value, rel=1e-5), name
    for update, real, fake in (("joint_edge_critic", "true", "drawn"), ("joint_critic", "real", "painted")):
        update = next(one for one in method.updates if one.name == update)
        loss, _ = loss_of(update, state, given, carried=aux.carried)
        half = (cross_entropy(critics[real][-1], 1) + cross_entropy(critics[fake][-1], 0)) / 2
        assert float(loss) == pytest.approx(half, rel=2e-2), "but for a power iteration"


def test_what_the_networks_are_shown():
    """Edges of known pixels alone; the target and the completion's edges are those of the whole photograph."""
    method, state = at_start()
    given = example()
    gray = luma(given.image)
    whole, seen = canny(gray, jnp.ones_like(gray), 1.0), canny(gray, given.known, 1.0)
    assert float(jnp.abs(whole - seen).sum()) > 10
    _, aux, _ = begun_loss("joint")
    np.testing.assert_allclose(aux.carried["true"], jnp.concatenate([gray, whole], axis=-1), atol=1e-6)
    networks = {"params": state.params["generator"], **state.stats["generator"]}
    draw = functools.partial(method.generator.apply, train=True, method="draw", mutable=["spectral"])
    drawn, _ = jax.jit(draw)(networks, gray, seen, given.known)
    np.testing.assert_allclose(aux.carried["drawn"][..., 1:], drawn, atol=1e-5)
    paint = jax.jit(functools.partial(method.generator.apply, method="paint"))
    edges = seen * given.known + drawn * (1 - given.known)
    np.testing.assert_allclose(aux.carried["painted"], paint(networks, given.image, edges, given.known), atol=1e-5)
    _, aux, _ = begun_loss("completion")
    painted = paint(networks, given.image, whole, given.known)
    np.testing.assert_allclose(aux.carried["painted"], painted, atol=1e-5)


def test_feature_terms_see_the_whole_and_the_hole():
    section = {**SMALL, "loss": {"perceptual": 0.1, "style": 250.0}, "features": {"name": "squeezenet"}}
    method = api.build_method(section)
    _, variables = at_start()
    frozen, look = random_features(method, example()), jax.jit(method.feature_terms)
    painted = jax.random.uniform(jax.random.key(4), example().image.shape)
    terms = look(frozen, painted, example())
    assert set(terms) == {"perceptual", "style"}
    assert all(float(term) > 0 for term in terms.values())
    known_only = jnp.where(example().known > 0, painted, example().image)
    assert float(look(frozen, known_only, example())["style"]) == 0, "style is that of the hole"
    _, aux = loss_of(method.updates[2], variables, example(), frozen=frozen)
    assert set(aux.terms) == {"l1", "perceptual", "style", "adversarial"}
