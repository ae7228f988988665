"""Eyes and brows, drawn with the outer corner at positive `eu`, so that left mirrors right; the gaze does not."""

from __future__ import annotations

import numpy as np

from scan_jax.data.portraits.canvas import Canvas, Patch
from scan_jax.data.portraits.head import face_patch
from scan_jax.data.portraits.labels import Part
from scan_jax.data.portraits.noise import line_noise
from scan_jax.data.portraits.palette import SCLERA, WHITE, blend
from scan_jax.data.portraits.shapes import bump, circle, smoothstep
from scan_jax.data.portraits.traits import Eyes, Light, Traits

IRIS_RADIUS = 0.108
PUPIL_RADIUS = 0.047
LASH_COLOUR = np.array([0.09, 0.06, 0.06], np.float32)
SIDES = ((1, Part.L_EYE, Part.L_BROW), (-1, Part.R_EYE, Part.R_BROW))


def paint_eyes(canvas: Canvas, traits: Traits) -> None:
    """Both eyes with lids, lashes, iris and catch light."""
    eyes = traits.eyes
    for side, part, _ in SIDES:
        near, far = side * (eyes.spacing - 0.32), side * (eyes.spacing + 0.36)
        patch, u0 = face_patch(canvas, traits, (min(near, far), max(near, far)), (-0.34, 0.30))
        eu = u0 * side - eyes.spacing
        ev = patch.v - eyes.slant * eu
        upper, lower = _lids(eu, eyes)
        inside = np.maximum(upper - ev, ev - lower)  # signed height to the nearer lid
        _paint_lid(patch, eu, ev, upper, eyes, traits)
        cover = patch.cover(inside * 0.9)
        patch.paint(_eyeball(eu, ev, upper, side, eyes, traits.light), cover, part)
        _paint_lashes(patch, eu, ev, upper, lower, eyes)


def _lids(eu: np.ndarray, eyes: Eyes) -> tuple[np.ndarray, np.ndarray]:
    """Heights [h,w] of the upper and the lower lid's edge; they meet at the corners and cross outside."""
    t = eu * (1 / eyes.width)
    bow = 1 - t * t
    upper = -eyes.opening * (bow + 0.16 * bow * (1 - np.abs(t)) - 0.14 * t * bow)
    lower = eyes.opening * 0.62 * (bow + 0.22 * t * bow)
    return upper, lower


def _eyeball(eu: np.ndarray, ev: np.ndarray, upper: np.ndarray, side: int, eyes: Eyes, light: Light) -> np.ndarray:
    """Colours [3,h,w] of sclera, iris, pupil and catch light, in the shadow of the upper lid."""
    shade = 1 - 0.30 * (eu * (1 / eyes.width)) ** 2
    colour = SCLERA[:, None, None] * shade
    iu, iv = eu - side * eyes.gaze[0], ev + 0.012 - eyes.gaze[1]
    radius = np.sqrt(iu * iu + iv * iv)
    rim = smoothstep(IRIS_RADIUS * 0.62, IRIS_RADIUS, radius)
    glow = 0.75 + 0.75 * smoothstep(-0.06, 0.10, iv)
    iris = eyes.iris[:, None, None] * (glow * (1 - 0.62 * rim))
    colour += (iris - colour) * smoothstep(IRIS_RADIUS + 0.012, IRIS_RADIUS - 0.012, radius)
    colour *= 1 - 0.94 * smoothstep(PUPIL_RADIUS + 0.010, PUPIL_RADIUS - 0.010, radius)
    colour *= 1 - 0.55 * smoothstep(0.085, -0.01, ev - upper)
    spark = circle(iu * side - 0.045 * light.x * side, iv + 0.043, 0.024)
    colour += (WHITE[:, None, None] - colour) * (0.92 * smoothstep(0.010, -0.010, spark))
    faint = circle(iu * side + 0.05 * light.x * side, iv - 0.045, 0.02)
    colour += (WHITE[:, None, None] - colour) * (0.22 * smoothstep(0.015, -0.015, faint))
    return colour


def _paint_lid(patch: Patch, eu: np.ndarray, ev: np.ndarray, upper: np.ndarray, eyes: Eyes, traits: Traits) -> None:
    """Eye shadow, the crease above the eye and the light on the lid."""
    reach = smoothstep(eyes.width * 1.35, eyes.width * 0.75, np.abs(eu))
    above = ev - upper
    shadow = smoothstep(-0.17, -0.01, above) * smoothstep(0.06, 0.0, above) * reach
    patch.paint(eyes.shadow, eyes.shadow_strength * shadow)
    crease = patch.stroke(above + 0.062 + 0.10 * eu, 0.012) * reach
    patch.paint(traits.face.skin * np.array([0.55, 0.42, 0.40], np.float32), 0.62 * crease)
    patch.paint(
        blend(traits.face.skin, WHITE, 0.5), 0.22 * traits.light.strength * bump(eu, above + 0.115, 0.13, 0.025)
    )


def _paint_lashes(
    patch: Patch, eu: np.ndarray, ev: np.ndarray, upper: np.ndarray, lower: np.ndarray, eyes: Eyes
) -> None:
    """The dark edge of the upper lid, drawn out beyond the corner, and the faint one of the lower."""
    t = eu * (1 / eyes.width)
    along = smoothstep(1.22, 1.02, t) * smoothstep(-1.06, -0.92, t)
    weight = eyes.lash * (0.7 + 0.45 * np.clip(t, -1, 1))
    edge = np.where(t > 1, -0.25 * (eu - eyes.width), upper)
    distance = np.abs(ev - edge + 0.35 * weight) - weight
    patch.paint(LASH_COLOUR, patch.cover(distance) * along)
    inner = smoothstep(1.0, 0.8, np.abs(t))
    patch.paint(LASH_COLOUR, 0.38 * patch.stroke(ev - lower, 0.008) * inner)
    corner = bump(t + 0.93, ev - 0.01, 0.07, 0.014)
    patch.paint(np.array([0.72, 0.38, 0.36], np.float32), 0.7 * corner)


def paint_brows(canvas: Canvas, traits: Traits) -> None:
    """Both brows: an arched stroke, thick inside and thin outside, of fine hairs."""
    eyes, brows = traits.eyes, traits.brows
    for side, _, part in SIDES:
        near, far = side * (eyes.spacing - 0.40), side * (eyes.spacing + 0.42)
        patch, u0 = face_patch(canvas, traits, (min(near, far), max(near, far)), (-0.62, 0.05))
        eu = u0 * side - eyes.spacing
        t = (eu + 0.02) * (1 / 0.31)
        ridge = -brows.height - brows.arch * (1 - (t - 0.15) ** 2) - brows.slant * t * 0.3
        half = brows.thickness * (0.78 - 0.42 * smoothstep(0.0, 1.05, t)) * smoothstep(-1.12, -0.75, t)
        distance = np.maximum(np.abs(patch.v - ridge) - half, (np.abs(t) - 1.0) * 0.31)
        hairs = 0.62 + 0.38 * line_noise((eu * 0.8 + (patch.v - ridge) * 0.9) * 70 + 200)
        soft = smoothstep(0.022 + patch.pixel, -0.022, distance)
        patch.paint(brows.colour, 0.9 * soft * hairs)
        patch.mark(part, patch.cover(distance))
