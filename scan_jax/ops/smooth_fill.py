"""Filling a hole smoothly, by the harmonic or the biharmonic equation: what needs no training.

In the hole the filling u minimises, over the whole image and with L the 5-point Laplacian whose edges are repeated,

    harmonic    sum of (u_i - u_j)^2 over neighbours, so L u = 0 in the hole: a membrane;
    biharmonic  sum of (L u)^2, so L L u = 0 in the hole: a thin plate (Damelin and Hoang 2018).

Both are linear systems in the hole's pixels. They are solved by conjugate gradients, preconditioned by a multigrid
V-cycle with Chebyshev smoothing, beginning at a filling from coarse to fine. Holes are arrays like images, never lists
of pixels: every step has one shape, so that it compiles, batches, and runs on accelerators.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Array = jax.Array

GREY = 0.5  # where nothing is known
COARSEST = 64  # pixels at most; there the system is solved directly
GROUP = 256 * 256  # pixels that a CPU works on at once: its caches hold them, and fast images do not wait for slow ones
FIRST_GUESS = (4, 30.0)  # smoothing steps of a level on the way from coarse to fine, and their band


@dataclasses.dataclass(frozen=True)
class Equation:
    """How to solve one equation."""

    power: int  # of the Laplacian
    cycles: int  # of multigrid, at most
    # A plane is found when a cycle changes it by less than this share of all its changes, at their largest
    tolerance: float
    # Steps before and after the coarse correction on the finest level, and one more on every coarser one
    smoothing: int
    largest: float  # no eigenvalue of the system over its diagonal is above (Gershgorin)
    # The largest eigenvalue over the smallest that smoothing is to reduce; the rest is left to coarser levels
    band: float
    coarse: float  # that many times as weak is the operator on the next coarser level


HARMONIC = Equation(power=1, cycles=10, tolerance=0.1, smoothing=2, largest=2.0, band=4.0, coarse=1.0)
BIHARMONIC = Equation(power=2, cycles=30, tolerance=0.05, smoothing=2, largest=10 / 3, band=20.0, coarse=4.0)


@dataclasses.dataclass(frozen=True)
class Level:
    """An image at one resolution, as planes."""

    image: Array  # [B,C,h,w], zero where not known
    hole: Array  # [B,1,h,w], 1 = to be found; on coarser levels only where none of the pixels below is known
    inside: Array  # [B,1,h,w] or [1,1,h,w], 0 = padding
    degree: Array  # likewise, how many neighbours are inside


def harmonic_fill(
    image: Array,
    known: Array,
    cycles: int = HARMONIC.cycles,
    tolerance: float = HARMONIC.tolerance,
    *,
    inside: Array | None = None,
    limits: Array | None = None,
) -> Array:
    """Fills the hole by Laplace's equation: as smooth as can be, never brighter or darker than what is around.

    Args:
      image: [B,H,W,C]; what it holds in the hole has no influence.
      known: [B,H,W,1], above 0.5 = known.
      cycles: at most; fewer are faster, and coarser where a hole is wide.
      tolerance: cycles end when one changes a plane by less than this share of all changes, at their largest; 0 never.
      inside: [B,H,W,1], above 0.5 = part of the image; the rest is padding, which has no influence, so that images of
        several sizes can share a batch. None is everywhere.
      limits: [B,2,C], the lowest and the highest value of a filling; None is those of the known pixels. For a part of
        an image, whose other pixels count, too.

    Returns:
      [B,H,W,C] in the dtype of `image`, computed in float32: `image` itself where it is known or padding; mid-grey 0.5
      where a whole sample is hole. Linear in the known pixels, and differentiable in them.

    Raises:
      ValueError: the shapes are not those.
    """
    return _fill(image, known, dataclasses.replace(HARMONIC, cycles=cycles, tolerance=tolerance), inside, limits)


def biharmonic_fill(
    image: Array,
    known: Array,
    cycles: int = BIHARMONIC.cycles,
    tolerance: float = BIHARMONIC.tolerance,
    *,
    inside: Array | None = None,
    limits: Array | None = None,
) -> Array:
    """Fills the hole by the biharmonic equation: slopes go on into the hole, too. All else is as of `harmonic_fill`.

    Where that overshoots, it is cut off at the lowest and the highest known value of the channel, as in scikit-image.
    """
    return _fill(image, known, dataclasses.replace(BIHARMONIC, cycles=cycles, tolerance=tolerance), inside, limits)


def _fill(image: Array, known: Array, equation: Equation, inside: Array | None, limits: Array | None) -> Array:
    _check(image, known, inside, limits)
    whole = functools.partial(_fill_together, equation=equation)
    batch, (height, width) = image.shape[0], image.shape[1:3]
    if not isinstance(batch, int):  # traced for batches of any size
        return whole(image, known, inside, limits)
    at_once = max((n for n in range(1, batch + 1) if batch % n == 0 and n * height * width <= GROUP), default=1)

    def grouped(*given: Any) -> Array:
        # The batch's axis, which may lie on several devices, is split with the groups inside: each has a part of all.
        parts = jax.tree.map(lambda x: x.reshape(at_once, -1, *x.shape[1:]).swapaxes(0, 1), given)
        return lax.map(lambda part: whole(*part), parts).swapaxes(0, 1).reshape(image.shape)

    if at_once >= batch:
        return whole(image, known, inside, limits)
    return lax.platform_dependent(image, known, inside, limits, cpu=grouped, default=whole)


def _fill_together(
    image: Array, known: Array, inside: Array | None, limits: Array | None, *, equation: Equation
) -> Array:
    within = jnp.ones((1, *image.shape[1:3], 1), bool) if inside is None else inside > 0.5  # [1,H,W,1] or [B,H,W,1]
    visible = (known > 0.5) & within  # [B,H,W,1]
    nothing = ~jnp.any(visible, axis=(1, 2, 3), keepdims=True)  # [B,1,1,1]
    start = jnp.where(nothing, GREY, jnp.where(visible, image.astype(jnp.float32), 0.0))  # [B,H,W,C]
    given = visible | nothing  # [B,H,W,1]
    if limits is None:
        lowest = jnp.min(start, axis=(1, 2), keepdims=True, where=given, initial=jnp.inf)  # [B,1,1,C]
        highest = jnp.max(start, axis=(1, 2), keepdims=True, where=given, initial=-jnp.inf)  # [B,1,1,C]
    else:
        lowest, highest = limits[:, None, None, 0], limits[:, None, None, 1]  # [B,1,1,C]
    levels = _levels(_planes(start), _planes(given.astype(jnp.float32)), _planes(within.astype(jnp.float32)))
    planes = _solve(levels, equation)  # [B,C,h,w]
    filled = jnp.moveaxis(planes, 1, -1)[:, : image.shape[1], : image.shape[2]]  # [B,H,W,C]
    filled = jnp.clip(filled, lowest, highest).astype(image.dtype)
    return jnp.where(visible | ~within, image, filled)


def _check(image: Array, known: Array, inside: Array | None, limits: Array | None) -> None:
    if image.ndim != 4 or known.shape != (*image.shape[:3], 1):
        raise ValueError(f"image must be [B,H,W,C] and known [B,H,W,1], not {image.shape} and {known.shape}")
    if inside is not None and inside.shape != known.shape:
        raise ValueError(f"inside must be {known.shape} like known, not {inside.shape}")
    if limits is not None and limits.shape != (image.shape[0], 2, image.shape[3]):
        raise ValueError(f"limits must be [B,2,C], here {(image.shape[0], 2, image.shape[3])}, not {limits.shape}")


def _planes(x: Array) -> Array:
    """[B,H,W,C] as [B,C,h,w], padded with zeros so that it can be halved down to the coarsest level: rows are long and
    contiguous, which is what vector units want."""
    step = 2 ** _halvings(x.shape[1], x.shape[2])
    rows, columns = -x.shape[1] % step, -x.shape[2] % step
    return jnp.pad(jnp.moveaxis(x, -1, 1), ((0, 0), (0, 0), (0, rows), (0, columns)))


def _halvings(height: int, width: int) -> int:
    count = 0
    while math.ceil(height / 2**count) * math.ceil(width / 2**count) > COARSEST:
        count += 1
    return count


def _levels(image: Array, known: Array, inside: Array) -> list[Level]:
    """From the finest, [B,C,h,w] and [B,1,h,w], to the coarsest; a pixel is known where one of the four below it is."""
    levels = []
    while True:
        levels.append(Level(image * known, inside * (1 - known), inside, _neighbours(inside)))
        if image.shape[2] * image.shape[3] <= COARSEST:
            return levels
        count = _block_sums(known)  # [B,1,h/2,w/2]
        image = _block_sums(image * known) / jnp.maximum(count, 1.0)
        known, inside = jnp.minimum(count, 1.0), jnp.minimum(_block_sums(inside), 1.0)


def _solve(levels: Sequence[Level], equation: Equation) -> Array:
    """The filled planes [B,C,h,w] of the finest level."""
    finest, inverse = levels[0], _inverse(levels[-1], equation)
    guess = lax.stop_gradient(_first_guess(levels, inverse, equation))  # what is found does not depend on it

    def operator(x: Array) -> Array:
        return _apply(finest, x, equation) + (1 - finest.hole) * x

    def solve(_: object, right: Array) -> Array:
        found = _conjugate_gradients(levels, inverse, right * finest.hole, equation)
        return found + (1 - finest.hole) * right

    start = finest.image + finest.hole * guess
    # The residual is taken from all of the image at once and only then corrected, so that nothing cancels in float32.
    correction = lax.custom_linear_solve(operator, -_apply(finest, start, equation), solve, symmetric=True)
    return start + finest.hole * correction


def _first_guess(levels: Sequence[Level], inverse: Array, equation: Equation) -> Array:
    """From coarse to fine: each level begins at the enlarged filling of the one before, and is smoothed a little."""
    momentum = _momentum(equation, *FIRST_GUESS)
    coarsest = levels[-1]
    u = coarsest.image + _solve_directly(inverse, -_apply(coarsest, coarsest.image, equation))  # [B,C,h,w]
    for coarse, level in zip(levels[:0:-1], levels[-2::-1]):
        # Padding is zero: it takes part neither in the sum nor in the weight.
        u = level.image + level.hole * (_enlarge(u) / jnp.maximum(_enlarge(coarse.inside), 0.25))
        if level is not levels[0]:
            zero = jnp.zeros_like(u)
            u, _, change = _smooth(level, zero, zero, u, equation, momentum)
            u += change
    return u


def _conjugate_gradients(levels: Sequence[Level], inverse: Array, right: Array, equation: Equation) -> Array:
    """x with A x = `right` in the hole, zero outside; both [B,C,h,w]."""

    def advance(x: Array, residual: Array, direction: Array, slope: Array, goes_on: Array) -> tuple[Array, ...]:
        image = _apply(levels[0], direction, equation)
        step = jnp.where(goes_on, _ratio(slope, _inner(direction, image)), 0.0)  # [B,C,1,1]
        x = x + step * direction
        moved, far = (jnp.max(jnp.abs(a), axis=(2, 3), keepdims=True) for a in (step * direction, x))
        return x, residual - step * image, goes_on & (moved > equation.tolerance * far)

    def cycle(state: tuple[Array, ...]) -> tuple[Array, ...]:
        count, x, residual, direction, slope, goes_on = state
        x, residual, still = advance(x, residual, direction, slope, goes_on)
        corrected = _v_cycle(levels, inverse, residual, equation, equation.smoothing)
        now = _inner(corrected, residual)
        return count + 1, x, residual, corrected + _ratio(now, slope) * direction, now, still | (count == 0)

    def is_unfinished(state: tuple[Array, ...]) -> Array:
        return (state[0] < equation.cycles) & jnp.any(state[-1])

    # The first advance goes nowhere: that way the V-cycle, most of the program, is compiled once. A plane that is found
    # stays as it is while others go on, so that no result depends on the batch.
    zero, plane = jnp.zeros_like(right), jnp.zeros_like(right[:, :, :1, :1])
    state: tuple[Array, ...] = (jnp.zeros((), jnp.int32), zero, right, zero, plane, plane == 0)
    return advance(*lax.while_loop(is_unfinished, cycle, state)[1:])[0]


def _v_cycle(levels: Sequence[Level], inverse: Array, right: Array, equation: Equation, steps: int) -> Array:
    """About x with A x = `right`: a symmetric positive map of it, as conjugate gradients want."""
    level, *coarser = levels
    if not coarser:
        return _solve_directly(inverse, right)
    first, *others = _momentum(equation, steps, equation.band)
    change = first[1] * _scaled(level, right, equation)
    x, left, _ = _smooth(level, jnp.zeros_like(right), right, change, equation, [*others, (0.0, 0.0)])
    coarse = equation.coarse * coarser[0].hole * _block_sums(_blur(left))
    change = level.hole * _enlarge(_v_cycle(coarser, inverse, coarse, equation, steps + 1))
    x, _, change = _smooth(level, x, left, change, equation, [first, *others])
    return x + change


def _smooth(
    level: Level, x: Array, left: Array, change: Array, equation: Equation, momentum: Sequence[tuple[float, float]]
) -> tuple[Array, Array, Array]:
    """Chebyshev's iteration: adds `change` to x, takes its image from what is `left` of the right side, and makes the
    next change of both, as often as there are pairs in `momentum`; all three afterwards.

    A loop, so that its inputs are in memory: XLA would compute them again for each neighbour.
    """
    factors = jnp.asarray(np.array(momentum, np.float32))  # [steps,2]

    def step(i: Array, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        x, left, change = state
        left = left - _apply(level, change, equation)
        return x + change, left, factors[i, 0] * change + factors[i, 1] * _scaled(level, left, equation)

    return lax.fori_loop(0, len(momentum), step, (x, left, change))


def _momentum(equation: Equation, steps: int, band: float) -> list[tuple[float, float]]:
    """Of each Chebyshev step: how much of the last change goes on, and how much of the scaled rest is added."""
    smallest = equation.largest / band
    middle, half = (equation.largest + smallest) / 2, (equation.largest - smallest) / 2
    pairs, ratio = [(0.0, 1.0 / middle)], half / middle
    for _ in range(steps - 1):
        following = 1.0 / (2.0 * middle / half - ratio)
        pairs.append((following * ratio, 2.0 * following / half))
        ratio = following
    return pairs


def _scaled(level: Level, x: Array, equation: Equation) -> Array:
    """x over the system's diagonal."""
    diagonal = level.degree * (level.degree + 1) if equation.power == 2 else level.degree
    return x * (level.hole / jnp.maximum(diagonal, 1.0))


