"""A test handed to another program, and its results measured: nothing is guessed, nothing passed over."""

import cv2
import numpy as np
import pytest
from PIL import Image

from scan_jax.errors import UserError
from scan_jax.evaluation.baselines import navier_stokes
from scan_jax.evaluation.exchange import by_folder, file_stamps, write_test
from scan_jax.evaluation.filling import COMPLETION, PREDICTION
from scan_jax.evaluation.judge import Judge
from scan_jax.evaluation.scoring import Test, score
from scan_jax.metrics.standard import METRICS

SIZE = 16


class Labelled:
    name, digest = "noise", "a" * 64
    images = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    labels = np.random.default_rng(1).integers(0, 5, (3, SIZE, SIZE), np.uint8)

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return {"image": self.images[index], "labels": self.labels[index]}


@pytest.fixture
def test():
    rng = np.random.default_rng(1)
    holes = {"10-20%": rng.random((2, SIZE, SIZE)) < 0.15, "40-50%": rng.random((2, SIZE, SIZE)) < 0.45}
    return Test(Labelled(), holes, 3, 4)


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
    for bucket, holes in test.holes.items():
        for i in range(3):
            folder, hole = tmp_path / bucket.rstrip("%"), holes[i % 2]
            image = np.asarray(Image.open(folder / "images" / f"{i:05d}.png"))
            np.testing.assert_array_equal(image[~hole], Labelled.images[i][~hole])
            assert (image[hole] == 255).all()
            np.testing.assert_array_equal(np.asarray(Image.open(folder / "holes" / f"{i:05d}.png")) == 255, hole)
            np.testing.assert_array_equal(
                np.asarray(Image.open(folder / "labels" / f"{i:05d}.png")), Labelled.labels[i]
            )


def test_results_are_measured_by_the_same_rules(test, results):
    found = score(by_folder(results, test), test, Judge(METRICS), title="other").scores
    for bucket, holes in test.holes.items():
        for i in range(3):
            truth, hole = Labelled.images[i], holes[i % 2]
            completion = navier_stokes(truth, hole)
            expected = 100 * np.abs(completion.astype(float) - truth).mean() / 255
            assert found[COMPLETION][bucket]["mae"][i] == pytest.approx(expected, rel=1e-5)
            raw = np.where(hole[..., None], completion, np.uint8(7))
            expected = 100 * np.abs(raw.astype(float) - truth).mean() / 255
            assert found[PREDICTION][bucket]["mae"][i] == pytest.approx(expected, rel=1e-5)


def test_missing_results_are_listed(test, results):
    for name in ("10-20/00001.png", "40-50/00000.png"):
        (results / name).unlink()
    with pytest.raises(UserError, match=r"2 of 6 predictions are missing in .*: 40-50/00000.png, 10-20/00001.png"):
        by_folder(results, test)
    with pytest.raises(UserError, match="there is no folder"):
        by_folder(results / "nowhere", test)


def test_other_sizes_and_damaged_files_are_named(test, results):
    path = results / "40-50" / "00002.png"
    Image.fromarray(np.zeros((SIZE, SIZE + 1, 3), np.uint8)).save(path)
    with pytest.raises(UserError, match=r"40-50/00002.png is 17x16, the photograph 16x16"):
        score(by_folder(results, test), test, Judge(METRICS), title="other")
    path.write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"cannot read the prediction .*40-50/00002.png"):
        score(by_folder(results, test), test, Judge(METRICS), title="other")


def test_changed_files_have_other_stamps(test, results):
    before = file_stamps(results, test)
    assert file_stamps(results, test) == before and len(before) == 6
    Image.fromarray(np.zeros((SIZE, SIZE, 3), np.uint8)).save(results / "10-20" / "00000.png")
    assert file_stamps(results, test) != before
