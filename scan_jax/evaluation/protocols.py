"""The tests of the papers, by name."""

from __future__ import annotations

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.evaluation.protocol import Protocol
from scan_jax.evaluation.published_tables import (
    MASKED_ATTENTION_TABLE_I,
    MASKED_ATTENTION_TABLE_II,
    MASKED_ATTENTION_TABLE_III,
    SCAN_TABLE_1,
    SCAN_TABLE_2,
)

# Masked attention's test on CelebAMask-HQ (Pehlivan and Sivuk, sections III-C and IV, Tables I-III).
#
# Free-form holes of up to 20%, one bucket. The paper drew its holes anew; these are frozen, one for each of the 2,000
# photographs.
MASKED_ATTENTION_CELEBAMASK_HQ = Protocol(
    name="masked_attention_celebamask_hq",
    version=1,
    data={"name": "celebamask_hq", "split": "celebahq_28k_2k", "data_dir": "", "size": 128},
    holes={"name": "free_form", "ratio": (0.01, 0.2)},
    edges=(0.01, 0.2),
    holes_per_bucket=2000,
    count=2000,
    split="split celebahq_28k_2k (c4d29e5c871f)",
    holes_digest="a34b516f809e8ae1b32dcf9173a0e763730fc664ff8a6b1e97711e2536c4dede",
    metrics=("masked_attention", "standard"),
    tables=(MASKED_ATTENTION_TABLE_I, MASKED_ATTENTION_TABLE_II, MASKED_ATTENTION_TABLE_III),
)

# SCAN's test on CelebA-HQ (Chen et al. 2021, section 4 and Table 1): 2,000 photographs, three buckets.
#
# The paper names no definitions; those of the two methods that it compares with stand beside the standard ones.
SCAN_CELEBA_HQ = Protocol(
    name="scan_celeba_hq",
    version=1,
    data={"name": "celeba_hq", "split": "celebahq_28k_2k", "data_dir": "", "size": 256},
    holes={"name": "irregular_masks", "data_dir": "", "ratio": (0.01, 0.6)},
    edges=(0.2, 0.3, 0.4, 0.5),
    count=2000,
    split="split celebahq_28k_2k (c4d29e5c871f)",
    metrics=("standard", "edge_connect", "region_norm"),
    tables=(SCAN_TABLE_1,),
)

# SCAN's test on Paris StreetView (Chen et al. 2021, section 4, Tables 1 and 2): 100 photographs, three buckets.
#
# The paper names no definitions; those of the two methods that it compares with stand beside the standard ones.
SCAN_PARIS_STREET_VIEW = Protocol(
    name="scan_paris_street_view",
    version=1,
    data={"name": "paris_street_view", "crop": "centre", "data_dir": "", "size": 256},
    holes={"name": "irregular_masks", "data_dir": "", "ratio": (0.01, 0.6)},
    edges=(0.2, 0.3, 0.4, 0.5),
    count=100,
    metrics=("standard", "edge_connect", "region_norm"),
    tables=(SCAN_TABLE_1, SCAN_TABLE_2),
)

PROTOCOLS = {
    protocol.name: protocol for protocol in (MASKED_ATTENTION_CELEBAMASK_HQ, SCAN_CELEBA_HQ, SCAN_PARIS_STREET_VIEW)
}


def find_protocol(name: str, where: str = "--protocol") -> Protocol:
    """The protocol of that name.

    Args:
      name: such as "scan_celeba_hq".
      where: what named it, for messages.

    Raises:
      UserError: there is none; it names the nearest.
    """
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    raise UserError(f"{where} has no {name!r}{did_you_mean(name, PROTOCOLS)} (choose one of {', '.join(PROTOCOLS)})")
