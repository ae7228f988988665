"""Sources and methods are found by module name, and keys of other sources do no harm."""

import pytest

import scan_jax.data
import scan_jax.masks
import scan_jax.methods
from scan_jax import registry
from scan_jax.data.api import open_data
from scan_jax.errors import UserError

DATA = [
    *("celeba_hq", "celebamask_hq", "labelled_folder", "paris_street_view", "photo_folder", "prepared"),
    "synthetic_portraits",
]
METHODS = ["edge_connect", "gated_conv", "masked_attention", "partial_conv", "region_norm", "rfr", "scan"]
HOLES = ["border", "free_form", "half", "irregular_masks", "mask_folder", "mixture", "rectangles", "strokes"]


def test_every_choice_is_found():
    for room, opener, names in (
        (scan_jax.data, "open_splits", DATA),
        (scan_jax.masks, "open_splits", HOLES),
        (scan_jax.methods, "build", METHODS),
    ):
        assert [module.__name__.split(".")[-1] for module in registry.choices(room, opener)] == names
        assert all(registry.find(room, name, opener, "x").__name__.endswith(name) for name in names)


@pytest.mark.parametrize("name", ["photo_foldr", "api", "", "../x", None, 3])
def test_an_unknown_name_lists_the_known_ones(name):
    with pytest.raises(
        UserError, match=r"^config\.data\.name has no .*\(choose one of celeba_hq, celebamask_hq, labelled"
    ):
        registry.find(scan_jax.data, name, "open_splits", "config.data.name")


def test_keys_of_another_source_are_passed_over_and_unknown_ones_are_not():
    section = {"name": "synthetic_portraits", "size": 32, "count": 2, "held_out": 1, "path": "PHOTOS"}
    assert len(open_data(section).train) == 2
    with pytest.raises(UserError, match=r"unknown config key config\.data\.cuont, did you mean 'count'"):
        open_data({**section, "cuont": 3})
