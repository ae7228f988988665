"""Holes from files and arrays: white is the hole, binarised at 0.5 here and nowhere else in this room."""

from __future__ import annotations

import logging
import os
import struct
import zlib
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.images.decode import MOST_PIXELS, decode, open_image, turn_upright

log = logging.getLogger(__name__)
HoleColor = Literal["white", "black"]


def read_hole(
    source: str | os.PathLike[str] | Image.Image | np.ndarray,
    color: HoleColor = "white",
    most_pixels: int = MOST_PIXELS,
) -> np.ndarray:
    """A hole from a file, a Pillow image or an array.

    Args:
      source: an array is [H,W] or [H,W,1]: bool, 0 and 1, 0 to 255, or floating point in [0, 1].
      color: what the hole is painted with.
      most_pixels: of a file or Pillow image, height times width.

    Returns:
      bool [H,W], True in the hole.

    Raises:
      UserError: it is missing, no image, damaged, empty, too large, an animation, or an array of another kind.
    """
    if isinstance(source, np.ndarray):
        if source.dtype == bool and source.ndim == 2 and source.size:  # as it is: photographs can be large
            return source if color == "white" else ~source
        brightness = _array_brightness(source)  # [H,W]
    else:
        with open_image(source, "the hole", most_pixels) as image:
            brightness = _image_brightness(image)  # [H,W]
    grey = float(np.mean((brightness > 0.02) & (brightness < 0.98)))
    if grey > 0.001:
        log.warning("%.1f%% of the hole's pixels are neither black nor white; they were split at mid-grey", 100 * grey)
    white = brightness > 0.5
    return white if color == "white" else ~white


def _array_brightness(array: np.ndarray) -> np.ndarray:
    """[H,W] in [0, 1]; integers are 0 and 1 if there is nothing above 1, else 0 to 255."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    kind = array.dtype.kind
    if array.ndim != 2 or kind not in "buif":
        raise UserError(f"a hole is a bool or number array [H,W], not {array.dtype} {array.shape}")
    if array.size == 0 or not np.all((array >= 0) & (array <= (255 if kind in "ui" else 1))):
        raise UserError("a hole's values are bool, integers from 0 to 255, or floating point from 0 to 1")
    scale = np.float32(255 if kind in "ui" and array.max() > 1 else 1)
    return array / scale


def _image_brightness(image: Image.Image) -> np.ndarray:
    """[H,W] in [0, 1], upright; colours weighed as luma, alpha ignored."""
    orientation, deep = decode(image), image.mode.startswith("I")  # 16 bits
    values = np.asarray(image if deep else image.convert("L"))  # [H,W]
    if values.min() == values.max() and _see_through(image):
        log.warning("the hole's image has one colour and is transparent in places; a hole is painted in white on black")
    return turn_upright(values / np.float32(65535 if deep else 255), orientation)


def _see_through(image: Image.Image) -> bool:
    """Whether its transparency differs from pixel to pixel."""
    if not image.has_transparency_data:
        return False
    least, most = image.convert("RGBA").getchannel("A").getextrema()
    return least != most


HOLE_COLORS = ("white", "black")
MOST_MASK_PIXELS = 2**26  # 8192x8192: a small file can unpack to any size
# What Pillow raises for a file that is cut short, damaged, foreign or enormous.
UNREADABLE = (
    *(OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)


def check_color(color: str, where: str) -> None:
    """Refuses a hole colour other than white or black.

    Raises:
      UserError: it is another one; the message names the setting `where`.
    """
    if color not in HOLE_COLORS:
        raise UserError(f"{where} must be white or black, not {color!r}{did_you_mean(color, HOLE_COLORS)}")


def read_grey(path: str | os.PathLike[str]) -> np.ndarray:
    """The file's brightness, uint8 [H,W]: colours weighed as luma, 16 bits brought to 8, alpha ignored.

    Raises:
      UserError: it is missing, no image, or larger than `MOST_MASK_PIXELS`.
    """
    try:
        return decode_grey(path)
    except UNREADABLE as error:
        raise UserError(f"cannot read the hole image {os.fspath(path)}: {error}; replace or remove it") from error


def decode_grey(path: str | os.PathLike[str] | BinaryIO) -> np.ndarray:
    """As `read_grey`, also of an open file, for those who count what is broken.

    Raises:
      One of UNREADABLE: it is missing, no image, or larger than `MOST_MASK_PIXELS`.
    """
    with Image.open(path) as image:
        if image.width * image.height > MOST_MASK_PIXELS:
            raise ValueError(f"{image.width}x{image.height} pixels are too many")
        if image.mode.startswith("I"):  # 16 bits
            return np.round(np.asarray(image, np.float64) / 257.0).clip(0, 255).astype(np.uint8)
        return np.asarray(image.convert("L"))


def resize_nearest(grey: np.ndarray, size: int) -> np.ndarray:
    """`grey` [H,W] as [size,size], each pixel the one at its centre; another aspect ratio is stretched."""
    if grey.ndim != 2:
        raise ValueError(f"grey is [H,W], not {grey.shape}")
    if grey.shape == (size, size):
        return grey
    return np.asarray(Image.fromarray(grey).resize((size, size), Image.Resampling.NEAREST))


def binarise(grey: np.ndarray, color: str = "white") -> np.ndarray:
    """`grey`, uint8 [H,W], as a hole, bool [H,W]: above 0.5 (128 and up) is white."""
    if grey.dtype != np.uint8:
        raise ValueError(f"grey is uint8, not {grey.dtype}")
    white = grey > 127
    return white if color == "white" else ~white
