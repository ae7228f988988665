"""Photographs to squares, and squares to records: lossless, the same bytes every time, with digests of their pixels."""

import hashlib
import io

import cv2
import miniatures
import numpy as np
import pytest
from PIL import Image
from tensorflow_datasets.proto import tf_example_pb2

from scan_jax.data.files import file_at
from scan_jax.data.preparation.shards import encode_png, encode_record, record_digest, split_digest
from scan_jax.images.square import square, square_labels


@pytest.mark.parametrize(("shape", "top", "left"), [((20, 31), 0, 5), ((31, 20), 5, 0), ((20, 20), 0, 0)])
def test_the_crop_is_in_the_middle_or_shows_all(shape, top, left):
    image = miniatures.photograph(1, *shape)
    labels = image[..., 0].astype(np.int32)
    crop = np.s_[top : top + 20, left : left + 20]
    np.testing.assert_array_equal(square(image, 20, "centre"), image[crop])
    np.testing.assert_array_equal(square_labels(labels, 20, "centre"), labels[crop])
    places = [np.floor((np.arange(16) + 0.5) * side / 16).astype(int) for side in shape]
    np.testing.assert_array_equal(square_labels(labels, 16, "stretch"), labels[np.ix_(*places)])
    assert square_labels(labels, 16, "stretch").dtype == np.uint8
    expected = cv2.resize(image, (16, 16), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(square(image, 16, "stretch"), expected)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # Pillow's own, from 89 million pixels on
@pytest.mark.parametrize("spoil", [miniatures.write_bomb, miniatures.truncate, miniatures.empty])
def test_what_cannot_be_read(spoil, tmp_path):
    path = miniatures.write(tmp_path / "a.png", miniatures.photograph(0))
    spoil(path)
    with pytest.raises((OSError, ValueError, Image.DecompressionBombError)):
        file_at(path, "a.png").read_image()
    miniatures.write_bomb(path, 12_000, 12_501)  # Pillow itself refuses from 179 million on
    with pytest.raises(ValueError, match="12000x12501 pixels are more than the 150 million that are read"):
        file_at(path, "a.png").read_image()


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
