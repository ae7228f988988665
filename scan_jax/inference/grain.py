"""Grain for a hole that was filled without any: noise as strong and as coarse as that of the photograph around it.

Both are read off where the photograph is flattest near the hole; what the filling lacks of that is drawn and added.
"""

from __future__ import annotations

import cv2
import numpy as np

from scan_jax.inference.tiling import bounds, grown, to_bytes

REACH = 48  # pixels around the hole that are read
SMOOTH = 1.5  # pixels, standard deviation of the blur that separates grain from what it lies on
GUARD = 5  # pixels on either side of the hole's border that are not read, for that blur mixes both sides there
FLATTEST = 0.25  # of the pixels on each side
MIN_PIXELS = 100  # with fewer to read from, nothing is added
COARSENESS = (0.0, 0.4, 0.55, 0.7, 0.85, 1.0, 1.25, 1.5)  # pixels, standard deviations of the blur of grain to try


def add_grain(filled: np.ndarray, hole: np.ndarray, seed: int = 0, unseen: np.ndarray | None = None) -> np.ndarray:
    """A filling uint8 [H,W,3] with the grain that it lacks in its hole, bool [H,W]; `seed` is that of the noise.

    No grain is read from `unseen`, bool [H,W], either. Where there is too little to read from, it is `filled` itself.
    """
    if not hole.any():
        return filled
    place = grown(bounds(hole), hole.shape, REACH, REACH).slices
    image, inside = filled[place].astype(np.float32) / np.float32(255), hole[place]
    residual = image - _blur(image, SMOOTH)  # [h,w,3]
    unknown = inside if unseen is None else inside | unseen[place]  # [h,w]
    steep = _steepness(image)  # [h,w]
    around, within = (_flattest(steep, _far_from(*pair)) for pair in ((unknown, ~unknown), (~inside, inside)))
    if around.sum() < MIN_PIXELS:
        return filled
    wanted = _covariance(residual, around)  # [3,3]
    missing = wanted - _covariance(residual, within) if within.sum() >= MIN_PIXELS else wanted
    noise = np.random.default_rng(seed).standard_normal(image.shape, np.float32)
    noise = _as_coarse_as(noise, _correlation(residual, around))
    image += noise @ _root(missing)
    grained = filled.copy()
    grained[place][inside] = to_bytes(image[inside])
    return grained


def _blur(image: np.ndarray, deviation: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), deviation) if deviation else image


def _far_from(other: np.ndarray, side: np.ndarray) -> np.ndarray:
    """The pixels of one side of the border that are not near the other side: bool [h,w]."""
    near = cv2.dilate(other.astype(np.uint8), np.ones((2 * GUARD + 1, 2 * GUARD + 1), np.uint8))
    return side & (near == 0)


def _steepness(image: np.ndarray) -> np.ndarray:
    """How much the photograph varies about each pixel at a scale above that of grain: float32 [h,w]."""
    smooth = _blur(image.mean(axis=2), 2 * SMOOTH)
    return _blur(np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)), 2 * SMOOTH)


def _flattest(steep: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Those of some pixels about which the photograph varies least: bool [h,w]."""
    return pixels & (steep <= np.quantile(steep[pixels], FLATTEST)) if pixels.any() else pixels


def _covariance(residual: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Of the channels, [3,3]."""
    chosen = residual[pixels]  # [n,3]
    return chosen.T @ chosen / len(chosen)


def _correlation(residual: np.ndarray, pixels: np.ndarray) -> float:
    """Of a pixel with its neighbours to the right and below, over all channels."""
    beside = [(pixels[:, 1:] & pixels[:, :-1], residual[:, 1:], residual[:, :-1])]
    beside.append((pixels[1:] & pixels[:-1], residual[1:], residual[:-1]))
    products = [float((one[both] * other[both]).sum()) for both, one, other in beside]
    squares = [float((one[both] ** 2 + other[both] ** 2).sum()) / 2 for both, one, other in beside]
    return sum(products) / max(sum(squares), 1e-12)


def _as_coarse_as(noise: np.ndarray, correlation: float) -> np.ndarray:
    """White noise [h,w,3], blurred until its neighbours are as alike as that; its residual has the deviation 1."""
    everywhere = np.ones(noise.shape[:2], bool)

    def seen(grain: np.ndarray) -> np.ndarray:
        return grain - _blur(grain, SMOOTH)

    tried = [_blur(noise, deviation) for deviation in COARSENESS]
    best = min(tried, key=lambda grain: abs(_correlation(seen(grain), everywhere) - correlation))
    return best / float(seen(best).std())


def _root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric root [3,3] of what is positive of it."""
    values, vectors = np.linalg.eigh(covariance)
    return ((vectors * np.sqrt(values.clip(0))) @ vectors.T).astype(np.float32)
