"""The neckline of a garment: the hole that it leaves and what is sewn around it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scan_jax.data.portraits.canvas import Patch, ramp
from scan_jax.data.portraits.labels import Part
from scan_jax.data.portraits.palette import BLACK, Colour, blend, cloth_material, from_hex
from scan_jax.data.portraits.shapes import circle, ellipse, segment, smoothstep
from scan_jax.data.portraits.torso import neck_half_width, shoulder_line
from scan_jax.data.portraits.traits import Traits


def opening(u: np.ndarray, v: np.ndarray, traits: Traits) -> np.ndarray:
    """Signed distance [h,w] to the neckline's hole, negative where skin shows."""
    return OPENINGS[traits.clothing.collar](u, v, neck_half_width(traits))


def _round_opening(u: np.ndarray, v: np.ndarray, half: float) -> np.ndarray:
    return ellipse(u, v - 1.55, half + 0.16, 0.36)


def _deep_opening(u: np.ndarray, v: np.ndarray, half: float) -> np.ndarray:
    return np.maximum(np.abs(u) * 0.86 + (v - 2.34) * 0.52, np.abs(u) - half - 0.04)


def _collar_opening(u: np.ndarray, v: np.ndarray, half: float) -> np.ndarray:
    return np.maximum(_collar_vee(u, v), np.abs(u) - half - 0.1)


def _no_opening(u: np.ndarray, v: np.ndarray, half: float) -> np.ndarray:
    return v - 1.2


def _collar_vee(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Signed distance [h,w] to the V between two collar leaves, negative inside it."""
    return np.abs(u) * 0.88 + (v - 2.02) * 0.62


def _crew(patch: Patch, shade: np.ndarray, traits: Traits) -> None:
    """A ribbed band around the neckline."""
    ring = np.abs(opening(patch.u, patch.v, traits) - 0.05) - 0.055
    ribs = 0.06 * np.sin(np.arctan2(patch.u, patch.v - 1.2) * 60)
    below = patch.cover(shoulder_line(patch.u, traits.clothing) - 0.06 - patch.v)
    band = ramp(shade + 0.02 + ribs, cloth_material(traits.clothing.colour * np.float32(0.86)))
    patch.paint(band, patch.cover(ring) * below, Part.CLOTH)


def _vee(patch: Patch, shade: np.ndarray, traits: Traits) -> None:
    """A hem along the V."""
    ring = np.abs(opening(patch.u, patch.v, traits) - 0.035) - 0.035
    below = patch.cover(shoulder_line(patch.u, traits.clothing) - 0.03 - patch.v)
    hem = ramp(shade + 0.05, cloth_material(blend(traits.clothing.colour, traits.clothing.accent, 0.35)))
    patch.paint(hem, patch.cover(ring) * below, Part.CLOTH)


def _shirt(patch: Patch, shade: np.ndarray, traits: Traits) -> None:
    """Two collar flaps and a row of buttons."""
    colour = blend(traits.clothing.colour, from_hex("f4f1ea"), 0.22)
    _flaps(patch, shade, traits, colour, tip=(0.40, 2.12))
    placket = np.abs(np.abs(patch.u) - 0.075) - 0.006
    low = patch.cover(2.04 - patch.v)
    patch.paint(traits.clothing.colour * np.float32(0.55), 0.7 * patch.cover(placket) * low)
    for height in (2.2, 2.48):
        patch.paint(from_hex("efe9dc"), patch.cover(circle(patch.u, patch.v - height, 0.033)))


def _flaps(patch: Patch, shade: np.ndarray, traits: Traits, colour: Colour, tip: tuple[float, float]) -> None:
    """A pair of pointed collar leaves from the neck's sides down to (+-tip)."""
    half = neck_half_width(traits)
    aside = np.abs(patch.u)
    inner = _collar_vee(patch.u, patch.v)
    top = 1.50 - 0.25 * (aside - half)
    outer = segment(aside, patch.v, (half + 0.06, 1.52), tip, 0.0)
    side = (aside - half - 0.14) * 0.9 + (patch.v - 1.6) * -0.30 * ((half + 0.14 - tip[0]) / 0.2)
    leaf = np.maximum(
        np.maximum(-inner, top - patch.v), np.maximum(side, patch.v - tip[1] + 0.5 * np.abs(aside - tip[0]))
    )
    patch.paint(BLACK, 0.30 * smoothstep(0.09, -0.02, leaf) * patch.cover(-inner))
    light_edge = 0.10 * smoothstep(0.08, 0.0, outer)
    patch.paint(ramp(shade + 0.12 + light_edge, cloth_material(colour)), patch.cover(leaf), Part.CLOTH)


def _jacket(patch: Patch, shade: np.ndarray, traits: Traits) -> None:
    """A jacket over a pale shirt, with lapels."""
    clothing = traits.clothing
    aside = np.abs(patch.u)
    shirt = np.maximum(aside * 0.90 + (patch.v - 2.62) * 0.42, -_collar_vee(patch.u, patch.v))
    shirt = np.maximum(shirt, shoulder_line(patch.u, clothing) - patch.v - 0.02)
    pale = blend(clothing.accent, from_hex("f2f0ec"), 0.72)
    patch.paint(ramp(shade + 0.10, cloth_material(pale)), patch.cover(shirt), Part.CLOTH)
    _flaps(patch, shade, traits, pale, tip=(0.36, 2.10))
    lapel = np.abs(aside * 0.90 + (patch.v - 2.62) * 0.42 - 0.15) - 0.15
    lapel = np.maximum(lapel, shoulder_line(patch.u, clothing) + 0.02 - patch.v)
    notch = segment(aside, patch.v, (0.62, 2.08), (0.92, 2.02), 0.02)
    lapel = np.maximum(lapel, -notch)
    patch.paint(BLACK, 0.25 * smoothstep(0.06, 0.0, lapel) * patch.cover(shoulder_line(patch.u, clothing) - patch.v))
    patch.paint(ramp(shade + 0.08, cloth_material(clothing.colour * np.float32(0.92))), patch.cover(lapel), Part.CLOTH)


def _turtleneck(patch: Patch, shade: np.ndarray, traits: Traits) -> None:
    """A rolled collar up to the chin."""
    half = neck_half_width(traits) + 0.05
    u, v = patch.u, patch.v
    top = 1.36 + 0.10 * (u / half) ** 2 * -1 + 0.10
    roll = np.maximum(np.abs(u) - half - 0.07 * smoothstep(1.45, 1.9, v), np.maximum(top - v, v - 1.92 + 0.12 * u * u))
    ribs = 0.09 * np.sin(u / (half + 0.1) * 26)
    fold = 0.16 * np.cos(np.clip((v - 1.38) * 11, 0, 6.3)) - 0.10
    around = -0.30 * (u / (half + 0.12)) ** 2 + 0.22 * traits.light.strength * traits.light.x * u
    shaded = 0.46 + around + ribs + fold - 0.26 * smoothstep(1.62, 1.40, v)
    patch.paint(ramp(shaded, cloth_material(traits.clothing.colour)), patch.cover(roll), Part.CLOTH)


COLLARS: dict[str, Callable[[Patch, np.ndarray, Traits], None]] = {
    "crew": _crew,
    "vee": _vee,
    "shirt": _shirt,
    "jacket": _jacket,
    "turtleneck": _turtleneck,
}
OPENINGS: dict[str, Callable[[np.ndarray, np.ndarray, float], np.ndarray]] = {
    "crew": _round_opening,
    "vee": _deep_opening,
    "shirt": _collar_opening,
    "jacket": _collar_opening,
    "turtleneck": _no_opening,
}
