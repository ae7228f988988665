"""Masked attention's test on CelebAMask-HQ (Pehlivan and Sivuk, sections III-C and IV, Tables I-III).

Free-form holes of up to 20%, one bucket. The paper drew its holes anew; these are frozen, one for each of the 2,000
photographs.
"""

from scan_jax.evaluation.protocol import Protocol
from scan_jax.evaluation.published_tables import (
    MASKED_ATTENTION_TABLE_I,
    MASKED_ATTENTION_TABLE_II,
    MASKED_ATTENTION_TABLE_III,
)

PROTOCOL = Protocol(
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
