"""PSNR, SSIM and MAE against scikit-image, on 8-bit images with odd sizes."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from scan_jax.metrics.standard import METRICS

SIZES = [(11, 11), (17, 23), (64, 64), (37, 90)]


def noisy_pair(height, width, deviation, seed):
    """Two batches [3,H,W,3] of 8-bit images as float64 in [0, 1]: noise around noise, around a ramp and near white."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 256, (3, height, width, 3)).astype(float)
    truth[1] = np.linspace(0, 255, width)[None, :, None]
    truth[2] = 240 + truth[2] % 16
    noisy = np.clip(np.round(truth + deviation * rng.standard_normal(truth.shape)), 0, 255)
    return noisy / 255, truth / 255


def by_skimage(name, image, truth):
    if name == "psnr":
        return peak_signal_noise_ratio(truth, image, data_range=1.0)
    if name == "ssim":
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        return structural_similarity(truth, image, channel_axis=2, data_range=1.0, **options)
    return 100 * np.abs(image - truth).mean()


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("deviation", [2, 40])
@pytest.mark.parametrize("size", SIZES)
def test_metrics_equal_scikit_image(name, deviation, size):
    image, truth = noisy_pair(*size, deviation, seed=sum(size))
    ours = METRICS[name](image.astype(np.float32), truth.astype(np.float32))
    expected = [by_skimage(name, a, b) for a, b in zip(image, truth)]
    assert ours.shape == (3,) and ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected, rtol=1e-5 if name == "mae" else 1e-6, atol=1e-6)


def test_identical_images_reach_the_best_value():
    image = noisy_pair(16, 19, 0, seed=1)[0].astype(np.float32)
    assert np.all(np.isposinf(METRICS["psnr"](image, image)))
    np.testing.assert_allclose(METRICS["ssim"](image, image), 1.0, atol=1e-6)
    assert np.all(np.asarray(METRICS["mae"](image, image)) == 0.0)


def test_each_metric_moves_in_its_direction():
    (near, truth), (far, _) = noisy_pair(24, 24, 5, seed=3), noisy_pair(24, 24, 60, seed=3)
    for metric in METRICS.values():
        gain = np.asarray(metric(np.float32(near), np.float32(truth)) - metric(np.float32(far), np.float32(truth)))
        assert np.all(gain > 0 if metric.better == "higher" else gain < 0)


def test_black_against_white_is_the_whole_range():
    black = np.zeros((1, 12, 12, 3), np.float32)
    assert float(METRICS["mae"](black, black + 1)[0]) == 100.0
    assert float(METRICS["psnr"](black, black + 1)[0]) == 0.0


@pytest.mark.parametrize("name", METRICS)
def test_refuses_broadcasting_and_integers(name):
    image = np.zeros((2, 16, 16, 3), np.float32)
    for wrong in (image[:1], image[..., :1], image[0]):
        with pytest.raises(ValueError, match="equal batches"):
            METRICS[name](image, wrong)
    with pytest.raises(ValueError, match="floating point"):
        METRICS[name](image, image.astype(np.uint8))


def test_ssim_refuses_images_below_its_window():
    image = np.zeros((1, 10, 30, 3), np.float32)
    with pytest.raises(ValueError, match="at least 11x11"):
        METRICS["ssim"](image, image)


def test_one_compile_for_one_shape():
    image = np.zeros((2, 13, 14, 3), np.float32)
    for metric in METRICS.values():
        metric(image, image)
        traces = metric.function._cache_size()
        metric(image + 0.5, image)
        assert metric.function._cache_size() == traces
