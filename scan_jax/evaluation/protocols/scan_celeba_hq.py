"""SCAN's test on CelebA-HQ (Chen et al. 2021, section 4 and Table 1): 2,000 photographs, three buckets.

The paper names no definitions; those of the two methods that it compares with stand beside the standard ones.
"""

from scan_jax.evaluation.protocol import Protocol
from scan_jax.evaluation.published_tables import SCAN_TABLE_1

PROTOCOL = Protocol(
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
