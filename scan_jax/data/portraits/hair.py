"""Hair and hats: one parametric head of hair, which a table of cuts turns into a crop, curls, a bob ...

The back layer hangs behind the neck, the front one frames the face. Strands follow lines of equal `strand`, which fan
out from the parting and hang straight below the temples.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from scan_jax.data.portraits.canvas import Canvas, Material, Part, Patch, blend
from scan_jax.data.portraits.head import face_distance, head_frame, lip_curves
from scan_jax.data.portraits.sdf import Field, bump, circle, egg, ellipse, line_noise, plane_noise, smoothstep, turn
from scan_jax.data.portraits.traits import Hair, Hat, Light, Traits

CENTRE = -0.20  # height of the skull's widest line
SKULL_TOP = 1.20  # from there to the scalp


@dataclasses.dataclass(frozen=True)
class Cut:
    """A haircut in head units."""

    top: float = 0.12  # how far the hair stands off the skull on top
    side: float = 0.05  # how far it stands off at the sides
    line: float = -0.80  # height of the hairline over the forehead
    peak: float = 0.0  # lowers the hairline away from the parting
    sweep: float = 0.0  # tilts the hairline
    opening: float = 0.90  # half-width of the face it leaves free
    front: float = 0.05  # how far down the hair in front of the ears reaches
    back: float = 0.0  # how far down the back layer reaches; 0 is none
    flare: float = 0.0  # how much the back layer widens
    jag: float = 0.06  # depth of the locks at the hairline
    curl: float = 0.0  # size of curls at the outline; 0 is smooth
    bun: float = 0.0  # radius of a knot on top; 0 is none


CUTS = {
    "bald": Cut(top=-1.0),
    "buzz": Cut(top=0.03, side=0.01, line=-0.82, front=-0.02, jag=0.02, opening=0.92),
    "crop": Cut(top=0.18, side=0.03, line=-0.86, front=0.04, jag=0.20, opening=0.93),
    "side part": Cut(top=0.20, side=0.06, line=-0.92, sweep=0.16, peak=0.16, front=0.08, jag=0.09, opening=0.93),
    "quiff": Cut(top=0.40, side=0.03, line=-0.92, sweep=0.06, front=0.06, jag=0.12, opening=0.93),
    "curls": Cut(top=0.30, side=0.16, line=-0.72, front=0.06, jag=0.14, curl=0.14, opening=0.90),
    "afro": Cut(top=0.62, side=0.56, line=-0.72, front=0.25, back=0.95, jag=0.06, curl=0.10, opening=0.92),
    "shaggy": Cut(top=0.24, side=0.14, line=-0.58, sweep=0.10, front=0.42, back=0.85, jag=0.26, opening=0.88),
    "pixie": Cut(top=0.18, side=0.06, line=-0.62, sweep=0.38, front=0.22, jag=0.14, opening=0.88),
    "tucked": Cut(top=0.14, side=0.06, line=-0.88, peak=0.30, front=0.0, back=2.5, flare=0.22, jag=0.05, opening=0.92),
    "long": Cut(top=0.16, side=0.12, line=-0.88, peak=0.30, front=2.5, back=2.7, flare=0.20, jag=0.05, opening=0.84),
    "waves": Cut(top=0.22, side=0.20, line=-0.84, peak=0.38, front=2.0, back=2.35, flare=0.34, jag=0.06, opening=0.86),
    "bob": Cut(top=0.18, side=0.17, line=-0.82, peak=0.26, front=1.05, back=1.28, flare=0.12, jag=0.05, opening=0.82),
    "fringe": Cut(top=0.18, side=0.14, line=-0.40, front=1.7, back=1.95, flare=0.14, jag=0.10, opening=0.80),
    "bun": Cut(top=0.09, side=0.02, line=-0.88, front=0.0, jag=0.03, bun=0.44, opening=0.95),
    "curtains": Cut(top=0.18, side=0.12, line=-0.92, peak=0.62, front=0.62, back=0.95, jag=0.08, opening=0.82),
}


def cut_of(traits: Traits) -> Cut:
    """The sitter's cut, flattened under a hat."""
    cut = CUTS[traits.hair.cut]
    if traits.hat.kind == "none":
        return cut
    return dataclasses.replace(cut, top=min(cut.top, 0.04), bun=0.0, side=min(cut.side, 0.22))


