"""The nose: ridge, tip, wings and nostrils, and the shadow that it throws away from the light."""

from __future__ import annotations

import numpy as np

from scan_jax.data.portraits.canvas import Canvas
from scan_jax.data.portraits.head import face_patch
from scan_jax.data.portraits.labels import Part
from scan_jax.data.portraits.palette import WARM_WHITE, blend, skin_material
from scan_jax.data.portraits.shapes import bump, ellipse, smoothstep
from scan_jax.data.portraits.traits import Light, Nose, Traits

REACH = 0.30  # how far a nose's tip runs ahead of the cheeks when the head turns, per radian


def paint_nose(canvas: Canvas, traits: Traits) -> None:
    """Shade the skin that is already there, add nostrils, and label the nose."""
    nose, light = traits.nose, traits.light
    patch, u0 = face_patch(canvas, traits, (-0.6, 0.6), (-0.30, nose.tip + 0.26))
    v = patch.v
    down = smoothstep(-0.15, nose.tip, v)
    un = u0 - REACH * traits.pose.yaw * down
    skin = skin_material(traits.face.skin)
    dark, bright = _relief(un, v, nose, light)
    patch.paint(skin.dark, np.clip(dark, 0, 0.85))
    patch.paint(blend(skin.light, WARM_WHITE, 0.25), np.clip(bright, 0, 0.75))
    nostril = ellipse(np.abs(un) - 0.46 * nose.width, v - nose.tip - 0.015 + 0.14 * np.abs(un), 0.058, 0.026)
    patch.paint(skin.dark * np.float32(0.38), 0.9 * smoothstep(0.02 + 0.5 * patch.pixel, -0.02, nostril))
    patch.mark(Part.NOSE, patch.cover(_outline(un, v, nose)))


def _outline(un: np.ndarray, v: np.ndarray, nose: Nose) -> np.ndarray:
    """Signed distance [h,w] to the nose as an annotator outlines it: from between the eyes to the wings."""
    t = np.clip((v + 0.08) * (1 / (nose.tip + 0.02)), 0, 1)
    half = nose.bridge + (nose.width - nose.bridge) * t**2.4
    bottom = nose.tip + 0.06 - 0.35 * np.maximum(np.abs(un) - 0.1, 0)
    return np.maximum(np.maximum(np.abs(un) - half, -0.08 - v), v - bottom)


def _relief(un: np.ndarray, v: np.ndarray, nose: Nose, light: Light) -> tuple[np.ndarray, np.ndarray]:
    """Shade and light [h,w] to lay over the skin, each in [0, 1]."""
    tip, k, lx = nose.tip, light.strength, light.x
    along = smoothstep(-0.22, 0.08, v) * smoothstep(tip + 0.02, tip - 0.18, v)
    half = nose.bridge + 0.35 * (nose.width - nose.bridge) * smoothstep(0.1, tip, v)
    shaded = bump(un + np.float32(np.sign(lx)) * half, v * 0, 0.062, 1.0)  # the flank away from the light
    other = bump(un - np.float32(np.sign(lx)) * half, v * 0, 0.05, 1.0)
    dark = k * along * ((0.20 + 0.42 * abs(lx)) * shaded + 0.16 * (1 - abs(lx)) * other)
    aside = np.abs(un)
    wing = ellipse(aside - nose.width * 0.74, v - tip + 0.06, nose.width * 0.30, 0.085)
    dark += (
        0.42
        * bump(np.maximum(wing, 0) * 1.0, v * 0, 0.022, 1.0)
        * smoothstep(0.55, 0.9, aside / nose.width)
        * (smoothstep(tip - 0.17, tip - 0.06, v) * smoothstep(tip + 0.07, tip + 0.02, v))
    )
    dark += 0.50 * k * bump(un + 0.05 * lx, v - tip - 0.055, nose.width * 0.62, 0.035)  # underside
    cast = bump(un + 0.20 * lx, v - tip - 0.10, nose.width * 0.8, 0.075)
    dark += 0.26 * k * cast
    bright = k * 0.40 * bump(un - 0.25 * lx * nose.bridge, v * 0, 0.040, 1.0) * smoothstep(-0.30, 0.0, v) * along
    bright += k * 0.52 * bump(un - 0.035 * lx, v - tip + 0.10, 0.055, 0.05)  # tip
    bright += k * 0.14 * bump(aside - nose.width * 0.74, v - tip + 0.07, 0.04, 0.035)
    return dark, bright
