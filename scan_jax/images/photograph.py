"""Photographs as files: read upright and in 8 bits, written back with all that belongs to them."""

from __future__ import annotations

import dataclasses
import io
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.errors import UserError
from scan_jax.images import png, tiff
from scan_jax.images import png as sixteen_bits
from scan_jax.images.decode import DECODE_ERRORS as DECODE_ERRORS
from scan_jax.images.decode import MOST_PIXELS, decode, open_image, reason, turn_upright
from scan_jax.images.metadata import metadata_of, save_options

log = logging.getLogger(__name__)

FORMATS = {".png": "PNG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF", ".jpg": "JPEG", ".jpeg": "JPEG"}


@dataclasses.dataclass(frozen=True)
class Photograph:
    """Upright pixels, and what a file of them should keep.

    Attributes:
      pixels: uint8 RGB [H,W,3].
      alpha: uint8 [H,W], or None where the photograph is opaque.
      grey: whether it has no colour; it is then written without.
      metadata: EXIF without its orientation, ICC profile, resolution, JPEG tables; see `file_metadata.metadata_of`.
      deep: the samples of a photograph of 16 bits, uint16 [H,W,C], C = 1 for grey, 3 for RGB, 4 with alpha; else None.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    grey: bool = False
    metadata: dict[str, Any] = dataclasses.field(default_factory=dict)
    deep: np.ndarray | None = None


def read_photograph(
    source: str | os.PathLike[str] | Image.Image | np.ndarray, most_pixels: int = MOST_PIXELS
) -> Photograph:
    """A photograph from a file, a Pillow image or an array.

    EXIF orientation is applied; palettes and CMYK become RGB without colour management; 16 bits are kept beside the 8
    that a network sees.

    Args:
      source: an array is uint8, or floating point in [0, 1]: [H,W], [H,W,1], [H,W,3] or [H,W,4]. Of a Pillow image that
        moves, the frame at which it stands.
      most_pixels: of a file or Pillow image, height times width.

    Raises:
      UserError: it is missing, no image, damaged, empty, too large, an animation, or of a kind that cannot be read.
    """
    if isinstance(source, np.ndarray):
        return _from_array(_eight_bit_array(source))
    with open_image(source, "the photograph", most_pixels) as image:
        return _from_image(image, None if isinstance(source, Image.Image) else source)


def _eight_bit_array(array: np.ndarray) -> np.ndarray:
    """uint8 [H,W], [H,W,3] or [H,W,4]."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise UserError(f"a photograph is [H,W], [H,W,3] or [H,W,4], not {array.shape}")
    if not array.size:
        raise UserError(f"the photograph is {array.shape[1]}x{array.shape[0]}: there are no pixels in it")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if np.issubdtype(array.dtype, np.floating) and array.min() >= 0.0 and array.max() <= 1.0:
        return np.round(255.0 * array).astype(np.uint8)
    raise UserError(f"a photograph is uint8, or floating point in [0, 1]; this one is {array.dtype}")


def _from_array(array: np.ndarray) -> Photograph:
    """uint8 [H,W], [H,W,3] or [H,W,4]; not by way of Pillow, which copies large ones three times."""
    if array.ndim == 2:
        return Photograph(np.repeat(array[..., None], 3, axis=2), grey=True)
    alpha = np.ascontiguousarray(array[..., 3]) if array.shape[2] == 4 else None
    return Photograph(np.ascontiguousarray(array[..., :3]), alpha)


def _from_image(image: Image.Image, path: str | os.PathLike[str] | None) -> Photograph:
    """Any Pillow image, decoded now; `path` is the file that it came from."""
    if image.mode == "F":
        raise ValueError("its pixels are floating point, of no known range; save it with 8 or 16 bits")
    deep = path is not None and sixteen_bits.is_deep(image)  # Pillow forgets it in decoding
    orientation, metadata = decode(image), metadata_of(image)
    if image.mode.startswith("I"):
        samples = _grey_samples(image, orientation)
        return _from_samples(samples, metadata)
    opaque = not image.has_transparency_data
    seen = turn_upright(np.asarray(image.convert("RGB" if opaque else "RGBA")), orientation)  # [H,W,3 or 4]
    if deep and path is not None:
        if (found := sixteen_bits.decode(path, seen, orientation)) is not None:
            return _from_samples(found, metadata)
        log.warning("the photograph has 16 bits of a kind unknown here; it is filled and written with 8")
    pixels, grey = np.ascontiguousarray(seen[..., :3]), image.mode in ("1", "L", "LA")
    return Photograph(pixels, None if opaque else np.ascontiguousarray(seen[..., 3]), grey, metadata)