def paint_back_hair(canvas: Canvas, traits: Traits) -> None:
    """What hangs behind neck and shoulders, and a knot on top."""
    cut, hair = cut_of(traits), traits.hair
    if cut.bun > 0:
        _paint_bun(canvas, traits, cut.bun)
    if cut.back == 0:
        return
    reach = 1.25 + cut.side + cut.flare
    patch = canvas.patch(head_frame(traits.pose), (-reach - 0.2, reach + 0.2), (-1.6 - cut.top, cut.back + 0.35))
    u, v = patch.u + 0.15 * traits.pose.yaw, patch.v
    strand = _strand(u, v, hair)
    width = 0.98 + cut.side + cut.flare * smoothstep(0.0, 1.6, v)
    if cut.curl > 0:
        distance = egg(u, v - CENTRE, 1.02 + cut.side, SKULL_TOP + cut.top, cut.back - CENTRE) + _curls(u, v, cut)
    else:
        tips = cut.back - 0.22 * line_noise(strand * 7 + 30) - 0.25 * (u / width) ** 2
        ripple = 0.09 * hair.wave * np.sin(v * 5.5 + 1.5 * np.sign(u)) + 0.05 * (line_noise(v * 2 + 60) - 0.5)
        round_top = egg(u, v - CENTRE, 1.0 + cut.side, SKULL_TOP + cut.top, 9.0)
        distance = np.maximum(np.where(v < 0, round_top, np.abs(u) - width + ripple), v - tips)
    shade = _shade(u, v, strand, cut, hair, traits.light) - 0.20
    shade = shade - 0.16 * smoothstep(0.4, 1.1, v) * smoothstep(0.95, 0.5, np.abs(u))
    patch.lay(shade, Material.hair(hair.colour), distance, Part.HAIR)


def paint_front_hair(canvas: Canvas, traits: Traits) -> None:
    """The hair that frames the face, with its shadow on the forehead."""
    cut, hair, pose = cut_of(traits), traits.hair, traits.pose
    if cut.top < 0:
        return
    reach = 1.2 + cut.side + cut.flare
    patch = canvas.patch(head_frame(pose), (-reach - 0.15, reach + 0.15), (-1.55 - cut.top, max(cut.front, 0) + 0.3))
    u, v = patch.u + 0.12 * pose.yaw, patch.v
    strand = _strand(u, v, hair)
    outer = _outer(u, v, cut, hair, strand)
    opening = _opening(turn(patch.u, pose.yaw), v, strand, cut, hair)
    distance = np.maximum(outer, -opening)
    skin = patch.cover(face_distance(patch.u, v, traits.face, pose.yaw))
    shadow = smoothstep(0.24, -0.02, -opening) * smoothstep(0.25, -0.45, v) * skin
    patch.shade(np.array([0.62, 0.52, 0.50], np.float32), shadow * (0.75 if cut.jag > 0.02 else 0.25))
    shade = _shade(u, v, strand, cut, hair, traits.light) - 0.14 * smoothstep(0.10, 0.0, opening)
    cover = patch.cover(distance)
    if hair.cut == "buzz":
        cover = cover * np.clip(0.80 * smoothstep(0.02, -0.14, distance) + 0.25, 0, 0.9)
    patch.paint(Material.hair(hair.colour).lit(shade), cover, Part.HAIR)


