"""Photographs and holes as files: read upright and in 8 bits, written back with all that belongs to them."""

from __future__ import annotations

import dataclasses
import io
import logging
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, JpegImagePlugin

from scan_jax.atomic_write import write_atomically
from scan_jax.errors import UserError

log = logging.getLogger(__name__)

# What Pillow raises for files that are missing, no images, broken, truncated or absurdly large.
DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
FORMATS = {".png": "PNG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF", ".jpg": "JPEG", ".jpeg": "JPEG"}
EIGHT_BITS_FROM_SIXTEEN = 257.0


@dataclasses.dataclass(frozen=True)
class Photograph:
    """Upright pixels, and what a file of them should keep.

    Attributes:
      pixels: uint8 RGB [H,W,3].
      alpha: uint8 [H,W], or None where the photograph is opaque.
      grey: whether it has no colour; it is then written without.
      metadata: what Pillow's `save` takes: EXIF without its orientation, ICC profile, resolution, JPEG tables.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    grey: bool = False
    metadata: dict[str, Any] = dataclasses.field(default_factory=dict)


def read_photograph(source: str | os.PathLike[str] | Image.Image | np.ndarray) -> Photograph:
    """A photograph from a file, a Pillow image or an array.

    EXIF orientation is applied; palettes and CMYK become RGB without colour management; 16 bits become 8; of an
    animation the first frame counts.

    Args:
      source: an array is uint8, or floating point in [0, 1]: [H,W], [H,W,1], [H,W,3] or [H,W,4].

    Raises:
      UserError: it is missing, no image, or of a kind that cannot be read.
    """
    if isinstance(source, np.ndarray):
        return _from_image(Image.fromarray(_eight_bit_array(source)))
    if isinstance(source, Image.Image):
        return _from_image(source)
    try:
        with Image.open(source) as image:
            return _from_image(image)
    except DECODE_ERRORS as error:
        raise UserError(f"cannot read the photograph {os.fspath(source)}: {reason(error)}") from error


def _eight_bit_array(array: np.ndarray) -> np.ndarray:
    """uint8 [H,W], [H,W,3] or [H,W,4]."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise UserError(f"a photograph is [H,W], [H,W,3] or [H,W,4], not {array.shape}")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if np.issubdtype(array.dtype, np.floating) and array.size and array.min() >= 0.0 and array.max() <= 1.0:
        return np.round(255.0 * array).astype(np.uint8)
    raise UserError(f"a photograph is uint8, or floating point in [0, 1]; this one is {array.dtype}")


def _from_image(image: Image.Image) -> Photograph:
    """Any Pillow image."""
    metadata = _metadata(image)
    upright = ImageOps.exif_transpose(image)
    if (exif := upright.getexif()) and metadata.pop("exif", None):
        metadata["exif"] = exif.tobytes()
    if upright.mode == "F":
        raise UserError("the photograph's pixels are floating point, of no known range; save it with 8 or 16 bits")
    if upright.mode.startswith("I"):
        log.warning("the photograph has 16 bits; it is filled and written with 8")
        grey = np.round(np.asarray(upright, np.float64) / EIGHT_BITS_FROM_SIXTEEN).clip(0, 255)  # [H,W]
        upright = Image.fromarray(grey.astype(np.uint8))
    opaque = not upright.has_transparency_data
    rgba = np.asarray(upright.convert("RGB" if opaque else "RGBA"))  # [H,W,3 or 4]
    alpha = None if opaque else rgba[..., 3].copy()
    return Photograph(rgba[..., :3].copy(), alpha, upright.mode in ("1", "L", "LA"), metadata)


def _metadata(image: Image.Image) -> dict[str, Any]:
    """What is worth keeping; the colour profile of another colour model would be wrong for the RGB that is written."""
    metadata = {key: image.info[key] for key in ("exif", "dpi") if image.info.get(key)}
    if image.info.get("icc_profile") and image.mode in ("RGB", "RGBA", "P", "L", "LA"):
        metadata["icc_profile"] = image.info["icc_profile"]
    if isinstance(image, JpegImagePlugin.JpegImageFile) and image.mode in ("RGB", "L"):
        metadata["qtables"] = image.quantization
        metadata["subsampling"] = JpegImagePlugin.get_sampling(image)
    return metadata


def check_output(path: Path) -> None:
    """Refuses a file type that cannot be written, before any work is done.

    Raises:
      UserError: it names those that can.
    """
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"cannot write {path.name!r}: the name must end in one of {', '.join(FORMATS)}")


def write_photograph(path: Path, pixels: np.ndarray, like: Photograph) -> None:
    """Writes `pixels` with the alpha, EXIF, ICC profile and resolution of `like`; the file appears whole or not at all.

    PNG, WebP and TIFF are lossless, so known pixels are in the file byte for byte. JPEG is not, which is said; it keeps
    the quality of a JPEG that `like` came from.

    Args:
      path: its suffix is the format.
      pixels: uint8 RGB [H,W,3].
      like: the photograph that was filled.

    Raises:
      UserError: a format that cannot be written, or a disk that is full.
    """
    check_output(path)
    kind = FORMATS[path.suffix.lower()]
    buffer = io.BytesIO()
    try:
        _to_image(pixels, like, kind).save(buffer, kind, **_options(kind, like))
    except (OSError, ValueError) as error:  # such as more pixels a side than the format can hold
        raise UserError(f"cannot write {path} as {kind}: {reason(error)}; write a .png") from error
    write_atomically(path, buffer.getvalue())


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


def _options(kind: str, like: Photograph) -> dict[str, Any]:
    """Keyword arguments of Pillow's `save`."""
    tables = {key: value for key, value in like.metadata.items() if key in ("qtables", "subsampling")}
    kept = {key: value for key, value in like.metadata.items() if key not in tables}
    if kind == "WEBP":
        return {**kept, "lossless": True, "exact": True}  # exact: colours under full transparency stay, too
    if kind == "JPEG":
        return {**kept, **(tables or {"quality": 95})}
    return {**kept, **({"compression": "tiff_deflate"} if kind == "TIFF" else {})}


def reason(error: BaseException) -> str:
    """An exception's message in one line."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return str(getattr(error, "strerror", None) or error).splitlines()[0] or type(error).__name__
