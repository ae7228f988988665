"""The head: its outline and soft relief, ears, eyes, brows, nose and mouth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scan_jax.data.portraits.canvas import BLOOD, WARM_WHITE, WHITE, Canvas, Colour, Frame, Material, Part, Patch, blend
from scan_jax.data.portraits.sdf import Field, bump, circle, ellipse, line_noise, plane_noise, rotate, smoothstep, turn
from scan_jax.data.portraits.traits import Eyes, Face, Light, Mouth, Nose, Pose, Traits

SCLERA = np.array([0.93, 0.915, 0.9], np.float32)
TEETH = np.array([0.95, 0.935, 0.9], np.float32)
MOUTH_INSIDE = np.array([0.27, 0.075, 0.085], np.float32)
TONGUE = np.array([0.66, 0.29, 0.29], np.float32)
CROWN = 1.32  # height of the skull above the eyes
EAR_HEIGHT = 0.24


def head_frame(pose: Pose) -> Frame:
    """The axes in which a head is drawn: origin between the eyes, unit half a face's width."""
    return Frame(pose.x, pose.y, pose.scale, pose.tilt)


def face_distance(u: Field, v: Field, face: Face, yaw: float) -> Field:
    """Signed distance [h,w] to a face: an ellipse for the skull, a tapered superellipse for the jaw."""
    down = np.clip(v * (1 / face.chin), 0, 1.3)
    width = face.width * (1 - face.taper * down * down)
    u = u - 0.20 * yaw * down
    across = np.abs(u) / width
    height = np.where(v < 0, np.float32(1 / CROWN), np.float32(1 / face.chin))
    p = np.where(v < 0, np.float32(2), np.float32(face.squareness))
    radius = (across**p + np.abs(v * height) ** p) ** (1 / p)
    length = np.sqrt(u * u + v * v)
    return length - length / np.maximum(radius, 1e-4)


def relief(u: Field, v: Field, width: float, height: float, light: Light) -> Field:
    """Light minus shade [h,w] on a Gaussian mound of these widths: its slope towards the light, 1 at most."""
    return bump(u, v, width, height) * (u * (light.x / width) + v * (light.y / height)) * 1.65


def skin_shade(u: Field, v: Field, light: Light) -> Field:
    """Shade [h,w] of a smooth head: Lambert's cosine on an egg, in the units of `canvas.ramp`."""
    nx, ny = u * 0.82, (v - 0.15) * 0.58
    nz = np.sqrt(np.maximum(1 - nx * nx - ny * ny, 0.02))
    return 0.37 + light.strength * (0.26 * (nx * light.x + ny * light.y) + 0.20 * nz)


def paint_ears(canvas: Canvas, traits: Traits) -> None:
    """Both ears; the one that the head turns away slips behind the cheek."""
    material = Material.skin(blend(traits.face.skin, BLOOD, 0.07))
    for side, part in ((1, Part.L_EAR), (-1, Part.R_EAR)):
        centre = ear_centre(traits, side)
        patch = canvas.patch(head_frame(traits.pose), (centre - 0.3, centre + 0.3), (-0.25, 0.75))
        eu, ev = rotate((patch.u - centre) * side, patch.v - EAR_HEIGHT, 0.16)
        size = traits.face.ear
        lobe = 1 - 0.28 * smoothstep(-0.1, 0.38, ev)
        outer = ellipse(eu / lobe, ev, 0.16 * size, 0.33 * size)
        inner = ellipse(eu + 0.012, ev + 0.04, 0.085 * size, 0.215 * size)
        shade = 0.38 + 0.14 * light_on_side(traits.light, side) + 0.16 * smoothstep(0.0, 0.06, inner)
        shade -= 0.26 * smoothstep(0.02, -0.05, inner) * smoothstep(0.30, 0.0, ev)
        patch.lay(shade, material, outer, part)


def ear_centre(traits: Traits, side: int) -> float:
    """Where on u the ear at the image's right (side 1) or left (-1) sits; it slides as the head turns."""
    return side * (traits.face.width + 0.015) - 0.2 * traits.pose.yaw


