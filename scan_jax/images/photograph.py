"""Photographs as files: what a network sees of them, and what is written back with all that belongs to them."""

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
from scan_jax.images.decode import (
    MAX_PIXELS,
    Source,
    as_source,
    in_colour,
    is_deep,
    load_orientation,
    open_image,
    reason,
    to_eight_bits,
    to_rgb,
    turn_upright,
    upright_samples,
)
from scan_jax.images.metadata import metadata_of, save_options

log = logging.getLogger(__name__)

FORMATS = {".png": "PNG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF", ".jpg": "JPEG", ".jpeg": "JPEG"}
SCALE = 257  # 255 * 257 = 65535


@dataclasses.dataclass(frozen=True)
class Photograph:
    """An upright photograph: what a network sees, and what a file of it should keep."""

    pixels: np.ndarray  # uint8 RGB [H,W,3], transparent pixels blended onto white
    # As they are in the file, uint8 or, of 16 bits, uint16: [H,W,C], C = 1 is grey, 3 RGB, 2 and 4 have alpha
    samples: np.ndarray
    # EXIF without its orientation, ICC profile, resolution, JPEG tables; see `metadata.metadata_of`
    metadata: dict[str, Any] = dataclasses.field(default_factory=dict)
    kind: str = ""  # the format of its file, as in FORMATS; "" of arrays and formats that are not written

    @property
    def visible(self) -> np.ndarray | None:
        """Where it is not fully transparent, bool [H,W]; None where that is everywhere."""
        if self.samples.shape[2] not in (2, 4):
            return None
        alpha = self.samples[..., -1]
        seen = (to_eight_bits(alpha) if alpha.dtype == np.uint16 else alpha) > 0
        return None if seen.all() else seen


def read_photograph(source: Source, most_pixels: int = MAX_PIXELS) -> Photograph:
    """A photograph from a file, a Pillow image or an array, decoded as `decode` says.

    Args:
      source: an array is of integers from 0 to 255, or floating point in [0, 1]: [H,W], [H,W,1], [H,W,3] or [H,W,4]. Of
        a Pillow image that moves, the frame at which it stands.
      most_pixels: of a file or Pillow image, height times width.

    Raises:
      UserError: it is missing, no image, damaged, empty, too large, an animation, or of a kind that cannot be read.
    """
    source = as_source(source, "the photograph")
    if isinstance(source, np.ndarray):
        samples = _eight_bit_array(source)  # not by way of Pillow, which copies large ones three times
        return Photograph(to_rgb(samples), samples)
    with open_image(source, "the photograph", most_pixels) as image:
        deep = None if isinstance(source, Image.Image) or not is_deep(image) else source  # forgotten in decoding
        orientation, metadata = load_orientation(image), metadata_of(image)
        samples = upright_samples(image, orientation)
        if deep is not None and samples.dtype == np.uint8:
            found = _decode_deep(deep, in_colour(samples), orientation)
            if found is None:
                log.warning("the photograph has 16 bits of a kind unknown here; it is filled and written with 8")
            samples = samples if found is None else found
        kind = {"MPO": "JPEG"}.get(str(image.format), str(image.format))
    return Photograph(to_rgb(samples), samples, metadata, kind if kind in FORMATS.values() else "")


def _eight_bit_array(array: np.ndarray) -> np.ndarray:
    """uint8 [H,W,1], [H,W,3] or [H,W,4]."""
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise UserError(f"a photograph is [H,W], [H,W,3] or [H,W,4], not {array.shape}")
    if not array.size:
        raise UserError(f"the photograph is {array.shape[1]}x{array.shape[0]}: there are no pixels in it")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if np.issubdtype(array.dtype, np.floating) and array.min() >= 0.0 and array.max() <= 1.0:
        return np.round(255.0 * array).astype(np.uint8)
    kind = array.dtype.kind
    if kind in "iu" and array.min() >= 0 and array.max() <= 255:
        return array.astype(np.uint8)
    found = f"{array.dtype} from {array.min():g} to {array.max():g}" if kind in "iuf" else array.dtype
    raise UserError(f"a photograph is of levels from 0 to 255, or floating point in [0, 1]; this one is {found}")


