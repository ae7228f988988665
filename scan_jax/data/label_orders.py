"""The two orders in which CelebAMask-HQ's 19 classes are handed around, and whether label maps look like theirs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

import numpy as np

from scan_jax.images.palette import CELEBAMASK_HQ_NAMES

log = logging.getLogger(__name__)

LabelOrder = Literal["celebamask_hq", "face_parsing"]
ORDERS: dict[LabelOrder, tuple[str, ...]] = {
    "celebamask_hq": CELEBAMASK_HQ_NAMES,  # its authors', which the networks here and SEAN's are trained with
    "face_parsing": (  # that of face-parsing.PyTorch, a widely used parser
        *("background", "skin", "l_brow", "r_brow", "l_eye", "r_eye", "eye_g", "l_ear", "r_ear", "ear_r"),
        *("nose", "mouth", "u_lip", "l_lip", "neck", "neck_l", "cloth", "hair", "hat"),
    ),
}
FACTOR = 2.0  # so much more hair another order must give: of faces' classes it is among the largest


def reorder(labels: np.ndarray, order: LabelOrder) -> np.ndarray:
    """Classes in `order`, int32 [H,W] from 0 to 18, as CelebAMask-HQ's authors number them."""
    return np.array([CELEBAMASK_HQ_NAMES.index(name) for name in ORDERS[order]], np.int32)[labels]


def warn_of_implausible(maps: Sequence[np.ndarray], order: LabelOrder) -> None:
    """Says where portraits' label maps, int32 [H,W] each, hardly have the areas that `order` would give them."""
    pixels = np.concatenate([np.zeros(0, np.int32), *(labels.reshape(-1) for labels in maps)])
    areas = np.bincount(pixels[(pixels >= 0) & (pixels < 19)], minlength=19) / max(1, pixels.size)  # [19]
    hair, neck = (100 * areas[ORDERS[order].index(part)] for part in ("hair", "neck"))
    for other, names in ORDERS.items():
        if (theirs := 100 * areas[names.index("hair")]) > FACTOR * hair:
            log.warning(
                "the label maps are hardly in the order %s: hair would be %.1f%% of them and neck %.1f%%; look at "
                "some, and at --label_order=%s, in which hair is %.1f%%",
                *(order, hair, neck, other, theirs),
            )