def light_on_side(light: Light, side: int) -> float:
    """How much a surface that faces the image's right (1) or left (-1) is lit, in [-1, 1]."""
    return light.strength * light.x * side


def paint_face(canvas: Canvas, traits: Traits) -> None:
    """Skin from crown to chin, shaded; eyes, nose and mouth come later."""
    face, light = traits.face, traits.light
    patch = canvas.patch(head_frame(traits.pose), (-1.2, 1.2), (-1.45, 1.55))
    distance = face_distance(patch.u, patch.v, face, traits.pose.yaw)
    shade = skin_shade(patch.u, patch.v, light) - 0.20 * smoothstep(-0.26, 0.02, distance)
    u0 = turn(patch.u, traits.pose.yaw)
    shade = shade + _features_relief(u0, patch.v, traits)
    colour = Material.skin(face.skin).lit(shade)
    _blush(colour, u0, patch.v, traits)
    patch.paint(colour, patch.cover(distance), Part.SKIN)


def _features_relief(u0: Field, v: Field, traits: Traits) -> Field:
    """What cheeks, sockets, brow, chin and age add to the shade, in frontal coordinates u0, v [h,w]."""
    light, eyes, mouth = traits.light, traits.eyes, traits.mouth
    aside = np.abs(u0)
    k = 0.13 * light.strength
    total = k * relief(u0, v + 0.62, 0.5, 0.32, light)  # forehead
    total += k * (relief(u0 - 0.52, v - 0.40, 0.26, 0.24, light) + relief(u0 + 0.52, v - 0.40, 0.26, 0.24, light))
    total += 0.8 * k * relief(u0, v - (traits.face.chin - 0.18), 0.2, 0.12, light)
    total -= 0.15 * bump(aside - eyes.spacing + 0.04, v + 0.10, 0.17, 0.11)  # sockets under the brows
    total -= 0.10 * bump(aside - 0.13, v + 0.03, 0.06, 0.13)  # beside the bridge of the nose
    total += 0.07 * bump(aside - eyes.spacing - 0.05, v - 0.31, 0.17, 0.08)  # top of the cheek
    total -= (0.03 + 0.07 * traits.face.age) * bump(aside - eyes.spacing + 0.06, v - 0.17, 0.13, 0.035)  # under the eye
    fold = aside - traits.nose.width - 0.05 - 0.32 * (v - traits.nose.tip + 0.06)
    depth = 0.03 + 0.08 * traits.face.age + 0.05 * max(mouth.smile, 0)
    total -= depth * bump(fold, v - traits.nose.tip - 0.06, 0.035, 0.13)  # from nose to mouth
    total -= 0.09 * bump(u0, v - mouth.line - mouth.lower - mouth.gap - 0.075, 0.2, 0.04)  # under the lip
    return total


def _blush(colour: Field, u0: Field, v: Field, traits: Traits) -> None:
    """Redden cheeks and nose and speckle them, in place on colours [3,h,w]."""
    face = traits.face
    red = blend(face.skin, BLOOD * np.float32(0.95), 0.55)[:, None, None]
    cheeks = bump(np.abs(u0) - 0.56, v - 0.42, 0.22, 0.17) + 0.55 * bump(u0, v - traits.nose.tip + 0.05, 0.14, 0.12)
    colour += (red - colour) * (face.blush * 1.3) * cheeks
    if face.freckles > 0:
        spots = smoothstep(0.70, 0.95, plane_noise(u0 * 31 + 40, v * 31 + 40))
        where = bump(np.abs(u0) - 0.40, v - 0.34, 0.27, 0.15)
        colour *= 1 - np.array([0.14, 0.24, 0.28], np.float32)[:, None, None] * (spots * where * face.freckles)


def face_patch(canvas: Canvas, traits: Traits, u: tuple[float, float], v: tuple[float, float]) -> tuple[Patch, Field]:
    """A patch over the box u x v of the frontal face, wherever the head's turn has carried it, and u0 [h,w] in it."""
    yaw = traits.pose.yaw
    ends = [float(np.sin(np.clip(np.arcsin(np.clip(end, -1, 1)) + yaw, -1.57, 1.57))) for end in u]
    patch = canvas.patch(head_frame(traits.pose), (min(ends) - 0.05, max(ends) + 0.05), v)
    return patch, turn(patch.u, yaw)


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


