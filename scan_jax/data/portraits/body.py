"""Neck, shoulders and clothes, in an upright frame that hangs below the head."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scan_jax.data.portraits.canvas import Canvas, ramp
from scan_jax.data.portraits.collars import COLLARS, opening
from scan_jax.data.portraits.head import skin_shade
from scan_jax.data.portraits.labels import Part
from scan_jax.data.portraits.noise import line_noise, plane_noise
from scan_jax.data.portraits.palette import cloth_material, skin_material
from scan_jax.data.portraits.shapes import bump, ellipse, smoothstep
from scan_jax.data.portraits.torso import BOTTOM, body_frame, neck_half_width, shoulder_line
from scan_jax.data.portraits.traits import Clothing, Traits


def paint_neck(canvas: Canvas, traits: Traits) -> None:
    """Neck and chest, in the shadow of the chin."""
    pose, light = traits.pose, traits.light
    patch = canvas.patch(body_frame(pose), (-2.2, 2.2), (0.4, BOTTOM))
    half = neck_half_width(traits)
    distance = _neck_distance(patch.u, patch.v, half, traits)
    shade = 0.86 * skin_shade(patch.u * 1.25, 0.25 + 0.2 * (patch.v - 1.4), light)
    shade -= 0.20 * smoothstep(-0.28, 0.02, np.abs(patch.u) - half) * smoothstep(1.9, 1.5, patch.v)
    chin = ellipse(patch.u + 0.16 * light.x, patch.v - 0.75, 0.95, traits.face.chin - 0.75 + 0.26)
    shade -= (0.16 + 0.16 * light.strength) * smoothstep(0.14, -0.16, chin)
    cords = bump(np.abs(patch.u) - 0.30 + 0.28 * (patch.v - 1.2), patch.v - 1.55, 0.035, 0.22)
    bones = bump(patch.v - 1.84 + 0.10 * np.abs(patch.u), np.abs(patch.u) - 0.42, 0.03, 0.22)
    shade -= 0.05 * cords + 0.08 * bones
    patch.paint(ramp(shade, skin_material(traits.face.skin)), patch.cover(distance), Part.NECK)


def _neck_distance(u: np.ndarray, v: np.ndarray, half: float, traits: Traits) -> np.ndarray:
    """Signed distance [h,w] to a column that leans with the head and widens to the chest under the shoulders' line."""
    lean = 0.5 * float(np.sin(traits.pose.tilt)) * np.clip(1.7 - v, 0, 1.2)
    flare = half + 0.03 * smoothstep(1.35, 1.75, v) + 0.9 * np.maximum(v - 1.62, 0)
    column = np.maximum(np.abs(u - lean) - flare, 0.4 - v)
    outside = (np.abs(u) > half).astype(np.float32)
    return np.maximum(column, (shoulder_line(u, traits.clothing) + 0.04 - v) * outside - (1 - outside))


def paint_clothes(canvas: Canvas, traits: Traits) -> None:
    """The garment, its pattern and folds, and its collar."""
    clothing, light = traits.clothing, traits.light
    patch = canvas.patch(body_frame(traits.pose), (-3.4, 3.4), (1.2, BOTTOM))
    u, v = patch.u, patch.v
    shoulders = (shoulder_line(u, clothing) - v) * 0.92
    hole = opening(u, v, traits)
    distance = np.maximum(shoulders, -hole)
    round_off = smoothstep(0.30, 0.0, v - shoulder_line(u, clothing))
    shade = 0.47 + 0.20 * light.strength * (0.42 * u * light.x - light.y * round_off) - 0.10 * (v - 1.9)
    shade += 0.20 * (plane_noise(u * 1.6 + 0.5 * v + 90, v * 0.9 - 0.7 * np.abs(u) + 90) - 0.5)
    shade -= 0.26 * smoothstep(0.14, 0.0, hole) * float(clothing.collar != "turtleneck")
    colour = _dyed(u, v, shade, clothing)
    patch.paint(colour, patch.cover(distance), Part.CLOTH)
    COLLARS[clothing.collar](patch, shade, traits)


def _dyed(u: np.ndarray, v: np.ndarray, shade: np.ndarray, clothing: Clothing) -> np.ndarray:
    """Colours [3,h,w] of the patterned fabric."""
    base = ramp(shade, cloth_material(clothing.colour))
    share = PATTERNS[clothing.pattern](u, v)
    return base + (ramp(shade, cloth_material(clothing.accent)) - base) * share


def _plain(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.zeros_like(u)


def _stripes(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    bend = v - 0.10 * np.abs(u)
    return smoothstep(0.15, 0.45, np.sin(bend * 27))


def _check(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    across = smoothstep(0.1, 0.4, np.sin(u * 19))
    return 0.45 * across + 0.45 * smoothstep(0.1, 0.4, np.sin((v - 0.08 * np.abs(u)) * 19))


def _dots(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    row = np.floor(v * 5.2)
    du, dv = (u * 5.2 + 0.5 * (row % 2)) % 1 - 0.5, v * 5.2 - row - 0.5
    return smoothstep(0.28, 0.20, np.sqrt(du * du + dv * dv))


def _knit(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    column = np.abs((u * 7) % 1 - 0.5)
    return 0.30 * line_noise((v + 0.10 * column) * 26 + 40) + 0.22 * smoothstep(0.12, 0.0, column)


PATTERNS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "plain": _plain,
    "stripes": _stripes,
    "check": _check,
    "dots": _dots,
    "knit": _knit,
}
