"""Holes that photographs bring themselves: what was erased to transparency, or painted over in one flat colour."""

from __future__ import annotations

import logging
import re

import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.images.decode import in_colour
from scan_jax.images.photograph import SCALE, Photograph

log = logging.getLogger(__name__)
ALPHA = "alpha"
CLOSE = 32  # levels by which JPEG may change a flat colour; what is further off is another one


class NothingMarked(UserError):
    """No pixel of a photograph is marked as its hole; of many photographs, some may be whole."""


def check_hole_from(hole_from: str, tolerance: int = 0) -> None:
    """Refuses what `own_hole` would not understand; "" is a hole that does not come from the photograph.

    Raises:
      UserError: neither "alpha" nor a colour, or a tolerance that is no number of levels, or goes with no colour.
    """
    if hole_from not in ("", ALPHA) and not re.fullmatch("#?[0-9a-fA-F]{6}", hole_from):
        raise UserError(f"--hole_from is {ALPHA}, or a colour of six hexadecimal digits such as ff00ff: {hole_from!r}")
    if not 0 <= tolerance <= 255:
        raise UserError(f"--hole_tolerance is from 0 to 255 levels, not {tolerance}")
    if tolerance and hole_from in ("", ALPHA):
        raise UserError("--hole_tolerance goes with a colour, such as --hole_from=ff00ff")


def own_hole(photograph: Photograph, hole_from: str, tolerance: int = 0) -> np.ndarray:
    """The hole that is marked in the photograph itself, bool [H,W]; the log says how many pixels it takes.

    Args:
      photograph: with its samples as they are in the file.
      hole_from: "alpha" takes every pixel that is not fully opaque, so that the soft edge of an eraser is filled, too;
        six hexadecimal digits take the visible pixels of that colour.
      tolerance: by how many levels of 255 each channel may differ from the colour.

    Raises:
      NothingMarked: nothing is marked so; of a colour, it says how far off the nearest one is.
    """
    check_hole_from(hole_from, tolerance)
    hole = _not_opaque(photograph) if hole_from == ALPHA else _painted(photograph, hole_from, tolerance)
    what = "what is transparent" if hole_from == ALPHA else f"what is painted in {hole_from}"
    count = np.count_nonzero(hole)
    log.info("the hole is %s, %s of %s pixels", what, f"{count:,}", f"{hole.size:,}")
    return hole


def _not_opaque(photograph: Photograph) -> np.ndarray:
    """bool [H,W]."""
    samples = photograph.samples
    if samples.shape[2] in (2, 4):
        hole = samples[..., -1] < np.iinfo(samples.dtype).max
        if hole.any():
            return hole
    cure = "erase what is to be filled, or give the hole as a file"
    raise NothingMarked(f"no pixel of the photograph is transparent: {cure}")


def _painted(photograph: Photograph, colour: str, tolerance: int) -> np.ndarray:
    """bool [H,W]."""
    samples = in_colour(photograph.samples)  # [H,W,3 or 4]
    scale = SCALE if samples.dtype == np.uint16 else 1  # samples to a level
    wanted = bytes.fromhex(colour.removeprefix("#"))
    off = np.zeros(samples.shape[:2], np.int32)
    for channel in range(3):
        np.maximum(off, np.abs(samples[..., channel].astype(np.int32) - scale * wanted[channel]), out=off)
    if photograph.visible is not None:
        off[~photograph.visible] = 256 * scale  # what nobody sees was not painted
    hole = off <= tolerance * scale
    close = int(np.count_nonzero((off <= CLOSE * scale) & ~hole)) if tolerance < CLOSE else 0
    if hole.any():
        if close > np.count_nonzero(hole):
            log.warning("%s pixels more are up to %s levels off: --hole_tolerance=%s", f"{close:,}", CLOSE, CLOSE)
        return hole
    nearest = -(-int(off.min()) // scale)
    cure = f"the nearest is {nearest} levels off" if nearest < 256 else "none shows"
    if nearest <= CLOSE:
        cure += f": --hole_tolerance={nearest} takes it"
    raise NothingMarked(f"there is no hole: no pixel of the photograph has the colour {colour}; {cure}")