def _inverse(level: Level, equation: Equation) -> Array:
    """Of the coarsest system, with ones for pixels that are no unknowns: [B,n,n], n = h*w.

    By sweeping out one unknown after the other; a positive definite matrix needs no pivots. Not by LAPACK:
    in jaxlib 0.10.2 two of its batched calls wait for each other for ever where they run side by side on two cores.
    """
    size = level.hole.shape[2] * level.hole.shape[3]
    hole = level.hole.reshape(-1, 1, size)  # [B,1,n]
    units = jnp.eye(size)  # [n,n]
    rows = _apply(level, level.hole * units.reshape(1, size, *level.hole.shape[2:]), equation)  # [B,n,h,w]

    def sweep(k: Array, matrix: Array) -> Array:
        """Takes away one product: of row k, less 1 at its pivot p, with itself over p.

        Row and column are then theirs over p, and the pivot 2 - 1/p: the 2 are taken away at the end.
        """
        row = lax.dynamic_slice_in_dim(matrix, k, 1, axis=1)  # [B,1,n]
        pivot = lax.dynamic_slice_in_dim(row, k, 1, axis=2)  # [B,1,1]
        less = row - units[k][None, None]  # [B,1,n]
        return matrix - jnp.swapaxes(less / pivot, 1, 2) * less

    swept = lax.fori_loop(0, size, sweep, rows.reshape(-1, size, size) + (1 - hole) * units[None])
    return 2 * units[None] - swept


