"""Spectacles: two rims mirrored about the nose, a bridge, temples, and lenses that are clear or dark."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scan_jax.data.portraits.canvas import Canvas, Patch
from scan_jax.data.portraits.head import face_patch
from scan_jax.data.portraits.labels import Part
from scan_jax.data.portraits.palette import WHITE, blend
from scan_jax.data.portraits.shapes import box, ellipse, smoothstep
from scan_jax.data.portraits.traits import Glasses, Traits

RIM = 0.026  # half-width of the frame
LENS_HEIGHT = 0.05  # of its centre, below the eyes
DARK_GLASS = np.array([0.10, 0.10, 0.12], np.float32)


def _round(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return ellipse(u, v, 0.29, 0.28)


def _square(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return box(u * (1 + 0.22 * v), v - 0.01, 0.305, 0.225, 0.10)


def _cat(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return box(u, v + 0.22 * u, 0.31, 0.205, 0.15)


def _aviator(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return ellipse(u * (1 + 0.22 * v), v - 0.05 - 0.10 * u, 0.31, 0.27)


RIMS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "round": _round,
    "square": _square,
    "cat": _cat,
    "aviator": _aviator,
}


def paint_glasses(canvas: Canvas, traits: Traits) -> None:
    """Draw them over eyes and brows. As in CelebAMask-HQ, eyes and brows seen through a clear lens keep their label."""
    glasses = traits.glasses
    if glasses.kind == "none":
        return
    patch, u0 = face_patch(canvas, traits, (-1.0, 1.0), (-0.45, 0.55))
    u0 = u0 - 0.10 * traits.pose.yaw  # they stand a little off the face
    aside = np.abs(u0) - traits.eyes.spacing - 0.015
    lens = RIMS[glasses.kind](aside, patch.v - LENS_HEIGHT)
    frame = np.minimum(np.abs(lens) - RIM, _bridge_and_temples(u0, patch.v, traits))
    patch.shade(np.array([0.72, 0.66, 0.66], np.float32), 0.5 * smoothstep(0.05, -0.02, np.abs(lens - 0.03) - 0.03))
    _paint_lens(patch, u0, lens, glasses)
    gleam = 0.30 * smoothstep(0.02, -0.01, np.abs(lens + 0.006)) * smoothstep(0.0, -0.2, patch.v)
    colour = glasses.colour[:, None, None] * 0.92 + gleam
    patch.paint(colour, patch.cover(frame), Part.GLASSES)


def _paint_lens(patch: Patch, u0: np.ndarray, lens: np.ndarray, glasses: Glasses) -> None:
    """Tint and reflection, and the label of the lens."""
    cover = patch.cover(lens)
    slant = u0 * 1.3 + patch.v
    glare = smoothstep(0.08, 0.0, np.abs(slant - np.round(slant / 0.9) * 0.9 + 0.12) - 0.06) * smoothstep(
        -0.02, -0.07, lens
    )
    tint = blend(DARK_GLASS, glasses.colour, 0.3)
    patch.paint(tint, cover * (glasses.tint * (1.0 - 0.22 * smoothstep(-0.2, 0.35, patch.v))))
    patch.paint(WHITE, cover * (0.05 + 0.13 * glare))
    through = (patch.labels == Part.SKIN) | (patch.labels == Part.NOSE) | (glasses.tint > 0)
    patch.mark(Part.GLASSES, cover * through)


def _bridge_and_temples(u0: np.ndarray, v: np.ndarray, traits: Traits) -> np.ndarray:
    """Signed distance [h,w] to the arc over the nose and the two arms."""
    inner = traits.eyes.spacing - 0.25
    arc = np.abs(v - LENS_HEIGHT + 0.10 + 0.05 * (1 - (u0 / inner) ** 2)) - RIM * 0.9
    bridge = np.maximum(arc, np.abs(u0) - inner)
    arms = np.maximum(np.abs(v + 0.04) - RIM * 0.8, traits.eyes.spacing + 0.29 - np.abs(u0))
    return np.minimum(bridge, arms)
