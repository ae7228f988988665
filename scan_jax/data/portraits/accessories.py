"""Hats. Each sits on the skull above the brows and throws a shadow on the forehead."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from scan_jax.data.portraits.body import body_frame, neck_half_width
from scan_jax.data.portraits.canvas import (
    Canvas,
    Part,
    Patch,
    box,
    bump,
    circle,
    egg,
    ellipse,
    line_noise,
    ramp,
    smoothstep,
    turn,
)
from scan_jax.data.portraits.head import EAR_HEIGHT, ear_centre, face_patch, head_frame
from scan_jax.data.portraits.traits import (
    BLACK,
    WHITE,
    Colour,
    Glasses,
    Hat,
    Jewellery,
    Traits,
    blend,
    cloth_material,
    metal_material,
)

FOREHEAD_SHADOW = np.array([0.60, 0.50, 0.50], np.float32)


def paint_hat(canvas: Canvas, traits: Traits) -> None:
    """The sitter's hat, if any."""
    if traits.hat.kind == "none":
        return
    patch = canvas.patch(head_frame(traits.pose), (-2.1, 2.1), (-2.4, 0.1))
    u0 = turn(np.clip(patch.u * 0.86, -1, 1), traits.pose.yaw)
    head = patch.cover(ellipse(patch.u, patch.v, 0.97, 1.35))
    shadow = bump(patch.v + 0.42, 0 * u0, 0.16, 1.0) * head
    patch.shade(FOREHEAD_SHADOW, 0.75 * shadow)
    HATS[traits.hat.kind](patch, u0, _shade(patch, traits), traits.hat)


def _shade(patch: Patch, traits: Traits) -> np.ndarray:
    """Shade [h,w] of a dome."""
    light = traits.light
    nx, ny = patch.u * 0.7, (patch.v + 0.6) * 0.75
    nz = np.sqrt(np.maximum(1 - nx * nx - ny * ny, 0))
    return 0.30 + light.strength * (0.28 * (nx * light.x + ny * light.y) + 0.20 * nz)


def _dome(patch: Patch, width: float, top: float, hem: np.ndarray) -> np.ndarray:
    """Signed distance [h,w] to a dome that ends at the height `hem` [h,w]."""
    return np.maximum(egg(patch.u, patch.v + 0.45, width, top, 3.0), patch.v - hem)


def _beanie(patch: Patch, u0: np.ndarray, shade: np.ndarray, hat: Hat) -> None:
    u, v = patch.u, patch.v
    hem = -0.52 - 0.08 * u * u
    ribs = 0.10 * np.sin(u0 * 34)
    patch.paint(_wool(patch, shade, hat), patch.cover(_pom(patch)), Part.HAT)
    knit = 0.05 * np.sin(v * 60 + 3 * np.sin(u0 * 34))
    patch.lay(shade + ribs + knit, cloth_material(hat.colour), _dome(patch, 1.14, 1.16, hem), Part.HAT)
    band = np.maximum(np.abs(v - hem + 0.13) - 0.17, np.abs(u) - 1.15)
    tube = 0.22 * smoothstep(0.17, 0.0, np.abs(v - hem + 0.15)) - 0.10
    patch.lay(shade + 1.3 * ribs + tube, cloth_material(hat.trim), band, Part.HAT)


def _pom(patch: Patch) -> np.ndarray:
    angle = np.arctan2(patch.v + 1.72, patch.u)
    return circle(patch.u, patch.v + 1.72, 0.27) + 0.06 * (line_noise(angle * 9 + 40) - 0.5)


def _wool(patch: Patch, shade: np.ndarray, hat: Hat) -> np.ndarray:
    """Colours [3,h,w] of a woollen bobble."""
    angle = np.arctan2(patch.v + 1.72, patch.u)
    return ramp(shade + 0.35 * (line_noise(angle * 14 + 20) - 0.3), cloth_material(hat.trim))


def _cap(patch: Patch, u0: np.ndarray, shade: np.ndarray, hat: Hat) -> None:
    u, v = patch.u, patch.v
    hem = -0.60 - 0.05 * u * u
    seams = 0.10 * bump(np.abs(u0) - 0.42 * (1.5 + v), 0 * u, 0.018, 1.0) + 0.10 * bump(u0, 0 * u, 0.016, 1.0)
    patch.lay(shade - seams, cloth_material(hat.colour), _dome(patch, 1.10, 0.98, hem), Part.HAT)
    patch.paint(hat.trim * np.float32(0.8), patch.cover(circle(u, v + 1.43, 0.055)), Part.HAT)
    shift = u - (u - u0) * 0.35
    visor = np.maximum(ellipse(shift, v + 0.64, 1.04, 0.36), -0.66 - 0.22 * np.abs(shift) ** 2 - v)
    stitched = 0.10 * np.sin(np.clip(ellipse(shift, v + 0.64, 1.04, 0.36) * 60, -14, 0))
    sheen = 0.20 * smoothstep(-0.30, -0.62, v)
    patch.lay(shade - 0.10 + sheen + 0.4 * stitched, cloth_material(hat.trim), visor, Part.HAT)


