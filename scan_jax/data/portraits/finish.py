"""From a painted canvas to a photograph: the light's colour, grain, and the step down to the size asked for."""

from __future__ import annotations

import numpy as np

from scan_jax.data.portraits.canvas import Canvas
from scan_jax.data.portraits.noise import grid_noise
from scan_jax.data.portraits.traits import Light

GRAIN_CELLS = 90.0  # lattice cells per unit of the canvas
GRAIN = 0.018


def develop(canvas: Canvas, light: Light, grain: tuple[float, float]) -> None:
    """Tint the picture by the light's colour and add a faint grain, in place."""
    noise = grid_noise(canvas.x * GRAIN_CELLS + grain[0], canvas.y * GRAIN_CELLS + grain[1])  # [n,n]
    canvas.rgb *= light.tint[:, None, None]
    canvas.rgb += GRAIN * (noise - 0.5)


def to_image(rgb: np.ndarray, factor: int) -> np.ndarray:
    """Average blocks of factor x factor samples of colours [3,n,n]: uint8 [n/factor,n/factor,3]."""
    size = rgb.shape[1] // factor
    mean = rgb.reshape(3, size, factor, size, factor).mean(axis=(2, 4))
    return np.rint(np.clip(mean, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0).copy()


def to_labels(labels: np.ndarray, factor: int) -> np.ndarray:
    """The commonest label of each block of factor x factor samples (1 or 2): uint8 [n/factor,n/factor]."""
    if factor == 1:
        return labels.copy()
    a, b, c, d = labels[::2, ::2], labels[1::2, 1::2], labels[::2, 1::2], labels[1::2, ::2]
    pair_without_a = np.where((b == c) | (b == d), b, np.where(c == d, c, a))
    return np.where((a == b) | (a == c) | (a == d), a, pair_without_a)
