"""Image files decoded with care, the one way for training, preparing, filling, evaluating and the page.

What becomes of what: EXIF orientation is applied by `turn_upright` (to TIFFs by Pillow, as they are loaded); grey is
repeated over the channels; transparent pixels are blended onto white in what a network sees, and filling does not look
at fully transparent ones at all; palettes and CMYK become RGB without colour management; 16 bits become 8 by 257.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import math
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from PIL import __version__ as PIL_VERSION

from scan_jax.core.errors import UserError

# What every command takes for an image when it looks through a folder or an archive.
SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jfif", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif"),
    *(".heic", ".heif", ".jxl", ".psd"),
)
# What is raised for files that are missing, no images, broken, truncated or absurdly large.
DECODE_ERRORS = (
    *(OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)
# Of Pillow, over damaged metadata; the last is of its HEIC decoder, over any damage.
STUMBLES = (AttributeError, KeyError, IndexError, TypeError, ArithmeticError, RuntimeError)
EXIF_ERRORS = (*DECODE_ERRORS, *STUMBLES)
MAX_PIXELS = 150_000_000  # to an image, such as 14,000 x 10,700; Pillow itself stops not far above
# Decoders that only decode, for Pillow starts Ghostscript for others; that of JPEG knows MPO, too.
KINDS = ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "JPEG2000"]
KINDS += ["PSD"] if tuple(map(int, PIL_VERSION.split(".")[:3])) >= (12, 1, 1) else []  # older ones write out of bounds
KINDS += ["AVIF"] if importlib.util.find_spec("PIL.AvifImagePlugin") else []  # of newer versions of Pillow
# What a file of HEIC begins with, of phones; "mif1" may be AVIF, too, which is then named besides.
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
JXL_HEADS = (b"\xff\x0a", b"\0\0\0\x0cJXL ")  # bare, and in a container
# Formats that other packages teach Pillow: as Pillow calls them, what people call them, the module, what to install.
PLUGINS = {
    "HEIF": ("HEIC", "pillow_heif", 'the package pillow-heif reads: pip install "scan_jax[heic]"'),
    "JXL": ("JPEG XL", "pillow_jxl", "the package pillow-jxl-plugin reads: pip install pillow-jxl-plugin"),
}
MOVING = ("GIF", "WEBP", "PNG", "AVIF")  # whose further frames are an animation's, not previews or layers
REDUCED, PAGES = 0x00FE, 0x00FF  # TIFF: what an image is to its file (NewSubfileType), and the older tag for it
BITS_PER_SAMPLE = 0x0102  # TIFF
ORIENTATION = 0x0112  # EXIF, like these directories: of the exposure, of the place
EXIF_DIRECTORIES = EXIF_DIRECTORY, GPS_DIRECTORY = 0x8769, 0x8825
_WARNINGS = threading.Lock()

# Per EXIF orientation, how often to turn left by 90 degrees after mirroring left to right or not.
TURNS = {2: (True, 0), 3: (False, 2), 4: (True, 2), 5: (True, 1), 6: (False, 3), 7: (True, 3), 8: (False, 1)}


def read_image(source: str | os.PathLike[str] | BinaryIO, to_train: bool = False) -> np.ndarray:
    """The photograph in a file or an open file, uint8 RGB [H,W,3], upright; of an animation the first frame.

    Raises:
      One of DECODE_ERRORS: the file is missing, truncated, no image or absurdly large, or, `to_train` with, has pixels
        that are fully transparent: nobody knows them, and a network must not learn that they are white.
    """
    content = Path(source).read_bytes() if isinstance(source, (str, os.PathLike)) else source.read()
    with opened(io.BytesIO(content)) as image:
        pixels = _decode_plain_jpeg(image, content)
        if pixels is None:
            samples = upright_samples(image, load_orientation(image))
            if to_train:
                _check_visible(samples)
            pixels = to_rgb(samples)
    return np.require(pixels, requirements=("C", "W"))


def verify_image(source: str | os.PathLike[str] | BinaryIO, to_train: bool = False) -> tuple[int, int]:
    """Reads all of a file; what it lets pass, `read_image` will read, with the height and width that this returns.

    A JPEG is decoded at an eighth of its size: all its data are parsed, few of its pixels computed.

    Raises:
      One of DECODE_ERRORS: as `read_image` of the same `to_train`.
    """
    with opened(source) as image:
        width, height = image.size
        turned = _orientation(image) > 4  # a TIFF knows that only before it is decoded
        if image.format != "HEIF":  # of which that would be the preview
            image.draft("L", (1, 1))
        orientation = load_orientation(image)
        if image.mode[0] in "FI" or (to_train and image.has_transparency_data):  # some are refused by their values
            samples = upright_samples(image, orientation)
            if to_train:
                _check_visible(samples)
    return (width, height) if turned else (height, width)


@contextlib.contextmanager
def opened(source: str | os.PathLike[str] | BinaryIO, most_pixels: float = MAX_PIXELS) -> Iterator[Image.Image]:
    """The image in a file or an open file, not decoded yet, for those who count what is broken.

    Raises:
      One of DECODE_ERRORS: it is missing, empty, no image, or has more than `most_pixels`.
    """
    with contextlib.ExitStack() as stack:
        if isinstance(source, (str, os.PathLike)):
            if Path(source).is_dir():
                raise OSError("it is a folder, an image file is needed here")
            # Not by its path: Pillow would map grey TIFFs into memory, and turn those of a quarter wrongly.
            source = stack.enter_context(Path(source).open("rb"))
        if not source.seekable():  # a pipe
            source = io.BytesIO(source.read())
        head = source.read(64)
        if not head:
            raise OSError("the file is empty")
        source.seek(0)
        is_heif = head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS and b"avif" not in head
        by_plugin = "HEIF" if is_heif else "JXL" if head.startswith(JXL_HEADS) else ""
        kinds = [_taught(by_plugin)] if by_plugin else KINDS
        with _damage_said():
            try:
                image = stack.enter_context(Image.open(source, formats=kinds))
            except UnidentifiedImageError as error:
                if by_plugin:
                    raise OSError(f"it is a {PLUGINS[by_plugin][0]} file that is damaged or cut short") from error
                if head.startswith(b"8BPS") and "PSD" not in KINDS:
                    raise OSError("it is a Photoshop file, which Pillow reads from 12.1.1 on; export a png") from error
                raise
        width, height = image.size
        if width * height > most_pixels:  # a file of a few kilobytes can claim to hold any number
            raise ValueError(f"{width}x{height} pixels are more than the {most_pixels / 1e6:.0f} million that are read")
        yield image


@functools.cache
def _taught(kind: str) -> str:
    """Pillow's name of one of PLUGINS, once its decoder is there; an OSError names the package where it is missing."""
    called, module, package = PLUGINS[kind]
    if importlib.util.find_spec(module) is None:
        raise OSError(f"it is a {called} file, which {package}")
    plugin = importlib.import_module(module)
    if kind == "HEIF":  # the other one registers itself
        plugin.register_heif_opener()
    return kind


