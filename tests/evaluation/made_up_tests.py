"""Photographs of noise and holes in them, and a network that always says the same: a whole test, made up."""

import numpy as np

SIZE = 16


class Noise:
    """Photographs; with labels where there are `classes`, in blocks of their own for each."""

    name, digest = "noise", "a" * 64

    def __init__(self, count, classes=0):
        self.classes = classes
        self.images = np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        blocks = np.random.default_rng(index).integers(0, max(self.classes, 1), (SIZE // 4, SIZE // 4), np.uint8)
        labels = {"labels": np.kron(blocks, np.ones((4, 4), np.uint8))} if self.classes else {}
        return {"image": self.images[index], **labels}


def noise_holes(seed=1, few=3):
    """Bool [n,S,S] by bucket."""
    rng = np.random.default_rng(seed)
    return {"10-20%": rng.random((few, SIZE, SIZE)) < 0.15, "40-50%": rng.random((2, SIZE, SIZE)) < 0.45}


def constant(seen):
    """A prediction that depends on nothing, and is not a whole number of 8-bit steps."""
    return np.full_like(seen.image, 0.3)


def rounded(truth, hole):
    """What that completes to: 0.3 * 255 is rounded to 76."""
    return np.where(hole[..., None], np.uint8(76), truth)


def error(image, truth):
    """The mean absolute error in percent of the range."""
    return 100 * np.abs(image.astype(np.float64) - truth).mean() / 255
