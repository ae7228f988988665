"""Semantic label maps: a pixel's value is its class. Read from images, checked and resized here and nowhere else."""

from __future__ import annotations

import os
from typing import BinaryIO

import numpy as np
from PIL import Image

from scan_jax.core.errors import UserError
from scan_jax.images.decode import Source, as_source, load_orientation, open_image, opened, turn_upright

SINGLE_CHANNEL = ("1", "L", "P")  # Pillow's modes of up to 8 bits; those of 16 and 32 begin with I
LOSSY = ("JPEG", "WEBP", "MPO")


def read_labels(source: Source, num_labels: int | None = None) -> np.ndarray:
    """A label map whose pixel values are the classes: int32 [H,W].

    Args:
      source: a file or Pillow image of one channel (a palette's indices are the classes), or integers [H,W] or [H,W,1].
      num_labels: classes; None where any label will do.

    Raises:
      UserError: it is missing or no image, has colours, or has a label below 0 or above the class count.
    """
    source = as_source(source, "the label map")
    name = f"the label map {os.fspath(source)}" if isinstance(source, (str, os.PathLike)) else "the label map"
    if isinstance(source, np.ndarray):
        if source.ndim == 3 and source.shape[2] in (3, 4):
            raise UserError(f"{name} is a colour image {source.shape}, but a pixel's value must be its class, [H,W]")
        labels = source[..., 0] if source.ndim == 3 and source.shape[2] == 1 else source  # [H,W]
    else:
        with open_image(source, "the label map") as image:
            labels = _classes(image, name, LOSSY if image is not source else ())  # [H,W]
    check(labels, num_labels, name)
    return labels.astype(np.int32)


def read_file(source: str | os.PathLike[str] | BinaryIO, name: str = "") -> np.ndarray:
    """The label map in a file or an open file called `name`, int32 [H,W], for those who count what is broken.

    Raises a UserError at colours and formats that blur classes, one of DECODE_ERRORS at what is missing or broken.
    """
    with opened(source) as image:
        return _classes(image, f"the label map {name or source}", LOSSY)


def _classes(image: Image.Image, name: str, refused: tuple[str, ...]) -> np.ndarray:
    """An image of one channel as int32 [H,W], upright; a UserError, begun with `name`, says how to convert others."""
    if image.format in refused:
        raise UserError(f"{name} is a {image.format}, which blurs classes; save it as a PNG")
    orientation = load_orientation(image)
    if image.mode in SINGLE_CHANNEL or image.mode.startswith("I"):
        return turn_upright(np.asarray(image).astype(np.int32), orientation)  # [H,W]
    if image.mode in ("F", "LA", "PA"):
        raise UserError(f"{name} has Pillow's mode {image.mode}; save the classes as an 8-bit greyscale PNG")
    channels = np.asarray(image.convert("RGB"))  # [H,W,3]
    cure = (
        'its channels are equal: Image.open(FILE).convert("L").save(FILE) makes it one that can be read'
        if (channels == channels[..., :1]).all()
        else "write the class of each colour into an 8-bit single-channel PNG (Pillow's mode L or P)"
    )
    raise UserError(f"{name} is a colour image ({image.mode}), but a pixel's value must be its class; {cure}")


def check(labels: np.ndarray, num_labels: int | None, name: str = "the label map") -> None:
    """Refuses labels, integers [H,W], below 0 or, where `num_labels` is given, from `num_labels` on.

    Raises:
      UserError: it names the value, and begins with `name`, such as "the label map street_label.png".
    """
    if labels.ndim != 2 or labels.dtype.kind not in "ui" or labels.size == 0:
        raise UserError(f"{name} must be integers [H,W], not {labels.dtype} {labels.shape}")
    least, most = int(labels.min()), int(labels.max())
    if least < 0:
        raise UserError(f"{name} has the label {least}; classes are numbered from 0")
    if num_labels is not None and most >= num_labels:
        void = "; 255 often marks void pixels: give them a class of their own" if most == 255 else ""
        void = void or ("; where classes are counted from 1, subtract 1" if most == num_labels and least > 0 else "")
        classes = f"{num_labels} classes are numbered 0 to {num_labels - 1}"
        raise UserError(f"{name} has the label {most}, but {classes}{void}")


def resize(labels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The label nearest to each new pixel's centre: integers [H,W] -> [h,w] of the same type."""
    if labels.ndim != 2 or len(shape) != 2:
        raise ValueError(f"[H,W] and (h, w) are needed, not {labels.shape} and {shape}")
    rows = (2 * np.arange(shape[0]) + 1) * labels.shape[0] // (2 * shape[0])  # [h]
    columns = (2 * np.arange(shape[1]) + 1) * labels.shape[1] // (2 * shape[1])  # [w]
    return labels[rows[:, None], columns]


def resize_like(labels: np.ndarray, shape: tuple[int, ...], name: str = "the label map") -> np.ndarray:
    """`resize` to a photograph's shape, for label maps that were only saved at another size: `check_proportions`."""
    check_proportions(labels.shape, shape, name)
    return resize(labels, shape)


def check_proportions(labels: tuple[int, ...], photograph: tuple[int, ...], name: str = "the label map") -> None:
    """Refuses a label map (height, width) whose sides differ from its photograph's by factors more than 2% apart."""
    across, down = labels[1] / photograph[1], labels[0] / photograph[0]
    if abs(across - down) > 0.02 * max(across, down):
        raise UserError(
            f"{name} is {size_text(labels)}, its photograph {size_text(photograph)}: their proportions differ, "
            "so they do not show the same; crop them alike"
        )


def size_text(shape: tuple[int, ...]) -> str:
    """(height, width, ...) as "640x480", width first."""
    return f"{shape[1]}x{shape[0]}"
