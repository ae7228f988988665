"""Protocols: named, equal to the configs that they test, and opened by the packages that they name."""

from pathlib import Path

import numpy as np
import pytest

from scan_jax.core import config as configuration
from scan_jax.core.errors import UserError
from scan_jax.evaluation.protocols import PROTOCOLS, find_protocol
from scan_jax.masks.api import fixed_set, open_holes
from scan_jax.masks.ratio import make_buckets
from scan_jax.metrics.api import GROUPS

CONFIGS = Path(__file__).parents[2] / "configs"
OF_CONFIG = {
    "scan_celeba_hq": "celeba",
    "scan_paris_street_view": "paris",
    "masked_attention_celebamask_hq": "celebamask",
}
DATA_NAMES = {"CelebA-HQ": "celeba_hq", "Paris street view": "paris_street_view", "CelebAMask-HQ": "celebamask_hq"}


def test_every_protocol_has_its_config_and_an_unknown_one_names_the_nearest():
    assert set(PROTOCOLS) == set(OF_CONFIG)
    with pytest.raises(UserError, match=r"--protocol has no 'scan_celeba', did you mean 'scan_celeba_hq'\?"):
        find_protocol("scan_celeba")
    with pytest.raises(UserError, match="choose one of masked_attention_celebamask_hq, scan_celeba_hq"):
        find_protocol("api")  # a module, but no protocol


@pytest.mark.parametrize("name", OF_CONFIG)
def test_names_data_holes_and_metrics_are_the_configs_and_pinned(name):
    protocol, config = find_protocol(name), configuration.load(str(CONFIGS / f"{OF_CONFIG[name]}.py"))
    assert dict(protocol.data) == dict(config.data)
    held = {key: tuple(value) if isinstance(value, list) else value for key, value in dict(config.holes).items()}
    assert dict(protocol.holes) == held
    assert protocol.photographs == config.evaluation.photographs == 0
    assert protocol.name == name and str(protocol) == f"{name} v1"
    pinned = {"split": "celebahq_28k_2k"} if "celeba" in name else {"crop": "centre"}
    assert pinned.items() <= dict(protocol.data).items()
    assert set(protocol.metrics) <= set(GROUPS)


@pytest.mark.parametrize("name", OF_CONFIG)
def test_the_tables_columns_are_measured(name):
    protocol = find_protocol(name)
    measured = {bucket.label for bucket in make_buckets(protocol.edges)}
    for table in protocol.tables:
        ours = {bucket for dataset, bucket, _ in table.columns if DATA_NAMES[dataset] == protocol.data["name"]}
        assert ours and ours <= measured
    low, high = protocol.holes["ratio"]
    assert low <= protocol.edges[0] and protocol.edges[-1] <= high


def test_the_frozen_holes_of_masked_attention_fill_its_one_bucket():
    protocol = find_protocol("masked_attention_celebamask_hq")
    source, buckets = open_holes(protocol.holes).held_out, make_buckets(protocol.edges)
    few = fixed_set(source, 32, buckets, 20)
    assert list(few.holes) == ["1-20%"] and few.holes["1-20%"].shape == (20, 32, 32)
    ratios = few.holes["1-20%"].mean((1, 2))
    assert ratios.min() > 0.01 and ratios.max() <= 0.2 and len(np.unique(ratios)) > 10
    assert few.digest == fixed_set(source, 32, buckets, 20).digest
