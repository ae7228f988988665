"""MI-GAN's networks beside PyTorch's form of them, on random weights, the generator's through the importer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from comparison import error_of

from scan_jax.methods.api import build_method
from scan_jax.models.migan import MiganCritic, MiganGenerator
from scan_jax.ops.depthwise import depthwise, double, halve
from scan_jax.weights import import_migan

SIDES, WIDTHS = (32, 16, 8, 4), (6, 12, 20, 20)
SECTION = {"name": "migan", "width": 6, "halvings": 3, "max_channels": 20, "noise": 32}


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (6, 4)])
def test_maps_within_their_channels(shape):
    torch = pytest.importorskip("torch")
    from torch_layers import to_numpy
    from torch_migan import larger, smaller

    x, kernel = torch.randn(2, 3, *shape).double().requires_grad_(), torch.randn(3, 1, 3, 3).double().requires_grad_()
    given, taps = np.float32(to_numpy(x)), np.float32(kernel.detach().numpy()[:, 0].transpose(1, 2, 0))
    pairs = [(double, larger)]
    if shape[0] % 2 or shape[1] % 2:
        with pytest.raises(ValueError, match="must be even"):
            halve(given)
    else:
        pairs.append((halve, smaller))
    pairs.append((lambda x: depthwise(x, taps), lambda x: torch.nn.functional.conv2d(x, kernel, padding=1, groups=3)))
    for ours, theirs in pairs:
        wanted = theirs(x)
        np.testing.assert_allclose(ours(given), to_numpy(wanted), rtol=0, atol=1e-5)
        change = torch.randn(wanted.shape).double()
        (slope,) = torch.autograd.grad((wanted * change).sum(), x, retain_graph=True)
        (found,) = jax.vjp(ours, given)[1](jnp.float32(to_numpy(change)))
        np.testing.assert_allclose(found, to_numpy(slope), rtol=0, atol=1e-5)
    (slope,) = torch.autograd.grad((wanted * change).sum(), kernel)
    (found,) = jax.vjp(lambda taps: depthwise(given, taps), taps)[1](jnp.float32(to_numpy(change)))
    np.testing.assert_allclose(found, slope.numpy()[:, 0].transpose(1, 2, 0), rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match=r"kernel \[3,3,C\]"):
        depthwise(given, taps[..., :2])


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("shape", [(32, 32), (72, 40)])
def test_the_generator_equals_the_literal_form(tmp_path, unit, shape):
    """At its own size, and where its noise is repeated."""
    torch = pytest.importorskip("torch")
    import torch_migan
    from torch_layers import to_numpy, to_torch

    state = torch_migan.draw(SIDES, WIDTHS, unit=unit)
    torch.save(state, tmp_path / "a.pt")
    tree, rng = import_migan.read(tmp_path / "a.pt"), np.random.default_rng(0)
    section = import_migan.config(tree)["method"]
    assert section == {**SECTION, "kernels": "unit" if unit else "free"}
    image, known = rng.random((2, *shape, 3), np.float32), np.float32(rng.random((2, *shape, 1)) > 0.2)
    known[:, 10:30, 5:25] = 0
    seen = to_torch(np.concatenate([known - 0.5, (2 * image - 1) * known], -1)).double()
    wanted = to_numpy(torch_migan.fill({name: value.double() for name, value in state.items()}, seen)) / 2 + 0.5
    variables = {"params": tree["params"]["generator"], **tree["stats"]["generator"]}
    pictures = jax.jit(lambda *given: build_method(section).generator.apply(*given, train=False))
    found = pictures(variables, image, known)
    assert wanted.std() > 0.05 and error_of(found[-1], wanted) < 1e-5
    assert [picture.shape[1] for picture in found] == [shape[0] // 8, shape[0] // 4, shape[0] // 2, shape[0]]
    for noise in jax.tree.leaves(variables.pop("noise")):
        assert noise.std() > 0.5
    silent = {"noise": jax.tree.map(jnp.zeros_like, tree["stats"]["generator"]["noise"]), **variables}
    assert error_of(pictures(silent, image, known)[-1], wanted) > 0.01


@pytest.mark.parametrize(("width", "halvings", "count"), [(64, 7, 5_893_158), (128, 6, 5_865_505)])
def test_published_sizes_have_as_many_parameters(width, halvings, count):
    """5.97 and 5.94 million with the public code's filters of halving and doubling, which are constants here."""
    generator, side = MiganGenerator(width, halvings), 2**halvings
    image, known = (jax.ShapeDtypeStruct((1, side, side, channels), np.float32) for channels in (3, 1))
    made = jax.eval_shape(lambda *given: generator.init(jax.random.key(0), *given, train=False), image, known)
    assert sum(leaf.size for leaf in jax.tree.leaves(made["params"])) == count
    channels = [min(2**level * width, 512) for level in range(halvings + 1)]
    filters = 16 * sum(2 * channels[level] + 3 for level in range(halvings))
    assert count + filters == {7: 5_973_366, 6: 5_943_617}[halvings]


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_the_critic_equals_the_literal_form(batch):
    """Batches are one group, and two of every second image."""
    pytest.importorskip("torch")
    from torch_layers import tensor, to_numpy, to_torch
    from torch_migan import criticize

    critic, seen = MiganCritic(4, 2, 12), np.random.default_rng(1).normal(size=(batch, 16, 24, 4)).astype(np.float32)
    seen *= np.arange(1, batch + 1, dtype=np.float32)[:, None, None, None]
    params = jax.jit(critic.init)(jax.random.key(0), seen)["params"]
    params = jax.tree.map(lambda leaf: leaf + 0.1 * jnp.sin(jnp.arange(leaf.size)).reshape(leaf.shape), params)
    wanted = criticize(jax.tree.map(lambda leaf: tensor(leaf).double(), params), to_torch(seen).double())
    found = jax.jit(critic.apply)({"params": params}, seen)
    assert found.shape == (batch, 1, 3, 1) and wanted.std() > 1e-3
    np.testing.assert_allclose(found, to_numpy(wanted), rtol=1e-4, atol=1e-5)
