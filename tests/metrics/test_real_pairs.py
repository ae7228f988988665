"""Every definition on 200 real pairs: photographs of faces and streets, and what Navier-Stokes makes of their holes.

Needs SCAN_JAX_REAL_DATA, a folder with `faces_dev/*.jpg`, `street/*/*.jpg` and `masks_dev/*.png`, white = hole.
"""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from metric_oracles import ORACLES, deviations

from scan_jax.metrics import api

FOLDER = Path(os.environ.get("SCAN_JAX_REAL_DATA", "/nowhere"))
SIZES = {"faces_dev": (177, 209), "street": (209, 177)}  # width, height
COUNT, BATCH = 100, 20  # of each

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="SCAN_JAX_REAL_DATA names no folder of photographs")


@pytest.fixture(scope="module", params=SIZES)
def real(request):
    """Photographs cropped to an odd size, with 1-60% of each missing: uint8 [N,H,W,3] twice, bool [N,H,W]."""
    width, height = SIZES[request.param]
    files, masks = sorted((FOLDER / request.param).rglob("*.jpg")), sorted((FOLDER / "masks_dev").glob("*.png"))
    found = []
    for file, mask in zip(files[:: len(files) // COUNT][:COUNT], masks[:: len(masks) // COUNT]):
        photograph = cv2.imread(str(file))[:height, :width, ::-1].copy()
        white = cv2.resize(cv2.imread(str(mask), 0), (width, height), interpolation=cv2.INTER_NEAREST)
        found.append((cv2.inpaint(photograph, np.uint8(white > 127), 3, cv2.INPAINT_NS), photograph, white > 127))
    return [np.stack(part) for part in zip(*found)]


@pytest.mark.parametrize("group, name", [(group, name) for group in ORACLES for name in ORACLES[group]])
def test_equals_the_public_definition_on_real_pairs(group, name, real, record_property):
    assert len(real[0]) == COUNT and real[2].any((1, 2)).all()
    metric = api.collect_metrics([group])[f"{group}/{name}"]
    found = np.concatenate(
        [deviations(group, name, metric, *(a[i : i + BATCH] for a in real)) for i in range(0, COUNT, BATCH)]
    )
    record_property("largest deviation", found.max())
    assert found.max() <= 1e-5
