"""Every definition of a metric against scikit-image, OpenCV and float64 NumPy, on 8-bit images and on real pairs."""

import os
from pathlib import Path

import cv2
import jax
import numpy as np
import pytest
from metric_oracles import GAUSSIAN, ORACLES, deviations
from refusals import refused
from skimage.metrics import structural_similarity

from scan_jax.metrics import api
from scan_jax.metrics.standard import CHECKS, HOLE_ONLY, pooled_psnr
from scan_jax.metrics.standard import METRICS as STANDARD

OURS = {group: api.collect_metrics([group]) for group in ORACLES}
METRICS = [(group, name, OURS[group][f"{group}/{name}"]) for group in ORACLES for name in ORACLES[group]]
each_metric = pytest.mark.parametrize(("group", "name", "metric"), METRICS, ids=["/".join(m[:2]) for m in METRICS])


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
    again = halves + rng.integers(-8, 9, shape)
    truths = [noise, ramp, bright, again, noise, ramp * 0 + 103, dark * 0, noise, dark[::-1]]
    holes = rng.random((len(images), height, width)) < 0.3
    holes[:, 20:37, 5:31] = True
    holes[0], holes[1] = False, True
    images, truths = (np.clip(np.round(np.stack(a)), 0, 255).astype(np.uint8) for a in (images, truths))
    return images, truths, holes


def completions(seed):
    """Pairs that differ in a hole alone: uint8 [3,72,65,3] twice, bool [3,72,65]."""
    images, truths, holes = (a[[0, 1, 2]] for a in pairs(72, 65, seed))
    holes = np.roll(holes, 1, axis=0)
    return np.where(holes[..., None], images, truths), truths, holes


@each_metric
def test_equals_the_public_definition_and_identical_images_reach_the_best_value(group, name, metric):
    images, truths, holes = pairs(67, 93, seed=1)
    bound = 1e-4 if name == "colour_shift" else 1e-5
    for given in ((images, truths, holes), completions(seed=2)):
        found = deviations(group, name, metric, *given)
        assert found.max() <= bound, found
    best = {"psnr": np.inf, "ssim": 1.0}.get(name, 0.0)
    np.testing.assert_array_equal(metric(images, images, holes), np.full(len(images), best, np.float32))


@each_metric
def test_an_image_does_not_see_its_batch_and_one_compile_serves_within_any_jit(group, name, metric):
    arguments, others = completions(seed=2), completions(seed=4)
    plain = metric(*arguments)
    assert plain.shape == (3,) and plain.dtype == np.float32
    traces = metric.measure._cache_size()
    for i in range(3):
        among_others = [
            np.where(np.arange(3).reshape(3, *[1] * (a.ndim - 1)) == i, a, b) for a, b in zip(arguments, others)
        ]
        np.testing.assert_allclose(plain[i], metric(*among_others)[i], rtol=3e-7, atol=3e-7)
    assert metric.measure._cache_size() == traces
    around = jax.eval_shape(lambda *a: metric(*a), *arguments)
    assert around.shape == (3,) and around.dtype == np.float32


@each_metric
def test_moves_in_its_direction(group, name, metric):
    _, shape, holes = completions(seed=3)
    truths = np.full_like(shape, 120)  # flat: each step aside is a seam and another colour
    near, far = (np.where(holes[..., None], np.uint8(120 + step), truths) for step in (3, 40))
    some = holes.any((1, 2)) & ~holes.all((1, 2)) if name == "seam" else holes.any((1, 2))
    near, far = (np.asarray(metric(image, truths, holes))[some] for image in (near, far))
    assert some.any()
    assert np.all(near > far if metric.better == "higher" else near < far)


