"""Mean, deviation and bootstrap intervals of scores; infinite ones are counted and kept out of every mean."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from scan_jax.metrics.api import AnyMetric, Better

RESAMPLES, CONFIDENCE, SEED = 2000, 0.95, 0
_PART = 100  # resamples at a time


@dataclasses.dataclass(frozen=True)
class Summary:
    """Of the scores of many photographs."""

    mean: float  # of the finite values; where all values are the same infinity, that; NaN where there is neither
    deviation: float  # of the finite values, with n - 1; NaN where there are too few
    low: float  # the 95% interval of the mean, by the percentile bootstrap (Efron 1979), 2,000 resamples, fixed seed
    high: float
    n: int  # finite values
    infinite: int  # values that were not finite, such as the PSNR of identical images
    minus_infinite: int = 0  # those of them below 0, such as a PSNR minus that of identical images

    @property
    def empty(self) -> bool:
        """Of no values."""
        return not (self.n or self.infinite)


def summarize(values: np.ndarray) -> Summary:
    """Of scores [n]; NaN is refused with a ValueError, for a score that is no number is a defect."""
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


def difference(ours: np.ndarray, theirs: np.ndarray, better: Better) -> Summary:
    """Of `ours - theirs` [n], photograph by photograph, which leaves out how hard each photograph is.

    Equal values, infinite ones too, differ by 0; a difference to one infinite value is infinite. Where 0 is best
    magnitudes are subtracted, so that less than 0 is better.
    """
    if better == "zero":
        ours, theirs = np.abs(ours), np.abs(theirs)
    if ours.shape != theirs.shape:
        raise ValueError(f"scores of the same photographs are needed, not {ours.shape} and {theirs.shape}")
    equal = ours == theirs
    return summarize(np.subtract(ours, theirs, out=np.zeros(ours.shape), where=~equal, dtype=np.float64))


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


MIN_FOR_VERDICT = 10  # images: a bootstrap interval of fewer is too narrow to call anything better
Verdict = Literal["better", "worse", "open", ""]


def subtracted(name: str, better: Better) -> str:
    """What `difference` is of: "PSNR", but "|Seam|" where magnitudes are subtracted."""
    return f"|{name}|" if better == "zero" else name


def verdict(found: Summary, better: Better) -> Verdict:
    """On a paired difference: "better" or "worse" where all of its interval lies on one side of 0, "open" otherwise.

    Infinite differences on the other side keep it open. None (the empty text) below MIN_FOR_VERDICT finite differences,
    unless there are as many that are all the same infinity.
    """
    called: Verdict = "better" if (found.mean > 0) == (better == "higher") else "worse"
    if not found.n and found.infinite >= MIN_FOR_VERDICT and np.isinf(found.mean):
        return called
    if found.n < MIN_FOR_VERDICT:
        return ""
    against = found.minus_infinite if found.mean > 0 else found.infinite - found.minus_infinite
    return "open" if against or found.low <= 0 <= found.high else called


def best_of_images(scores: Sequence[np.ndarray | None], metric: AnyMetric) -> list[bool]:
    """Which entries' scores of one bucket are the best, as printed: equal digits are equally good.

    Infinite scores are in no mean, so that means rank only where the same images are infinite for every entry. Scores
    that are all perfect, as the PSNR of identical images, are best in any case. One entry alone is not best, and one
    whose scores [n] are None or empty takes no part.
    """
    there = {k: values for k, values in enumerate(scores) if values is not None and len(values)}
    perfect = {"higher": np.inf, "lower": -np.inf, "zero": np.nan}[metric.better]  # no value equals NaN
    best = {k for k, values in there.items() if (values == perfect).all()}
    infinities = [np.where(np.isfinite(values), 0, values) for values in there.values()]  # [n] of each
    if len(there) < 2:
        best = set()
    elif not best and all(np.array_equal(infinities[0], other) for other in infinities):
        finite = {k: values[np.isfinite(values)].astype(np.float64) for k, values in there.items()}
        best = _least({k: float(values.mean()) for k, values in finite.items() if len(values)}, metric)
    return [k in best for k in range(len(scores))]


def best_of_sets(values: Sequence[float | None], metric: AnyMetric) -> list[bool]:
    """Which values of whole sets are the best, as printed; None takes no part, and one alone is not best."""
    best = _least({k: value for k, value in enumerate(values) if value is not None}, metric)
    return [k in best for k in range(len(values))]


def printed(value: float, metric: AnyMetric, sign: Literal["", "+"] = "") -> str:
    """With the metric's decimals; `sign` is "+" where the sign is to be printed always. Never "-0.00"."""
    return f"{value:{sign}z.{metric.decimals}f}"


def _least(values: Mapping[int, float], metric: AnyMetric) -> set[int]:
    """The keys of the best of at least two values."""
    rank = {"higher": lambda value: -value, "lower": float, "zero": abs}[metric.better]
    ranks = {k: rank(value) for k, value in values.items() if not np.isnan(value)}
    if len(ranks) < 2:
        return set()
    top = printed(min(ranks.values()), metric)
    return {k for k, value in ranks.items() if printed(value, metric) == top}
