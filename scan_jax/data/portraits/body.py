"""Neck, shoulders and clothes, in an upright frame that hangs below the head; glasses and jewellery."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from scan_jax.data.portraits.canvas import BLACK, WHITE, Canvas, Colour, Frame, Material, Part, Patch, blend, from_hex
from scan_jax.data.portraits.head import EAR_HEIGHT, ear_centre, face_patch, head_frame, skin_shade
from scan_jax.data.portraits.sdf import Field, box, bump, circle, ellipse, line_noise, plane_noise, segment, smoothstep
from scan_jax.data.portraits.traits import Clothing, Glasses, Jewellery, Pose, Traits


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
    patch.lay(shade, Material.skin(traits.face.skin), distance, Part.NECK)


def _neck_distance(u: Field, v: Field, half: float, traits: Traits) -> Field:
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


def _dyed(u: Field, v: Field, shade: Field, clothing: Clothing) -> Field:
    """Colours [3,h,w] of the patterned fabric."""
    base = Material.cloth(clothing.colour).lit(shade)
    share = PATTERNS[clothing.pattern](u, v)
    return base + (Material.cloth(clothing.accent).lit(shade) - base) * share


def _dots(u: Field, v: Field) -> Field:
    row = np.floor(v * 5.2)
    du, dv = (u * 5.2 + 0.5 * (row % 2)) % 1 - 0.5, v * 5.2 - row - 0.5
    return smoothstep(0.28, 0.20, np.sqrt(du * du + dv * dv))


def _knit(u: Field, v: Field) -> Field:
    column = np.abs((u * 7) % 1 - 0.5)
    return 0.30 * line_noise((v + 0.10 * column) * 26 + 40) + 0.22 * smoothstep(0.12, 0.0, column)


PATTERNS: dict[str, Callable[[Field, Field], Field]] = {
    "plain": lambda u, v: np.zeros_like(u),
    "stripes": lambda u, v: smoothstep(0.15, 0.45, np.sin((v - 0.10 * np.abs(u)) * 27)),
    "check": lambda u, v: (
        0.45 * smoothstep(0.1, 0.4, np.sin(u * 19)) + 0.45 * smoothstep(0.1, 0.4, np.sin((v - 0.08 * np.abs(u)) * 19))
    ),
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


def shoulder_line(u: Field, clothing: Clothing) -> Field:
    """Height v [h,w] of the shoulders over u: it falls from the neck and drops at the arms."""
    aside = np.abs(u)
    arm = np.maximum(aside - clothing.shoulder + 0.35, 0)
    return SHOULDER_TOP + clothing.slope * np.maximum(aside - 0.42, 0) + 0.9 * arm * arm


def opening(u: Field, v: Field, traits: Traits) -> Field:
    """Signed distance [h,w] to the neckline's hole, negative where skin shows."""
    half = neck_half_width(traits)
    match traits.clothing.collar:
        case "crew":
            return ellipse(u, v - 1.55, half + 0.16, 0.36)
        case "vee":
            return np.maximum(np.abs(u) * 0.86 + (v - 2.34) * 0.52, np.abs(u) - half - 0.04)
        case "turtleneck":
            return v - 1.2
    return np.maximum(_collar_vee(u, v), np.abs(u) - half - 0.1)


def _collar_vee(u: Field, v: Field) -> Field:
    """Signed distance [h,w] to the V between two collar leaves, negative inside it."""
    return np.abs(u) * 0.88 + (v - 2.02) * 0.62


def _crew(patch: Patch, shade: Field, traits: Traits) -> None:
    """A ribbed band around the neckline."""
    ring = np.abs(opening(patch.u, patch.v, traits) - 0.05) - 0.055
    ribs = 0.06 * np.sin(np.arctan2(patch.u, patch.v - 1.2) * 60)
    below = patch.cover(shoulder_line(patch.u, traits.clothing) - 0.06 - patch.v)
    band = Material.cloth(traits.clothing.colour * np.float32(0.86)).lit(shade + 0.02 + ribs)
    patch.paint(band, patch.cover(ring) * below, Part.CLOTH)


