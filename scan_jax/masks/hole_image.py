"""Holes in image files: white = hole, binarised at 0.5 after a nearest-neighbour resize, here and nowhere else."""

from __future__ import annotations

import os
import struct
import zlib
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError

HoleColor = Literal["white", "black"]
HOLE_COLORS = ("white", "black")
MOST_PIXELS = 2**26  # 8192x8192: a small file can unpack to any size
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
      UserError: it is missing, no image, or larger than `MOST_PIXELS`.
    """
    try:
        return decode_grey(path)
    except UNREADABLE as error:
        raise UserError(f"cannot read the hole image {os.fspath(path)}: {error}; replace or remove it") from error


def decode_grey(path: str | os.PathLike[str] | BinaryIO) -> np.ndarray:
    """As `read_grey`, also of an open file, for those who count what is broken.

    Raises:
      One of UNREADABLE: it is missing, no image, or larger than `MOST_PIXELS`.
    """
    with Image.open(path) as image:
        if image.width * image.height > MOST_PIXELS:
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
