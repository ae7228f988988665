"""LaMa's holes: the numbers of its configs, and shares, parts and thickness of the public code's draws."""

import math

import numpy as np
import pytest

from benchmarks.lama_holes import MEASURES
from scan_jax.masks import lama
from scan_jax.masks.api import open_holes

# Mean and 10, 50 and 90% quantiles of 2,000 draws of advimman/lama at 256x256, of share in %, parts and thickness in
# pixels (python -m benchmarks.lama_holes --clones=CLONES).
PUBLIC = {
    "thin": ((28.6, 10.0, 29.3, 45.3), (6.3, 3, 6, 10), (15.0, 10.4, 14.9, 19.9)),
    "medium": ((23.9, 3.4, 26.3, 39.9), (2.6, 1, 3, 4), (32.5, 15.0, 33.1, 47.5)),
    "thick": ((26.7, 9.0, 26.9, 44.8), (1.4, 1, 1, 2), (53.7, 29.1, 53.0, 76.0)),
    "training": ((35.6, 10.5, 32.4, 66.4), (1.4, 1, 1, 2), (60.2, 30.0, 56.6, 93.0)),
}


@pytest.mark.parametrize("kind", PUBLIC)
def test_shares_parts_and_thickness_are_the_public_codes(kind):
    source, rng = open_holes({"name": f"lama_{kind}"}).train, np.random.default_rng(0)
    holes = [source.draw(rng, 256) for _ in range(500)]
    assert max(hole.mean() for hole in holes) <= (1.0 if kind == "training" else 0.5)
    for (mean, *quantiles), measure in zip(PUBLIC[kind], MEASURES.values(), strict=True):
        values = np.array([measure(hole) for hole in holes])
        assert abs(values.mean() - mean) < 3 * values.std() * math.sqrt(1 / 500 + 1 / 2000) + 0.05  # printed so finely
        for quantile, value in zip((0.1, 0.5, 0.9), quantiles, strict=True):
            assert np.mean(values < value - 0.05) - 0.05 < quantile < np.mean(values <= value + 0.05) + 0.05


class Ends:
    """A generator of chance that always gives the least or the greatest."""

    def __init__(self, greatest, share):
        self.greatest, self.share = greatest, share

    def random(self):
        return self.share

    def integers(self, low, high=None, size=()):
        low, high = (0, low) if high is None else (low, high)
        return np.broadcast_to(np.array(high) - 1 if self.greatest else low, size)


STROKES, BOXES = 0.99, 0.0  # what decides for them


@pytest.mark.parametrize(
    ("kind", "size", "count", "length", "width"),  # strokes; pixels: config's range + 9 and + 4
    [
        *(("thin", 256, 51, 49, 14), ("thin", 512, 71, 109, 24), ("thin", 1024, 71, 218, 48)),
        *(("medium", 256, 6, 109, 54), ("medium", 512, 11, 209, 104), ("medium", 384, 11, 156.75, 78)),
        *(("thick", 256, 6, 209, 104), ("thick", 512, 6, 459, 254), ("thick", 64, 6, 209, 104)),  # 64 of 256, thinned
        *(("training", 256, 6, 209, 104), ("training", 512, 6, 418, 208)),
    ],
)
def test_strokes_go_as_far_as_the_configs_let_them(kind, size, count, length, width, monkeypatch):
    lines, edge = [], max(size, 256)
    monkeypatch.setattr(lama.cv2, "line", lambda canvas, *line: lines.append(line))
    source = open_holes({"name": f"lama_{kind}"}).train
    source._try(Ends(True, STROKES), size)
    assert len(lines) == 5 * count and {(color, thick) for _, _, color, thick in lines} == {(1, width)}
    x, y = length * math.sin(3.01), edge - 1 + length * math.cos(3.01)
    assert lines[0][:2] == ((edge - 1, edge - 1), (max(int(edge - 1 - x), 0), max(int(y), 0)))
    assert lines[1][0] == lines[0][1]  # segments are joined
    assert lines[5][:2] == ((edge - 1, edge - 1), (edge, max(int(y), 0)))  # the second stroke is mirrored
    lines.clear()
    source._try(Ends(False, STROKES), size)
    assert len(lines) == (1 if kind in ("thick", "training") else 4)
    if size <= 256:
        assert {(end, thick) for _, end, _, thick in lines} == {((0, 9), 5)}  # 10 cos(0.01) = 9.9995


@pytest.mark.parametrize(
    ("kind", "size", "least", "greatest", "margin", "share"),
    [
        *(("medium", 256, 10, 50, 0, 3 / 13), ("medium", 512, 30, 150, 0, 3 / 13)),
        *(
            ("thick", 256, 30, 150, 10, 3 / 13),
            ("thick", 512, 30, 300, 10, 3 / 13),
            ("thick", 1024, 60, 600, 20, 3 / 13),
        ),
        ("training", 256, 30, 150, 10, 1 / 2),
    ],
)
def test_boxes_have_the_configs_sides_margins_and_share(kind, size, least, greatest, margin, share, monkeypatch):
    source = open_holes({"name": f"lama_{kind}"}).train
    small, large = (source._try(Ends(which, BOXES), size) for which in (False, True))
    assert small[margin : margin + least, margin : margin + least].all() and small.sum() == least**2
    far = size - margin
    assert large[far - greatest : far, far - greatest : far].all() and large.sum() == greatest**2
    painted = []
    for name in ("_boxes", "_strokes"):
        monkeypatch.setattr(lama, name, lambda *_, name=name: painted.append(name))
    rng = np.random.default_rng(0)
    for _ in range(20_000):
        source._try(rng, 256)
    assert abs(painted.count("_boxes") / 20_000 - share) < 0.012  # four standard errors