@each_metric
def test_least_side_is_the_least_and_other_shapes_and_integers_are_refused(group, name, metric):
    side = metric.least_side
    found = deviations(group, name, metric, *pairs(side, side, seed=3))
    assert found.max() <= (1e-4 if name == "colour_shift" else 1e-5), found
    for size in ((side - 1, side + 9), (side + 9, side - 1)) if side > 1 else ():
        image = np.zeros((1, *size, 3), np.uint8)
        complaint = f"at least {side}x{side} pixels here, not {size[0]}x{size[1]}"
        refused(complaint, metric, (image, image, np.zeros((1, *size), bool)))
    image, hole = np.zeros((2, 52, 52, 3), np.uint8), np.zeros((2, 52, 52), bool)
    refused("equal batches", metric, *((image, wrong, hole) for wrong in (image[:1], image[..., :1], image[0])))
    refused("of 8 bits", metric, (image, image / np.float32(255), hole), (image / np.float32(255), image, hole))
    refused("the hole must be bool", metric, *((image, image, wrong) for wrong in (hole[:1], hole[..., None], image)))
    refused(r"batches \[B,H,W,3\]", metric, (image[..., :1], image[..., :1], hole))


def test_every_group_is_listed_and_complete():
    assert set(ORACLES) <= set(api.GROUPS)
    for group, metrics in OURS.items():
        assert [name for name, one in metrics.items() if isinstance(one, api.Metric)] == [
            f"{group}/{name}" for name in ORACLES[group]
        ]
    least = {f"{group}/{name}": metric.least_side for group, name, metric in METRICS if metric.least_side > 1}
    sides = {"edge_connect/ssim": 51, "region_norm/ssim": 11, "masked_attention/ssim": 7}
    assert least == {"standard/ssim": 11, "reflected/ssim": 6, "hole_only/ssim": 6, **sides}
    assert len({metric.definition for _, name, metric in METRICS if name == "ssim"}) == 7


def test_reflected_ssim_is_the_one_of_torchmetrics_and_kornia():
    recorded = 0.9039791495  # torchmetrics 1.9.0 (data_range=1) and kornia 0.9.0, in float64; ignite 0.5.5: 0.9039792
    rng = np.random.default_rng(25)
    truth = rng.integers(0, 256, (1, 24, 31, 3), np.uint8)
    image = np.clip(truth + rng.integers(-60, 61, truth.shape), 0, 255).astype(np.uint8)
    found = float(OURS["reflected"]["reflected/ssim"](image, truth, np.zeros((1, 24, 31), bool))[0])
    assert found == pytest.approx(recorded, abs=1e-6)
    assert abs(found - float(STANDARD["ssim"](image, truth, np.zeros((1, 24, 31), bool))[0])) > 1e-3


def test_a_hole_at_the_border_counts_and_one_further_in_is_as_with_windows_inside():
    truth = np.random.default_rng(3).integers(100, 256, (1, 40, 40, 3), np.uint8)
    inside = np.zeros((1, 40, 40), bool)
    inside[:, 12:20, 5:35] = True  # no window of its pixels leaves the picture
    filled = np.where(inside[..., None], np.uint8(128), truth)
    _, by_scikit_image = structural_similarity(
        truth[0].astype(float), filled[0].astype(float), channel_axis=2, data_range=255, full=True, **GAUSSIAN
    )
    assert float(HOLE_ONLY["ssim"](filled, truth, inside)[0]) == pytest.approx(
        by_scikit_image[inside[0]].mean(), abs=1e-5
    )
    for rows, columns in ((slice(5), slice(None)), (slice(None), slice(-1, None)), (slice(1), slice(1))):
        hole = np.zeros_like(inside)
        hole[:, rows, columns] = True
        black = np.where(hole[..., None], np.uint8(0), truth)
        assert float(HOLE_ONLY["ssim"](black, truth, hole)[0]) < 0.8
        assert float(HOLE_ONLY["ssim"](truth, truth, hole)[0]) == 1.0
    nowhere = np.zeros_like(inside)  # nothing was filled, so nothing is wrong
    assert [float(one(filled, truth, nowhere)[0]) for one in HOLE_ONLY.values()] == [np.inf, 1.0, 0.0]
    assert [float(one(filled, truth, nowhere)[0]) for one in CHECKS.values()] == [0.0, 0.0]


