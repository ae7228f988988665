"""Image Inpainting with Masked Self Attention and Semantic Loss Function (Pehlivan and Sivuk).

`settings` are its hyper-parameters, `method` section III, `style_search` section III-C. Where the equations are: (1)
VGG, (2) pixels and (3) adversarial in `losses.features`, `pixel` and `adversarial`; they are weighed, (6)-(7), in
`method`, where (9) composes what the critic sees; (4)-(5), the semantic
attention loss, in `ops.attention.attend_with_semantic_loss`, called by `layers.masked_self_attention`; (8) in
`style_search`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scan_jax.core.config import bind
from scan_jax.methods.masked_attention.method import MaskedAttention
from scan_jax.methods.masked_attention.settings import Settings


def build(section: Mapping[str, Any]) -> MaskedAttention:
    """The method for a config's `method` section."""
    return MaskedAttention(bind(section, Settings, "config.method"))
