"""Holes as PNG files whose bytes are the same on every machine.

Image libraries compress as their version of zlib likes, so their files differ between machines. These are 1-bit
greyscale and not compressed at all (deflate's stored blocks): 8 kB at 256x256, and any reader of PNGs takes them.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_STORED = 65535  # bytes in a stored block (RFC 1951, section 3.2.4)


def encode(hole: np.ndarray) -> bytes:
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


def _chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk: length, kind, data and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
