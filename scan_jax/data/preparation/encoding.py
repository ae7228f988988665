"""Arrays to the bytes of a record, the same bytes every time."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
from tensorflow_datasets.proto import tf_example_pb2, tf_feature_pb2

from scan_jax.data.preparation.plan import Arrays

# Photographs hold no repetitions worth looking for: half the bytes in the time that it takes to store them all.
_PHOTOGRAPH = (
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY),
)
_MAP = (
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT),
    *(cv2.IMWRITE_PNG_COMPRESSION, 6),
)


def encode_record(name: str, arrays: Arrays) -> bytes:
    """A record as TFDS reads it: a tf.train.Example of PNG files, and the photograph's name.

    Args:
      name: of the photograph.
      arrays: uint8 [H,W,3] (RGB) or [H,W].
    """
    values = {key: encode_png(array) for key, array in arrays.items()} | {"name": name.encode()}
    features = {
        key: tf_feature_pb2.Feature(bytes_list=tf_feature_pb2.BytesList(value=[value])) for key, value in values.items()
    }
    example = tf_example_pb2.Example(features=tf_feature_pb2.Features(feature=features))
    # TFDS's own writer leaves the order of the map open, so that two builds differ.
    return example.SerializeToString(deterministic=True)


def encode_png(array: np.ndarray) -> bytes:
    """uint8 [H,W,3] (RGB) or [H,W] as a PNG file."""
    if array.ndim == 3:
        encoded, data = cv2.imencode(".png", cv2.cvtColor(array, cv2.COLOR_RGB2BGR), _PHOTOGRAPH)
    else:
        encoded, data = cv2.imencode(".png", array, _MAP)
    if not encoded:
        raise ValueError(f"OpenCV cannot write {array.dtype} {array.shape} as a PNG")
    return data.tobytes()


def record_digest(name: str, arrays: Arrays) -> bytes:
    """SHA-256 of a record's name and pixels, whatever encoder made files of them."""
    hasher = hashlib.sha256(name.encode())
    for key in sorted(arrays):
        array = np.ascontiguousarray(arrays[key])
        hasher.update(f"\n{key} {array.shape}\n".encode())
        hasher.update(array.data)
    return hasher.digest()


def split_digest(digests: list[bytes]) -> str:
    """SHA-256 (hex) of records in their order."""
    return hashlib.sha256(b"".join(digests)).hexdigest()
