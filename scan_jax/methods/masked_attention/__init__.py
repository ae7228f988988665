"""Image Inpainting with Masked Self Attention and Semantic Loss Function (Pehlivan and Sivuk).

`settings` are its hyper-parameters, `method` section III with the objectives (1)-(7), `style_search` section III-C.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scan_jax.core.config import bind
from scan_jax.methods.masked_attention.method import MaskedAttention
from scan_jax.methods.masked_attention.settings import Settings


def build(section: Mapping[str, Any]) -> MaskedAttention:
    """The method for a config's `method` section.

    Raises:
      UserError: an unknown key or choice.
    """
    return MaskedAttention(bind(section, Settings, "config.method"))
