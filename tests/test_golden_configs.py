"""Every config's expansion and every parameter's shape, frozen as text: a diff shows all that a change moved.

`UPDATE_GOLDEN=1 python -m pytest tests/test_golden_configs.py` writes them anew.
"""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from scan_jax import configuration
from scan_jax.evaluation.evaluator import EvaluationSettings
from scan_jax.methods import api
from scan_jax.settings import bind
from scan_jax.training.run_folder import flatten
from scan_jax.training.settings import TrainingSettings
from scan_jax.types import Example

GOLDEN = Path(__file__).parent / "golden"


def describe(config) -> str:
    """The config, a key a line, then the parameters with their shapes."""
    lines = [f"{key} = {value!r}" for key, value in sorted(flatten(config).items())]
    size = config["data"]["size"]
    method = api.build_method(config["method"])
    labels = jnp.zeros((1, size, size), jnp.int32) if method.num_labels else None
    example = Example(jnp.zeros((1, size, size, 3)), jnp.ones((1, size, size, 1)), labels)
    variables = jax.eval_shape(method.init, jax.random.key(0), example)
    for path, leaf in jax.tree_util.tree_leaves_with_path({"params": variables.params, "stats": variables.stats}):
        lines.append(f"{jax.tree_util.keystr(path, simple=True, separator='/')}: {leaf.dtype}{list(leaf.shape)}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", configuration.shipped())
def test_config_is_as_recorded(name):
    config = configuration.load(name)
    bind(config["training"], TrainingSettings, "config.training")
    bind(config["evaluation"], EvaluationSettings, "config.evaluation")
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(describe(config))
    assert describe(config) == golden.read_text()


def test_every_golden_file_has_its_config():
    golden = {path.relative_to(GOLDEN).with_suffix("").as_posix() for path in GOLDEN.rglob("*.txt")}
    assert golden == configuration.shipped().keys()
