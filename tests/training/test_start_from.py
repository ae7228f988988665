"""A new run may begin with the networks of another, or of a bundle."""

import jax
import numpy as np
import pytest
from toy_runs import toy_config

from scan_jax.commands import experiment
from scan_jax.core.errors import UserError
from scan_jax.inference import trained
from scan_jax.inference import trained as network_shapes
from scan_jax.inference import trained as run_folder
from scan_jax.methods.api import Variables
from scan_jax.weights import bundle

NO_STEP = {update: {"learning_rate": 0.0} for update in ("generator", "critic")}


def config(start_from="", **sections):
    return toy_config({"optimizers": NO_STEP, "pictures_every": 0, "start_from": str(start_from)}, **sections)


@pytest.fixture
def toy(toy_method, monkeypatch):
    monkeypatch.setattr(trained.api, "build_method", lambda section: toy_method)
    return toy_method


def drawn(method, seed):
    shapes = jax.eval_shape(method.init, jax.random.key(0), network_shapes.blank(0))
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), shapes)


def close(x, y):
    """Equal but for the rounding of a moving average."""
    np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-7)


def test_a_run_begins_with_the_networks_of_a_bundle_and_another_with_its(toy, tmp_path):
    given = drawn(toy, 1)
    generator_only = {"params": {"generator": given.params["generator"]}}
    bundle.save(tmp_path / "bundle", config().plain, generator_only, {})
    experiment.run(config(tmp_path / "bundle"), tmp_path / "first")
    _, first = run_folder.restore(tmp_path / "first")
    jax.tree.map(close, first.params["generator"], given.params["generator"])
    fresh = jax.jit(toy.init)(jax.random.key(0), network_shapes.blank(0))
    jax.tree.map(close, first.params["critic"], fresh.params["critic"])
    experiment.run(config(tmp_path / "first", seed=5), tmp_path / "second")
    _, second = run_folder.restore(tmp_path / "second")
    jax.tree.map(close, second.params, first.params)


def test_networks_that_do_not_fit_are_refused(toy, tmp_path):
    given = drawn(toy, 1)
    narrow = jax.tree.map(lambda leaf: leaf[..., :1], given.params["generator"])
    bundle.save(tmp_path / "narrow", config().plain, {"params": {"generator": narrow}}, {})
    bundle.save(tmp_path / "critic", config().plain, {"params": {"critic": given.params["critic"]}}, {})
    size = r"narrow: generator.* is \(1,\), by the config \(3,\)"
    for name, told in {"narrow": size, "critic": "have no generator", "nowhere": "no run folder"}.items():
        with pytest.raises(UserError, match=told):
            experiment.run(config(tmp_path / name), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_a_method_lacks_is_left_out(toy):
    given = drawn(toy, 2)
    more = Variables({**given.params, "edges": given.params["critic"]}, given.stats)
    assert trained.fit(more, toy, "these").params.keys() == given.params.keys()
