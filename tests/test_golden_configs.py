"""Every config and every default, frozen as text: a diff shows all that a change moved.

`UPDATE_GOLDEN=1 python -m pytest tests/test_golden_configs.py` writes them anew. Of every config's networks there are
the numbers of parameters, and a digest of all names, shapes and types.
"""

import collections
import dataclasses
import functools
import hashlib
import os
import textwrap
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.core import config as configuration
from scan_jax.core import registry
from scan_jax.core.sections import AugmentationSettings, EvaluationSettings, OptimizerSettings, TrainingSettings
from scan_jax.core.types import Example
from scan_jax.data import api as data_api
from scan_jax.masks import api as masks_api
from scan_jax.methods import api

GOLDEN = Path(__file__).parent / "golden"
COMPARED = ("edge_connect", "gated_conv", "lama", "migan", "partial_conv", "region_norm", "rfr")
LISTED = ("celeba", "celebamask", *(f"compare/{method}" for method in COMPARED))
SECTIONS = [TrainingSettings, OptimizerSettings, EvaluationSettings, AugmentationSettings]


def check(name, text):
    """That the golden file of that name has the text."""
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


def sections(content, name):
    """A line for every section of nested dicts, with what is directly in it."""
    below = {key: value for key, value in sorted(content.items()) if isinstance(value, dict) and value}
    values = " ".join(f"{key}={value!r}" for key, value in sorted(content.items()) if key not in below)
    if values:
        yield from textwrap.wrap(f"{name}: {values}", 120, subsequent_indent="  ", break_on_hyphens=False)
    for key, value in below.items():
        yield from sections(value, f"{name}.{key}" if name != "config" else key)


@functools.cache
def variables(name):
    """(path, type and shape) of every parameter and statistic of a config's network."""
    config = configuration.load(name)
    method, size = api.build_method(config.method), config.size
    labels = jnp.zeros((1, size, size), jnp.int32) if method.num_labels else None
    example = Example(jnp.zeros((1, size, size, 3)), jnp.ones((1, size, size, 1)), labels)
    found = jax.eval_shape(method.init, jax.random.key(0), example)
    leaves = jax.tree_util.tree_leaves_with_path({"params": found.params, "stats": found.stats})
    return [(jax.tree_util.keystr(path, simple=True, separator="/"), leaf) for path, leaf in leaves]


def summary(name):
    """A line about all variables of a config's network, in which any change shows."""
    every = "\n".join(f"{path}: {leaf.dtype}{list(leaf.shape)}" for path, leaf in variables(name))
    sizes = collections.Counter()
    for path, leaf in variables(name):
        kind, network, _ = path.split("/", 2)
        sizes[network] += int(kind == "params") * np.prod(leaf.shape, dtype=int)
    digest = hashlib.sha256(every.encode()).hexdigest()[:12]
    counted = ", ".join(f"{network} {size:,}" for network, size in sizes.items())
    return f"{counted} parameters; {len(variables(name))} variables, digest {digest}"


@pytest.mark.parametrize("name", configuration.shipped())
def test_config_is_as_recorded(name):
    config = configuration.load(name)
    check(name, "\n".join([*sections(config.plain | {"network": summary(name)}, "config"), ""]))


def default(field):
    """What a setting is that no config gives; "?" where a config must."""
    if field.default is field.default_factory:  # both are missing
        return "?"
    value = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value


def test_defaults_are_as_recorded():
    kinds = [*SECTIONS, *(type(api.build_method(configuration.load(name).method).settings) for name in LISTED)]
    for table in (data_api.SOURCES, masks_api.SOURCES):
        kinds += [registry.find(table, name, "x") for name in table]
    lines = []
    for kind in dict.fromkeys(kinds):
        values = {field.name: default(field) for field in dataclasses.fields(kind)}
        lines += sections(values, f"{kind.__module__.removeprefix('scan_jax.')}.{kind.__name__}")
    check("defaults", "\n".join([*lines, ""]))


def test_every_golden_file_has_its_config():
    golden = {path.relative_to(GOLDEN).with_suffix("").as_posix() for path in GOLDEN.rglob("*.txt")}
    assert golden == {"defaults", *configuration.shipped()}
