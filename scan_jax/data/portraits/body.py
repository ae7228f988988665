"""Neck, shoulders and clothes, in an upright frame that hangs below the head."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scan_jax.data.portraits.canvas import (
    Canvas,
    Frame,
    Part,
    Patch,
    bump,
    circle,
    ellipse,
    line_noise,
    plane_noise,
    ramp,
    segment,
    smoothstep,
)
from scan_jax.data.portraits.head import skin_shade
from scan_jax.data.portraits.traits import (
    BLACK,
    Clothing,
    Colour,
    Pose,
    Traits,
    blend,
    cloth_material,
    from_hex,
    skin_material,
)


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
    patch.lay(shade, skin_material(traits.face.skin), distance, Part.NECK)


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


SHOULDER_TOP = 1.66
BOTTOM = 3.2


def body_frame(pose: Pose) -> Frame:
    """Upright axes with the head's unit and height, under the chin of a tilted head."""
    return Frame(pose.x - 1.05 * pose.scale * float(np.sin(pose.tilt)), pose.y, pose.scale)


def neck_half_width(traits: Traits) -> float:
    """Half the neck's width; it goes with the jaw."""
    return 0.30 + 0.24 * (traits.clothing.shoulder - 1.0) * traits.face.width


def shoulder_line(u: np.ndarray, clothing: Clothing) -> np.ndarray:
    """Height v [h,w] of the shoulders over u: it falls from the neck and drops at the arms."""
    aside = np.abs(u)
    arm = np.maximum(aside - clothing.shoulder + 0.35, 0)
    return SHOULDER_TOP + clothing.slope * np.maximum(aside - 0.42, 0) + 0.9 * arm * arm


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
    patch.lay(shade + 0.12 + light_edge, cloth_material(colour), leaf, Part.CLOTH)


def _jacket(patch: Patch, shade: np.ndarray, traits: Traits) -> None:
    """A jacket over a pale shirt, with lapels."""
    clothing = traits.clothing
    aside = np.abs(patch.u)
    shirt = np.maximum(aside * 0.90 + (patch.v - 2.62) * 0.42, -_collar_vee(patch.u, patch.v))
    shirt = np.maximum(shirt, shoulder_line(patch.u, clothing) - patch.v - 0.02)
    pale = blend(clothing.accent, from_hex("f2f0ec"), 0.72)
    patch.lay(shade + 0.10, cloth_material(pale), shirt, Part.CLOTH)
    _flaps(patch, shade, traits, pale, tip=(0.36, 2.10))
    lapel = np.abs(aside * 0.90 + (patch.v - 2.62) * 0.42 - 0.15) - 0.15
    lapel = np.maximum(lapel, shoulder_line(patch.u, clothing) + 0.02 - patch.v)
    notch = segment(aside, patch.v, (0.62, 2.08), (0.92, 2.02), 0.02)
    lapel = np.maximum(lapel, -notch)
    patch.paint(BLACK, 0.25 * smoothstep(0.06, 0.0, lapel) * patch.cover(shoulder_line(patch.u, clothing) - patch.v))
    patch.lay(shade + 0.08, cloth_material(clothing.colour * np.float32(0.92)), lapel, Part.CLOTH)


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
    patch.lay(shaded, cloth_material(traits.clothing.colour), roll, Part.CLOTH)


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
