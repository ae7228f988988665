"""What each metric should give: scikit-image, OpenCV and float64 NumPy from the equations, one pair at a time.

All take image and photograph uint8 [H,W,3] and hole bool [H,W].
"""

import cv2
import numpy as np
from scipy.ndimage import correlate1d
from skimage.color import rgb2gray, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def psnr(image, photograph, data_range):
    with np.errstate(divide="ignore"):  # identical images
        return peak_signal_noise_ratio(photograph, image, data_range=data_range)


def rgb_psnr(image, photograph, hole):
    return psnr(image, photograph, 255)


def opencv_psnr(image, photograph, hole):
    return np.inf if np.array_equal(image, photograph) else cv2.PSNR(image, photograph)


def rgb_ssim(**options):
    def ssim(image, photograph, hole):
        pair = photograph.astype(float), image.astype(float)
        return structural_similarity(*pair, channel_axis=2, data_range=255, **options)

    return ssim


def rgb_mae(image, photograph, hole):
    return 100 * np.abs(image / 255 - photograph / 255).mean()


def grey_psnr(image, photograph, hole):
    return psnr(rgb2gray(image), rgb2gray(photograph), 1)


def grey_ssim(image, photograph, hole):
    return structural_similarity(rgb2gray(photograph), rgb2gray(image), data_range=1, win_size=51)


def grey_mae(image, photograph, hole):
    x, y = rgb2gray(image), rgb2gray(photograph)
    return np.abs(x - y).sum() / (x + y).sum() if (x + y).any() else 0.0


def region_norm_l1(image, photograph, hole):
    return np.mean(np.abs((np.mean(image, 2) - np.mean(photograph, 2)) / 255))


def ssim_map(image, photograph, border):
    """[H,W,3]: the Gaussian window around every pixel, in the form of Wang et al. (2004), equation (13).

    SciPy's "mirror" is the "reflect" of NumPy and PyTorch: the border's own pixels are not repeated.
    """
    weights = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)

    def mean(x):
        down = correlate1d(x, weights / weights.sum(), axis=0, mode=border)
        return correlate1d(down, weights / weights.sum(), axis=1, mode=border)

    x, y = image / 255, photograph / 255
    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))


def lama_ssim(image, photograph, hole):
    return ssim_map(image, photograph, "constant").mean()


def reflected_ssim(image, photograph, hole):
    return ssim_map(image, photograph, "mirror").mean()


def hole_psnr(image, photograph, hole):
    return psnr(image[hole], photograph[hole], 255) if hole.any() else np.inf


def hole_ssim(image, photograph, hole):
    return ssim_map(image, photograph, "mirror")[hole].mean() if hole.any() else 1.0


def hole_mae(image, photograph, hole):
    return rgb_mae(image[hole], photograph[hole], hole) if hole.any() else 0.0


def seam(image, photograph, hole):
    """The mean over all pairs of neighbours of which one is in the hole."""
    excess = []
    for axis in (0, 1):
        jumps = [np.abs(np.diff(a.astype(float), axis=axis)).mean(-1) for a in (image, photograph)]
        excess.extend((jumps[0] - jumps[1])[np.diff(hole, axis=axis)])
    return np.mean(excess) if excess else 0.0


def colour_shift(image, photograph, hole):
    if not hole.any():
        return 0.0
    return np.linalg.norm(rgb2lab(image)[hole].mean(axis=0) - rgb2lab(photograph)[hole].mean(axis=0))


ORACLES = {
    "standard": {"psnr": rgb_psnr, "ssim": rgb_ssim(**GAUSSIAN), "mae": rgb_mae},
    "edge_connect": {"psnr": grey_psnr, "ssim": grey_ssim, "mae": grey_mae},
    "region_norm": {"psnr": rgb_psnr, "ssim": rgb_ssim(win_size=11), "mae": region_norm_l1},
    "masked_attention": {"psnr": opencv_psnr, "ssim": rgb_ssim()},
    "lama": {"ssim": lama_ssim},
    "reflected": {"ssim": reflected_ssim},
    "hole_only": {"psnr": hole_psnr, "ssim": hole_ssim, "mae": hole_mae},
    "checks": {"seam": seam, "colour_shift": colour_shift},
}


def deviations(group, name, metric, images, photographs, holes):
    """|ours - the oracle's| for each pair; 0 where both are infinite. Which of them are infinite must agree."""
    ours = np.asarray(metric(images, photographs, holes), float)
    expected = np.array([ORACLES[group][name](*pair) for pair in zip(images, photographs, holes)])
    assert ours.shape == expected.shape
    np.testing.assert_array_equal(np.isposinf(ours), np.isposinf(expected))
    finite = np.isfinite(expected)
    return np.abs(np.where(finite, ours, 0) - np.where(finite, expected, 0))
