"""Label maps from files, Pillow images and arrays, for one photograph."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image

from scan_jax import label_map
from scan_jax.core.errors import UserError
from scan_jax.inference.files.image_files import decode, open_image, turn_upright


def read_labels(source: str | os.PathLike[str] | Image.Image | np.ndarray, num_labels: int | None = None) -> np.ndarray:
    """A label map whose pixel values are the classes.

    Args:
      source: a file or Pillow image of one channel (a palette's indices are the classes), or integers [H,W] or [H,W,1].
      num_labels: classes; None where any label will do.

    Returns:
      int32 [H,W].

    Raises:
      UserError: it is missing or no image, has colours, or has a label below 0 or above the class count.
    """
    name = f"the label map {os.fspath(source)}" if isinstance(source, (str, os.PathLike)) else "the label map"
    labels = _decode(source, name)  # [H,W]
    label_map.check(labels, num_labels, name)
    return labels.astype(np.int32)


def _decode(source: str | os.PathLike[str] | Image.Image | np.ndarray, name: str) -> np.ndarray:
    """Integers [H,W]."""
    if isinstance(source, np.ndarray):
        if source.ndim == 3 and source.shape[2] in (3, 4):
            raise UserError(f"{name} is a colour image {source.shape}, but a pixel's value must be its class, [H,W]")
        return source[..., 0] if source.ndim == 3 and source.shape[2] == 1 else source
    if isinstance(source, Image.Image):
        return label_map.from_image(source, name)
    with open_image(source, "the label map") as image:
        if image.format in label_map.LOSSY:
            raise UserError(f"{name} is a {image.format}, which blurs classes; save it as a PNG")
        orientation = decode(image)
        return turn_upright(label_map.from_image(image, name), orientation)