def _grey_samples(image: Image.Image, orientation: int) -> np.ndarray:
    """uint16 [H,W,1] of a grey image of 16 bits, which Pillow may hold in 32."""
    wide = turn_upright(np.asarray(image), orientation)  # [H,W]
    if wide.min() < 0 or wide.max() > 65535:
        raise ValueError("it has 32 bits, of no known range; save it with 8 or 16")
    return np.ascontiguousarray(wide.astype(np.uint16)[..., None])


def _from_samples(samples: np.ndarray, metadata: dict[str, Any]) -> Photograph:
    """Of uint16 [H,W,1, 3 or 4]."""
    eight = sixteen_bits.to_eight_bits(samples)  # [H,W,C]
    grey = samples.shape[2] == 1
    pixels = np.repeat(eight, 3, axis=-1) if grey else np.ascontiguousarray(eight[..., :3])
    alpha = np.ascontiguousarray(eight[..., 3]) if samples.shape[2] == 4 else None
    return Photograph(pixels, alpha, grey, metadata, samples)


def check_output(path: Path) -> None:
    """Refuses a file type that cannot be written, before any work is done.

    Raises:
      UserError: it names those that can.
    """
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"cannot write {path.name!r}: the name must end in one of {', '.join(FORMATS)}")


def write_photograph(path: Path, pixels: np.ndarray, like: Photograph, hole: np.ndarray | None = None) -> None:
    """Writes `pixels` with the alpha, EXIF, ICC profile and resolution of `like`; the file appears whole or not at all.

    PNG, WebP and TIFF are lossless, so known pixels are in the file byte for byte, in PNG and TIFF with all 16 bits
    where `like` has so many. JPEG is not, which is said; it keeps the quality of a JPEG that `like` came from.

    Args:
      path: its suffix is the format.
      pixels: uint8 RGB [H,W,3].
      like: the photograph that was filled.
      hole: bool [H,W], what was filled; for a photograph of 16 bits, whose other pixels are written as they were. None
        takes the pixels that differ from the photograph's.

    Raises:
      UserError: a format that cannot be written, or a disk that is full.
    """
    check_output(path)
    kind = FORMATS[path.suffix.lower()]
    try:
        content = _encode(kind, pixels, like, hole)
    except (OSError, ValueError) as error:  # such as more pixels a side than the format can hold
        raise UserError(f"cannot write {path} as {kind}: {reason(error)}; write a .png") from error
    write_atomically(path, content)


def _encode(kind: str, pixels: np.ndarray, like: Photograph, hole: np.ndarray | None) -> bytes:
    """The file."""
    if like.deep is not None and kind in ("PNG", "TIFF"):
        filled = np.any(pixels != like.pixels, axis=-1) if hole is None else hole  # [H,W]
        samples = sixteen_bits.merge(like.deep, pixels, filled)  # [H,W,C]
        return (png if kind == "PNG" else tiff).encode(samples, like.metadata)
    if like.deep is not None:
        log.warning("%s holds 8 bits, the photograph has 16; write a .png or .tif to keep them", kind)
    image = _to_image(pixels, like, kind)
    if kind == "TIFF":
        return tiff.encode(np.asarray(image).reshape(*pixels.shape[:2], -1), like.metadata)
    buffer = io.BytesIO()
    image.save(buffer, kind, **save_options(kind, like.metadata))
    return buffer.getvalue()


def _to_image(pixels: np.ndarray, like: Photograph, kind: str) -> Image.Image:
    """RGB or grey, with alpha where the photograph and the format have it."""
    image = Image.fromarray(pixels)
    if like.grey:
        image = image.convert("L")
    if kind == "JPEG":
        log.warning("JPEG is lossy: known pixels change a little; write a .png to keep them byte for byte")
        if like.alpha is not None:
            log.warning("JPEG has no transparency: the photograph's is lost; write a .png to keep it")
    elif like.alpha is not None:
        image.putalpha(Image.fromarray(like.alpha))
    return image
