"""Mean, deviation and bootstrap intervals of scores; infinite ones are counted and kept out of every mean."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

RESAMPLES, CONFIDENCE, SEED = 2000, 0.95, 0
_PART = 100  # resamples at a time


@dataclasses.dataclass(frozen=True)
class Summary:
    """Of the scores of many photographs.

    Attributes:
      mean: of the finite values; where all values are the same infinity, that; NaN where there is neither.
      deviation: of the finite values, with n - 1; NaN where there are too few.
      low, high: the 95% interval of the mean, by the percentile bootstrap (Efron 1979), 2,000 resamples, fixed seed.
      n: finite values.
      infinite: values that were not finite, such as the PSNR of identical images.
      minus_infinite: those of them below 0, such as a PSNR minus that of identical images.
    """

    mean: float
    deviation: float
    low: float
    high: float
    n: int
    infinite: int
    minus_infinite: int = 0


def summarize(values: np.ndarray) -> Summary:
    """Of scores [n]; NaN is refused, for a score that is no number is a defect.

    Raises:
      ValueError: another rank, or a NaN.
    """
    if values.ndim != 1 or np.isnan(values).any():
        raise ValueError(f"scores [n] without NaN are needed, not {values.shape}")
    finite = values[np.isfinite(values)].astype(np.float64)
    n, infinite, minus = len(finite), len(values) - len(finite), int(np.isneginf(values).sum())
    if not n:
        mean = float(values[0]) if infinite and minus in (0, infinite) else np.nan
        return Summary(mean, np.nan, np.nan, np.nan, 0, infinite, minus)
    low, high = np.quantile(resampled_means(finite), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    deviation = float(finite.std(ddof=1)) if n > 1 else np.nan
    return Summary(float(finite.mean()), deviation, float(low), float(high), n, infinite, minus)


def paired(ours: np.ndarray, theirs: np.ndarray) -> Summary:
    """Of `ours - theirs`, photograph by photograph, which leaves out how hard each photograph is.

    Equal values, infinite ones too, differ by 0; a difference to one infinite value is infinite.
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"scores of the same photographs are needed, not {ours.shape} and {theirs.shape}")
    equal = ours == theirs
    difference = np.subtract(ours, theirs, out=np.zeros(ours.shape), where=~equal, dtype=np.float64)
    return summarize(difference)


def resampled_means(values: np.ndarray) -> np.ndarray:
    """Means [RESAMPLES] of as many draws of n from finite values [n] with replacement; the same on every call."""
    n = len(values)
    return np.concatenate([part.astype(np.float64) @ values / n for part in np.split(_draws(n), RESAMPLES // _PART)])


@functools.lru_cache(maxsize=2)  # every metric of every bucket asks for the same n
def _draws(n: int) -> np.ndarray:
    """How often each of n values is drawn, uint8 [RESAMPLES,n]; in parts, for the counts come as int64."""
    rng = np.random.default_rng(SEED)
    parts = (rng.multinomial(n, np.full(n, 1 / n), size=_PART) for _ in range(RESAMPLES // _PART))
    return np.concatenate([part.astype(np.uint8) for part in parts])
