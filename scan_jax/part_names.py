"""Names of semantic classes, so that people can say "hair" where a label map says 13."""

from __future__ import annotations

# CelebAMask-HQ's own (Lee et al. 2020, "MaskGAN"), in the order of its classes.
CELEBAMASK_HQ = (
    *("background", "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear"),
    *("mouth", "u_lip", "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth"),
)


def part_names(num_labels: int) -> tuple[str, ...]:
    """CelebAMask-HQ's for 19 classes, else the classes' numbers as text."""
    return CELEBAMASK_HQ if num_labels == len(CELEBAMASK_HQ) else tuple(map(str, range(num_labels)))