def _solve_directly(inverse: Array, right: Array) -> Array:
    rows = right.reshape(*right.shape[:2], -1)  # [B,C,n]
    return jnp.matmul(rows, inverse, precision=lax.Precision.HIGHEST).reshape(right.shape)


def _apply(level: Level, x: Array, equation: Equation) -> Array:
    """The system's left side: -L x or L L x in the hole, zero outside; x is zero outside the hole."""
    change = _laplacian(level, x)
    return level.hole * (-change if equation.power == 1 else _laplacian(level, change))


def _laplacian(level: Level, u: Array) -> Array:
    """Differences to the neighbours inside, summed: the edges of the image are repeated."""
    return level.inside * (_neighbours(u) - level.degree * u)


# These four are functions of their own in what JAX traces, so that exports can tell them by their names.
@jax.jit
def _neighbours(u: Array) -> Array:
    around = jnp.pad(u, ((0, 0), (0, 0), (1, 1), (1, 1)))  # [B,C,h+2,w+2]
    rows = around[:, :, :-2, 1:-1] + around[:, :, 2:, 1:-1]
    return rows + (around[:, :, 1:-1, :-2] + around[:, :, 1:-1, 2:])


@jax.jit
def _block_sums(x: Array) -> Array:
    """[B,C,h,w] -> [B,C,h/2,w/2]."""
    return (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2]) + (x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2])


@jax.jit
def _enlarge(x: Array) -> Array:
    """[B,C,h,w] -> [B,C,2h,2w], bilinearly between the pixels' centres; its adjoint is a blur, then block sums."""
    return _blur(jnp.repeat(jnp.repeat(x, 2, axis=2), 2, axis=3))


@jax.jit
def _blur(x: Array) -> Array:
    """By (1, 2, 1) / 4 along columns and rows, the edges repeated: symmetric."""
    down = jnp.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)), mode="edge")
    x = 0.5 * x + 0.25 * (down[:, :, :-2] + down[:, :, 2:])
    along = jnp.pad(x, ((0, 0), (0, 0), (0, 0), (1, 1)), mode="edge")
    return 0.5 * x + 0.25 * (along[..., :-2] + along[..., 2:])


def _inner(a: Array, b: Array) -> Array:
    return jnp.sum(a * b, axis=(2, 3), keepdims=True)  # [B,C,1,1]


def _ratio(a: Array, b: Array) -> Array:
    """a / b, zero where nothing is left to divide: a plane that is solved stays as it is."""
    return jnp.where(b > 0, a / jnp.where(b > 0, b, 1.0), 0.0)
