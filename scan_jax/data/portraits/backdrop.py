"""What stands behind the sitter: walls, shelves, foliage and lights, a little out of focus.

A scene takes x [1,n], y [n,1] and its traits and returns colours [3,n,n]. `SCENES` holds them by name.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scan_jax.data.portraits.canvas import WARM_WHITE, Canvas, Colour, blend
from scan_jax.data.portraits.sdf import Field, cell_value, fractal, line_noise, smoothstep
from scan_jax.data.portraits.traits import Backdrop, Light

BOKEH_LIGHTS = 22


def paint_backdrop(canvas: Canvas, backdrop: Backdrop, light: Light) -> None:
    """Fill the canvas with the scene, brighter towards the light."""
    canvas.rgb[:] = SCENES[backdrop.scene](canvas.x, canvas.y, backdrop)
    fall = 0.93 + 0.10 * (canvas.x * light.x) + 0.10 * (canvas.y * light.y)  # [n,n]
    canvas.rgb *= fall - 0.07 * (canvas.x**2 + canvas.y**2)


def _mix(amount: Field, a: Colour, b: Colour) -> Field:
    """Colours [3,h,w] from `a` [3] where `amount` [h,w] is 0 to `b` [3] where it is 1."""
    return a[:, None, None] + (b - a)[:, None, None] * amount


def _edges(position: Field, gap: float, soft: float) -> Field:
    """1 within cells of unit size, 0 in the gaps of half-width `gap` between them."""
    inside = 0.5 - np.abs(position - np.floor(position) - 0.5)
    return smoothstep(gap, gap + soft, inside)


def _gradient(x: Field, y: Field, b: Backdrop) -> Field:
    slope = b.phase[0] / 30 - 1
    cloud = fractal(x * 1.1 + b.phase[0], y * 1.1 + b.phase[1], 2)
    share = np.clip(0.5 + 0.45 * y + 0.3 * slope * x + 0.5 * (cloud - 0.5), 0, 1)
    return _mix(share, b.colour, blend(b.colour, b.accent, 0.6))


def _plaster(x: Field, y: Field, b: Backdrop) -> Field:
    size = 2.0 + 2.5 * b.size
    rough = fractal(x * size + b.phase[0], y * size + b.phase[1], 5)
    return _mix(smoothstep(0.25, 0.75, rough), b.colour * np.float32(0.78), blend(b.colour, WARM_WHITE, 0.22))


def _stripes(x: Field, y: Field, b: Backdrop) -> Field:
    across = (x + 0.0 * y) * (2.0 + 3.0 * b.size) + b.phase[0]
    wide = smoothstep(-0.12, 0.12, np.sin(2 * np.pi * across))
    thin = smoothstep(0.90, 0.98, np.cos(4 * np.pi * across + np.pi))
    return _mix(wide, b.colour, blend(b.colour, b.accent, 0.55)) * (1 - 0.18 * thin)


def _curtain(x: Field, y: Field, b: Backdrop) -> Field:
    across = x * (1.6 + 1.6 * b.size) + 0.05 * np.sin(2.2 * y + b.phase[1]) + b.phase[0]
    fold = across + 0.8 * line_noise(across * 0.9)
    shade = 0.5 + 0.5 * np.sin(2 * np.pi * fold) + 0.12 * np.sin(6 * np.pi * fold + 1)
    return _mix(np.clip(shade, 0, 1.1), b.colour * np.float32(0.5), blend(b.colour, WARM_WHITE, 0.14))


def _bricks(x: Field, y: Field, b: Backdrop) -> Field:
    size = 3.2 + 1.6 * b.size
    row = y * size * 1.5 + b.phase[1]
    column = x * size * 0.62 + 0.5 * (np.floor(row) % 2) + b.phase[0]
    tint = cell_value(np.floor(column), np.floor(row))
    face = _edges(row, 0.05, 0.09) * _edges(column, 0.025, 0.045)
    brick = _mix(tint, b.colour * np.float32(0.72), blend(b.colour, b.accent, 0.25))
    mortar = blend(b.colour, WARM_WHITE, 0.5)[:, None, None] * np.float32(0.82)
    rough = 0.9 + 0.2 * fractal(x * 9 + b.phase[0], y * 9, 2)
    return mortar + (brick * rough - mortar) * face


def _books(x: Field, y: Field, b: Backdrop) -> Field:
    shelf = y * (1.25 + 0.5 * b.size) + b.phase[1]
    level, height = np.floor(shelf), shelf - np.floor(shelf)  # height runs down from 0 to 1
    along = x * (6.0 + 3.0 * b.size) + 37 * level + b.phase[0]
    along = along + 0.9 * line_noise(along * 0.6)
    book = np.floor(along)
    hue, dye = cell_value(book, level), cell_value(book + 91, level + 7)
    colour = _mix(hue, b.colour, b.accent) * (0.40 + 0.62 * dye)
    round_back = 0.72 + 0.42 * np.sin(np.pi * (along - book))
    band = smoothstep(0.03, 0.02, np.abs(height - 0.42)) + smoothstep(0.02, 0.01, np.abs(height - 0.78))
    colour = colour * round_back + 0.16 * band * (dye > 0.45)
    gap = smoothstep(0.0, 0.05, height - 0.10 - 0.22 * cell_value(book + 40, level + 3))
    board = smoothstep(0.93, 0.95, height)
    wood = blend(b.accent, np.array([0.42, 0.29, 0.2], np.float32), 0.75)[:, None, None] * (0.8 + 0.2 * board)
    dark = np.float32(0.28) * wood
    return (dark + (colour - dark) * gap) * (1 - board) + wood * board


def _tiles(x: Field, y: Field, b: Backdrop) -> Field:
    size = 2.4 + 2.0 * b.size
    across, down = (x + y) * size + b.phase[0], (x - y) * size + b.phase[1]
    checker = (np.floor(across) + np.floor(down)) % 2
    joint = _edges(across, 0.03, 0.05) * _edges(down, 0.03, 0.05)
    shine = 0.92 + 0.16 * cell_value(np.floor(across), np.floor(down))
    return _mix(checker, b.colour, blend(b.colour, b.accent, 0.5)) * (shine * (0.72 + 0.28 * joint))


def _panels(x: Field, y: Field, b: Backdrop) -> Field:
    across = x * (2.2 + 1.6 * b.size) + b.phase[0]
    board = np.floor(across)
    tint = 0.8 + 0.4 * cell_value(board, board * 0)
    grain = fractal(x * 26 + b.phase[0], y * 1.8 + b.phase[1], 3)
    groove = _edges(across + 0 * y, 0.02, 0.04)
    wood = blend(b.colour, np.array([0.45, 0.31, 0.2], np.float32), 0.55)
    return _mix(grain, wood * np.float32(0.7), blend(wood, WARM_WHITE, 0.12)) * (tint * (0.5 + 0.5 * groove))


def _bokeh(x: Field, y: Field, b: Backdrop) -> Field:
    haze = fractal(x * 1.4 + b.phase[0], y * 1.4 + b.phase[1], 2)
    night = _mix(haze, b.colour * np.float32(0.25), b.colour * np.float32(0.62))
    place = np.random.default_rng(int(b.phase[0] * 1e6)).random((BOKEH_LIGHTS, 4)) * 2 - 1  # drawn once for all sizes
    for px, py, size, hue in place.tolist():
        glow = blend(b.accent, WARM_WHITE, 0.55 + 0.3 * hue)
        radius = (0.10 + 0.08 * b.size) * (1.1 + 0.5 * size)
        window = (slice(None), *_window(x, y, px * 1.1, py * 1.1, radius * 1.2))
        dx, dy = x[:, window[2]] - px * 1.1, y[window[1]] - py * 1.1
        distance = np.sqrt(dx * dx + dy * dy) / radius
        disc = smoothstep(1.12, 0.88, distance) * (0.30 + 0.22 * distance)
        night[window] += (glow[:, None, None] - night[window]) * disc
    return night


def _window(x: Field, y: Field, cx: float, cy: float, radius: float) -> tuple[slice, slice]:
    """Rows and columns of the upright grid within `radius` of (cx, cy)."""
    columns, rows = (np.searchsorted(axis, (c - radius, c + radius)) for axis, c in ((x[0], cx), (y[:, 0], cy)))
    return slice(int(rows[0]), int(rows[1])), slice(int(columns[0]), int(columns[1]))


def _leaves(x: Field, y: Field, b: Backdrop) -> Field:
    green = blend(b.colour, np.array([0.27, 0.42, 0.22], np.float32), 0.62)
    depth = fractal(x * 2 + b.phase[0], y * 2 + b.phase[1], 2)
    picture = _mix(depth, green * np.float32(0.22), green * np.float32(0.5))
    for layer, (size, tone) in enumerate(((4.2, 0.62), (3.4, 0.85), (2.8, 1.12))):
        scale = size * (0.85 + 0.5 * b.size)
        cover, vein, tint = _leaf_layer(x * scale + b.phase[0] + 31 * layer, y * scale + b.phase[1] - 13 * layer)
        leaf = _mix(tint, green * np.float32(tone * 0.75), blend(green, WARM_WHITE, 0.18) * np.float32(tone * 1.1))
        picture += (leaf * vein - picture) * cover
    return picture


def _leaf_layer(across: Field, down: Field) -> tuple[Field, Field, Field]:
    """One pointed leaf in each lattice cell, turned by chance: cover, shading along the vein, tint; all [n,n]."""
    column, row = np.floor(across), np.floor(down)
    angle = cell_value(column, row) * np.float32(2 * np.pi)
    du, dv = across - column - 0.5, down - row - 0.5
    c, s = np.cos(angle), np.sin(angle)
    along, aside = du * c + dv * s, dv * c - du * s
    half_width = 0.23 * (1 - (along * 2.1) ** 2)
    cover = smoothstep(0.03, -0.03, np.abs(aside) - half_width)
    vein = 0.8 + 0.2 * smoothstep(0.0, 0.05, np.abs(aside)) + 0.45 * aside
    return cover, vein, cell_value(column + 50, row + 50)


Scene = Callable[[Field, Field, Backdrop], Field]
SCENES = {
    "gradient": _gradient,
    "plaster": _plaster,
    "stripes": _stripes,
    "curtain": _curtain,
    "bricks": _bricks,
    "books": _books,
    "tiles": _tiles,
    "panels": _panels,
    "bokeh": _bokeh,
    "leaves": _leaves,
}
