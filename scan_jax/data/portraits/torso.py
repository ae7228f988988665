"""Where neck and shoulders are: an upright frame that hangs below the head, and the outline in it."""

from __future__ import annotations

import numpy as np

from scan_jax.data.portraits.canvas import Frame
from scan_jax.data.portraits.traits import Clothing, Pose, Traits

SHOULDER_TOP = 1.66
BOTTOM = 3.2


def body_frame(pose: Pose) -> Frame:
    """Upright axes with the head's unit and height, under the chin of a tilted head."""
    return Frame(pose.x - 1.05 * pose.scale * float(np.sin(pose.tilt)), pose.y, pose.scale)


def neck_half_width(traits: Traits) -> float:
    """Half the neck's width; it goes with the jaw."""
    return 0.30 + 0.24 * (traits.clothing.shoulder - 1.0) * traits.face.width


def shoulder_line(u: np.ndarray, clothing: Clothing) -> np.ndarray:
    """Height v [h,w] of the shoulders over u: it falls from the neck and drops at the arms."""
    aside = np.abs(u)
    arm = np.maximum(aside - clothing.shoulder + 0.35, 0)
    return SHOULDER_TOP + clothing.slope * np.maximum(aside - 0.42, 0) + 0.9 * arm * arm
