"""Photographs of 16 bits: their samples beside the 8 bits that a network sees.

Pillow reads colours of 16 bits as 8 without a word, so OpenCV decodes these files; what it finds is held against what
Pillow sees before it is believed.
"""

from __future__ import annotations

import os

import numpy as np
from PIL import Image

from scan_jax.images.decode import turn_upright

SCALE = 257  # 255 * 257 = 65535
BITS_PER_SAMPLE = 0x0102


def to_eight_bits(samples: np.ndarray) -> np.ndarray:
    """uint16 [...] -> uint8 [...], rounded."""
    return ((samples.astype(np.uint32) * 255 + 32895) >> 16).astype(np.uint8)  # exact, as libpng has it


def is_deep(image: Image.Image) -> bool:
    """Whether the file holds 16 bits, of which Pillow's image may show 8."""
    if image.mode.startswith("I;16"):
        return True
    if image.format == "TIFF":
        depth = image.tag_v2.get(BITS_PER_SAMPLE, ())  # type: ignore[attr-defined]
        return isinstance(depth, tuple) and len(depth) > 1 and set(depth) == {16}
    tiles = getattr(image, "tile", ())  # none is left once the image is decoded
    return image.format == "PNG" and any(";16" in str(tile[3]) for tile in tiles)


def decode(path: str | os.PathLike[str], seen: np.ndarray, orientation: int) -> np.ndarray | None:
    """The samples of a file of several channels.

    Args:
      path: a PNG or TIFF of 16 bits.
      seen: what Pillow has decoded, upright: uint8 [H,W,3 or 4].
      orientation: EXIF's, of the file.

    Returns:
      uint16 [H,W,3 or 4], upright, RGB(A); None where the two decoders differ in anything but the lower 8 bits.
    """
    import cv2  # not before it is needed

    spoken = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # it warns of every tag that it does not know
    try:
        found = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)  # [h,w,3 or 4], blue first
    except cv2.error:
        return None
    finally:
        cv2.utils.logging.setLogLevel(spoken)
    if found is None or found.dtype != np.uint16 or found.ndim != 3 or found.shape[2] not in (3, 4):
        return None
    samples = np.concatenate([found[..., 2::-1], found[..., 3:]], axis=-1)  # RGB(A)
    for candidate in (turn_upright(samples, orientation), samples):  # OpenCV turns TIFFs itself
        upper = np.right_shift(candidate, 8).astype(np.uint8)
        if np.array_equal(upper[..., :3], seen[..., :3]) and np.array_equal(upper[..., 3:], seen[..., 3:]):
            return np.ascontiguousarray(candidate)
    return None


def merge(samples: np.ndarray, filled: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """A photograph's samples, with the filled pixels in its hole.

    Args:
      samples: uint16 [H,W,1 to 4]: grey or RGB, the last of 2 and 4 is alpha, which stays.
      filled: uint8 RGB [H,W,3].
      hole: bool [H,W].

    Returns:
      uint16 like `samples`.

    Raises:
      ValueError: they differ in size.
    """
    if filled.shape != (*samples.shape[:2], 3) or hole.shape != samples.shape[:2]:
        raise ValueError(f"sizes differ: samples {samples.shape}, filled {filled.shape}, hole {hole.shape}")
    grey = samples.shape[2] < 3
    colours = np.asarray(Image.fromarray(filled).convert("L"))[..., None] if grey else filled  # [H,W,1 or 3]
    merged = samples.copy()
    merged[..., : colours.shape[2]][hole] = colours[hole].astype(np.uint16) * SCALE
    return merged