Source = str | os.PathLike[str] | Image.Image | npt.ArrayLike  # what callers may hand in; arrays of any library


def as_source(source: Source, name: str) -> str | os.PathLike[str] | Image.Image | np.ndarray:
    """A path or Pillow image as it is; an array of any library, or nested lists of numbers, as a NumPy array.

    UserError for anything else; `name` is what it should be, such as "the photograph".
    """
    if isinstance(source, (str, os.PathLike, Image.Image, np.ndarray)):
        return source
    if isinstance(source, (list, tuple)) or hasattr(source, "__array__"):
        with contextlib.suppress(ValueError, TypeError, RuntimeError):  # rows of unequal length, a GPU's tensor
            return np.asarray(source)
    raise UserError(f"{name} is a path, a Pillow image or an array, not {type(source).__name__}")


@contextlib.contextmanager
def open_image(
    source: str | os.PathLike[str] | Image.Image, name: str, most_pixels: int = MAX_PIXELS
) -> Iterator[Image.Image]:
    """An image whose pixels are not decoded yet; what goes wrong with it inside the `with` becomes a UserError.

    Args:
      source: a file, or a Pillow image, which may be missing, empty, no image, damaged or an animation.
      name: what it is, for messages: "the photograph".
      most_pixels: height times width.
    """
    name = name if isinstance(source, Image.Image) else f"{name} {os.fspath(source)}"
    limit = f"has more than {most_pixels:,} pixels, the limit; crop it, or make it smaller"
    try:
        with contextlib.ExitStack() as stack:
            if isinstance(source, Image.Image):
                image = source
            else:
                with pillow_silenced():
                    image = stack.enter_context(opened(source, math.inf))
            if image.width * image.height > most_pixels:
                raise UserError(f"{name}, {image.width}x{image.height}, {limit}")
            if not image.width * image.height:
                raise UserError(f"{name} is {image.width}x{image.height}: there are no pixels in it")
            if image is not source:  # of a Pillow image, the caller has chosen the frame
                with pillow_silenced(), _damage_said():
                    _check_frames(image, name)
            yield image
    except Image.DecompressionBombError as error:
        raise UserError(f"{name} {limit}") from error
    except DECODE_ERRORS as error:
        raise UserError(f"cannot read {name}: {reason(error)}") from error


@contextlib.contextmanager
def pillow_silenced() -> Iterator[None]:
    """Without the warnings of Pillow, which speak of its own limits and of metadata that nobody asked for.

    One thread at a time, so keep it short. Filters of warnings belong to the whole process: plain training photographs
    do without it.
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


def is_deep(image: Image.Image) -> bool:
    """Whether the file, not decoded yet, holds colours of 16 bits, of which Pillow's image shows 8."""
    if image.format == "TIFF":
        depth = image.tag_v2.get(BITS_PER_SAMPLE, ())  # type: ignore[attr-defined]
        return isinstance(depth, tuple) and len(depth) > 1 and set(depth) == {16}
    tiles = getattr(image, "tile", ())  # none is left once the image is decoded
    return image.format == "PNG" and any(";16" in str(tile[3]) for tile in tiles)


