"""Names of TPU slices: those that there are, and what is said of all others before a compiler sees them."""

import pytest

from launch import tpu_slices
from scan_jax.core.errors import UserError

MEGACORE, ALONE = {"chip_config_name": "megacore"}, {"chips_per_host_bounds": (1, 1, 1)}


@pytest.mark.parametrize(
    ("name", "resolved", "options"),
    [
        ("v5e:2x4", "v5e:2x4", {}),
        (" V6E:16x16", "v6e:16x16", {}),
        ("V4:2x2x1", "v4:2x2x1", MEGACORE),
        ("v5p:8x12x16", "v5p:8x12x16", MEGACORE),
        ("tpu7x:2x2x1", "tpu7x:2x2x1", {}),
        ("v2:2x2", "v2:2x2", {}),
        ("v5e:1x1", "v5e:1x1", ALONE),
        ("v4:1x1x1", "v4:1x1x1", MEGACORE | ALONE),
        ("tpu7x:1x1x1", "tpu7x:1x1x1", ALONE),
    ],
)
def test_slices_that_there_are(name, resolved, options):
    assert tpu_slices.resolve(name) == (resolved, options)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", r"names no slice \(an empty variable\?\); they look like v5e:2x4"),
        (" ", "names no slice"),
        ("v7x:2x2x1", r"no chip is called 'v7x'; did you mean 'tpu7x'\?"),
        ("v5litepod:2x4", r"did you mean 'v5e'\?"),
        ("v6:2x2", r"did you mean 'v6e'\?"),
        ("v9:2x4", "no chip is called 'v9'"),
        ("v5litepod-8", "'v5litepod-8' is 8 chips of v5e; --topology=v5e:2x4"),
        ("v6e-4", "4 chips of v6e; --topology=v6e:2x2"),
        ("v5p-8", "8 cores of v5p; --topology=v5p:2x2x1"),
        ("v4-8", "8 cores of v4; --topology=v4:2x2x1"),  # which libtpu takes for two devices a chip
        ("v3-8", "8 cores of v3; --topology=v3:2x2"),
        ("v5e-7", "7 chips of v5e; v5e comes as 1x1, 2x2, 2x4"),
        ("h100-8", "no TPU slice 'h100-8'"),
        ("v5e", "no TPU slice 'v5e'; they look like"),
        ("v5e:2X4x", "no TPU slice 'v5e:2X4x'; they look like"),
        ("v5e:32x32", "v5e comes as 1x1, 2x2, 2x4, 4x4, 4x8, 8x8, 8x16, 16x16"),
        ("v5e:2x2x2", "v5e comes as"),
        ("v5e:0x0", "v5e comes as"),
        ("v5e:3x3", "v5e comes as"),
        ("v5e:99999x99999", "no TPU slice"),
        ("v4:0x0x0", "v4 comes as"),
        ("v4:3x3x3", "v4 comes as 1x1x1, 2x2x1, or three sides of 2 and 4 or of multiples of 4, up to 4,096 chips"),
        ("v4:2x2x8", "v4 comes as"),
        ("v4:16x16x20", "v4 comes as"),
        ("v4:2x2", "v4 comes as"),
        ("v5p:64x64x64", "up to 6,144 chips"),
        ("v4:4x4x8_twisted", "no TPU slice"),
    ],
)
def test_slices_that_there_are_not(name, says):
    with pytest.raises(UserError, match=says) as refused:
        tpu_slices.resolve(name)
    assert "\n" not in str(refused.value)


def test_every_name_that_a_line_offers_is_one():
    for chip, found in tpu_slices.GENERATIONS.items():
        for shape in found.shapes:
            assert tpu_slices.resolve(f"{chip}:{shape}")[0] == f"{chip}:{shape}"
    assert set(tpu_slices.OTHER_NAMES.values()) <= set(tpu_slices.GENERATIONS)