def _lids(eu: Field, eyes: Eyes) -> tuple[Field, Field]:
    """Heights [h,w] of the upper and the lower lid's edge; they meet at the corners and cross outside."""
    t = eu * (1 / eyes.width)
    bow = 1 - t * t
    upper = -eyes.opening * (bow + 0.16 * bow * (1 - np.abs(t)) - 0.14 * t * bow)
    lower = eyes.opening * 0.62 * (bow + 0.22 * t * bow)
    return upper, lower


def _eyeball(eu: Field, ev: Field, upper: Field, side: int, eyes: Eyes, light: Light) -> Field:
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


def _paint_lid(patch: Patch, eu: Field, ev: Field, upper: Field, eyes: Eyes, traits: Traits) -> None:
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


def _paint_lashes(patch: Patch, eu: Field, ev: Field, upper: Field, lower: Field, eyes: Eyes) -> None:
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


REACH = 0.30  # how far a nose's tip runs ahead of the cheeks when the head turns, per radian


def paint_nose(canvas: Canvas, traits: Traits) -> None:
    """Shade the skin that is already there, add nostrils, and label the nose."""
    nose, light = traits.nose, traits.light
    patch, u0 = face_patch(canvas, traits, (-0.6, 0.6), (-0.30, nose.tip + 0.26))
    v = patch.v
    down = smoothstep(-0.15, nose.tip, v)
    un = u0 - REACH * traits.pose.yaw * down
    skin = Material.skin(traits.face.skin)
    dark, bright = _relief(un, v, nose, light)
    patch.paint(skin.dark, np.clip(dark, 0, 0.85))
    patch.paint(blend(skin.light, WARM_WHITE, 0.25), np.clip(bright, 0, 0.75))
    nostril = ellipse(np.abs(un) - 0.46 * nose.width, v - nose.tip - 0.015 + 0.14 * np.abs(un), 0.058, 0.026)
    patch.paint(skin.dark * np.float32(0.38), 0.9 * smoothstep(0.02 + 0.5 * patch.pixel, -0.02, nostril))
    patch.mark(Part.NOSE, patch.cover(_outline(un, v, nose)))


def _outline(un: Field, v: Field, nose: Nose) -> Field:
    """Signed distance [h,w] to the nose as an annotator outlines it: from between the eyes to the wings."""
    t = np.clip((v + 0.08) * (1 / (nose.tip + 0.02)), 0, 1)
    half = nose.bridge + (nose.width - nose.bridge) * t**2.4
    bottom = nose.tip + 0.06 - 0.35 * np.maximum(np.abs(un) - 0.1, 0)
    return np.maximum(np.maximum(np.abs(un) - half, -0.08 - v), v - bottom)


def _relief(un: Field, v: Field, nose: Nose, light: Light) -> tuple[Field, Field]:
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


LIP_REACH = 0.12  # how far the lips run ahead of the cheeks when the head turns, per radian


class Lips(NamedTuple):
    """Heights [h,w] of the four curves that bound a mouth, from the top down, and t in [-1, 1] along it [h,w]."""

    top: Field
    gap_top: Field
    gap_bottom: Field
    bottom: Field
    t: Field


def lip_curves(u: Field, mouth: Mouth) -> Lips:
    """The curves of a mouth over the frontal coordinate u [h,w]."""
    width = mouth.width * (1 + 0.12 * max(mouth.smile, 0))
    t = u * (1 / width)
    bow = np.maximum(1 - t * t, 0)
    line = mouth.line + 0.125 * mouth.smile * (0.42 - t * t) - 0.012 * bump(t, t * 0, 0.16, 1.0)
    gap_top, gap_bottom = line - 0.25 * mouth.gap * bow, line + 0.95 * mouth.gap * bow
    cupid = 1 - 0.34 * bump(t, t * 0, 0.12, 1.0) - 0.30 * np.abs(t)
    top = gap_top - mouth.upper * 1.28 * bow**0.8 * cupid
    bottom = gap_bottom + mouth.lower * np.sqrt(bow) * (0.75 + 0.25 * bow)
    return Lips(top, gap_top, gap_bottom, bottom, t)


