"""TIFF files of 8 and 16 bits; Pillow writes no 16-bit colours, and no compressed TIFF with a camera's EXIF data."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, TiffImagePlugin

from scan_jax.images.decode import EXIF_DIRECTORIES

STRIP = 1 << 20  # bytes of samples that are compressed at a time
MAX_BYTES = (1 << 32) - (1 << 24)  # to a file, whose directory needs some, too


def bands(samples: np.ndarray) -> Iterator[slice]:
    """Rows of an array [H,W,C], about STRIP bytes at a time."""
    height, width, channels = samples.shape
    count = max(1, STRIP // (samples.itemsize * width * channels))
    return (slice(start, min(start + count, height)) for start in range(0, height, count))


def encode(samples: np.ndarray, metadata: dict[str, Any]) -> bytes:
    """The file: its directory, then strips of differences between neighbours, deflated; an OSError above 4 GB.

    Args:
      samples: uint8 or uint16 [H,W,C]: C = 1 is grey, 3 RGB, 2 and 4 have alpha.
      metadata: as `metadata.metadata_of` finds it.
    """
    height, width, channels = samples.shape
    strips = [_strip(samples[rows]) for rows in bands(samples)]
    rows = next(bands(samples))
    directory = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    layout = {
        TiffImagePlugin.IMAGEWIDTH: width,
        TiffImagePlugin.IMAGELENGTH: height,
        TiffImagePlugin.BITSPERSAMPLE: (8 * samples.itemsize,) * channels,
        TiffImagePlugin.COMPRESSION: 8,  # deflate
        TiffImagePlugin.PHOTOMETRIC_INTERPRETATION: 1 if channels < 3 else 2,  # black is zero; RGB
        TiffImagePlugin.SAMPLESPERPIXEL: channels,
        TiffImagePlugin.ROWSPERSTRIP: rows.stop - rows.start,
        TiffImagePlugin.STRIPBYTECOUNTS: tuple(map(len, strips)),
        TiffImagePlugin.PLANAR_CONFIGURATION: 1,  # channels of a pixel lie together
        TiffImagePlugin.PREDICTOR: 2,  # differences
        **({TiffImagePlugin.EXTRASAMPLES: 2} if channels in (2, 4) else {}),  # alpha, not multiplied in
    }
    for tag, value in (*_about(metadata), *layout.items()):
        directory[tag] = value
    directory.tagtype[TiffImagePlugin.STRIPOFFSETS] = 4  # 32 bits
    if sum(map(len, strips)) >= MAX_BYTES:
        raise OSError("it would have more than 4 GB")
    starts = np.cumsum([0, *map(len, strips[:-1])])
    directory[TiffImagePlugin.STRIPOFFSETS] = tuple(map(int, starts))  # Pillow adds where the directory ends
    file = io.BytesIO()
    directory.save(file)
    return file.getvalue() + b"".join(strips)


def _strip(rows: np.ndarray) -> bytes:
    """Each sample less that of the pixel to its left, little endian."""
    less = rows.copy()
    less[:, 1:] -= rows[:, :-1]
    packer = zlib.compressobj(1, strategy=zlib.Z_RLE)
    return packer.compress(less.astype(less.dtype.newbyteorder("<")).tobytes()) + packer.flush()


def _about(metadata: dict[str, Any]) -> Iterator[tuple[int, Any]]:
    """TIFF tags of the metadata."""
    exif = Image.Exif()
    exif.load(metadata.get("exif", b""))
    for tag in exif:
        yield tag, exif.get_ifd(tag) if tag in EXIF_DIRECTORIES else exif[tag]
    if dpi := metadata.get("dpi"):
        yield TiffImagePlugin.RESOLUTION_UNIT, 2  # inches
        yield TiffImagePlugin.X_RESOLUTION, dpi[0]
        yield TiffImagePlugin.Y_RESOLUTION, dpi[1]
    if profile := metadata.get("icc_profile"):
        yield TiffImagePlugin.ICCPROFILE, profile
