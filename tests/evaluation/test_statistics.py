"""Means and bootstrap intervals against NumPy and SciPy."""

import numpy as np
import pytest

from scan_jax.evaluation.statistics import RESAMPLES, difference, resampled_means, summarize

VALUES = np.random.default_rng(7).gamma(2.0, 3.0, 400).astype(np.float32)


def test_mean_and_deviation_are_those_of_float64_every_time():
    found = summarize(VALUES)
    assert found.mean == pytest.approx(VALUES.astype(np.float64).mean(), rel=1e-12)
    assert found.deviation == pytest.approx(VALUES.astype(np.float64).std(ddof=1), rel=1e-12)
    assert (found.n, found.infinite) == (400, 0) and found == summarize(VALUES.copy())
    np.testing.assert_array_equal(resampled_means(VALUES), resampled_means(VALUES))


def test_the_interval_is_that_of_the_percentile_bootstrap():
    stats = pytest.importorskip("scipy.stats")
    expected = stats.bootstrap(
        (VALUES.astype(np.float64),), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(3)
    ).confidence_interval
    found = summarize(VALUES)
    width = expected.high - expected.low
    assert abs(found.low - expected.low) < 0.05 * width
    assert abs(found.high - expected.high) < 0.05 * width
    assert found.low < found.mean < found.high


def test_resampled_means_are_means_of_draws_with_replacement():
    values = np.array([0.0, 1.0, 10.0])
    means = resampled_means(values)
    assert means.shape == (RESAMPLES,)
    possible = {round((a + b + c) / 3, 9) for a in values for b in values for c in values}
    assert {round(mean, 9) for mean in means} == possible
    assert means.mean() == pytest.approx(values.mean(), abs=4 * values.std() / np.sqrt(3 * RESAMPLES))


def test_infinite_values_are_counted_with_their_sign_and_in_no_mean():
    found = summarize(np.array([1.0, np.inf, 3.0, np.inf], np.float32))
    assert (found.mean, found.n, found.infinite) == (2.0, 2, 2)
    assert found.deviation == pytest.approx(np.sqrt(2.0))
    assert 1.0 <= found.low <= found.high <= 3.0
    all_infinite = summarize(np.full(3, np.inf, np.float32))
    assert (all_infinite.mean, all_infinite.n, all_infinite.infinite) == (np.inf, 0, 3)
    assert np.isnan([all_infinite.deviation, all_infinite.low, all_infinite.high]).all()
    mixed = summarize(np.array([np.inf, 1.0, -np.inf, -np.inf], np.float32))
    assert (mixed.mean, mixed.n, mixed.infinite, mixed.minus_infinite) == (1.0, 1, 3, 2)
    assert summarize(np.full(3, -np.inf)).mean == -np.inf and np.isnan(summarize(np.array([np.inf, -np.inf])).mean)
    against_identical = difference(np.array([20.0, 30.0]), np.array([np.inf, np.inf]), "higher")
    assert (against_identical.mean, against_identical.minus_infinite) == (-np.inf, 2)
    differences = difference(np.array([np.inf, np.inf, 5.0]), np.array([np.inf, 1.0, 2.0]), "higher")
    assert (differences.mean, differences.n, differences.infinite) == (1.5, 2, 1)  # 0 and 3; inf - 1 is counted


def test_one_value_has_a_mean_alone_and_none_has_nothing_and_equal_ones_do_not_spread():
    one = summarize(np.array([4.5], np.float32))
    assert (one.mean, one.low, one.high, one.n) == (4.5, 4.5, 4.5, 1) and np.isnan(one.deviation)
    none = summarize(np.zeros(0, np.float32))
    assert (none.n, none.infinite, none.minus_infinite) == (0, 0, 0) and np.isnan(none.mean)
    equal = summarize(np.full(5, 0.25, np.float32))
    assert (equal.mean, equal.deviation) == (0.25, 0.0)
    assert equal.low == pytest.approx(0.25) and equal.high == pytest.approx(0.25)


def test_differences_leave_out_how_hard_a_photograph_is():
    ours = VALUES + np.float32(0.5)
    found = difference(ours, VALUES, "higher")
    assert found.mean == pytest.approx(0.5, abs=1e-6) and found.deviation < 1e-6
    assert found.high - found.low < 1e-6 < summarize(VALUES).high - summarize(VALUES).low


def test_refuses_what_is_no_score():
    with pytest.raises(ValueError, match="without NaN"):
        summarize(np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match="scores"):
        summarize(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="same photographs"):
        difference(np.zeros(2), np.zeros(3), "zero")
