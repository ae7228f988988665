"""Holes from files and arrays: white is the hole, above 127 of 8 bits, and only here is that decided."""

from __future__ import annotations

import logging
import os
from typing import BinaryIO, Literal, get_args

import numpy as np
from PIL import Image

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.images.decode import MAX_PIXELS, load_orientation, open_image, opened, to_eight_bits, turn_upright

log = logging.getLogger(__name__)
HoleColor = Literal["white", "black"]


def read_hole(
    source: str | os.PathLike[str] | Image.Image | np.ndarray, color: HoleColor = "white", most_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """A hole from a file, a Pillow image or an array: bool [H,W], True in the hole.

    Args:
      source: an array is [H,W] or [H,W,1]: bool, 0 and 1, 0 to 255, or floating point in [0, 1].
      color: what the hole is painted with.
      most_pixels: of a file or Pillow image, height times width.

    Raises:
      UserError: it is missing, no image, damaged, empty, too large, an animation, or an array of another kind.
    """
    if isinstance(source, np.ndarray):
        if source.dtype == bool and source.ndim == 2 and source.size:  # as it is: photographs can be large
            return source if color == "white" else ~source
        grey = _array_grey(source)  # [H,W]
    else:
        with open_image(source, "the hole", most_pixels) as image:
            grey = _image_grey(image)  # [H,W]
            if grey.min() == grey.max() and _see_through(image):
                log.warning(
                    "the hole's image has one colour and is transparent in places; a hole is painted in white on black"
                )
    share = 100 * float(np.mean((grey > 5) & (grey < 250)))
    if share > 0.1:
        log.warning("%.1f%% of the hole's pixels are neither black nor white; they were split at mid-grey", share)
    return binarise(grey, color)


def read_grey(source: str | os.PathLike[str] | BinaryIO) -> np.ndarray:
    """A mask's brightness from a file or an open file, uint8 [H,W], upright; for those who count what is broken.

    Raises:
      One of DECODE_ERRORS: it is missing, empty, no image, damaged or too large.
    """
    with opened(source) as image:
        return _image_grey(image)


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
    """A hole with all that lies up to `pixels` from one of its pixels, centre to centre: dilated by a disc.

    Args:
      hole: bool [H,W].
      pixels: the disc's radius; 0 leaves the hole as it is.

    Returns:
      bool [H,W].
    """
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


def _array_grey(array: np.ndarray) -> np.ndarray:
    """uint8 [H,W]; integers are 0 and 1 if there is nothing above 1, else 0 to 255."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    kind = array.dtype.kind
    if array.ndim != 2 or kind not in "buif":
        raise UserError(f"a hole is a bool or number array [H,W], not {array.dtype} {array.shape}")
    if array.size == 0 or not np.all((array >= 0) & (array <= (255 if kind in "ui" else 1))):
        raise UserError("a hole's values are bool, integers from 0 to 255, or floating point from 0 to 1")
    if kind == "f":
        return np.ceil(255 * array - 0.5).astype(np.uint8)  # a half is black, as 127 is
    return array.astype(np.uint8) * np.uint8(1 if array.max() > 1 else 255)


def _image_grey(image: Image.Image) -> np.ndarray:
    """uint8 [H,W], upright; colours weighed as luma, alpha ignored."""
    orientation = load_orientation(image)
    if image.mode.startswith("I"):  # 16 bits
        grey = to_eight_bits(np.asarray(image).clip(0, 65535))
    else:
        grey = np.asarray(image.convert("L"))
    return np.ascontiguousarray(turn_upright(grey, orientation))


def _see_through(image: Image.Image) -> bool:
    """Whether its transparency differs from pixel to pixel."""
    return image.has_transparency_data and len(set(image.convert("RGBA").getchannel("A").getextrema())) > 1