def _vee(patch: Patch, shade: Field, traits: Traits) -> None:
    """A hem along the V."""
    ring = np.abs(opening(patch.u, patch.v, traits) - 0.035) - 0.035
    below = patch.cover(shoulder_line(patch.u, traits.clothing) - 0.03 - patch.v)
    hem = Material.cloth(blend(traits.clothing.colour, traits.clothing.accent, 0.35)).lit(shade + 0.05)
    patch.paint(hem, patch.cover(ring) * below, Part.CLOTH)


def _shirt(patch: Patch, shade: Field, traits: Traits) -> None:
    """Two collar flaps and a row of buttons."""
    colour = blend(traits.clothing.colour, from_hex("f4f1ea"), 0.22)
    _flaps(patch, shade, traits, colour, tip=(0.40, 2.12))
    placket = np.abs(np.abs(patch.u) - 0.075) - 0.006
    low = patch.cover(2.04 - patch.v)
    patch.paint(traits.clothing.colour * np.float32(0.55), 0.7 * patch.cover(placket) * low)
    for height in (2.2, 2.48):
        patch.paint(from_hex("efe9dc"), patch.cover(circle(patch.u, patch.v - height, 0.033)))


def _flaps(patch: Patch, shade: Field, traits: Traits, colour: Colour, tip: tuple[float, float]) -> None:
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
    patch.lay(shade + 0.12 + light_edge, Material.cloth(colour), leaf, Part.CLOTH)


def _jacket(patch: Patch, shade: Field, traits: Traits) -> None:
    """A jacket over a pale shirt, with lapels."""
    clothing = traits.clothing
    aside = np.abs(patch.u)
    shirt = np.maximum(aside * 0.90 + (patch.v - 2.62) * 0.42, -_collar_vee(patch.u, patch.v))
    shirt = np.maximum(shirt, shoulder_line(patch.u, clothing) - patch.v - 0.02)
    pale = blend(clothing.accent, from_hex("f2f0ec"), 0.72)
    patch.lay(shade + 0.10, Material.cloth(pale), shirt, Part.CLOTH)
    _flaps(patch, shade, traits, pale, tip=(0.36, 2.10))
    lapel = np.abs(aside * 0.90 + (patch.v - 2.62) * 0.42 - 0.15) - 0.15
    lapel = np.maximum(lapel, shoulder_line(patch.u, clothing) + 0.02 - patch.v)
    notch = segment(aside, patch.v, (0.62, 2.08), (0.92, 2.02), 0.02)
    lapel = np.maximum(lapel, -notch)
    patch.paint(BLACK, 0.25 * smoothstep(0.06, 0.0, lapel) * patch.cover(shoulder_line(patch.u, clothing) - patch.v))
    patch.lay(shade + 0.08, Material.cloth(clothing.colour * np.float32(0.92)), lapel, Part.CLOTH)


def _turtleneck(patch: Patch, shade: Field, traits: Traits) -> None:
    """A rolled collar up to the chin."""
    half = neck_half_width(traits) + 0.05
    u, v = patch.u, patch.v
    top = 1.36 + 0.10 * (u / half) ** 2 * -1 + 0.10
    roll = np.maximum(np.abs(u) - half - 0.07 * smoothstep(1.45, 1.9, v), np.maximum(top - v, v - 1.92 + 0.12 * u * u))
    ribs = 0.09 * np.sin(u / (half + 0.1) * 26)
    fold = 0.16 * np.cos(np.clip((v - 1.38) * 11, 0, 6.3)) - 0.10
    around = -0.30 * (u / (half + 0.12)) ** 2 + 0.22 * traits.light.strength * traits.light.x * u
    shaded = 0.46 + around + ribs + fold - 0.26 * smoothstep(1.62, 1.40, v)
    patch.lay(shaded, Material.cloth(traits.clothing.colour), roll, Part.CLOTH)


COLLARS = {"crew": _crew, "vee": _vee, "shirt": _shirt, "jacket": _jacket, "turtleneck": _turtleneck}


