"""Image files of every kind to upright 8-bit RGB, and those to squares.

What becomes of what: EXIF orientation is applied; grey is repeated over the channels; transparency is laid on white;
palettes and CMYK are converted without colour management; 16 bits become 8; of an animation the first frame counts.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

# What Pillow raises for files that are no images, broken, truncated or absurdly large.
DECODE_ERRORS = (
    *(OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)
MOST_PIXELS = 80_000_000  # a file of a few kilobytes can claim to hold any number


def read_image(path: str | os.PathLike[str] | BinaryIO) -> np.ndarray:
    """The photograph in `path`, or in an open file, uint8 RGB [H,W,3], upright.

    Raises:
      One of DECODE_ERRORS: the file is missing, truncated, no image or absurdly large.
    """
    content = Path(path).read_bytes() if isinstance(path, (str, os.PathLike)) else path.read()
    try:
        with Image.open(io.BytesIO(content)) as image:
            check_pixels(image)
            decoded = _decode_plain_jpeg(image, content)
            return np.array(_to_rgb(ImageOps.exif_transpose(image))) if decoded is None else decoded
    except UnidentifiedImageError as error:
        raise OSError("not an image") from error


def verify_image(path: str | os.PathLike[str]) -> None:
    """Reads all of `path`, so that what it lets pass can be read later.

    A JPEG is decoded at an eighth of its size: all its data are parsed, few of its pixels computed.

    Raises:
      One of DECODE_ERRORS: the file is missing, truncated or no image.
    """
    with Image.open(path) as image:
        check_pixels(image)
        image.draft("L", (1, 1))
        ImageOps.exif_transpose(image).load()


def check_pixels(image: Image.Image) -> None:
    """Refuses an image before its pixels are decoded, where they would fill the memory.

    Raises:
      ValueError: it has more than `MOST_PIXELS`.
    """
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise ValueError(f"{width}x{height} pixels are more than the {MOST_PIXELS / 1e6:.0f} million that are read")


def upright_shape(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Height and width of the photograph in `path` as `read_image` gives it; its pixels are not decoded.

    Raises:
      One of DECODE_ERRORS: the file is missing or no image.
    """
    with Image.open(path) as image:
        width, height = image.size
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
    return (width, height) if turned else (height, width)


def square(image: np.ndarray, size: int) -> np.ndarray:
    """The centre of `image`, uint8 [H,W,3], cropped to its short side and resized, uint8 [size,size,3]."""
    return resize(centre(image), size)


def centre(array: np.ndarray) -> np.ndarray:
    """The largest centred square of an image or label map: [H,W,...] -> [side,side,...], a view."""
    height, width = array.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return array[top : top + side, left : left + side]


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """uint8 [H,W,3] -> uint8 [size,size,3]; shrinking averages areas, enlarging is bicubic."""
    if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != np.uint8:
        raise ValueError(f"an image is uint8 [H,W,3], not {image.dtype} {image.shape}")
    if image.shape[:2] == (size, size):
        return np.ascontiguousarray(image)
    method = cv2.INTER_AREA if image.shape[0] * image.shape[1] > size * size else cv2.INTER_CUBIC
    return cv2.resize(np.ascontiguousarray(image), (size, size), interpolation=method)


def _decode_plain_jpeg(image: Image.Image, content: bytes) -> np.ndarray | None:
    """An upright, whole JPEG by OpenCV: the same pixels in half the time. None for anything else.

    OpenCV fills what is missing of a truncated file with grey; Pillow refuses it, so that one gets it that does not end
    as a JPEG ends.
    """
    plain = image.format == "JPEG" and image.mode in ("RGB", "L") and content.endswith(b"\xff\xd9")
    if not plain or image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        return None
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    return cv2.imdecode(np.frombuffer(content, np.uint8), flags)  # [H,W,3], or None


def _to_rgb(image: Image.Image) -> Image.Image:
    """`image` in mode RGB, transparency laid on white."""
    if image.mode.startswith("I"):  # 16 bits of grey
        grey = np.round(np.asarray(image, np.float64) / 257.0).clip(0, 255)  # [H,W]
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        white = Image.new("RGBA", opaque.size, "white")
        return Image.alpha_composite(white, opaque).convert("RGB")
    return image.convert("RGB")
