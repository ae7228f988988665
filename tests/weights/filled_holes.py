"""What an imported network is for, whoever published it."""

import numpy as np

from scan_jax.inference.inpainter import Inpainter


def assert_fills_holes(bundle, *, size=256, num_labels=0):
    """It loads with the published network's size and classes, and changes a photograph in its hole alone."""
    inpainter = Inpainter.load(bundle)
    assert (inpainter.size, inpainter.num_labels) == (size, num_labels)
    image, hole = np.full((40, 50, 3), 90, np.uint8), np.zeros((40, 50), bool)
    hole[10:20, 10:30] = True
    filled = inpainter(image, hole, np.zeros((40, 50), int) if num_labels else None)
    np.testing.assert_array_equal(filled[~hole], image[~hole])
    assert np.any(filled[hole] != 90)