def test_pooled_psnr_is_that_of_all_pixels_together():
    images, truths, holes = pairs(20, 21, seed=5)  # some are identical, of which the mean is infinite
    scores = np.asarray(STANDARD["psnr"](images, truths, holes))
    assert np.isinf(scores).any() and np.isfinite(scores).any()
    error = np.square(images.astype(float) - truths).mean()
    assert pooled_psnr(scores) == pytest.approx(10 * np.log10(255**2 / error), abs=1e-5)
    rng = np.random.default_rng(26)
    truths = rng.integers(0, 256, (3, 24, 31, 3), np.uint8)
    noise = rng.integers(-60, 61, truths.shape) // np.array([1, 6, 61]).reshape(3, 1, 1, 1)
    images = np.clip(truths + noise, 0, 255).astype(np.uint8)
    images[2] = truths[2]
    recorded = 22.3721008  # torchmetrics 1.9.0 (data_range=255), in one batch and in three
    found = np.asarray(STANDARD["psnr"](images, truths, np.zeros((3, 24, 31), bool)))
    assert np.isinf(found[2]) and pooled_psnr(found) == pytest.approx(recorded, abs=1e-5)
    assert pooled_psnr(scores[:1]) == pytest.approx(scores[0]) and pooled_psnr(np.full(2, np.inf, np.float32)) == np.inf


def test_a_seam_is_the_jump_that_the_photograph_has_not():
    flat, hole = np.full((1, 24, 24, 3), 100), np.zeros((1, 24, 24), bool)
    hole[:, 8:16, 8:16] = True
    checkers = np.where(np.indices((24, 24)).sum(0) % 2, 90, 150)[None, ..., None] + np.zeros_like(flat)
    blurred = np.where(hole[..., None], 120, checkers)
    corner = np.zeros_like(hole)
    corner[:, 0, 0] = True  # two neighbours, to the right and below: a diagonal one and the border are no seam
    photograph = np.zeros_like(flat)
    photograph[:, 1, 0], photograph[:, 1, 1] = 30, 255
    filled, alone = photograph.copy(), np.zeros_like(flat)
    filled[:, 0, 0] = alone[:, 0, 0] = 12  # jumps 12 and 18 where there were 0 and 30; 12 and 12 where nothing was
    for image, truth, where, jump in (
        (np.where(hole[..., None], 110, flat), flat, hole, 10.0),
        (flat, np.where(hole[..., None], 140, flat), hole, -40.0),  # the object ends where the hole does
        (blurred, checkers, hole, -30.0),
        (filled, photograph, corner, 0.0),
        (alone, np.zeros_like(flat), corner, 12.0),
    ):
        assert float(CHECKS["seam"](np.uint8(image), np.uint8(truth), where)[0]) == jump
    assert float(CHECKS["colour_shift"](np.uint8(blurred), np.uint8(checkers), hole)[0]) < 1.0


FOLDER = Path(os.environ.get("SCAN_JAX_REAL_DATA", "/nowhere"))  # faces_dev/*.jpg, street/*/*.jpg, masks_dev/*.png
SIZES = {"faces_dev": (177, 209), "street": (209, 177)}  # width, height
COUNT, BATCH = 100, 20  # of each


@pytest.fixture(scope="module", params=SIZES)
def real(request):
    """Photographs cropped to an odd size, with 1-60% of each missing: uint8 [N,H,W,3] twice, bool [N,H,W]."""
    width, height = SIZES[request.param]
    files, masks = sorted((FOLDER / request.param).rglob("*.jpg")), sorted((FOLDER / "masks_dev").glob("*.png"))
    found = []
    for file, mask in zip(files[:: len(files) // COUNT][:COUNT], masks[:: len(masks) // COUNT]):
        photograph = cv2.imread(str(file))[:height, :width, ::-1].copy()
        white = cv2.resize(cv2.imread(str(mask), 0), (width, height), interpolation=cv2.INTER_NEAREST)
        found.append((cv2.inpaint(photograph, np.uint8(white > 127), 3, cv2.INPAINT_NS), photograph, white > 127))
    return [np.stack(part) for part in zip(*found)]


@pytest.mark.skipif(not FOLDER.is_dir(), reason="SCAN_JAX_REAL_DATA names no folder of photographs")
@each_metric
def test_equals_the_public_definition_on_real_pairs(group, name, metric, real, record_property):
    assert len(real[0]) == COUNT and real[2].any((1, 2)).all()
    parts = [[a[i : i + BATCH] for a in real] for i in range(0, COUNT, BATCH)]
    found = np.concatenate([deviations(group, name, metric, *part) for part in parts])
    record_property("largest deviation", found.max())
    assert found.max() <= 1e-5
