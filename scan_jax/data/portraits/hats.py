"""Hats. Each sits on the skull above the brows and throws a shadow on the forehead."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scan_jax.data.portraits.canvas import Canvas, Patch, ramp
from scan_jax.data.portraits.head import head_frame
from scan_jax.data.portraits.labels import Part
from scan_jax.data.portraits.noise import line_noise
from scan_jax.data.portraits.palette import cloth_material
from scan_jax.data.portraits.shapes import bump, circle, egg, ellipse, smoothstep, turn
from scan_jax.data.portraits.traits import Hat, Traits

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
    patch.paint(
        ramp(shade + ribs + knit, cloth_material(hat.colour)), patch.cover(_dome(patch, 1.14, 1.16, hem)), Part.HAT
    )
    band = np.maximum(np.abs(v - hem + 0.13) - 0.17, np.abs(u) - 1.15)
    tube = 0.22 * smoothstep(0.17, 0.0, np.abs(v - hem + 0.15)) - 0.10
    patch.paint(ramp(shade + 1.3 * ribs + tube, cloth_material(hat.trim)), patch.cover(band), Part.HAT)


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
    patch.paint(ramp(shade - seams, cloth_material(hat.colour)), patch.cover(_dome(patch, 1.10, 0.98, hem)), Part.HAT)
    patch.paint(hat.trim * np.float32(0.8), patch.cover(circle(u, v + 1.43, 0.055)), Part.HAT)
    shift = u - (u - u0) * 0.35
    visor = np.maximum(ellipse(shift, v + 0.64, 1.04, 0.36), -0.66 - 0.22 * np.abs(shift) ** 2 - v)
    stitched = 0.10 * np.sin(np.clip(ellipse(shift, v + 0.64, 1.04, 0.36) * 60, -14, 0))
    sheen = 0.20 * smoothstep(-0.30, -0.62, v)
    patch.paint(ramp(shade - 0.10 + sheen + 0.4 * stitched, cloth_material(hat.trim)), patch.cover(visor), Part.HAT)


def _brim(patch: Patch, u0: np.ndarray, shade: np.ndarray, hat: Hat) -> None:
    u, v = patch.u, patch.v
    brim = ellipse(u, v + 0.72 - 0.10 * u * u, 1.78, 0.26)
    patch.paint(ramp(shade - 0.16, cloth_material(hat.colour)), patch.cover(brim), Part.HAT)
    crown = np.maximum(np.abs(u) - 0.98 - 0.16 * (v + 0.8), egg(u, v + 0.8, 1.2, 1.02, 9.0))
    crown = np.maximum(crown, v + 0.68 + 0.05 * u * u)
    dent = 0.22 * bump(u0, v + 1.72, 0.35, 0.14)
    weave = 0.035 * (np.sin(u0 * 70) + np.sin(v * 70))
    patch.paint(ramp(shade - dent + weave + 0.03, cloth_material(hat.colour)), patch.cover(crown), Part.HAT)
    ribbon = np.maximum(crown, np.abs(v + 0.86 + 0.05 * u * u) - 0.13)
    patch.paint(ramp(shade, cloth_material(hat.trim)), patch.cover(ribbon), Part.HAT)
    lip = np.maximum(ellipse(u, v + 0.72 - 0.10 * u * u, 1.78, 0.26), -0.70 - 0.05 * u * u - v)
    front = shade - 0.02 + 0.12 * smoothstep(-0.06, 0.0, lip) + weave
    patch.paint(ramp(front, cloth_material(hat.colour)), patch.cover(lip), Part.HAT)


def _headscarf(patch: Patch, u0: np.ndarray, shade: np.ndarray, hat: Hat) -> None:
    u, v = patch.u, patch.v
    hem = -0.62 + 0.22 * u * u
    wrap = u0 * 0.9 + 0.5 * (v + 1.0) * np.sign(u0)
    folds = 0.22 * np.sin(wrap * 14 + 2.5 * line_noise(wrap * 3 + 9)) * 0.6
    knot = ellipse(u - 0.1, v + 1.42, 0.34, 0.24)
    patch.paint(ramp(shade + folds, cloth_material(hat.colour)), patch.cover(_dome(patch, 1.17, 1.08, hem)), Part.HAT)
    twist = 0.18 * np.sin(u * 18 + 4 * v)
    patch.paint(ramp(shade + twist + 0.05, cloth_material(hat.trim)), patch.cover(knot), Part.HAT)
    band = np.maximum(np.abs(v - hem + 0.09) - 0.10, np.abs(u) - 1.17)
    patch.paint(ramp(shade + 0.10 * np.sin(u0 * 22 + 8 * v), cloth_material(hat.trim)), patch.cover(band), Part.HAT)


HATS: dict[str, Callable[[Patch, np.ndarray, np.ndarray, Hat], None]] = {
    "beanie": _beanie,
    "cap": _cap,
    "brim": _brim,
    "headscarf": _headscarf,
}
