"""PNG files that Pillow does not write: 16 bits in colour, and holes as the same bytes on every machine."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from scan_jax.images.metadata import PNG_COLOUR
from scan_jax.images.tiff import bands

COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by the number of channels
MAX_STORED = 65535  # bytes in a stored block (RFC 1951, section 3.2.4)


def encode(samples: np.ndarray, metadata: dict[str, Any]) -> bytes:
    """The file of samples uint16 [H,W,C]: C = 1 is grey, 3 RGB, 2 and 4 have alpha; metadata as of `metadata_of`."""
    packer = zlib.compressobj(1, strategy=zlib.Z_RLE)
    packed = [packer.compress(_filter(samples, rows)) for rows in bands(samples)]
    data = [(b"IDAT", part) for part in (*packed, packer.flush()) if part]
    return _file(samples.shape, 16, [*_about(metadata), *data])


def encode_hole(hole: np.ndarray) -> bytes:
    """`hole`, bool [H,W], as a PNG file, white = hole; not compressed, since versions of zlib do so differently."""
    if hole.ndim != 2 or hole.dtype != np.bool_ or not hole.size:
        raise ValueError(f"a hole is bool [H,W], not {hole.dtype} {hole.shape}")
    rows = np.packbits(hole, axis=1)  # [H, ceil(W/8)], the leftmost pixel highest
    scanlines = np.pad(rows, ((0, 0), (1, 0))).tobytes()  # a zero before each row: not filtered
    return _file((*hole.shape, 1), 1, [(b"IDAT", _stored(scanlines))])


def _file(shape: tuple[int, ...], bits: int, chunks: list[tuple[bytes, bytes]]) -> bytes:
    """The file of an image [H,W,C], not interlaced, from its chunks (name, content) between the first and the last."""
    height, width, channels = shape
    header = struct.pack(">2I5B", width, height, bits, COLOUR_TYPES[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in [(b"IHDR", header), *chunks, (b"IEND", b"")]
    )


def _about(metadata: dict[str, Any]) -> Iterator[tuple[bytes, bytes]]:
    """Chunks of the metadata."""
    profile = metadata.get("icc_profile")
    for name, content in metadata.get(PNG_COLOUR, ()):
        if not (profile and name == b"sRGB"):  # a profile says more
            yield name, content
    if profile:
        yield b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile)
    if dpi := metadata.get("dpi"):
        yield b"pHYs", struct.pack(">2IB", *(round(value / 0.0254) for value in dpi), 1)
    if exif := metadata.get("exif"):
        yield b"eXIf", exif.removeprefix(b"Exif\0\0")


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


def _stored(data: bytes) -> bytes:
    """`data` as a zlib stream of stored blocks."""
    stream = b"\x78\x01"  # deflate, 32 kB window, no dictionary
    for start in range(0, len(data), MAX_STORED):
        block = data[start : start + MAX_STORED]
        last = start + MAX_STORED >= len(data)
        stream += struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF) + block
    return stream + struct.pack(">I", zlib.adler32(data))
