"""Image files, opened with care: nothing absurdly large is decoded, and nothing that moves is a photograph."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import struct
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from scan_jax.core.errors import UserError

# What Pillow raises for files that are missing, no images, broken, truncated or absurdly large.
DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
STUMBLES = (AttributeError, KeyError, IndexError, TypeError, ArithmeticError)  # of Pillow, over damaged metadata
EXIF_ERRORS = (*DECODE_ERRORS, *STUMBLES)
MOST_PIXELS = 150_000_000  # to an image, such as 14,000 x 10,700; Pillow itself stops not far above
# Decoders that only decode, for Pillow starts Ghostscript for others; that of JPEG knows MPO, too.
KINDS = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "JPEG2000")
MOVING = ("GIF", "WEBP", "PNG", "AVIF")  # whose further frames are an animation's, not previews or layers
REDUCED, PAGES = 0x00FE, 0x00FF  # TIFF: what an image is to its file (NewSubfileType), and the older tag for it
ORIENTATION = 0x0112  # EXIF, like these directories: of the exposure, of the place
EXIF_DIRECTORIES = EXIF_DIRECTORY, GPS_DIRECTORY = 0x8769, 0x8825
_WARNINGS = threading.Lock()  # Python's warning filters belong to the whole process

# Per EXIF orientation, how often to turn left by 90 degrees after mirroring left to right or not.
TURNS = {2: (True, 0), 3: (False, 2), 4: (True, 2), 5: (True, 1), 6: (False, 3), 7: (True, 3), 8: (False, 1)}


@contextlib.contextmanager
def open_image(
    source: str | os.PathLike[str] | Image.Image, name: str, most_pixels: int = MOST_PIXELS
) -> Iterator[Image.Image]:
    """An image whose pixels are not decoded yet; what goes wrong with it inside the `with` becomes a UserError.

    Args:
      source: a file, or a Pillow image.
      name: what it is, for messages: "the photograph".
      most_pixels: height times width.

    Raises:
      UserError: it is missing, empty, no image, damaged, too large, or an animation.
    """
    name = name if isinstance(source, Image.Image) else f"{name} {os.fspath(source)}"
    try:
        with contextlib.ExitStack() as stack:
            if isinstance(source, Image.Image):
                image = source
            else:
                _check_file(Path(source))
                # Not by its path: Pillow would map grey TIFFs into memory, and turn those of a quarter wrongly.
                file = stack.enter_context(Path(source).open("rb"))
                with pillow_silenced(), _damage_said():
                    image = stack.enter_context(Image.open(file, formats=_kinds()))
            _check_size(image, name, most_pixels)
            if image is not source:  # of a Pillow image, the caller has chosen the frame
                with pillow_silenced(), _damage_said():
                    _check_frames(image, name)
            yield image
    except Image.DecompressionBombError as error:
        raise UserError(_too_large(name, most_pixels)) from error
    except DECODE_ERRORS as error:
        raise UserError(f"cannot read {name}: {reason(error)}") from error


@contextlib.contextmanager
def pillow_silenced() -> Iterator[None]:
    """Without the warnings of Pillow, which speak of its own limits and of metadata that nobody asked for.

    One thread at a time, so keep it short.
    """
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _damage_said() -> Iterator[None]:
    """What Pillow stumbles over where a header makes no sense, as an error of DECODE_ERRORS."""
    try:
        yield
    except STUMBLES as error:
        raise OSError(f"it is damaged ({type(error).__name__})") from error


def decode(image: Image.Image) -> int:
    """Decodes the pixels.

    Returns:
      The EXIF orientation, 1 to 8, that they are still to be turned by; 1 is upright, and stands for any other value.

    Raises:
      Those of DECODE_ERRORS: the image is damaged.
    """
    with pillow_silenced() if image.format == "TIFF" else contextlib.nullcontext(), _damage_said():
        image.load()  # which turns a TIFF, and reads its EXIF data, with warnings about whatever is odd there
    with pillow_silenced(), contextlib.suppress(*EXIF_ERRORS):
        found = image.getexif().get(ORIENTATION, 1)
        return found if found in TURNS else 1
    return 1


def turn_upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """[H,W,...] as it is to be seen; [W,H,...] where EXIF's orientation turns it by a quarter.

    A view, so nothing is copied.
    """
    mirrored, quarters = TURNS.get(orientation, (False, 0))
    return np.rot90(array[:, ::-1] if mirrored else array, quarters)


@functools.cache
def _kinds() -> tuple[str, ...]:
    """KINDS, and AVIF where this Pillow has it."""
    return (*KINDS, "AVIF") if importlib.util.find_spec("PIL.AvifImagePlugin") else KINDS


def _check_file(path: Path) -> None:
    """Refuses what cannot be an image file, in plainer words than Pillow."""
    if path.is_dir():
        raise OSError("it is a folder, an image file is needed here")
    if path.is_file() and path.stat().st_size == 0:
        raise OSError("the file is empty")


def _check_size(image: Image.Image, name: str, most_pixels: int) -> None:
    if image.width * image.height > most_pixels:
        raise UserError(_too_large(f"{name}, {image.width}x{image.height},", most_pixels))
    if not image.width * image.height:
        raise UserError(f"{name} is {image.width}x{image.height}: there are no pixels in it")


def _too_large(name: str, most_pixels: int) -> str:
    return f"{name} has more than {most_pixels:,} pixels, the limit; crop it, or make it smaller"


def _check_frames(image: Image.Image, name: str) -> None:
    """Refuses animations and files of several pages; previews and depth maps beside a photograph do not count."""
    if image.format == "TIFF":
        if image.tag_v2.get(REDUCED, 0) & 1:  # type: ignore[attr-defined]
            raise UserError(f"{name} begins with a preview, as raw files of cameras do; develop it into a TIFF")
        if (pages := _pages(image)) > 1:
            raise UserError(f"{name} has {pages} pages; save the one that is wanted as a PNG")
    elif image.format in MOVING and getattr(image, "is_animated", False):
        frames = getattr(image, "n_frames", 2)
        raise UserError(f"{name} is an animation of {frames} frames; save the one that is wanted as a PNG")


def _pages(image: Image.Image) -> int:
    """Full images in a TIFF; others are thumbnails and masks of the first."""
    frames, at, pages = getattr(image, "n_frames", 1), image.tell(), 1
    if frames == 1:
        return 1
    for frame in range(1, frames):
        image.seek(frame)
        tags = image.tag_v2  # type: ignore[attr-defined]
        pages += not (tags.get(REDUCED, 0) & 0b101 or tags.get(PAGES, 1) == 2)
    image.seek(at)
    return pages


def reason(error: BaseException) -> str:
    """An exception's message in one line."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, UnidentifiedImageError):
        return "it is no image, or of a kind that is not known here"
    return (str(getattr(error, "strerror", None) or error).splitlines() or [""])[0] or type(error).__name__
