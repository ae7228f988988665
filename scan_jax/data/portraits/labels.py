"""The nineteen classes of CelebAMask-HQ, in its order; a drawn portrait is labelled with the same ones.

`l_` and `r_` are the left and right of the person portrayed: in an unflipped image `L_EYE` lies at the right of
`R_EYE`. (In CelebAMask-HQ's label maps the centroid of `l_eye` has x = 0.62 of the width, that of `r_eye` 0.37.)
"""

from __future__ import annotations

import enum

from scan_jax.images.palette import CELEBAMASK_HQ_NAMES


class Part(enum.IntEnum):
    """A label of CelebAMask-HQ (Lee et al. 2020, "MaskGAN"); names in that dataset's spelling are `CLASS_NAMES`."""

    BACKGROUND = 0
    SKIN = 1
    NOSE = 2
    GLASSES = 3
    L_EYE = 4
    R_EYE = 5
    L_BROW = 6
    R_BROW = 7
    L_EAR = 8
    R_EAR = 9
    MOUTH = 10
    UPPER_LIP = 11
    LOWER_LIP = 12
    HAIR = 13
    HAT = 14
    EARRING = 15
    NECKLACE = 16
    NECK = 17
    CLOTH = 18


CLASS_NAMES = CELEBAMASK_HQ_NAMES