def paint_mouth(canvas: Canvas, traits: Traits) -> None:
    """Draw and label the mouth's inside, its upper and its lower lip."""
    mouth = traits.mouth
    patch, u0 = face_patch(canvas, traits, (-0.62, 0.62), (mouth.line - 0.3, mouth.line + 0.5))
    u = u0 - LIP_REACH * traits.pose.yaw
    lips = lip_curves(u, mouth)
    ends = (np.abs(lips.t) - 1) * mouth.width
    lit = 0.5 + 0.5 * traits.light.strength
    upper = np.maximum(np.maximum(lips.top - patch.v, patch.v - lips.gap_top), ends)
    lower = np.maximum(np.maximum(lips.gap_bottom - patch.v, patch.v - lips.bottom), ends)
    inside = np.maximum(np.maximum(lips.gap_top - patch.v, patch.v - lips.gap_bottom), ends)
    if mouth.gap > 0:
        _paint_inside(patch, u, lips, inside, mouth)
    rise = (patch.v - lips.top) / np.maximum(lips.gap_top - lips.top, 0.01)  # 0 top of the upper lip, 1 its edge
    patch.paint(_lip(mouth.colour, 0.88 - 0.30 * rise), patch.cover(upper), Part.UPPER_LIP)
    fall = (patch.v - lips.gap_bottom) / np.maximum(lips.bottom - lips.gap_bottom, 0.01)
    roundness = 1.04 - 1.1 * (fall - 0.38) ** 2
    patch.paint(_lip(mouth.colour, roundness), patch.cover(lower), Part.LOWER_LIP)
    shine = bump(u - 0.05 * traits.light.x, patch.v - lips.gap_bottom - 0.42 * mouth.lower, 0.13, 0.022)
    patch.paint(blend(mouth.colour, WARM_WHITE, 0.7), mouth.gloss * lit * shine * patch.cover(lower))
    seam = patch.stroke(patch.v - 0.5 * (lips.gap_top + lips.gap_bottom), 0.014) * smoothstep(
        1.06, 0.95, np.abs(lips.t)
    )
    patch.paint(mouth.colour * np.float32(0.34), seam * (0.9 if mouth.gap == 0 else 0.0))
    corner = bump(np.abs(lips.t) - 1.02, patch.v - lips.gap_top, 0.06, 0.022)
    patch.paint(mouth.colour * np.float32(0.38), 0.6 * corner)


def _lip(colour: Colour, gain: Field) -> Field:
    """Colours [3,h,w] of a lip as bright as `gain` [h,w]."""
    return colour[:, None, None] * np.clip(gain, 0.4, 1.2)


def _paint_inside(patch: Patch, u: Field, lips: Lips, inside: Field, mouth: Mouth) -> None:
    """The dark of an open mouth, a tongue when it is wide open, and the upper teeth."""
    colour = np.broadcast_to(MOUTH_INSIDE[:, None, None], (3, *u.shape)).copy()
    tongue = ellipse(u, patch.v - lips.gap_bottom - 0.02, mouth.width * 0.55, 0.075)
    colour += (TONGUE[:, None, None] - colour) * smoothstep(0.03, -0.03, tongue)
    reach = np.minimum(0.62 * mouth.gap + 0.035, 0.11)
    tooth_line = lips.gap_top + reach * (1 - 0.25 * lips.t**2)
    split = 0.5 - np.abs(u * 9.5 - np.floor(u * 9.5) - 0.5)
    shade = (1 - 0.38 * lips.t**2) * (0.84 + 0.16 * smoothstep(0.0, 0.09, split))
    shade = shade * (0.72 + 0.28 * smoothstep(0.0, 0.04, patch.v - lips.gap_top))
    colour += (TEETH[:, None, None] * shade - colour) * patch.cover(patch.v - tooth_line)
    patch.paint(colour, patch.cover(inside), Part.MOUTH)
