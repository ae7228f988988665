"""The photographs that a report shows."""

import numpy as np

from scan_jax.evaluation.cases import choose, make_cases
from scan_jax.evaluation.filling import Row, by_baseline
from scan_jax.evaluation.scoring import Test


class Photographs:
    name, digest = "flat", "a" * 64

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return {"image": np.full((8, 8, 3), 10 * index, np.uint8)}


def test_best_median_and_worst_of_each_bucket():
    psnr = np.array([20.0, np.inf, 25.0, 10.0, 30.0])
    scores = {"a": {"psnr": psnr}, "b": {"psnr": psnr[:2]}, "c": {"psnr": psnr[:0]}, "d": {"psnr": psnr[:1]}}
    assert choose(scores, "psnr") == [
        (Row("a", 1), "best"),
        (Row("a", 2), "median"),
        (Row("a", 3), "worst"),
        (Row("b", 1), "best"),
        (Row("b", 0), "worst"),
        (Row("d", 0), "best"),
    ]


def test_everyone_fills_the_same_hole():
    holes = {"a": np.zeros((1, 8, 8), bool)}
    holes["a"][0, 2:4, 2:4] = True
    choices = choose({"a": {"psnr": np.arange(5.0)}}, "psnr")
    fills = {
        "white": by_baseline(lambda photograph, hole, labels: np.where(hole[..., None], np.uint8(255), photograph)),
        "same": by_baseline(lambda photograph, hole, labels: photograph),
    }
    cases = make_cases(choices, Test(Photographs(), holes, 5, 2), fills, None)
    assert [(case.index, case.rank) for case in cases] == [(4, "best"), (2, "median"), (0, "worst")]
    for case in cases:
        assert (case.truth == 10 * case.index).all() and (case.completions["same"] == case.truth).all()
        np.testing.assert_array_equal((case.completions["white"] == 255).all(-1), case.known[..., 0] == 0)
        assert case.looks == {}
