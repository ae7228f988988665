"""Every field of every section, found by reflection: what makes no sense there is one line that names it."""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping

import jax
import pytest
from small_methods import SMALL, small_method

from scan_jax.core import registry
from scan_jax.core.bounds import Range
from scan_jax.core.config import bind
from scan_jax.core.errors import UserError
from scan_jax.core.sections import AugmentationSettings, EvaluationSettings, TrainingSettings
from scan_jax.core.types import Example
from scan_jax.data import api as data_api
from scan_jax.masks import api as masks_api
from scan_jax.methods import api as methods_api

REQUIRED = {"steps": 1, "batch_size": 1, "optimizers": {}, "size": 64, "path": "", "num_labels": 1, "dataset": "a/b"}
WRONG = {
    int: (-1, 10**12, 1.5, math.nan, math.inf, "3", [1], {}, True, None),
    float: (-1, -0.1, 10**400, math.nan, math.inf, "0.5", [0.5], {}, True, None),
    str: (3, math.nan, ["a"], {}, True, None),
    bool: (1, 0.0, "yes", [True], None),
    tuple: (3, math.nan, "ab", {}, True, None),
    Mapping: (3, math.nan, "ab", [1], True, None),
    typing.Literal: ("nonsense", 77, math.nan, ["a"], {}, True, None),
}


def sections():
    """(the section's name, its dataclass) of all."""
    yield from ((f"config.{kind.__name__[:-8].lower()}", kind) for kind in (TrainingSettings, EvaluationSettings))
    yield "config.augmentation", AugmentationSettings
    for name, table in (("config.data", data_api.SOURCES), ("config.holes", masks_api.SOURCES)):
        yield from ((name, registry.find(table, choice, name)) for choice in table)
    yield from (("config.method", type(small_method(name).settings)) for name in methods_api.METHODS)


def base(hint):
    """The annotation without what may be None, and without bounds."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return base(arguments[0])
    return base(arguments[0]) if origin is typing.Annotated else hint


def leaves(kind, keys=()):
    """(keys down to it, annotation) of every value in a section."""
    for key, hint in typing.get_type_hints(kind, include_extras=True).items():
        if key not in {field.name for field in dataclasses.fields(kind)}:
            continue  # a class's own
        inner, arguments = base(hint), typing.get_args(base(hint))
        yield (*keys, key), hint
        if dataclasses.is_dataclass(inner):
            yield from leaves(inner, (*keys, key))
        elif typing.get_origin(inner) is Mapping and dataclasses.is_dataclass(arguments[1]):
            yield from leaves(arguments[1], (*keys, key, "a"))


ALL = [(where, kind, *leaf) for where, kind in sections() for leaf in leaves(kind)]


def section_with(kind, keys, value):
    """What is required, and a value at nested keys."""
    needed = [field.name for field in dataclasses.fields(kind) if field.default is field.default_factory]
    section = inner = {key: REQUIRED[key] for key in needed}
    for key in keys[:-1]:
        inner[key] = inner = dict(inner.get(key, {}))
    inner[keys[-1]] = value
    return section


@pytest.mark.parametrize(
    ("where", "kind", "keys", "hint"), ALL, ids=[f"{kind.__name__}.{'.'.join(keys)}" for _, kind, keys, _ in ALL]
)
def test_a_senseless_value_is_one_line_that_names_its_field(where, kind, keys, hint):
    inner = base(hint)
    wrong = WRONG[Mapping if dataclasses.is_dataclass(inner) else typing.get_origin(inner) or inner]
    for value in wrong:
        if value is None and typing.get_origin(hint) in (typing.Union, types.UnionType):
            continue
        with pytest.raises(UserError) as refused:
            bind(section_with(kind, keys, value), kind, where)
        line = str(refused.value)
        assert line.startswith(f"{'.'.join((where, *keys))} must ") and repr(value) in line and "\n" not in line


@pytest.mark.parametrize("name", sorted(SMALL))
def test_the_least_that_a_method_allows_has_shapes(name):
    """All whole numbers of its settings at once."""
    least = {}
    for (key, *deeper), hint in leaves(type(small_method(name).settings)):
        if not deeper and base(hint) is int and typing.get_origin(hint) is typing.Annotated:
            least[key] = next(bound.low for bound in hint.__metadata__ if isinstance(bound, Range))
    method = small_method(name, **least)
    size = math.lcm(method.stride, 32)
    image, known = (jax.ShapeDtypeStruct((1, size, size, channels), "float32") for channels in (3, 1))
    labels = jax.ShapeDtypeStruct((1, size, size), "int32") if method.num_labels else None
    assert jax.eval_shape(method.init, jax.random.key(0), Example(image, known, labels)).params


@pytest.mark.parametrize(
    ("name", "size", "nearest"),
    [("scan", 100, "96, 104"), ("scan", 8, "32"), ("masked_attention", 47, "32, 64"), ("partial_conv", 1, "4")],
)
def test_a_size_that_a_method_cannot_be_trained_at_names_the_nearest(name, size, nearest):
    with pytest.raises(UserError, match=f"^config\\.data\\.size must be .*, not {size}; the nearest: {nearest}$"):
        methods_api.require_size(small_method(name), size)
    for good in map(int, nearest.split(", ")):
        methods_api.require_size(small_method(name), good)