def _outer(u: Field, v: Field, cut: Cut, hair: Hair, strand: Field) -> Field:
    """Signed distance [h,w] to the outline of the front hair, down to where it ends beside the face."""
    lean = 0.20 * cut.sweep * u
    round_top = egg(u, v - CENTRE + lean, 1.01 + cut.side, SKULL_TOP + cut.top, 9.0)
    spread = cut.flare * smoothstep(0.0, 1.6, v) * 0.8
    ripple = 0.08 * hair.wave * np.sin(v * 5.5 + 1.5 * np.sign(u)) * smoothstep(0.0, 0.7, v)
    sides = np.abs(u) - 1.01 - cut.side - spread + ripple
    outer = np.where(v < CENTRE, round_top, np.maximum(sides, round_top - 0.4))
    if cut.curl > 0:
        outer = egg(u, v - CENTRE, 1.02 + cut.side, SKULL_TOP + cut.top, 1.3 + cut.side) + _curls(u, v, cut)
    elif cut.jag > 0.1:
        outer = outer + 0.35 * cut.jag * (line_noise(strand * 16 + 11) - 0.4)
    tips = (
        cut.front - cut.jag * line_noise(strand * 12 + 5) - 0.10 * line_noise(strand * 5 + 90) * float(cut.front > 0.5)
    )
    return np.maximum(outer, (v - tips) * 0.8)


def _opening(u0: Field, v: Field, strand: Field, cut: Cut, hair: Hair) -> Field:
    """Signed distance [h,w] to the part of the face that the hair leaves free."""
    side = 1.0 if hair.parting >= 0 else -1.0
    away = np.abs(u0 - hair.parting)
    low = v - cut.peak * (away**1.35 - 0.12) - cut.sweep * u0 * side + cut.jag * (line_noise(strand * 11) - 0.5)
    top = -cut.line + 0.05
    width = cut.opening + 0.10 * smoothstep(0.5, 1.3, v) * float(cut.front > 0.7)
    radius_u, height = np.abs(u0) / width, np.minimum(low - 0.05, 0) * (1 / top)
    radius = np.sqrt(radius_u**2.8 + np.abs(height) ** 2.8 + 1e-6)
    length = np.sqrt(u0 * u0 + np.minimum(low - 0.05, 0) ** 2)
    return length - length / np.maximum(radius, 1e-3) ** (2 / 2.8)


def _strand(u: Field, v: Field, hair: Hair) -> Field:
    """A coordinate [h,w] that is constant along each strand."""
    fan = 0.35 + 0.9 * np.sqrt(np.clip((v + 1.75) * 0.45, 0.02, 1))
    wave = 0.06 * hair.wave * np.sin(v * 5.5 + 2.0 * u) * smoothstep(-0.6, 0.5, v)
    return (u - hair.parting * smoothstep(0.4, -1.2, v) + wave) / fan + hair.phase


def _shade(u: Field, v: Field, strand: Field, cut: Cut, hair: Hair, light: Light) -> Field:
    """Shade [h,w]: strands, a band of gloss around the crown, and the round of the head."""
    if cut.curl > 0:
        coil = plane_noise(u * 9 + hair.phase, v * 9 + 77) * 0.6 + plane_noise(u * 19 + hair.phase, v * 19 + 33) * 0.4
        texture, gloss = 0.85 * (coil - 0.5), 0.05
    else:
        fine = 0.5 * line_noise(strand * 16) + 0.32 * line_noise(strand * 37 + 7) + 0.18 * line_noise(strand * 80 + 3)
        texture, gloss = 0.75 * (fine - 0.5), 0.24
    nx, ny = u * 0.72, (v + 0.2) * 0.52
    nz = np.sqrt(np.maximum(1 - nx * nx - ny * ny, 0.0))
    shade = 0.28 + light.strength * (0.24 * (nx * light.x + np.minimum(ny, 0.3) * light.y) + 0.14 * nz) + texture * 0.62
    ring = ellipse(u - 0.25 * light.x, v - CENTRE, 0.86 + cut.side, 0.92 + 0.7 * cut.top) - 0.10 * texture
    band = np.exp(-((ring * (1 / 0.10)) ** 2)) * smoothstep(0.1, -0.6, v)
    return shade + gloss * light.strength * band * (0.55 + texture)


