"""Lips, teeth and what lies between them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scan_jax.data.portraits.canvas import Canvas, Patch
from scan_jax.data.portraits.head import face_patch
from scan_jax.data.portraits.labels import Part
from scan_jax.data.portraits.palette import MOUTH_INSIDE, TEETH, TONGUE, WARM_WHITE, Colour, blend
from scan_jax.data.portraits.shapes import bump, ellipse, smoothstep
from scan_jax.data.portraits.traits import Mouth, Traits

REACH = 0.12  # how far the lips run ahead of the cheeks when the head turns, per radian


class Lips(NamedTuple):
    """Heights [h,w] of the four curves that bound a mouth, from the top down, and t in [-1, 1] along it [h,w]."""

    top: np.ndarray
    gap_top: np.ndarray
    gap_bottom: np.ndarray
    bottom: np.ndarray
    t: np.ndarray


def lip_curves(u: np.ndarray, mouth: Mouth) -> Lips:
    """The curves of a mouth over the frontal coordinate u [h,w]."""
    width = mouth.width * (1 + 0.12 * max(mouth.smile, 0))
    t = u * (1 / width)
    bow = np.maximum(1 - t * t, 0)
    line = mouth.line + 0.125 * mouth.smile * (0.42 - t * t) - 0.012 * bump(t, t * 0, 0.16, 1.0)
    gap_top, gap_bottom = line - 0.25 * mouth.gap * bow, line + 0.95 * mouth.gap * bow
    cupid = 1 - 0.34 * bump(t, t * 0, 0.12, 1.0) - 0.30 * np.abs(t)
    top = gap_top - mouth.upper * 1.28 * bow**0.8 * cupid
    bottom = gap_bottom + mouth.lower * np.sqrt(bow) * (0.75 + 0.25 * bow)
    return Lips(top, gap_top, gap_bottom, bottom, t)


def paint_mouth(canvas: Canvas, traits: Traits) -> None:
    """Draw and label the mouth's inside, its upper and its lower lip."""
    mouth = traits.mouth
    patch, u0 = face_patch(canvas, traits, (-0.62, 0.62), (mouth.line - 0.3, mouth.line + 0.5))
    u = u0 - REACH * traits.pose.yaw
    lips = lip_curves(u, mouth)
    ends = (np.abs(lips.t) - 1) * mouth.width
    lit = 0.5 + 0.5 * traits.light.strength
    upper = np.maximum(np.maximum(lips.top - patch.v, patch.v - lips.gap_top), ends)
    lower = np.maximum(np.maximum(lips.gap_bottom - patch.v, patch.v - lips.bottom), ends)
    inside = np.maximum(np.maximum(lips.gap_top - patch.v, patch.v - lips.gap_bottom), ends)
    if mouth.gap > 0:
        _paint_inside(patch, u, lips, inside, mouth)
    rise = (patch.v - lips.top) / np.maximum(lips.gap_top - lips.top, 0.01)  # 0 top of the upper lip, 1 its edge
    patch.paint(_lip(mouth.colour, 0.88 - 0.30 * rise), patch.cover(upper), Part.UPPER_LIP)
    fall = (patch.v - lips.gap_bottom) / np.maximum(lips.bottom - lips.gap_bottom, 0.01)
    roundness = 1.04 - 1.1 * (fall - 0.38) ** 2
    patch.paint(_lip(mouth.colour, roundness), patch.cover(lower), Part.LOWER_LIP)
    shine = bump(u - 0.05 * traits.light.x, patch.v - lips.gap_bottom - 0.42 * mouth.lower, 0.13, 0.022)
    patch.paint(blend(mouth.colour, WARM_WHITE, 0.7), mouth.gloss * lit * shine * patch.cover(lower))
    seam = patch.stroke(patch.v - 0.5 * (lips.gap_top + lips.gap_bottom), 0.014) * smoothstep(
        1.06, 0.95, np.abs(lips.t)
    )
    patch.paint(mouth.colour * np.float32(0.34), seam * (0.9 if mouth.gap == 0 else 0.0))
    corner = bump(np.abs(lips.t) - 1.02, patch.v - lips.gap_top, 0.06, 0.022)
    patch.paint(mouth.colour * np.float32(0.38), 0.6 * corner)


def _lip(colour: Colour, gain: np.ndarray) -> np.ndarray:
    """Colours [3,h,w] of a lip as bright as `gain` [h,w]."""
    return colour[:, None, None] * np.clip(gain, 0.4, 1.2)


def _paint_inside(patch: Patch, u: np.ndarray, lips: Lips, inside: np.ndarray, mouth: Mouth) -> None:
    """The dark of an open mouth, a tongue when it is wide open, and the upper teeth."""
    colour = np.broadcast_to(MOUTH_INSIDE[:, None, None], (3, *u.shape)).copy()
    tongue = ellipse(u, patch.v - lips.gap_bottom - 0.02, mouth.width * 0.55, 0.075)
    colour += (TONGUE[:, None, None] - colour) * smoothstep(0.03, -0.03, tongue)
    reach = np.minimum(0.62 * mouth.gap + 0.035, 0.11)
    tooth_line = lips.gap_top + reach * (1 - 0.25 * lips.t**2)
    split = 0.5 - np.abs(u * 9.5 - np.floor(u * 9.5) - 0.5)
    shade = (1 - 0.38 * lips.t**2) * (0.84 + 0.16 * smoothstep(0.0, 0.09, split))
    shade = shade * (0.72 + 0.28 * smoothstep(0.0, 0.04, patch.v - lips.gap_top))
    colour += (TEETH[:, None, None] * shade - colour) * patch.cover(patch.v - tooth_line)
    patch.paint(colour, patch.cover(inside), Part.MOUTH)
