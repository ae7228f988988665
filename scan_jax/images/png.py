"""PNG files of 16 bits, which Pillow does not write in colour."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from scan_jax.images.decode import turn_upright
from scan_jax.images.metadata import PNG_COLOUR
from scan_jax.images.tiff import bands

COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by the number of channels


def encode(samples: np.ndarray, metadata: dict[str, Any]) -> bytes:
    """The file.

    Args:
      samples: uint16 [H,W,C]: C = 1 is grey, 3 RGB, 2 and 4 have alpha.
      metadata: as `file_metadata.metadata_of` finds it.
    """
    return b"".join(_chunks(samples, metadata))


def _chunks(samples: np.ndarray, metadata: dict[str, Any]) -> Iterator[bytes]:
    height, width, channels = samples.shape
    yield b"\x89PNG\r\n\x1a\n"
    yield _chunk(b"IHDR", struct.pack(">2I5B", width, height, 16, COLOUR_TYPES[channels], 0, 0, 0))
    profile = metadata.get("icc_profile")
    for name, content in metadata.get(PNG_COLOUR, ()):
        if not (profile and name == b"sRGB"):  # a profile says more
            yield _chunk(name, content)
    if profile:
        yield _chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile))
    if dpi := metadata.get("dpi"):
        yield _chunk(b"pHYs", struct.pack(">2IB", *(round(value / 0.0254) for value in dpi), 1))
    if exif := metadata.get("exif"):
        yield _chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    packer = zlib.compressobj(1, strategy=zlib.Z_RLE)
    for rows in bands(samples):
        if packed := packer.compress(_filter(samples, rows)):
            yield _chunk(b"IDAT", packed)
    yield _chunk(b"IDAT", packer.flush())
    yield _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _filter(samples: np.ndarray, rows: slice) -> bytes:
    """PNG's scan lines, each byte less the mean of its left and upper neighbours (filter 3)."""
    above = samples[max(0, rows.start - 1) : rows.stop].astype(">u2").view(np.uint8)  # [h+1,W,2C]
    if rows.start == 0:
        above = np.concatenate([np.zeros_like(above[:1]), above])
    here = above[1:]  # [h,W,2C]
    left = np.concatenate([np.zeros_like(here[:, :1]), here[:, :-1]], axis=1)
    less = here - ((left.astype(np.uint16) + above[:-1]) >> 1).astype(np.uint8)
    lines = less.reshape(len(here), -1)
    return np.concatenate([np.full((len(lines), 1), 3, np.uint8), lines], axis=1).tobytes()


SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_STORED = 65535  # bytes in a stored block (RFC 1951, section 3.2.4)


def encode_hole(hole: np.ndarray) -> bytes:
    """`hole`, bool [H,W], as a PNG file, white = hole."""
    if hole.ndim != 2 or hole.dtype != np.bool_ or not hole.size:
        raise ValueError(f"a hole is bool [H,W], not {hole.dtype} {hole.shape}")
    height, width = hole.shape
    rows = np.packbits(hole, axis=1)  # [H, ceil(W/8)], the leftmost pixel highest
    scanlines = np.pad(rows, ((0, 0), (1, 0))).tobytes()  # a zero before each row: not filtered
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)  # 1 bit, greyscale, not interlaced
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", _stored(scanlines)) + _chunk(b"IEND", b"")


def _stored(data: bytes) -> bytes:
    """`data` as a zlib stream of stored blocks."""
    stream = b"\x78\x01"  # deflate, 32 kB window, no dictionary
    for start in range(0, len(data), MOST_STORED):
        block = data[start : start + MOST_STORED]
        last = start + MOST_STORED >= len(data)
        stream += struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF) + block
    return stream + struct.pack(">I", zlib.adler32(data))


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
