"""Drawn portraits with semantic labels: a data set that needs no download.

`portrait(seed, index, size)` draws one face; the same arguments give the same pixels, and the same face at any size.
"""

from scan_jax.data.portraits.canvas import CLASS_NAMES, Part
from scan_jax.data.portraits.drawing import portrait

__all__ = ["CLASS_NAMES", "Part", "portrait"]
