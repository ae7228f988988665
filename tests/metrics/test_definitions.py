"""Every definition of a metric against scikit-image, OpenCV and float64 NumPy, on 8-bit images of odd sizes."""

import jax
import numpy as np
import pytest
from metric_oracles import ORACLES, as_floats, deviations

from scan_jax.metrics import api

OURS = {group: api.collect_metrics([group]) for group in ORACLES}
METRICS = [(group, name, OURS[group][f"{group}/{name}"]) for group in ORACLES for name in ORACLES[group]]
each_metric = pytest.mark.parametrize(
    ("group", "name", "metric"), METRICS, ids=[f"{group}/{name}" for group, name, _ in METRICS]
)


def pairs(height, width, seed):
    """Pairs that are hard in different ways: uint8 [9,H,W,3], [9,H,W,3], bool [9,H,W]."""
    rng = np.random.default_rng(seed)
    shape = (height, width, 3)
    noise = rng.integers(0, 256, shape)
    ramp = np.broadcast_to(np.linspace(0, 255, width)[:, None], shape).round()
    bright, dark = 240 + noise % 16, noise % 4
    halves = np.where(np.arange(width)[:, None] < width // 2, 0, 255) + np.zeros(shape)
    one = noise.copy()
    one[height // 2, width // 2, 1] ^= 1
    near = [bright + rng.integers(-2, 3, shape), halves + rng.integers(-8, 9, shape)]
    images = [noise[::-1], ramp + 30 * rng.standard_normal(shape), *near, one, ramp * 0 + 100, dark * 0, noise, dark]
    truths = [
        noise,
        ramp,
        bright,
        halves + rng.integers(-8, 9, shape),
        noise,
        ramp * 0 + 103,
        dark * 0,
        noise,
        dark[::-1],
    ]
    holes = rng.random((len(images), height, width)) < 0.3
    holes[:, 20:37, 5:31] = True
    holes[0], holes[1] = False, True
    images, truths = (np.clip(np.round(np.stack(a)), 0, 255).astype(np.uint8) for a in (images, truths))
    return images, truths, holes


def completions(height, width, seed):
    """Pairs that differ in a hole alone: uint8 [3,H,W,3], [3,H,W,3], bool [3,H,W]."""
    images, truths, holes = (a[[0, 1, 2]] for a in pairs(height, width, seed))
    holes = np.roll(holes, 1, axis=0)
    return np.where(holes[..., None], images, truths), truths, holes


KINDS = [(pairs, (51, 51)), (pairs, (67, 93)), (completions, (128, 71))]


@each_metric
@pytest.mark.parametrize(("kind", "size"), KINDS)
def test_equals_the_public_definition(group, name, metric, kind, size):
    found = deviations(group, name, metric, *kind(*size, seed=sum(size)))
    assert found.max() <= (1e-4 if name == "colour_shift" else 1e-5), found


@each_metric
def test_identical_images_reach_the_best_value(group, name, metric):
    images, _, holes = pairs(53, 51, seed=1)
    best = {"psnr": np.inf, "ssim": 1.0}.get(name, 0.0)
    np.testing.assert_array_equal(metric(*as_floats(images, images, holes)), np.full(len(images), best, np.float32))


@each_metric
def test_an_image_does_not_see_its_batch(group, name, metric):
    arguments = as_floats(*completions(52, 63, seed=2))
    alone = [np.asarray(metric(*(a[i : i + 1] for a in arguments)))[0] for i in range(3)]
    np.testing.assert_allclose(metric(*arguments), alone, rtol=3e-7, atol=3e-7)


@each_metric
def test_moves_in_its_direction(group, name, metric):
    _, shape, holes = completions(60, 60, seed=3)
    truths = np.full_like(shape, 120)  # flat: each step aside is a seam and another colour
    near, far = (np.where(holes[..., None], np.uint8(120 + step), truths) for step in (3, 40))
    gain = np.asarray(metric(*as_floats(near, truths, holes)) - metric(*as_floats(far, truths, holes)))
    some = holes.any((1, 2)) & ~holes.all((1, 2)) if name == "seam" else holes.any((1, 2))
    assert some.any()
    assert np.all(gain[some] > 0 if metric.better == "higher" else gain[some] < 0)


@each_metric
def test_one_compile_and_any_jit_around(group, name, metric):
    arguments = as_floats(*completions(51, 54, seed=4))
    plain = metric(*arguments)
    assert plain.shape == (3,) and plain.dtype == np.float32
    traces = metric.measure._cache_size()
    metric(*as_floats(*completions(51, 54, seed=5)))
    assert metric.measure._cache_size() == traces
    np.testing.assert_allclose(jax.jit(lambda *a: metric(*a))(*arguments), plain, rtol=1e-6, atol=1e-6)


@each_metric
def test_refuses_other_shapes_and_integers(group, name, metric):
    image, known = np.zeros((2, 52, 52, 3), np.float32), np.ones((2, 52, 52, 1), np.float32)
    for wrong in (image[:1], image[..., :1], image[0]):
        with pytest.raises(ValueError, match="equal batches"):
            metric(image, wrong, known)
    with pytest.raises(ValueError, match="floating point"):
        metric(image, image.astype(np.uint8), known)
    for wrong in (known[:1], known[..., 0], np.ones_like(image)):
        with pytest.raises(ValueError, match="known"):
            metric(image, image, wrong)
    with pytest.raises(ValueError, match=r"images \[B,H,W,3\]"):
        metric(image[..., :1], image[..., :1], known)


@each_metric
def test_says_the_least_side(group, name, metric):
    def of_side(height, width):
        shape = (1, height, width)
        return metric(np.zeros((*shape, 3), np.float32), np.zeros((*shape, 3), np.float32), np.zeros((*shape, 1)))

    side = metric.least_side
    assert np.isfinite(of_side(side, side)[0]) or name == "psnr"
    if side > 1:
        for size in ((side - 1, side + 9), (side + 9, side - 1)):
            with pytest.raises(ValueError, match=f"at least {side}x{side} pixels here, not {size[0]}x{size[1]}"):
                of_side(*size)


def test_every_group_is_listed_and_complete():
    assert set(ORACLES) <= set(api.names())
    for group, metrics in OURS.items():
        assert list(metrics) == [f"{group}/{name}" for name in ORACLES[group]]
    least = {f"{group}/{name}": metric.least_side for group, name, metric in METRICS if metric.least_side > 1}
    sides = {"edge_connect/ssim": 51, "region_norm/ssim": 11, "masked_attention/ssim": 7}
    assert least == {"standard/ssim": 11, "hole_only/ssim": 11, **sides}
    assert len({metric.definition for _, name, metric in METRICS if name == "ssim"}) == 6


def test_black_against_white_is_the_whole_range():
    black, white, hole = np.zeros((1, 12, 12, 3)), np.full((1, 12, 12, 3), 255), np.ones((1, 12, 12), bool)
    for group in ("standard", "hole_only"):
        assert float(OURS[group][f"{group}/mae"](*as_floats(black, white, hole))[0]) == pytest.approx(100.0, abs=1e-5)
        assert float(OURS[group][f"{group}/psnr"](*as_floats(black, white, hole))[0]) == pytest.approx(0.0, abs=1e-6)
    assert float(OURS["edge_connect"]["edge_connect/mae"](*as_floats(black, white, hole))[0]) == 1.0
