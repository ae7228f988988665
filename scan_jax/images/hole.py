"""Holes from files and arrays: white is the hole, above 127 of 8 bits, and only here is that decided.

What counts as white is the same for arrays and files of every depth, for training and filling: see `to_grey`. In an
image whose visible pixels all have one brightness, alpha has the shape, and what is opaque counts as white.
"""

from __future__ import annotations

import logging
import os
from typing import BinaryIO, Literal, get_args

import numpy as np
from PIL import Image

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.images.decode import (
    MAX_PIXELS,
    Source,
    as_source,
    is_deep,
    load_orientation,
    open_image,
    opened,
    to_eight_bits,
    turn_upright,
)

log = logging.getLogger(__name__)
HoleColor = Literal["white", "black"]
SOFT = 5  # levels from black and from white that are still these
NO_MASK = 0.5  # share of grey from which on a file among masks is a photograph or a label map


def read_hole(source: Source, color: HoleColor = "white", most_pixels: int = MAX_PIXELS) -> np.ndarray:
    """A hole from a file, a Pillow image or an array: bool [H,W], True in the hole.

    Args:
      source: an array is [H,W] or [H,W,1], or [H,W,2], [H,W,3], [H,W,4] as grey and alpha, RGB, RGBA: bool, 0 and 1,
        0 to 255, 0 to 65535, or floating point in [0, 1].
      color: what the hole is painted with.
      most_pixels: of a file or Pillow image, height times width.

    Raises:
      UserError: it is missing, no image, damaged, empty, too large, an animation, or an array of another kind; or it
        cannot be told what is white in it.
    """
    source = as_source(source, "the hole")
    if isinstance(source, np.ndarray):
        if source.dtype == bool and source.ndim == 2 and source.size:  # as it is: photographs can be large
            return source if color == "white" else ~source
        grey, said = _array_grey(source)  # [H,W]
    else:
        with open_image(source, "the hole", most_pixels) as image:
            grey, said = _image_grey(image)  # [H,W]
    if said:
        log.warning("%s", said)
    if (share := grey_share(grey)) > 0.001:
        log.warning("%.1f%% of the hole's pixels are neither black nor white; they were split at mid-grey", 100 * share)
    return binarise(grey, color)


def read_grey(source: str | os.PathLike[str] | BinaryIO) -> np.ndarray:
    """A mask's brightness from a file or an open file, uint8 [H,W], upright; for those who count what is broken.

    Raises:
      One of DECODE_ERRORS: it is missing, empty, no image, damaged or too large, has one shape in its brightness and
        another in its transparency, or is dark everywhere without being black, so that nobody can tell what is white.
    """
    with opened(source) as image:
        return _image_grey(image)[0]


def grey_share(grey: np.ndarray) -> float:
    """The share of `grey`, uint8 [H,W], that is clearly neither black nor white."""
    return float(np.mean((grey > SOFT) & (grey < 255 - SOFT)))


def refuse_grey(grey: np.ndarray) -> np.ndarray:
    """`grey`, uint8 [H,W], of a mask among many; a ValueError where most of it is grey, so that it is none."""
    if (share := grey_share(grey)) > NO_MASK:
        raise ValueError(f"{share:.0%} of its pixels are neither black nor white, as of a photograph or label map")
    return grey


def binarise(grey: np.ndarray, color: str = "white") -> np.ndarray:
    """`grey`, uint8 [H,W], as a hole, bool [H,W]: above 127 is white."""
    if grey.dtype != np.uint8:
        raise ValueError(f"grey is uint8, not {grey.dtype}")
    white = grey > 127
    return white if color == "white" else ~white


def resize_nearest(grey: np.ndarray, size: int) -> np.ndarray:
    """`grey` [H,W] as [size,size], each pixel the one at its centre; another aspect ratio is stretched."""
    if grey.ndim != 2:
        raise ValueError(f"grey is [H,W], not {grey.shape}")
    if grey.shape == (size, size):
        return grey
    return np.asarray(Image.fromarray(grey).resize((size, size), Image.Resampling.NEAREST))


def grow_hole(hole: np.ndarray, pixels: int) -> np.ndarray:
    """A hole, bool [H,W], and all that lies up to `pixels` from it, centre to centre: dilated by a disc."""
    if not pixels or not hole.any():
        return hole
    import cv2  # not before it is needed

    away = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)  # [H,W]
    return np.asarray(away <= pixels + 1e-3)


def check_color(color: str, where: str) -> None:
    """Refuses a hole colour other than white or black, with a UserError that names the setting `where`."""
    colors = get_args(HoleColor)
    if color not in colors:
        raise UserError(f"{where} must be white or black, not {color!r}{did_you_mean(color, colors)}")


