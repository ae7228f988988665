"""The two orders in which CelebAMask-HQ's 19 classes are handed around, and whether label maps look like theirs."""

from __future__ import annotations

import logging
from collections.abc import Iterable
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
FACTOR = 2.0  # so much more hair another order must give; in CelebAMask-HQ it covers 30%, the neck 5%
LEAST = 0.4  # of a portrait is background, skin or hair; in CelebAMask-HQ 85%


def reorder(labels: np.ndarray, order: LabelOrder) -> np.ndarray:
    """Classes in `order`, int32 [H,W] from 0 to 18, as its authors number them; any other class as it is."""
    if order == "celebamask_hq":
        return labels
    table = np.arange(max(len(CELEBAMASK_HQ_NAMES), int(labels.max(initial=0)) + 1), dtype=labels.dtype)
    table[: len(CELEBAMASK_HQ_NAMES)] = [CELEBAMASK_HQ_NAMES.index(name) for name in ORDERS[order]]
    return table[labels]


def warn_of_implausible(maps: Iterable[np.ndarray], order: LabelOrder) -> None:
    """Says where the areas of portraits' label maps do not fit `order`; int32 [H,W] each, as they lie in the files."""
    shares = [np.bincount(labels.reshape(-1), minlength=19)[:19] / labels.size for labels in maps if labels.min() >= 0]
    if not shares:
        return
    mean = np.mean(shares, axis=0)  # [19]
    told = dict(zip(ORDERS[order], mean))
    areas = ", ".join(f"{part} {100 * told[part]:.1f}%" for part in ("background", "skin", "hair", "neck"))
    for other, names in ORDERS.items():
        if mean[names.index("hair")] > FACTOR * told["hair"]:
            log.warning(
                "the label maps are hardly in the order %s, in which their areas would be: %s; look at some, and at "
                "--label_order=%s, in which hair is %.1f%%",
                *(order, areas, other, 100 * mean[names.index("hair")]),
            )
            return
    if told["background"] + told["skin"] + told["hair"] < LEAST:
        log.warning("the label maps have areas that portraits have not: %s; look at some of them", areas)
