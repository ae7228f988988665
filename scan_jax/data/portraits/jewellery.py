"""Earrings and necklaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from scan_jax.data.portraits.canvas import Canvas, Patch, ramp
from scan_jax.data.portraits.head import EAR_HEIGHT, ear_centre, head_frame
from scan_jax.data.portraits.labels import Part
from scan_jax.data.portraits.palette import BLACK, WHITE, Colour, metal_material
from scan_jax.data.portraits.shapes import bump, circle, ellipse, smoothstep
from scan_jax.data.portraits.torso import body_frame, neck_half_width
from scan_jax.data.portraits.traits import Jewellery, Traits

STRING_TOP = 1.42  # where a necklace comes round the neck
SAG = {"vee": 0.58, "turtleneck": 0.60}  # how far it hangs below, over these collars
BEAD = 0.125


class String(NamedTuple):
    """A necklace's string: signed `distance` to it, `hangs` < 0 where it is in front, length `along` it; all [h,w]."""

    distance: np.ndarray
    hangs: np.ndarray
    along: np.ndarray
    low: float


def paint_earrings(canvas: Canvas, traits: Traits) -> None:
    """One under each ear that shows; hair painted later may hide them."""
    jewellery = traits.jewellery
    if jewellery.earring == "none":
        return
    for side in (1, -1):
        centre = ear_centre(traits, side) + 0.02 * side
        lobe = EAR_HEIGHT + 0.30 * traits.face.ear
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
    half, sag = neck_half_width(traits) - 0.01, SAG.get(traits.clothing.collar, 0.42)
    v = patch.v - STRING_TOP
    distance = np.maximum(ellipse(patch.u, v, half, sag), -patch.v)
    hangs = STRING_TOP - patch.v  # negative where the string lies in front of the neck
    shadow = smoothstep(0.06, 0.0, np.abs(distance - 0.04)) * patch.cover(hangs)
    patch.shade(BLACK + np.float32(0.6), 0.5 * shadow)
    along = np.arctan2(patch.u * (1 / half), v * (1 / sag)) * (0.5 * (half + sag))
    NECKLACES[jewellery.necklace](patch, String(distance, hangs, along, STRING_TOP + sag), jewellery)


def _chain(patch: Patch, string: String, jewellery: Jewellery) -> None:
    links = 0.55 + 0.4 * np.sin(string.along * 60)
    cover = patch.cover(np.maximum(np.abs(string.distance) - 0.027, string.hangs))
    patch.paint(ramp(links, metal_material(jewellery.metal)), cover, Part.NECKLACE)


def _beads(patch: Patch, string: String, jewellery: Jewellery) -> None:
    bead = string.along - np.round(string.along * (1 / BEAD)) * BEAD
    ball = np.maximum(circle(bead, string.distance, 0.5 * BEAD), string.hangs)
    _gem(patch, bead, string.distance, ball, jewellery.stone, 0.5 * BEAD)
    patch.mark(Part.NECKLACE, patch.cover(np.maximum(np.abs(string.distance) - 0.4 * BEAD, string.hangs)))


def _pendant(patch: Patch, string: String, jewellery: Jewellery) -> None:
    cover = patch.cover(np.maximum(np.abs(string.distance) - 0.018, string.hangs))
    patch.paint(jewellery.metal, cover, Part.NECKLACE)
    v = patch.v - string.low - 0.12
    patch.mark(Part.NECKLACE, _gem(patch, patch.u, v, ellipse(patch.u, v, 0.085, 0.115), jewellery.stone, 0.1))


EARRINGS: dict[str, Callable[[Patch, np.ndarray, np.ndarray, Jewellery], None]] = {
    "stud": _stud,
    "hoop": _hoop,
    "drop": _drop,
}
NECKLACES: dict[str, Callable[[Patch, String, Jewellery], None]] = {
    "chain": _chain,
    "beads": _beads,
    "pendant": _pendant,
}
