"""Colours of semantic classes, to look at label maps."""

from __future__ import annotations

import numpy as np

# CelebAMask-HQ's own colours (Lee et al. 2020, "MaskGAN"), in the order of its classes: background, skin, nose, ...
CELEBAMASK_HQ = (
    *((0, 0, 0), (204, 0, 0), (76, 153, 0), (204, 204, 0), (51, 51, 255), (204, 0, 204), (0, 255, 255)),
    *((255, 204, 204), (102, 51, 0), (255, 0, 0), (102, 204, 0), (255, 255, 0), (0, 0, 153), (0, 0, 204)),
    *((255, 51, 153), (0, 204, 204), (0, 51, 0), (255, 153, 51), (0, 204, 0)),
)


def palette(num_labels: int) -> np.ndarray:
    """A colour for each class, no two alike: CelebAMask-HQ's for 19 classes, else PASCAL VOC's.

    PASCAL VOC (Everingham et al. 2010) spreads the bits of a class over the three channels, the lowest to the highest
    bit of red, the next to that of green and so on, so that neighbours differ most.

    Returns:
      uint8 [num_labels,3], RGB; class 0 is black.
    """
    if not 0 < num_labels <= 2**24:
        raise ValueError(f"num_labels must be from 1 to 2**24, not {num_labels}")
    if num_labels == len(CELEBAMASK_HQ):
        return np.array(CELEBAMASK_HQ, np.uint8)
    classes = np.arange(num_labels)[:, None]  # [N,1]
    bits = classes >> np.arange(24) & 1  # [N,24], the lowest first
    by_channel = bits.reshape(num_labels, 8, 3)  # [N,8,3], the first goes to the highest bit
    return (by_channel << np.arange(7, -1, -1)[:, None]).sum(1).astype(np.uint8)  # [N,3]


def paint(labels: np.ndarray, num_labels: int) -> np.ndarray:
    """A label map, integers [...] from 0 to num_labels - 1, as a picture, uint8 [...,3]; a ValueError at any other."""
    if labels.dtype.kind not in "ui" or (labels.size and not 0 <= labels.min() <= labels.max() < num_labels):
        raise ValueError(f"labels must be integers from 0 to {num_labels - 1}, not {labels.dtype}")
    return palette(num_labels)[labels]


# CelebAMask-HQ's own (Lee et al. 2020, "MaskGAN"), in the order of its classes.
CELEBAMASK_HQ_NAMES = (
    *("background", "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear"),
    *("mouth", "u_lip", "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth"),
)


def part_names(num_labels: int) -> tuple[str, ...]:
    """CelebAMask-HQ's for 19 classes, else the classes' numbers as text."""
    return CELEBAMASK_HQ_NAMES if num_labels == len(CELEBAMASK_HQ_NAMES) else tuple(map(str, range(num_labels)))