def _brim(patch: Patch, u0: np.ndarray, shade: np.ndarray, hat: Hat) -> None:
    u, v = patch.u, patch.v
    brim = ellipse(u, v + 0.72 - 0.10 * u * u, 1.78, 0.26)
    patch.lay(shade - 0.16, cloth_material(hat.colour), brim, Part.HAT)
    crown = np.maximum(np.abs(u) - 0.98 - 0.16 * (v + 0.8), egg(u, v + 0.8, 1.2, 1.02, 9.0))
    crown = np.maximum(crown, v + 0.68 + 0.05 * u * u)
    dent = 0.22 * bump(u0, v + 1.72, 0.35, 0.14)
    weave = 0.035 * (np.sin(u0 * 70) + np.sin(v * 70))
    patch.lay(shade - dent + weave + 0.03, cloth_material(hat.colour), crown, Part.HAT)
    ribbon = np.maximum(crown, np.abs(v + 0.86 + 0.05 * u * u) - 0.13)
    patch.lay(shade, cloth_material(hat.trim), ribbon, Part.HAT)
    lip = np.maximum(ellipse(u, v + 0.72 - 0.10 * u * u, 1.78, 0.26), -0.70 - 0.05 * u * u - v)
    front = shade - 0.02 + 0.12 * smoothstep(-0.06, 0.0, lip) + weave
    patch.lay(front, cloth_material(hat.colour), lip, Part.HAT)


def _headscarf(patch: Patch, u0: np.ndarray, shade: np.ndarray, hat: Hat) -> None:
    u, v = patch.u, patch.v
    hem = -0.62 + 0.22 * u * u
    wrap = u0 * 0.9 + 0.5 * (v + 1.0) * np.sign(u0)
    folds = 0.22 * np.sin(wrap * 14 + 2.5 * line_noise(wrap * 3 + 9)) * 0.6
    knot = ellipse(u - 0.1, v + 1.42, 0.34, 0.24)
    patch.lay(shade + folds, cloth_material(hat.colour), _dome(patch, 1.17, 1.08, hem), Part.HAT)
    twist = 0.18 * np.sin(u * 18 + 4 * v)
    patch.lay(shade + twist + 0.05, cloth_material(hat.trim), knot, Part.HAT)
    band = np.maximum(np.abs(v - hem + 0.09) - 0.10, np.abs(u) - 1.17)
    patch.lay(shade + 0.10 * np.sin(u0 * 22 + 8 * v), cloth_material(hat.trim), band, Part.HAT)


HATS: dict[str, Callable[[Patch, np.ndarray, np.ndarray, Hat], None]] = {
    "beanie": _beanie,
    "cap": _cap,
    "brim": _brim,
    "headscarf": _headscarf,
}


RIM = 0.026  # half-width of the frame
LENS_HEIGHT = 0.05  # of its centre, below the eyes
DARK_GLASS = np.array([0.10, 0.10, 0.12], np.float32)


def _round(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return ellipse(u, v, 0.29, 0.28)


def _square(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return box(u * (1 + 0.22 * v), v - 0.01, 0.305, 0.225, 0.10)


def _cat(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return box(u, v + 0.22 * u, 0.31, 0.205, 0.15)


def _aviator(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return ellipse(u * (1 + 0.22 * v), v - 0.05 - 0.10 * u, 0.31, 0.27)


RIMS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "round": _round,
    "square": _square,
    "cat": _cat,
    "aviator": _aviator,
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


def _paint_lens(patch: Patch, u0: np.ndarray, lens: np.ndarray, glasses: Glasses) -> None:
    """Tint and reflection, and the label of the lens."""
    cover = patch.cover(lens)
    slant = u0 * 1.3 + patch.v
    glare = smoothstep(0.08, 0.0, np.abs(slant - np.round(slant / 0.9) * 0.9 + 0.12) - 0.06) * smoothstep(
        -0.02, -0.07, lens
    )
    tint = blend(DARK_GLASS, glasses.colour, 0.3)
    patch.paint(tint, cover * (glasses.tint * (1.0 - 0.22 * smoothstep(-0.2, 0.35, patch.v))))
    patch.paint(WHITE, cover * (0.05 + 0.13 * glare))
    through = (patch.labels == Part.SKIN) | (patch.labels == Part.NOSE) | (glasses.tint > 0)
    patch.mark(Part.GLASSES, cover * through)


def _bridge_and_temples(u0: np.ndarray, v: np.ndarray, traits: Traits) -> np.ndarray:
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
    patch.lay(shade, metal_material(jewellery.metal), ring, Part.EARRING)


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
