"""Metrics of the hole on pictures whose values are known without computing."""

import numpy as np
from metric_oracles import as_floats

from scan_jax.metrics.checks import METRICS as CHECKS


def value(name, image, photograph, hole):
    return float(CHECKS[name](*as_floats(image, photograph, hole))[0])


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
        assert value("seam", image, truth, where) == jump
    assert value("colour_shift", blurred, checkers, hole) < 1.0
