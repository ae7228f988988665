"""The photographs that a report shows."""

import numpy as np
from made_up_tests import SIZE, Noise

from scan_jax.evaluation.cases import choose, make_cases
from scan_jax.evaluation.filling import Row, by_baseline
from scan_jax.evaluation.scoring import Test


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
    hole, photographs = np.zeros((1, SIZE, SIZE), bool), Noise(5)
    hole[0, 2:4, 2:4] = True
    fills = {
        "white": by_baseline(lambda photograph, hole, labels: np.where(hole[..., None], np.uint8(255), photograph)),
        "same": by_baseline(lambda photograph, hole, labels: photograph),
    }
    choices = choose({"a": {"psnr": np.arange(5.0)}}, "psnr")
    cases = make_cases(choices, Test(photographs, {"a": hole}, 5, 2), fills, None)
    assert [(case.index, case.rank) for case in cases] == [(4, "best"), (2, "median"), (0, "worst")]
    for case in cases:
        truth = photographs.images[case.index]
        np.testing.assert_array_equal(case.truth, truth)
        np.testing.assert_array_equal(case.completions["same"], truth)
        np.testing.assert_array_equal(case.known[..., 0], 1 - hole[0])
        np.testing.assert_array_equal(case.completions["white"], np.where(hole[0, ..., None], 255, truth))
        assert case.looks == {}