def _decode_deep(path: str | os.PathLike[str], seen: np.ndarray, orientation: int) -> np.ndarray | None:
    """The samples of a PNG or TIFF of 16 bits, of which Pillow has `seen` uint8 [H,W,3 or 4], upright.

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
        if np.array_equal(np.right_shift(candidate, 8).astype(np.uint8), seen):
            return np.ascontiguousarray(candidate)
    return None


def check_output(path: Path) -> None:
    """Refuses a file type that cannot be written, before any work is done; the UserError names those that can."""
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"cannot write {path.name!r}: the name must end in one of {', '.join(FORMATS)}")


def write_photograph(path: Path, pixels: np.ndarray, like: Photograph, hole: np.ndarray | None = None) -> None:
    """Writes `pixels` with the EXIF data, ICC profile, resolution and, outside the hole, alpha of `like`.

    The file appears whole or not at all.

    PNG, WebP and TIFF are lossless, so what is known is in the file byte for byte, in PNG and TIFF with all 16 bits
    where `like` has so many. JPEG is not, which is said; it keeps the quality of a JPEG that `like` came from.

    Args:
      path: its suffix is the format.
      pixels: uint8 RGB [H,W,3].
      like: the photograph that was filled.
      hole: bool [H,W], what was filled; all else is written as it was. None takes the pixels that differ from the
        photograph's.

    Raises:
      UserError: a format that cannot be written, or a disk that is full.
    """
    check_output(path)
    kind = FORMATS[path.suffix.lower()]
    try:
        filled = np.any(pixels != like.pixels, axis=-1) if hole is None else hole  # [H,W]
        content = _encode(kind, put_into_hole(like.samples, pixels, filled), like.metadata)
    except (OSError, ValueError) as error:  # such as more pixels a side than the format can hold
        raise UserError(f"cannot write {path} as {kind}: {reason(error)}; write a .png") from error
    write_atomically(path, content)


def copy_photograph(source: Path, path: Path, like: Photograph) -> None:
    """Writes a photograph without a hole: its file byte for byte, or encoded anew where `path` has another format.

    `like` is what was read from `source`, its file; `path` and errors are as of `write_photograph`.
    """
    check_output(path)
    if like.kind == FORMATS[path.suffix.lower()]:
        write_atomically(path, source.read_bytes())
    else:
        write_photograph(path, like.pixels, like, np.zeros(like.pixels.shape[:2], bool))


def _encode(kind: str, samples: np.ndarray, metadata: dict[str, Any]) -> bytes:
    """The file of samples [H,W,C]."""
    if kind == "TIFF":
        return tiff.encode(samples, metadata)
    if samples.dtype == np.uint16:
        if kind == "PNG":
            return png.encode(samples, metadata)
        log.warning("%s holds 8 bits, the photograph has 16; write a .png or .tif to keep them", kind)
        samples = to_eight_bits(samples)
    if kind == "JPEG":
        log.warning("JPEG is lossy: known pixels change a little; write a .png to keep them byte for byte")
        if samples.shape[2] in (2, 4):
            log.warning("JPEG has no transparency: the photograph's is lost; write a .png to keep it")
            samples = samples[..., :-1]
    buffer = io.BytesIO()
    image = Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    image.save(buffer, kind, **save_options(kind, metadata))
    return buffer.getvalue()


def put_into_hole(samples: np.ndarray, filled: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """A photograph's samples, with the filled pixels in its hole.

    Args:
      samples: uint8 or uint16 [H,W,1 to 4]: grey or RGB, the last of 2 and 4 is alpha, which becomes opaque in the
        hole, for else what was erased there would hide what was painted.
      filled: uint8 RGB [H,W,3].
      hole: bool [H,W]; a ValueError where they differ in size.
    """
    if filled.shape != (*samples.shape[:2], 3) or hole.shape != samples.shape[:2]:
        raise ValueError(f"sizes differ: samples {samples.shape}, filled {filled.shape}, hole {hole.shape}")
    grey = samples.shape[2] < 3
    colours = np.asarray(Image.fromarray(filled).convert("L"))[..., None] if grey else filled  # [H,W,1 or 3]
    scale = samples.dtype.type(SCALE if samples.dtype == np.uint16 else 1)
    merged = samples.copy()
    merged[..., : colours.shape[2]][hole] = colours[hole] * scale
    if samples.shape[2] in (2, 4):
        merged[..., -1][hole] = np.iinfo(samples.dtype).max
    return merged