def load_orientation(image: Image.Image) -> int:
    """Decodes the pixels, with one of DECODE_ERRORS where they are damaged.

    Returns:
      The EXIF orientation, 1 to 8, that they are still to be turned by; 1 is upright, and stands for any other value.
    """
    with pillow_silenced() if image.format == "TIFF" else contextlib.nullcontext(), _damage_said():
        image.load()  # which turns a TIFF, and reads its EXIF data, with warnings about whatever is odd there
    with pillow_silenced() if "exif" in image.info else contextlib.nullcontext():
        return _orientation(image)


def _orientation(image: Image.Image) -> int:
    """As `load_orientation`, of an image that is decoded or not."""
    with contextlib.suppress(*EXIF_ERRORS):
        found = image.getexif().get(ORIENTATION, 1)
        return found if found in TURNS else 1
    return 1


def turn_upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """[H,W,...] as it is to be seen; [W,H,...] where EXIF's orientation turns it by a quarter; a view."""
    mirrored, quarters = TURNS.get(orientation, (False, 0))
    return np.rot90(array[:, ::-1] if mirrored else array, quarters)


def upright_samples(image: Image.Image, orientation: int) -> np.ndarray:
    """A decoded image as numbers, turned upright: uint8 [H,W,C], uint16 of 16-bit grey.

    C = 1 is grey, 3 RGB, 2 and 4 have alpha besides.

    Raises:
      ValueError: it is floating point, or has 32 bits.
    """
    if image.mode == "F":
        raise ValueError("its pixels are floating point, of no known range; save it with 8 or 16 bits")
    if image.mode.startswith("I"):  # 16 bits, which Pillow may hold in 32
        samples = np.asarray(image)  # [H,W]
        if samples.min() < 0 or samples.max() > 65535:
            raise ValueError("it has 32 bits, of no known range; save it with 8 or 16")
        samples = samples.astype(np.uint16)
    else:
        mode = "L" if image.mode in ("1", "L", "LA") else "RGB"
        samples = np.asarray(image.convert(f"{mode}A" if image.has_transparency_data else mode))
    return np.ascontiguousarray(turn_upright(samples.reshape(*samples.shape[:2], -1), orientation))


def _check_visible(samples: np.ndarray) -> None:
    """A ValueError where any of samples [H,W,C] is fully transparent."""
    if samples.shape[2] in (2, 4) and not (alpha := samples[..., -1]).all():
        raise ValueError(
            f"{100 * np.mean(alpha == 0):.1f}% of its pixels are transparent, so that nobody knows what is there: fill "
            "them (scan_jax inpaint --hole_from=alpha) or leave it out"
        )


def to_rgb(samples: np.ndarray) -> np.ndarray:
    """What a network sees of samples [H,W,C]: uint8 RGB [H,W,3], transparent pixels blended onto white."""
    colour = in_colour(to_eight_bits(samples) if samples.dtype == np.uint16 else samples)  # [H,W,3 or 4]
    if colour.shape[2] == 3:
        return colour
    image = Image.fromarray(colour)
    return np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB"))


def in_colour(samples: np.ndarray) -> np.ndarray:
    """Samples [H,W,1 to 4] as [H,W,3 or 4], grey repeated over the colours."""
    if samples.shape[2] > 2:
        return samples
    grey, alpha = samples[..., :1], samples[..., 1:]
    return np.concatenate([grey, grey, grey, alpha], axis=2)


def to_eight_bits(samples: np.ndarray) -> np.ndarray:
    """Integers [...] from 0 to 65535 -> uint8 [...]: divided by 257 and rounded."""
    return ((samples.astype(np.uint32) * 255 + 32895) >> 16).astype(np.uint8)  # exact, as libpng has it


def _decode_plain_jpeg(image: Image.Image, content: bytes) -> np.ndarray | None:
    """An upright, whole JPEG by OpenCV: the same pixels in half the time. None for anything else.

    OpenCV fills what is missing of a truncated file with grey; Pillow refuses it, so that one gets it that does not end
    as a JPEG ends.
    """
    plain = image.format == "JPEG" and image.mode in ("RGB", "L") and content.endswith(b"\xff\xd9")
    if not plain or _orientation(image) != 1:
        return None
    import cv2  # not before it is needed

    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    return cv2.imdecode(np.frombuffer(content, np.uint8), flags)  # [H,W,3], or None


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
    at, pages = image.tell(), 1
    for frame in range(1, getattr(image, "n_frames", 1)):
        image.seek(frame)
        tags = image.tag_v2  # type: ignore[attr-defined]
        pages += not (tags.get(REDUCED, 0) & 0b101 or tags.get(PAGES, 1) == 2)
    image.seek(at)
    return pages


def reason(error: BaseException) -> str:
    """An exception's message in one line, without the file's name."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, UnidentifiedImageError):
        return "it is no image, or of a kind that is not known here"
    return " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