def _curls(u: Field, v: Field, cut: Cut) -> Field:
    """How far [h,w] round curls push the outline in or out."""
    lumps = plane_noise(u * 4.5 + 20, v * 4.5 + 20) * 0.65 + plane_noise(u * 10 + 60, v * 10 + 60) * 0.35
    return 2.2 * cut.curl * (0.5 - lumps)


def _paint_bun(canvas: Canvas, traits: Traits, radius: float) -> None:
    """A knot of hair on the crown, wound in a spiral."""
    patch: Patch = canvas.patch(head_frame(traits.pose), (-0.7, 0.7), (-2.1, -1.0))
    u, v = patch.u + 0.25 * traits.pose.yaw, patch.v + 1.48
    wind = np.arctan2(v, u) * 0.8 + np.sqrt(u * u + v * v) * 9
    light = traits.light
    shade = (
        0.34 + 0.30 * light.strength * (u * light.x + v * light.y) / radius + 0.35 * (line_noise(wind * 4 + 50) - 0.5)
    )
    shape = circle(u, v * 1.12, radius) + 0.02 * np.sin(wind * 2)
    patch.lay(shade, Material.hair(traits.hair.colour), shape, Part.HAIR)


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
    patch.paint(Material.hair(colour).lit(shade), soft * patch.cover(edge))
    patch.mark(Part.SKIN, soft * patch.cover(edge))


def _growth(u0: Field, v: Field, traits: Traits) -> Field:
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


def paint_hat(canvas: Canvas, traits: Traits) -> None:
    """The sitter's hat, if any."""
    if traits.hat.kind == "none":
        return
    patch = canvas.patch(head_frame(traits.pose), (-2.1, 2.1), (-2.4, 0.1))
    u0 = turn(np.clip(patch.u * 0.86, -1, 1), traits.pose.yaw)
    head = patch.cover(ellipse(patch.u, patch.v, 0.97, 1.35))
    shadow = bump(patch.v + 0.42, 0 * u0, 0.16, 1.0) * head
    patch.shade(np.array([0.60, 0.50, 0.50], np.float32), 0.75 * shadow)
    nx, ny = patch.u * 0.7, (patch.v + 0.6) * 0.75
    nz = np.sqrt(np.maximum(1 - nx * nx - ny * ny, 0))
    light = traits.light
    shade = 0.30 + light.strength * (0.28 * (nx * light.x + ny * light.y) + 0.20 * nz)  # [h,w], of a dome
    HATS[traits.hat.kind](patch, u0, shade, traits.hat)


def _dome(patch: Patch, width: float, top: float, hem: Field) -> Field:
    """Signed distance [h,w] to a dome that ends at the height `hem` [h,w]."""
    return np.maximum(egg(patch.u, patch.v + 0.45, width, top, 3.0), patch.v - hem)


def _beanie(patch: Patch, u0: Field, shade: Field, hat: Hat) -> None:
    u, v = patch.u, patch.v
    hem = -0.52 - 0.08 * u * u
    ribs = 0.10 * np.sin(u0 * 34)
    angle = np.arctan2(v + 1.72, u)
    wool = shade + 0.35 * (line_noise(angle * 14 + 20) - 0.3)
    bobble = circle(u, v + 1.72, 0.27) + 0.06 * (line_noise(angle * 9 + 40) - 0.5)
    patch.lay(wool, Material.cloth(hat.trim), bobble, Part.HAT)
    knit = 0.05 * np.sin(v * 60 + 3 * np.sin(u0 * 34))
    patch.lay(shade + ribs + knit, Material.cloth(hat.colour), _dome(patch, 1.14, 1.16, hem), Part.HAT)
    band = np.maximum(np.abs(v - hem + 0.13) - 0.17, np.abs(u) - 1.15)
    tube = 0.22 * smoothstep(0.17, 0.0, np.abs(v - hem + 0.15)) - 0.10
    patch.lay(shade + 1.3 * ribs + tube, Material.cloth(hat.trim), band, Part.HAT)


