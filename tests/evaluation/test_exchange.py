"""A test handed to another program, and its results measured: nothing is guessed, nothing passed over."""

import json
import os

import cv2
import numpy as np
import pytest
from made_up_tests import SIZE, Noise, error, noise_holes
from PIL import Image

from scan_jax.core.errors import UserError
from scan_jax.evaluation.benchmark import Benchmark
from scan_jax.evaluation.exchange import from_predictions, write_test
from scan_jax.evaluation.results import COMPLETION, PREDICTION
from scan_jax.evaluation.scoring import MetricSuite, score
from scan_jax.inference.ways import WAYS
from scan_jax.metrics.standard import METRICS

PHOTOGRAPHS = Noise(3, classes=5)


@pytest.fixture
def test():
    return Benchmark(PHOTOGRAPHS, noise_holes(few=2), 3, 4, "toy v1", "holes", "b" * 64)


def measured(results, test):
    return score(from_predictions(results, test).fill, test, MetricSuite(METRICS), title="other").scores


@pytest.fixture
def results(test, tmp_path):
    """Another program, which reads the test's files alone: Navier-Stokes, known pixels spoilt."""
    write_test(tmp_path / "test", test)
    for image in sorted((tmp_path / "test").glob("*/images/*.png")):
        bucket = image.parent.parent
        hole = cv2.imread(str(bucket / "holes" / image.name), cv2.IMREAD_GRAYSCALE)
        assert set(np.unique(hole)) == {0, 255}
        seen = cv2.imread(str(image)) * (hole == 0)[..., None]  # OpenCV's answer depends on what the hole holds
        filled = cv2.inpaint(seen, hole, 3, cv2.INPAINT_NS)
        filled[hole == 0] = 7
        (tmp_path / "results" / bucket.name).mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(tmp_path / "results" / bucket.name / image.name), filled)
    return tmp_path / "results"


def test_what_is_written_hides_the_hole(test, tmp_path):
    write_test(tmp_path, test)
    told = json.loads((tmp_path / "test.json").read_text())
    assert told["protocol"] == "toy v1" and told["digest"] == test.digest
    with pytest.raises(UserError, match="is not empty"):
        write_test(tmp_path, test)
    for bucket, holes in test.holes.items():
        for i, photograph in enumerate(PHOTOGRAPHS):
            hole, places = (
                holes[i % 2],
                [tmp_path / bucket.rstrip("%") / kind for kind in ("images", "holes", "labels")],
            )
            image, white, labels = (np.asarray(Image.open(place / f"{i:05d}.png")) for place in places)
            np.testing.assert_array_equal(image, np.where(hole[..., None], np.uint8(255), photograph["image"]))
            np.testing.assert_array_equal(white == 255, hole)
            np.testing.assert_array_equal(labels, photograph["labels"])


def test_results_are_measured_by_the_same_rules(test, results):
    found = measured(results, test)
    for bucket, holes in test.holes.items():
        for i, truth in enumerate(PHOTOGRAPHS.images):
            hole = holes[i % 2]
            completion = WAYS["navier_stokes"](truth, hole)
            raw = np.where(hole[..., None], completion, np.uint8(7))
            for kind, image in ((COMPLETION, completion), (PREDICTION, raw)):
                assert found[kind][bucket]["mae"][i] == pytest.approx(error(image, truth), rel=1e-5)


def test_missing_and_damaged_files_and_other_sizes_are_named(test, results):
    path = results / "40-50" / "00002.png"
    Image.fromarray(np.zeros((SIZE, SIZE + 1, 3), np.uint8)).save(path)
    with pytest.raises(UserError, match=r"40-50/00002.png is 17x16, the photograph 16x16"):
        measured(results, test)
    path.write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"cannot read the prediction .*40-50/00002.png"):
        measured(results, test)
    for name in ("10-20/00001.png", "40-50/00000.png"):
        (results / name).unlink()
    with pytest.raises(UserError, match=r"2 of 6 predictions are missing in .*: 40-50/00000.png, 10-20/00001.png"):
        from_predictions(results, test)
    for path in list(results.glob("*/*.png")):
        path.rename(path.with_stem(f"{path.stem}_result"))
    told = r"6 of 6 predictions are missing in .*: 10-20/00000.png, 40-50/00000.png, 10-20/00001.png and 3 more; there "
    told += r"are 4 pictures of other names, such as 10-20/00000_result.png: name them as the test's images are"
    with pytest.raises(UserError, match=told):
        from_predictions(results, test)
    with pytest.raises(UserError, match="there is no folder"):
        from_predictions(results / "nowhere", test)


def test_other_pixels_of_the_same_size_and_time_are_other_results(test, results):
    before, path = from_predictions(results, test).depends_on, results / "10-20" / "00000.bmp"
    (results / "10-20" / "00000.png").unlink()
    digests = {before}
    for colour in (0, 255):
        Image.fromarray(np.full((SIZE, SIZE, 3), colour, np.uint8)).save(path)
        os.utime(path, ns=(1, 1))
        digests.add(from_predictions(results, test).depends_on)
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("shape", "value", "message"),
    [
        ((), np.uint16(40000), r"pixels of kind I;16; write 8-bit"),
        ((), np.float32(np.nan), r"pixels of kind F; write 8-bit"),
        ((4,), np.uint8(7), r"transparent in places; write RGB"),
        ((2,), np.uint8(7), r"transparent in places; write RGB"),
    ],
)
def test_what_is_no_8_bit_picture_is_refused(test, results, shape, value, message):
    (results / "10-20" / "00000.png").unlink()
    Image.fromarray(np.full((SIZE, SIZE, *shape), value)).save(results / "10-20" / "00000.TIF", "TIFF")
    with pytest.raises(UserError, match=r"10-20/00000.TIF .*" + message):
        measured(results, test)


def test_grey_and_opaque_pictures_count_and_two_of_a_name_are_refused(test, results):
    before = measured(results, test)
    path = results / "10-20" / "00000.png"
    with Image.open(path) as image:
        image.convert("RGBA").save(path)
    after = measured(results, test)
    np.testing.assert_array_equal(before[COMPLETION]["10-20%"]["psnr"], after[COMPLETION]["10-20%"]["psnr"])
    Image.fromarray(np.full((SIZE, SIZE), 9, np.uint8)).save(path)
    grey = measured(results, test)
    expected = error(np.uint8(9), PHOTOGRAPHS.images[0])
    assert grey[PREDICTION]["10-20%"]["mae"][0] == pytest.approx(expected, rel=1e-5)
    Image.fromarray(np.zeros((SIZE, SIZE, 3), np.uint8)).save(path.with_suffix(".JPG"))
    with pytest.raises(UserError, match="both predictions of one image"):
        from_predictions(results, test)
