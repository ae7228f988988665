"""MI-GAN as a method: its updates train what they say, on the released code's losses, and a teacher is learned from."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from small_methods import SMALL, begin, loss_of, moved, noise_example, take_steps
from small_networks import small_trained

from scan_jax.core.errors import UserError
from scan_jax.methods import api
from scan_jax.methods.migan import distillation
from scan_jax.weights import bundle, registry

SECTION = {"name": "migan", **SMALL["migan"], "halvings": 2}


@pytest.fixture(scope="module")
def begun():
    method = api.build_method({**SECTION, "halvings": 1})
    return method, *begin(method, noise_example(32), optax.adam(1e-3))


def bundle_of(folder, name, **changes):
    """The folder of a small network of this method, as an export writes it."""
    trained = small_trained({"name": name, **SMALL[name], **changes})
    tree = {"params": trained.variables.params, "stats": trained.variables.stats}
    bundle.save(folder, trained.config, tree, {})
    return str(folder)


@pytest.mark.slow
def test_steps_train_both_networks_and_learn():
    method = api.build_method({**SECTION, "loss": {"l1": 10.0}})
    first, step = begin(method, noise_example(32), optax.adam(1e-2))
    state, scalars = take_steps(step, first, noise_example(32), 20)
    assert scalars[-1]["term/l1"] < 0.9 * scalars[0]["term/l1"]
    for name in ("generator", "critic"):
        assert np.mean(moved(first.params[name], state.params[name])) > 0.9
    assert not any(moved(first.stats["generator"], state.stats["generator"]))  # the noise that fills holes
    assert {"loss/generator", "loss/critic", "term/critic_accuracy", "term/critic_slope"} <= set(scalars[-1])


@pytest.mark.slow
def test_losses_and_the_critics_gradient_are_the_published_ones(begun):
    """The gradient is of second order, by the penalty."""
    torch = pytest.importorskip("torch")
    from torch_migan import criticize

    def to_torch(x):
        return torch.tensor(np.array(x)).permute(0, 3, 1, 2).double()

    (method, state, _), given = begun, noise_example(32)
    softplus, critic = torch.nn.functional.softplus, state.params["critic"]
    params = jax.tree.map(lambda leaf: torch.tensor(np.array(leaf)).double().requires_grad_(), critic)
    known, image = (to_torch(x) for x in (given.known, given.image))
    loss, aux = loss_of(method.updates[0], state, given)
    np.testing.assert_array_equal(np.where(given.known > 0, aux.carried, 0), np.where(given.known > 0, given.image, 0))
    fake = torch.cat([known - 0.5, to_torch(aux.carried) * 2 - 1], 1)
    logits = criticize(params, fake)
    assert set(aux.terms) == {"adversarial"} and float(loss) == pytest.approx(softplus(-logits).mean().item(), rel=1e-4)

    real = torch.cat([known - 0.5, image * 2 - 1], 1).requires_grad_()
    answers = criticize(params, real)
    (slopes,) = torch.autograd.grad(answers.sum(), real, create_graph=True)
    wanted = softplus(-answers).mean() + softplus(logits).mean() + 10 / 2 * slopes.square().sum((1, 2, 3)).mean()
    (loss, found), gradient = loss_of(method.updates[1], state, given, carried=aux.carried, slopes=True)
    assert found.terms["critic_slope"] > 1e-4
    assert float(loss) == pytest.approx(wanted.item(), rel=1e-4)
    wanted.backward()
    wanted = jax.tree.map(lambda tensor: tensor.grad.numpy(), params)
    length = np.sqrt(sum(np.square(leaf).sum() for leaf in jax.tree.leaves(wanted)))
    for ours, theirs in zip(jax.tree.leaves(gradient["critic"]), jax.tree.leaves(wanted), strict=True):
        assert np.linalg.norm(ours - theirs) < 1e-4 * length


def test_noise_is_drawn_in_training_and_kept_for_filling(begun):
    method, state, _ = begun
    params = jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf + 0.5 if "noise_strength" in str(path) else leaf, state.params["generator"]
    )
    variables = {"params": params, **state.stats["generator"]}
    given = noise_example(32)
    twice = jax.tree.map(lambda x: jnp.repeat(x[:1], 2, axis=0), given).observe()

    def fill(train, seed):
        apply = jax.jit(method.generator.apply, static_argnames="train")
        return apply(variables, twice.image, twice.known, train=train, rngs={"noise": jax.random.key(seed)})[-1]

    one, other = fill(True, 0), fill(True, 1)
    assert np.abs(one - other).max() > 0.01 and np.abs(one[0] - one[1]).max() > 0.01
    np.testing.assert_array_equal(fill(False, 0), fill(False, 1))


def test_distillation_is_of_the_hole_at_every_level_from_32_pixels_on():
    draw = np.random.default_rng(0)
    taught, known = draw.random((2, 128, 64, 3), np.float32), np.float32(draw.random((2, 128, 64, 1)) > 0.5)
    pictures = [draw.random((2, 128 // step, 64 // step, 3), np.float32) for step in (4, 2, 1)]
    wanted = 0.0
    for picture, step in zip(pictures[1:], (2, 1)):
        for row, column in np.ndindex(picture.shape[1:3]):
            rows, columns = np.s_[row * step : (row + 1) * step], np.s_[column * step : (column + 1) * step]
            hole = 1 - known[:, row * step, column * step]  # [2,1]
            off = np.abs(picture[:, row, column] - taught[:, rows, columns].mean((1, 2), np.float64))
            wanted += (off * hole).sum() / picture.size
    assert float(distillation(pictures, taught, known)) == pytest.approx(wanted, rel=1e-5)
    tiny = float(distillation([pictures[0][:, :16, :16]], taught[:, :16, :16], 0 * known[:, :16, :16]))
    assert tiny == pytest.approx(np.abs(pictures[0][:, :16, :16] - taught[:, :16, :16]).mean(), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("by_name", [False, True])
def test_a_network_of_another_method_teaches(tmp_path, monkeypatch, by_name):
    """Its prediction is what is learned; the teacher stays as it is, and no hole is filled by it."""
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.chdir(tmp_path / "..")
    folder = bundle_of(tmp_path / "lama", "lama")
    method = api.build_method(
        {**SECTION, "halvings": 1, "teacher": "lama" if by_name else folder, "loss": {"adversarial": 0.0}}
    )
    teacher, given = small_trained({"name": "lama", **SMALL["lama"]}), noise_example(32)
    variables = jax.jit(method.init)(jax.random.key(0), given)
    assert set(variables.params) == {"generator"}
    frozen = method.load_frozen()
    jax.tree.map(lambda shape, leaf: (shape.shape, shape.dtype) == (leaf.shape, leaf.dtype) or pytest.fail(),
                 method.frozen_shapes(), frozen)  # fmt: skip
    (loss, aux), slopes = loss_of(method.updates[0], variables, given, frozen=frozen, slopes=True)
    seen = given.observe()
    taught = teacher.method.predict(teacher.variables, seen, jax.random.key(0)).image
    quiet = {"params": variables.params["generator"], **variables.stats["generator"]}  # its noise has no strength yet
    pictures = method.generator.apply(quiet, seen.image, seen.known, train=False)
    assert float(aux.terms["distillation"]) == pytest.approx(
        float(distillation(pictures, taught, given.known)), rel=1e-3
    )
    assert float(loss) == pytest.approx(4 * float(aux.terms["distillation"]), rel=1e-6)
    assert any(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(slopes))


def test_who_cannot_teach_is_refused_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path / "weights"))
    for name, message in {
        bundle_of(tmp_path / "itself", "migan"): "is a migan itself, from which nothing is to be learned; give another",
        bundle_of(tmp_path / "labels", "masked_attention"): "wants labels, and migan is trained without",
        str(tmp_path): "there is no bundle .*; of a run it is made by python -m scan_jax export",
        "lama": "not there yet: python -m scan_jax weights import lama",
        "nobody": "there is no bundle nobody",
    }.items():
        method = api.build_method({**SECTION, "teacher": name})  # which fills holes without its teacher
        with pytest.raises(UserError, match=message):
            method.load_frozen()


@pytest.mark.parametrize(("changes", "message"), [
    ({"loss": {"adversarial": 0.0}}, "leaves no term to train with"),
    ({"halvings": 0}, r"halvings must be from 1 to 9, not 0"),
])  # fmt: skip
def test_a_bad_section_is_refused_in_a_line(changes, message):
    with pytest.raises(UserError, match=message):
        api.build_method({**SECTION, **changes})