def _cap(patch: Patch, u0: Field, shade: Field, hat: Hat) -> None:
    u, v = patch.u, patch.v
    hem = -0.60 - 0.05 * u * u
    seams = 0.10 * bump(np.abs(u0) - 0.42 * (1.5 + v), 0 * u, 0.018, 1.0) + 0.10 * bump(u0, 0 * u, 0.016, 1.0)
    patch.lay(shade - seams, Material.cloth(hat.colour), _dome(patch, 1.10, 0.98, hem), Part.HAT)
    patch.paint(hat.trim * np.float32(0.8), patch.cover(circle(u, v + 1.43, 0.055)), Part.HAT)
    shift = u - (u - u0) * 0.35
    visor = np.maximum(ellipse(shift, v + 0.64, 1.04, 0.36), -0.66 - 0.22 * np.abs(shift) ** 2 - v)
    stitched = 0.10 * np.sin(np.clip(ellipse(shift, v + 0.64, 1.04, 0.36) * 60, -14, 0))
    sheen = 0.20 * smoothstep(-0.30, -0.62, v)
    patch.lay(shade - 0.10 + sheen + 0.4 * stitched, Material.cloth(hat.trim), visor, Part.HAT)


def _brim(patch: Patch, u0: Field, shade: Field, hat: Hat) -> None:
    u, v = patch.u, patch.v
    brim = ellipse(u, v + 0.72 - 0.10 * u * u, 1.78, 0.26)
    patch.lay(shade - 0.16, Material.cloth(hat.colour), brim, Part.HAT)
    crown = np.maximum(np.abs(u) - 0.98 - 0.16 * (v + 0.8), egg(u, v + 0.8, 1.2, 1.02, 9.0))
    crown = np.maximum(crown, v + 0.68 + 0.05 * u * u)
    dent = 0.22 * bump(u0, v + 1.72, 0.35, 0.14)
    weave = 0.035 * (np.sin(u0 * 70) + np.sin(v * 70))
    patch.lay(shade - dent + weave + 0.03, Material.cloth(hat.colour), crown, Part.HAT)
    ribbon = np.maximum(crown, np.abs(v + 0.86 + 0.05 * u * u) - 0.13)
    patch.lay(shade, Material.cloth(hat.trim), ribbon, Part.HAT)
    lip = np.maximum(ellipse(u, v + 0.72 - 0.10 * u * u, 1.78, 0.26), -0.70 - 0.05 * u * u - v)
    front = shade - 0.02 + 0.12 * smoothstep(-0.06, 0.0, lip) + weave
    patch.lay(front, Material.cloth(hat.colour), lip, Part.HAT)


def _headscarf(patch: Patch, u0: Field, shade: Field, hat: Hat) -> None:
    u, v = patch.u, patch.v
    hem = -0.62 + 0.22 * u * u
    wrap = u0 * 0.9 + 0.5 * (v + 1.0) * np.sign(u0)
    folds = 0.22 * np.sin(wrap * 14 + 2.5 * line_noise(wrap * 3 + 9)) * 0.6
    knot = ellipse(u - 0.1, v + 1.42, 0.34, 0.24)
    patch.lay(shade + folds, Material.cloth(hat.colour), _dome(patch, 1.17, 1.08, hem), Part.HAT)
    twist = 0.18 * np.sin(u * 18 + 4 * v)
    patch.lay(shade + twist + 0.05, Material.cloth(hat.trim), knot, Part.HAT)
    band = np.maximum(np.abs(v - hem + 0.09) - 0.10, np.abs(u) - 1.17)
    patch.lay(shade + 0.10 * np.sin(u0 * 22 + 8 * v), Material.cloth(hat.trim), band, Part.HAT)


HATS = {"beanie": _beanie, "cap": _cap, "brim": _brim, "headscarf": _headscarf}
