"""Records: lossless, the same bytes every time, and digests of pixels."""

import hashlib
import io

import numpy as np
import pytest
from PIL import Image
from tensorflow_datasets.proto import tf_example_pb2

from scan_jax.data.preparation.encoding import encode_png, encode_record, record_digest, split_digest


@pytest.mark.parametrize("shape", [(7, 5, 3), (64, 64, 3), (7, 5), (65, 3)])
def test_png_files_keep_every_pixel(shape):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    with Image.open(io.BytesIO(encode_png(array))) as image:
        assert image.mode == ("RGB" if len(shape) == 3 else "L")
        np.testing.assert_array_equal(np.asarray(image), array)


def test_a_record_is_an_example_of_png_files():
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    labels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    record = encode_record("ä/b.jpg", {"image": image, "labels": labels})
    features = tf_example_pb2.Example.FromString(record).features.feature
    assert sorted(features) == ["image", "labels", "name"]
    assert features["name"].bytes_list.value[0].decode() == "ä/b.jpg"
    decoded = np.asarray(Image.open(io.BytesIO(features["labels"].bytes_list.value[0])))
    np.testing.assert_array_equal(decoded, labels)
    other_order = {"labels": labels, "image": image}
    assert record == encode_record("ä/b.jpg", other_order)


def test_digests_by_hand():
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    wanted = hashlib.sha256(b"a.png" + b"\nimage (2, 2, 3)\n" + bytes(range(12))).digest()
    assert record_digest("a.png", {"image": image}) == wanted
    assert record_digest("a.png", {"image": image[::-1]}) != wanted
    assert record_digest("b.png", {"image": image}) != wanted
    turned = np.asfortranarray(image)
    assert record_digest("a.png", {"image": turned}) == wanted  # pixels, not memory
    assert split_digest([wanted, wanted[::-1]]) == hashlib.sha256(wanted + wanted[::-1]).hexdigest()
