"""SCAN's test on Paris StreetView (Chen et al. 2021, section 4, Tables 1 and 2): 100 photographs, three buckets.

The paper names no definitions; those of the two methods that it compares with stand beside the standard ones.
"""

from scan_jax.evaluation.protocol import Protocol
from scan_jax.evaluation.published_tables import SCAN_TABLE_1, SCAN_TABLE_2

PROTOCOL = Protocol(
    name="scan_paris_street_view",
    version=1,
    data={"name": "paris_street_view", "crop": "centre", "data_dir": "", "size": 256},
    holes={"name": "irregular_masks", "data_dir": "", "ratio": (0.01, 0.6)},
    edges=(0.2, 0.3, 0.4, 0.5),
    count=100,
    metrics=("standard", "edge_connect", "region_norm"),
    tables=(SCAN_TABLE_1, SCAN_TABLE_2),
)