RIM = 0.026  # half-width of the frame
LENS_HEIGHT = 0.05  # of its centre, below the eyes
RIMS: dict[str, Callable[[Field, Field], Field]] = {
    "round": lambda u, v: ellipse(u, v, 0.29, 0.28),
    "square": lambda u, v: box(u * (1 + 0.22 * v), v - 0.01, 0.305, 0.225, 0.10),
    "cat": lambda u, v: box(u, v + 0.22 * u, 0.31, 0.205, 0.15),
    "aviator": lambda u, v: ellipse(u * (1 + 0.22 * v), v - 0.05 - 0.10 * u, 0.31, 0.27),
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


def _paint_lens(patch: Patch, u0: Field, lens: Field, glasses: Glasses) -> None:
    """Tint and reflection, and the label of the lens."""
    cover = patch.cover(lens)
    slant = u0 * 1.3 + patch.v
    glare = smoothstep(0.08, 0.0, np.abs(slant - np.round(slant / 0.9) * 0.9 + 0.12) - 0.06) * smoothstep(
        -0.02, -0.07, lens
    )
    tint = blend(np.array([0.10, 0.10, 0.12], np.float32), glasses.colour, 0.3)
    patch.paint(tint, cover * (glasses.tint * (1.0 - 0.22 * smoothstep(-0.2, 0.35, patch.v))))
    patch.paint(WHITE, cover * (0.05 + 0.13 * glare))
    through = (patch.labels == Part.SKIN) | (patch.labels == Part.NOSE) | (glasses.tint > 0)
    patch.mark(Part.GLASSES, cover * through)


def _bridge_and_temples(u0: Field, v: Field, traits: Traits) -> Field:
    """Signed distance [h,w] to the arc over the nose and the two arms."""
    inner = traits.eyes.spacing - 0.25
    arc = np.abs(v - LENS_HEIGHT + 0.10 + 0.05 * (1 - (u0 / inner) ** 2)) - RIM * 0.9
    bridge = np.maximum(arc, np.abs(u0) - inner)
    arms = np.maximum(np.abs(v + 0.04) - RIM * 0.8, traits.eyes.spacing + 0.29 - np.abs(u0))
    return np.minimum(bridge, arms)


STRING_TOP = 1.42  # where a necklace comes round the neck
SAG = {"vee": 0.58, "turtleneck": 0.60}  # how far it hangs below, over these collars
BEAD = 0.125


class String(NamedTuple):
    """A necklace's string: signed `distance` to it, `hangs` < 0 where it is in front, length `along` it; all [h,w]."""

    distance: Field
    hangs: Field
    along: Field
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


def _gem(patch: Patch, u: Field, v: Field, distance: Field, colour: Colour, size: float) -> Field:
    """Paint a round polished thing around (u, v) = 0; returns its cover [h,w]."""
    cover = patch.cover(distance)
    shade = 0.45 - 0.30 * (u + v) / size
    patch.paint(Material.metal(colour).lit(shade), cover)
    patch.paint(WHITE, 0.85 * bump(u + 0.3 * size, v + 0.35 * size, 0.2 * size, 0.2 * size) * cover)
    return cover


def _stud(patch: Patch, u: Field, v: Field, jewellery: Jewellery) -> None:
    patch.mark(Part.EARRING, _gem(patch, u, v, circle(u, v, 0.075), jewellery.stone, 0.075))


def _hoop(patch: Patch, u: Field, v: Field, jewellery: Jewellery) -> None:
    ring = np.abs(circle(u, v - 0.19, 0.19)) - 0.028
    shade = 0.5 + 0.45 * np.sin(np.arctan2(v - 0.19, u) * 2 + 0.8)
    patch.lay(shade, Material.metal(jewellery.metal), ring, Part.EARRING)


def _drop(patch: Patch, u: Field, v: Field, jewellery: Jewellery) -> None:
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
    patch.paint(Material.metal(jewellery.metal).lit(links), cover, Part.NECKLACE)


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


EARRINGS = {"stud": _stud, "hoop": _hoop, "drop": _drop}
NECKLACES = {"chain": _chain, "beads": _beads, "pendant": _pendant}
