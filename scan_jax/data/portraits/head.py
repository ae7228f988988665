"""The head's outline, its soft relief, and the ears. Features are drawn on it by the files named after them."""

from __future__ import annotations

import numpy as np

from scan_jax.data.portraits.canvas import Canvas, Frame, Patch, ramp
from scan_jax.data.portraits.labels import Part
from scan_jax.data.portraits.noise import plane_noise
from scan_jax.data.portraits.palette import BLOOD, blend, skin_material
from scan_jax.data.portraits.shapes import bump, ellipse, rotate, smoothstep, turn
from scan_jax.data.portraits.traits import Face, Light, Pose, Traits

CROWN = 1.32  # height of the skull above the eyes
EAR_HEIGHT = 0.24


def head_frame(pose: Pose) -> Frame:
    """The axes in which a head is drawn: origin between the eyes, unit half a face's width."""
    return Frame(pose.x, pose.y, pose.scale, pose.tilt)


def face_distance(u: np.ndarray, v: np.ndarray, face: Face, yaw: float) -> np.ndarray:
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


def relief(u: np.ndarray, v: np.ndarray, width: float, height: float, light: Light) -> np.ndarray:
    """Light minus shade [h,w] on a Gaussian mound of these widths: its slope towards the light, 1 at most."""
    return bump(u, v, width, height) * (u * (light.x / width) + v * (light.y / height)) * 1.65


def skin_shade(u: np.ndarray, v: np.ndarray, light: Light) -> np.ndarray:
    """Shade [h,w] of a smooth head: Lambert's cosine on an egg, in the units of `canvas.ramp`."""
    nx, ny = u * 0.82, (v - 0.15) * 0.58
    nz = np.sqrt(np.maximum(1 - nx * nx - ny * ny, 0.02))
    return 0.37 + light.strength * (0.26 * (nx * light.x + ny * light.y) + 0.20 * nz)


def paint_ears(canvas: Canvas, traits: Traits) -> None:
    """Both ears; the one that the head turns away slips behind the cheek."""
    material = skin_material(blend(traits.face.skin, BLOOD, 0.07))
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
        patch.paint(ramp(shade, material), patch.cover(outer), part)


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
    colour = ramp(shade, skin_material(face.skin))
    _blush(colour, u0, patch.v, traits)
    patch.paint(colour, patch.cover(distance), Part.SKIN)


def _features_relief(u0: np.ndarray, v: np.ndarray, traits: Traits) -> np.ndarray:
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


def _blush(colour: np.ndarray, u0: np.ndarray, v: np.ndarray, traits: Traits) -> None:
    """Redden cheeks and nose and speckle them, in place on colours [3,h,w]."""
    face = traits.face
    red = blend(face.skin, BLOOD * np.float32(0.95), 0.55)[:, None, None]
    cheeks = bump(np.abs(u0) - 0.56, v - 0.42, 0.22, 0.17) + 0.55 * bump(u0, v - traits.nose.tip + 0.05, 0.14, 0.12)
    colour += (red - colour) * (face.blush * 1.3) * cheeks
    if face.freckles > 0:
        spots = smoothstep(0.70, 0.95, plane_noise(u0 * 31 + 40, v * 31 + 40))
        where = bump(np.abs(u0) - 0.40, v - 0.34, 0.27, 0.15)
        colour *= 1 - np.array([0.14, 0.24, 0.28], np.float32)[:, None, None] * (spots * where * face.freckles)


def face_patch(
    canvas: Canvas, traits: Traits, u: tuple[float, float], v: tuple[float, float]
) -> tuple[Patch, np.ndarray]:
    """A patch over the box u x v of the frontal face, wherever the head's turn has carried it, and u0 [h,w] in it."""
    yaw = traits.pose.yaw
    ends = [float(np.sin(np.clip(np.arcsin(np.clip(end, -1, 1)) + yaw, -1.57, 1.57))) for end in u]
    patch = canvas.patch(head_frame(traits.pose), (min(ends) - 0.05, max(ends) + 0.05), v)
    return patch, turn(patch.u, yaw)
