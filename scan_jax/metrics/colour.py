"""How far a hole's colour is off."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax

from scan_jax.core.types import Array
from scan_jax.metrics.sums import total

# Linear sRGB to CIE XYZ over the white of illuminant D65, 2 degrees, as in scikit-image's `rgb2lab`.
WHITE = np.array([0.95047, 1.0, 1.08883])
XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
LINEAR_BELOW, SLOPE, OFFSET = 0.008856, 7.787, 16 / 116  # of CIELAB's cube root


def colour_shift(x: Array, y: Array, hole: Array) -> Array:
    """CIE76 colour difference between the mean colours of the hole in `x` and in `y`, means taken in CIELAB.

    Not in linear light: there a blurred fill is darker than the texture it stands for, although nobody sees another
    colour, while CIELAB's lightness is nearly that of the levels, in which networks and filters average.

    Args:
      x: [B,H,W,3], sRGB at 8 bits, whole numbers 0..255.
      y: [B,H,W,3] likewise.
      hole: [B,H,W,1] bool.

    Returns:
      [B] float32, Delta E; 0 where there is no hole. About 2 is just visible.
    """
    difference = jnp.where(hole, _cube_roots(x) - _cube_roots(y), 0)  # [B,H,W,3]: f(X), f(Y), f(Z)
    pixels = jnp.maximum(total(hole), 1)  # [B]
    fx, fy, fz = (total(difference[..., i]) / pixels for i in range(3))  # [B]
    return jnp.sqrt((116 * fy) ** 2 + (500 * (fx - fy)) ** 2 + (200 * (fy - fz)) ** 2)


def _cube_roots(x: Array) -> Array:
    """The f(X/Xn), f(Y/Yn), f(Z/Zn) that CIELAB is made of: levels [B,H,W,3] -> [B,H,W,3]."""
    codes = np.arange(256) / 255
    linear = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)  # [256]
    light = jnp.asarray(linear, jnp.float32)[x.astype(jnp.int32)]  # [B,H,W,3]
    matrix = jnp.asarray(XYZ / WHITE[:, None], jnp.float32)
    xyz = jnp.einsum("bhwc,dc->bhwd", light, matrix, precision=lax.Precision.HIGHEST)
    return jnp.where(xyz > LINEAR_BELOW, jnp.cbrt(xyz), SLOPE * xyz + OFFSET)
