"""Earrings and necklaces."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scan_jax.data.portraits.body import body_frame, neck_half_width
from scan_jax.data.portraits.canvas import Canvas, Patch, ramp
from scan_jax.data.portraits.head import EAR_HEIGHT, head_frame
from scan_jax.data.portraits.labels import Part
from scan_jax.data.portraits.palette import BLACK, WHITE, Colour, metal_material
from scan_jax.data.portraits.shapes import bump, circle, ellipse, smoothstep
from scan_jax.data.portraits.traits import Jewellery, Traits


def paint_earrings(canvas: Canvas, traits: Traits) -> None:
    """One under each ear that shows; hair painted later may hide them."""
    jewellery = traits.jewellery
    if jewellery.earring == "none":
        return
    for side in (1, -1):
        centre = side * (traits.face.width + 0.07) - 0.22 * traits.pose.yaw
        lobe = EAR_HEIGHT + 0.32 * traits.face.ear
        patch = canvas.patch(head_frame(traits.pose), (centre - 0.32, centre + 0.32), (lobe - 0.15, lobe + 0.75))
        EARRINGS[jewellery.earring](patch, patch.u - centre, patch.v - lobe, jewellery)


def _gem(patch: Patch, u: np.ndarray, v: np.ndarray, distance: np.ndarray, colour: Colour, size: float) -> np.ndarray:
    """Paint a round polished thing around (u, v) = 0; returns its cover [h,w]."""
    cover = patch.cover(distance)
    shade = 0.45 - 0.30 * (u + v) / size
    patch.paint(ramp(shade, metal_material(colour)), cover)
    patch.paint(WHITE, 0.85 * bump(u + 0.3 * size, v + 0.35 * size, 0.2 * size, 0.2 * size) * cover)
    return cover


def _stud(patch: Patch, u: np.ndarray, v: np.ndarray, jewellery: Jewellery) -> None:
    patch.mark(Part.EARRING, _gem(patch, u, v, circle(u, v, 0.075), jewellery.stone, 0.075))


def _hoop(patch: Patch, u: np.ndarray, v: np.ndarray, jewellery: Jewellery) -> None:
    ring = np.abs(circle(u, v - 0.19, 0.19)) - 0.028
    shade = 0.5 + 0.45 * np.sin(np.arctan2(v - 0.19, u) * 2 + 0.8)
    patch.paint(ramp(shade, metal_material(jewellery.metal)), patch.cover(ring), Part.EARRING)


def _drop(patch: Patch, u: np.ndarray, v: np.ndarray, jewellery: Jewellery) -> None:
    hook = np.maximum(np.abs(u) - 0.016, np.abs(v - 0.09) - 0.11)
    patch.paint(jewellery.metal, patch.cover(hook), Part.EARRING)
    stretch = ellipse(u, v - 0.30, 0.085 * 1.0, 0.15)
    pear = stretch + 0.05 * smoothstep(0.30, 0.14, v)
    patch.mark(Part.EARRING, _gem(patch, u, (v - 0.30) * 0.6, pear, jewellery.stone, 0.085))


def paint_necklace(canvas: Canvas, traits: Traits) -> None:
    """A chain, beads or a pendant, lying on the neck and on a high collar."""
    jewellery = traits.jewellery
    if jewellery.necklace == "none":
        return
    patch = canvas.patch(body_frame(traits.pose), (-1.0, 1.0), (1.3, 2.6))
    half = neck_half_width(traits) + 0.05
    bow = np.maximum(1 - (patch.u / half) ** 2, 0)
    sag = 0.62 if traits.clothing.collar == "vee" else 0.50
    curve = 1.42 + sag * (bow + 0.25 * bow * bow) / 1.25  # v of the string over u
    slope = np.sqrt(1 + (2 * sag * patch.u / (half * half)) ** 2)
    distance = (patch.v - curve) / slope
    on_neck = np.abs(patch.u) - half
    patch.shade(BLACK + np.float32(0.6), 0.5 * smoothstep(0.06, 0.0, np.abs(distance - 0.04)) * patch.cover(on_neck))
    NECKLACES[jewellery.necklace](patch, distance, on_neck, float(1.42 + sag), jewellery)


def _chain(patch: Patch, distance: np.ndarray, on_neck: np.ndarray, low: float, jewellery: Jewellery) -> None:
    links = 0.55 + 0.4 * np.sin((patch.v * 1.3 + np.abs(patch.u)) * 60)
    cover = patch.cover(np.maximum(np.abs(distance) - 0.027, on_neck))
    patch.paint(ramp(links, metal_material(jewellery.metal)), cover, Part.NECKLACE)


def _beads(patch: Patch, distance: np.ndarray, on_neck: np.ndarray, low: float, jewellery: Jewellery) -> None:
    along = np.arctan2(patch.u, 2.05 - patch.v + (low - 1.35)) * 10.5
    bead = (along - np.round(along)) * 0.13
    ball = np.maximum(circle(bead, distance, 0.062), on_neck)
    patch.mark(Part.NECKLACE, _gem(patch, bead, distance, ball, jewellery.stone, 0.062))
    patch.mark(Part.NECKLACE, patch.cover(np.maximum(np.abs(distance) - 0.05, on_neck)))


def _pendant(patch: Patch, distance: np.ndarray, on_neck: np.ndarray, low: float, jewellery: Jewellery) -> None:
    cover = patch.cover(np.maximum(np.abs(distance) - 0.018, on_neck))
    patch.paint(jewellery.metal, cover, Part.NECKLACE)
    v = patch.v - low - 0.12
    patch.mark(Part.NECKLACE, _gem(patch, patch.u, v, ellipse(patch.u, v, 0.085, 0.115), jewellery.stone, 0.1))


EARRINGS: dict[str, Callable[[Patch, np.ndarray, np.ndarray, Jewellery], None]] = {
    "stud": _stud,
    "hoop": _hoop,
    "drop": _drop,
}
NECKLACES: dict[str, Callable[[Patch, np.ndarray, np.ndarray, float, Jewellery], None]] = {
    "chain": _chain,
    "beads": _beads,
    "pendant": _pendant,
}
