"""Distances between sets of vectors, against SciPy and scikit-learn."""

import numpy as np
import pytest
import scipy.linalg
from refusals import refused

from scan_jax.metrics.sets import (
    frechet_distance,
    kernel_distance,
    paired_kernel_distance,
    paired_score,
    unpaired_score,
)

ALL = (frechet_distance, kernel_distance, paired_kernel_distance, unpaired_score, paired_score)


def vectors(count, width, shift=0.0, seed=0):
    """Correlated, skewed and positive, as mean activations are: float64 [N,D]."""
    draw = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(width, width)) / np.sqrt(width)
    return np.abs(draw.normal(size=(count, width)) @ mixing + shift)


def textbook_frechet(first, second):
    """From the formula, by SciPy's root of a matrix."""
    c1, c2 = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    offset = first.mean(0) - second.mean(0)
    return offset @ offset + np.trace(c1) + np.trace(c2) - 2 * np.trace(scipy.linalg.sqrtm(c1 @ c2)).real


@pytest.mark.parametrize("count", [40, 41, 300])
def test_frechet_is_the_formula(count):
    first, second = vectors(count, 20), 1.2 * vectors(count, 20, shift=0.3, seed=1)
    np.testing.assert_allclose(frechet_distance(first, second), textbook_frechet(first, second), rtol=1e-9)


def test_frechet_of_fewer_vectors_than_dimensions_and_of_known_normals():
    """Sets in few of many dimensions, turned; and |m - m'|^2 + sum (s - s')^2 of independent dimensions."""
    first, second = vectors(8, 5), vectors(8, 5, shift=0.5, seed=1)
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(60, 60)))[0][:5]  # [5,60], orthonormal rows
    found = frechet_distance(first @ turn, second @ turn)
    np.testing.assert_allclose(found, textbook_frechet(first, second), rtol=1e-9)
    rows = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]) * np.sqrt(3 / 4)  # unit covariance
    found = frechet_distance(rows * [2, 3] + [1, 0], rows * [5, 1] + [0, 4])
    np.testing.assert_allclose(found, 1 + 16 + 9 + 4, rtol=1e-12)


@pytest.mark.parametrize("count", [2, 30, 200])
def test_identical_sets_are_no_distance_apart(count):
    x = vectors(count, 60)
    assert 0 <= frechet_distance(x, x) < 1e-10 * np.trace(np.cov(x, rowvar=False))
    assert unpaired_score(x, x) == 50 and paired_score(x, x) == 0  # no fake is more real than itself


@pytest.mark.parametrize("count", [2, 50, 700])
def test_kernel_distance_is_scikit_learns_and_the_paired_one_leaves_an_images_own_photograph_out(count):
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    first, second = vectors(count, 30), vectors(count, 30, shift=0.2, seed=1)
    options = {"degree": 3, "gamma": None, "coef0": 1}  # gamma 1 / D
    pairs = (first, first), (second, second), (first, second)
    xx, yy, xy = (pairwise.polynomial_kernel(*pair, **options) for pair in pairs)
    apart = ~np.eye(count, dtype=bool)
    within = xx[apart].mean() + yy[apart].mean()
    for ours, between in ((kernel_distance, xy.mean()), (paired_kernel_distance, xy[apart].mean())):
        np.testing.assert_allclose(ours(first, second), within - 2 * between, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("count", [2, 30, 511, 700])
def test_identical_pairs_are_exactly_no_kernel_distance_apart(count):
    x = 20 * vectors(count, 30)
    assert paired_kernel_distance(x, x) == paired_kernel_distance(x, x.copy()) == 0
    kernel = (x @ x.T / 30 + 1) ** 3
    apart = kernel[~np.eye(count, dtype=bool)].mean()
    expected = 2 / count * (apart - np.diag(kernel).mean())  # what the public form says of them
    assert kernel_distance(x, x.copy()) == pytest.approx(expected, rel=1e-6) and expected < -100 / count


def test_discriminative_scores_are_the_authors():
    """By scikit-learn's own scoring, in %."""
    svm = pytest.importorskip("sklearn.svm").LinearSVC(dual=False)
    first, second = vectors(300, 12), vectors(300, 12, shift=0.2, seed=1)
    both, truth = np.concatenate([first, second]), np.array([1] * len(first) + [0] * len(second))
    svm.fit(both, truth)
    unpaired = 100 * (1 - svm.score(both, truth))
    paired = 100 * np.mean(svm.decision_function(second) > svm.decision_function(first))
    assert unpaired_score(first, second) == pytest.approx(unpaired) and 5 < unpaired < 45
    assert paired_score(first, second) == pytest.approx(paired) and 5 < paired < 45


def test_only_the_paired_metrics_see_the_order():
    first = vectors(200, 10)
    second = first + 0.1 * np.random.default_rng(3).normal(size=first.shape) - 0.05  # each is near its original
    shuffled = second[np.random.default_rng(4).permutation(200)]
    for metric in (frechet_distance, kernel_distance, unpaired_score):
        np.testing.assert_allclose(metric(first, second), metric(first, shuffled), rtol=1e-6, atol=1e-9)
    assert paired_score(first, second) + 10 < paired_score(first, shuffled)
    assert paired_kernel_distance(first, second) > paired_kernel_distance(first, shuffled) + 1e-3


@pytest.mark.parametrize("metric", ALL)
def test_the_same_number_every_time_and_what_cannot_be_compared_is_refused(metric):
    first, second = vectors(60, 30), vectors(60, 30, shift=0.1, seed=1)
    assert metric(first, second) == metric(first.copy(), second.copy()) and isinstance(metric(first, second), float)
    x = np.ones((5, 3))
    refused("two equal sets", metric, (x, x[:4]), (x, np.ones((5, 4))), (x[:1], x[:1]), (x[0], x[0]))
    spoilt = x.copy()
    spoilt[2, 1] = np.nan
    refused("finite", metric, (x, spoilt))