def to_grey(values: np.ndarray, allow_dark: bool = False) -> np.ndarray:
    """A mask's brightness by the scale that its brightest value tells, whatever type it was saved or handed over in.

    Args:
      values: numbers [...]. Where none is above 1 white is 1; above half of 255 or of 65535, it is that.
      allow_dark: whether what is dark everywhere, so that nobody can tell what would be white, is read as black.

    Returns:
      uint8 [...], 255 = white; a half is black.

    Raises:
      ValueError: it is dark everywhere or out of these ranges; it names the value.
    """
    values = values.astype(np.uint8) if values.dtype == bool else values
    least, brightest = values.min(), values.max()
    scales = [most for most in (255, 65535) if (0 if allow_dark else most / 2) < brightest <= most]
    white = 1 if brightest <= 1 else scales[0] if scales else None
    if white is None or not least >= 0:  # nor if one is no number
        value = f"darkest value is {least}" if least < 0 else f"brightest value is {brightest}"
        raise ValueError(f"its {value}, but white is 1, or above half of 255 or 65535: save it in black and white")
    if white == 65535:
        return to_eight_bits(np.ceil(values - 0.5) if values.dtype.kind == "f" else values)
    if values.dtype.kind == "f":
        return np.ceil(255 / white * values - 0.5).astype(np.uint8)
    return values.astype(np.uint8, copy=False) * np.uint8(255 // white)


def _array_grey(array: np.ndarray) -> tuple[np.ndarray, str]:
    """uint8 [H,W], and what is to be said of it, or nothing."""
    channels = array.shape[2] if array.ndim == 3 else int(array.ndim == 2)
    if channels not in (1, 2, 3, 4) or array.dtype.kind not in "buif":
        raise UserError(f"a hole is a bool or number array [H,W], or [H,W,1 to 4], not {array.dtype} {array.shape}")
    if array.size == 0:
        raise UserError(f"a hole's values are missing: it is {array.shape}")
    array = array.reshape(*array.shape[:2], channels)
    try:
        if channels == 1:
            return to_grey(array[..., 0]), ""
        colours = to_grey(array[..., : 3 if channels > 2 else 1], allow_dark=channels in (2, 4))  # [H,W,1 or 3]
        grey = np.asarray(Image.fromarray(colours).convert("L")) if channels > 2 else colours[..., 0]
        return _with_alpha(grey, to_grey(array[..., -1])) if channels in (2, 4) else (grey, "")
    except ValueError as error:
        raise UserError(f"a hole's values must tell black from white: {error}") from error


def _image_grey(image: Image.Image) -> tuple[np.ndarray, str]:
    """uint8 [H,W], upright, colours weighed as luma; and what is to be said of it, or nothing."""
    deep = is_deep(image)  # forgotten in decoding
    orientation, said = load_orientation(image), ""
    if image.mode[0] in "FI":  # 16 or 32 bits
        grey = np.asarray(image)
    else:
        grey = np.asarray(image.convert("L"))
        if deep and not grey.any():  # Pillow sees the upper 8 bits alone
            raise ValueError("its 16-bit colours are all below 256: save it in black and white, with 8 bits")
        if image.has_transparency_data:
            grey, said = _with_alpha(grey, np.asarray(image.convert("RGBA").getchannel("A")))
    try:
        return np.ascontiguousarray(turn_upright(to_grey(grey), orientation)), said
    except ValueError as error:
        palette = "; its values are the brightness of a palette's colours" if image.mode == "P" else ""
        raise ValueError(f"{error}{palette}") from error


def _with_alpha(grey: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, str]:
    """Brightness and alpha, uint8 [H,W], as one of both, and what is to be said; a ValueError where they contradict."""
    opaque = alpha > 127
    if opaque.all() or not opaque.any():
        return grey, ""
    darkest, brightest = int(grey[opaque].min()), int(grey[opaque].max())
    if brightest - darkest <= (SOFT if brightest > SOFT else 0):  # of what can be seen, alpha alone has a shape
        share = 100 * float(opaque.mean())
        text = f"the hole's shape is in its transparency: what is opaque, {share:.1f}% of it, counts as white"
        return alpha, "" if np.array_equal(grey > 127, opaque) else text
    white = to_grey(grey, allow_dark=True) > 127
    if np.array_equal(white, opaque):
        return grey, ""
    raise ValueError(
        f"its brightness marks {100 * float(white.mean()):.1f}% of it as white, its transparency "
        f"{100 * float(opaque.mean()):.1f}% as opaque: save it in black and white, without transparency"
    )
