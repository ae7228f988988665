"""What an image file says besides its pixels: read from any format, handed to the one that is written."""

from __future__ import annotations

import logging
import struct
from typing import Any

from PIL import Image, JpegImagePlugin, PngImagePlugin

from scan_jax.images.decode import EXIF_DIRECTORIES, EXIF_ERRORS, ORIENTATION, pillow_silenced

log = logging.getLogger(__name__)
MAX_JPEG_EXIF = 65_500  # bytes; a segment of a JPEG holds no more
# A TIFF's tags speak of the file's layout, too. These are about the photograph: description, maker, model, software,
# date, artist, copyright; besides, the directories of EXIF and GPS.
INTEROPERABILITY = 0xA005  # a directory within that of EXIF
ABOUT = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
LAYOUT = (0x0100, 0x0101, 0x0102, 0x0103, 0x0106, 0x0111, 0x0115, 0x0117, 0x0201, 0x0202)  # of a thumbnail, if at all
# Pillow's modes whose colour model stays the same.
WITH_PROFILE = ("RGB", "RGBA", "P", "L", "LA", "I;16", "I;16B", "I;16L")
MAX_DPI = 1e6
JPEG_TABLES = ("qtables", "subsampling")
PNG_COLOUR = "png_colour"


def metadata_of(image: Image.Image) -> dict[str, Any]:
    """What is worth keeping of a decoded image, as Pillow's `save` takes it, PNG_COLOUR excepted.

    EXIF goes without its orientation, because pixels are written upright, and without its thumbnail, which would still
    show what the hole has hidden. The colour profile of another colour model would be wrong for the RGB to come.

    Returns:
      Of "exif" (bytes), "dpi", "icc_profile", "qtables" and "subsampling" (of a JPEG) and PNG_COLOUR (a PNG's chunks on
      the meaning of its colours, (name, bytes) pairs), those that the image has.
    """
    found: dict[str, Any] = {}
    with pillow_silenced():
        if exif := _exif(image):
            found["exif"] = exif
        if dpi := _resolution(image.info.get("dpi")):
            found["dpi"] = dpi
        if image.info.get("icc_profile") and image.mode in WITH_PROFILE:
            found["icc_profile"] = image.info["icc_profile"]
        if isinstance(image, JpegImagePlugin.JpegImageFile) and image.mode in ("RGB", "L"):
            found["qtables"] = image.quantization
            found["subsampling"] = JpegImagePlugin.get_sampling(image)
        if colour := _png_colour(image.info):
            found[PNG_COLOUR] = colour
    return found


def _exif(image: Image.Image) -> bytes:
    """Empty where there is none, or none that can be read."""
    try:
        given = image.getexif()
        of_tiff = image.format == "TIFF"
        tags = ABOUT if of_tiff else [tag for tag in given if tag not in (ORIENTATION, *LAYOUT)]
        kept = Image.Exif()
        kept.endian = given.endian
        for tag in tags:
            if tag in given and tag not in EXIF_DIRECTORIES:
                kept[tag] = given[tag]
        for tag in EXIF_DIRECTORIES:
            # Offsets into the old file go, the directory that they led to comes.
            found = dict(given.get_ifd(tag))
            if found.pop(INTEROPERABILITY, None) is not None and (inner := given.get_ifd(INTEROPERABILITY)):
                found[INTEROPERABILITY] = inner
            if found:
                kept[tag] = found
        return kept.tobytes() if len(kept) else b""
    except EXIF_ERRORS as error:
        log.warning("the photograph's EXIF data is damaged and left out (%s)", type(error).__name__)
        return b""


def _resolution(dpi: Any) -> tuple[float, ...] | None:
    """Pixels per inch, twice; files hold infinities and zeros, too."""
    values = tuple(map(float, dpi)) if isinstance(dpi, tuple) else ()
    return values if len(values) == 2 and all(0 < value < MAX_DPI for value in values) else None


def _png_colour(info: dict[Any, Any]) -> tuple[tuple[bytes, bytes], ...]:
    """Chunks gAMA, cHRM and sRGB, as they were in the file."""
    chunks = []
    if "gamma" in info:
        chunks.append((b"gAMA", struct.pack(">I", round(100_000 * info["gamma"]))))
    if len(info.get("chromaticity", ())) == 8:
        chunks.append((b"cHRM", struct.pack(">8I", *(round(100_000 * value) for value in info["chromaticity"]))))
    if "srgb" in info:
        chunks.append((b"sRGB", bytes([info["srgb"]])))
    return tuple(chunks)


def save_options(kind: str, metadata: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments of Pillow's `save` for 8 bits: metadata that the format holds, and no loss where it can be."""
    kept = {key: value for key, value in metadata.items() if key not in (*JPEG_TABLES, PNG_COLOUR)}
    if kind == "WEBP":
        return {**kept, "lossless": True, "exact": True}  # exact: colours under full transparency stay, too
    if kind == "JPEG":
        if len(kept.get("exif", b"")) > MAX_JPEG_EXIF:
            log.warning("the photograph's EXIF data is too long for a JPEG and left out")
            del kept["exif"]
        return {**kept, **({key: metadata[key] for key in JPEG_TABLES if key in metadata} or {"quality": 95})}
    if kind == "PNG" and PNG_COLOUR in metadata:
        chunks = PngImagePlugin.PngInfo()
        for name, content in metadata[PNG_COLOUR]:
            chunks.add(name, content)
        return {**kept, "pnginfo": chunks}
    return kept
