"""What stands beside a trained network."""

import importlib.util

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import patchmatch
import pytest

from scan_jax.core.errors import UserError
from scan_jax.evaluation.benchmark import Batch, Row
from scan_jax.evaluation.entries import BASELINES, baselines_for, class_mean, find_baseline, mean
from scan_jax.evaluation.results import COMPLETION
from scan_jax.inference.inpainter import Inpainter
from scan_jax.inference.ways import WAYS
from scan_jax.ops.smooth_fill import biharmonic_fill, harmonic_fill

OF_PIXELS = {**WAYS, "mean": mean}  # which need no labels


def scene(height=31, width=45):
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([rows * 4, columns * 3, rows + columns], axis=-1).astype(np.uint8)  # [H,W,3]
    hole = np.zeros((height, width), bool)
    hole[8:20, 10:31] = True
    return image, hole


@pytest.mark.slow
def test_each_fills_as_it_does_alone():
    image, hole = scene()
    blank = np.where(hole[..., None], np.uint8(0), image)
    known = jnp.asarray(~hole[None, ..., None], jnp.float32)
    by_equation = {
        name: np.round(255 * np.asarray(jax.jit(solve)(jnp.asarray(blank[None] / 255, jnp.float32), known)[0]))
        for name, solve in (("harmonic", harmonic_fill), ("biharmonic", biharmonic_fill))
    }
    for name, expected, error in (
        ("navier_stokes", cv2.inpaint(blank, hole.astype(np.uint8) * 255, 3, cv2.INPAINT_NS), 12),
        ("telea", cv2.inpaint(blank, hole.astype(np.uint8) * 255, 3, cv2.INPAINT_TELEA), 12),
        ("harmonic", by_equation["harmonic"], 2),  # a plane solves both equations, but for its rounding
        ("biharmonic", by_equation["biharmonic"], 2),
        ("patchmatch", patchmatch.inpaint(blank, hole, patch_size=3), np.inf),
        ("mean", np.broadcast_to(np.round(image[~hole].mean(0)), image.shape), np.inf),
    ):
        found = OF_PIXELS[name](image, hole)
        assert np.abs(found.astype(int) - expected)[hole].max() <= (name in by_equation)  # may be rounded elsewhere
        np.testing.assert_array_equal(found[~hole], image[~hole])
        assert np.abs(found.astype(int) - image)[hole].mean() < error


@pytest.mark.parametrize("name", OF_PIXELS)
def test_does_not_read_the_hole_and_answers_at_both_ends(name):
    fill, (image, hole) = OF_PIXELS[name], scene()
    other = image.copy()
    other[hole] = np.random.default_rng(0).integers(0, 256, (hole.sum(), 3))
    np.testing.assert_array_equal(fill(image, hole), fill(other, hole))
    np.testing.assert_array_equal(fill(image, np.zeros_like(hole)), image)
    np.testing.assert_array_equal(fill(image, np.ones_like(hole)), np.full_like(image, 128))
    for wrong in ((image, hole[:-1]), (image, hole.astype(np.uint8)), (image / 255.0, hole)):
        with pytest.raises(ValueError, match="are needed"):
            fill(*wrong)


def test_a_missing_package_is_named_with_its_line(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "patchmatch" else found(name))
    for ask in (lambda: find_baseline("patchmatch", None), lambda: Inpainter.load("patchmatch")):
        with pytest.raises(UserError, match=r'needs the package pypatchmatch: pip install "scan_jax\[patchmatch\]"'):
            ask()


def test_all_are_known_by_their_keys_and_fill_batches():
    image, hole = scene()
    images, holes = np.stack([image, image, image]), np.stack([hole, hole[::-1], np.ones_like(hole)])
    batch = Batch(images, holes, np.zeros(holes.shape, np.int32), tuple(Row("10-20%", i) for i in range(3)))
    assert list(BASELINES) == ["navier_stokes", "telea", "harmonic", "biharmonic", "patchmatch", "mean", "class_mean"]
    for key, baseline in BASELINES.items():
        found = baseline.fill(batch)[COMPLETION]
        expected = [OF_PIXELS.get(key, mean)(*each) for each in zip(images, holes)]
        np.testing.assert_allclose(found, expected, atol=key in ("harmonic", "biharmonic"))
        np.testing.assert_array_equal(found[~holes], images[~holes])
    labels = batch.labels[0]
    assert [one.key for one in baselines_for(None)] == ["navier_stokes", "harmonic", "biharmonic"]
    assert [one.key for one in baselines_for(labels)] == ["navier_stokes", "harmonic", "biharmonic", "class_mean"]
    assert "scikit" not in str(BASELINES["biharmonic"].depends_on), "scores of the former solver are not taken for ours"
    assert find_baseline("class_mean", labels) is BASELINES["class_mean"]
    with pytest.raises(UserError, match="class_mean needs photographs with label maps"):
        find_baseline("class_mean", None)
    with pytest.raises(UserError, match="did you mean 'telea'"):
        find_baseline("telia", None)


def labelled_scene():
    """Four classes: 0 and 1 partly in the hole, 2 in the hole alone, 3 absent, 4 outside the hole."""
    image = np.random.default_rng(4).integers(0, 256, (31, 45, 3), np.uint8)
    _, hole = scene()
    labels = np.zeros((31, 45), np.uint8)
    labels[:, 20:] = 1
    labels[10:14, 12:18] = 2
    labels[25:] = 4
    return image, hole, labels


def test_class_mean_fills_each_class_by_itself_does_not_read_the_hole_and_answers_at_both_ends():
    image, hole, labels = labelled_scene()
    filled = class_mean(image, hole, labels)
    np.testing.assert_array_equal(filled[~hole], image[~hole])
    for label in (0, 1):
        expected = image[(labels == label) & ~hole].astype(np.float64).mean(0)
        assert np.abs(filled[(labels == label) & hole] - expected).max() <= 0.5
    everywhere = image[~hole].astype(np.float64).mean(0)  # class 2 has no known pixel
    assert np.abs(filled[labels == 2] - everywhere).max() <= 0.5
    image, hole, labels = labelled_scene()
    other = np.where(hole[..., None], 255 - image, image)
    np.testing.assert_array_equal(class_mean(image, hole, labels), class_mean(other, hole, labels.astype(np.int32)))
    np.testing.assert_array_equal(class_mean(image, np.zeros_like(hole), labels), image)
    assert (class_mean(image, np.ones_like(hole), labels) == 128).all()
    for arguments in ((image, hole[:-1], labels), (image, hole, labels[:-1]), (image, hole, labels / 1.0)):
        with pytest.raises(ValueError, match="are needed"):
            class_mean(*arguments)
