"""Photographs of noise, each known by its pixels, and batches of them."""

import itertools

import numpy as np

from scan_jax.core.sections import AugmentationSettings
from scan_jax.data.pipeline import training_batches
from scan_jax.masks.strokes import FreeForm

SIZE = 16
HOLES = FreeForm()
CROPPED = AugmentationSettings(crop="random_resized", flip=0.25)


class Photos:
    """Each photograph is noise of its own; labels tell left from right."""

    name = "test photographs"
    digest = ""
    flip_pairs = ((4, 5),)

    def __init__(self, count, with_labels=True):
        self.count, self.with_labels = count, with_labels

    def __len__(self):
        return self.count

    def title(self, index):
        return f"photograph {index}"

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        labels = np.full((SIZE, SIZE), 4, np.uint8)
        labels[:, SIZE // 2 :] = 5
        labels[0] = 1
        photo = {"image": rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8), "labels": labels}
        return photo if self.with_labels else {"image": photo["image"]}


def batches(count=None, source=None, **settings):
    """So many batches of 8 in a list, or the iterator itself, which may be closed."""
    settings = {"batch_size": 8, "seed": 5, "start_step": 0} | settings
    iterator = training_batches(Photos(20) if source is None else source, HOLES, **settings)
    return list(itertools.islice(iterator, count)) if count else iterator


def assert_same(left, right):
    """Two lists of batches are equal in every bit."""
    assert len(left) == len(right)
    for a, b in zip(left, right):
        np.testing.assert_array_equal(a.image, b.image)
        np.testing.assert_array_equal(a.known, b.known)
        np.testing.assert_array_equal(a.labels, b.labels)


def which_photo(image):
    """The index of the photograph that `image` [S,S,3] shows, and whether it is flipped."""
    for index in range(20):
        original = Photos(20)[index]["image"].astype(np.float32) / np.float32(255)
        if (image == original).all():
            return index, False
        if (image == original[:, ::-1]).all():
            return index, True
    raise AssertionError("no photograph looks so")
