"""Beards and stubble. CelebAMask-HQ labels them as skin, and so does this."""

from __future__ import annotations

import numpy as np

from scan_jax.data.portraits.canvas import Canvas, ramp
from scan_jax.data.portraits.head import face_distance, head_frame
from scan_jax.data.portraits.labels import Part
from scan_jax.data.portraits.mouth import lip_curves
from scan_jax.data.portraits.noise import line_noise, plane_noise
from scan_jax.data.portraits.palette import blend, hair_material
from scan_jax.data.portraits.shapes import bump, smoothstep, turn
from scan_jax.data.portraits.traits import Traits


def paint_beard(canvas: Canvas, traits: Traits) -> None:
    """Cover jaw, chin and upper lip; drawn before the mouth, which stays clear of it."""
    beard = traits.beard
    if beard.cover == 0:
        return
    patch = canvas.patch(head_frame(traits.pose), (-1.15, 1.15), (0.1, traits.face.chin + 0.3))
    u0 = turn(patch.u, traits.pose.yaw)
    growth = _growth(u0, patch.v, traits)
    edge = face_distance(patch.u, patch.v - beard.length, traits.face, traits.pose.yaw)
    hairs = 0.5 * line_noise(u0 * (46 - 9 * patch.v) + 70) + 0.5 * plane_noise(u0 * 40 + 50, patch.v * 15 + 50)
    shade = 0.30 + 0.40 * hairs + 0.14 * traits.light.strength * (u0 * traits.light.x - 0.4 * (patch.v - 0.9))
    soft = beard.cover * growth * (0.72 + 0.28 * smoothstep(0.15, 0.5, hairs + growth - 0.6))
    colour = blend(traits.hair.colour * np.float32(0.74), traits.face.skin * np.float32(0.42), 0.4)
    patch.paint(ramp(shade, hair_material(colour)), soft * patch.cover(edge))
    patch.mark(Part.SKIN, soft * patch.cover(edge))


def _growth(u0: np.ndarray, v: np.ndarray, traits: Traits) -> np.ndarray:
    """Where the beard grows, [h,w] in [0, 1]: jaw and chin below the cheek's line, and above the upper lip."""
    beard, mouth, nose = traits.beard, traits.mouth, traits.nose
    aside = np.abs(u0)
    cheek = 1.0 - 0.95 * smoothstep(0.42, 1.0, aside)  # v of the beard's upper edge
    jaw = smoothstep(-0.12, 0.16, v - cheek)
    if beard.chin < 1:
        jaw = jaw * smoothstep(beard.chin + 0.06, beard.chin - 0.12, aside)
    lips = lip_curves(u0, mouth)
    between = smoothstep(nose.tip + 0.07, nose.tip + 0.14, v) * smoothstep(0.06, -0.02, v - lips.gap_top - 0.12 * aside)
    moustache = between * smoothstep(mouth.width + 0.13, mouth.width - 0.02, aside)
    sides = smoothstep(0.09, 0.0, np.abs(aside - mouth.width - 0.06)) * smoothstep(mouth.line - 0.16, mouth.line, v)
    growth = np.maximum(jaw * float(beard.chin > 0), beard.moustache * moustache)
    growth = np.maximum(growth, sides * float(beard.chin > 0) * beard.moustache)
    bare = bump(aside, v - mouth.line - mouth.lower - mouth.gap - 0.05, 0.13, 0.03)
    return growth * (1 - 0.45 * bare)
