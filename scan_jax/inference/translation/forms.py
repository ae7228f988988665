"""Functions that ONNX has as one operation: shorter files, which load faster. They are known by the names of their jit.

All are of planes [B,C,h,w], of `ops/smooth_fill.py`, which says what each computes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scan_jax.inference.translation.graph import Graph, Shape, Tensor, natural

CROSS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32)
BLUR = np.outer((1, 2, 1), (1, 2, 1)).astype(np.float32) / 16


def _convolved(graph: Graph, x: Tensor, kernel: np.ndarray, pad: int, stride: int = 1) -> Tensor:
    """Each channel alone."""
    channels = x.shape[1]
    kernels = graph.constant(np.tile(kernel, (channels, 1, 1, 1)))
    how = {"group": channels, "pads": [pad] * 4, "strides": [stride] * 2}
    shape = (*x.shape[:2], x.shape[2] // stride, x.shape[3] // stride)
    return _result(x, graph.node("Conv", graph.ordered(graph.full(x)), kernels, **how), shape)


def _result(x: Tensor, name: str, shape: Shape) -> Tensor:
    return Tensor(name, shape, shape, x.dtype, natural(4))


def _neighbours(graph: Graph, x: Tensor) -> Tensor:
    return _convolved(graph, x, CROSS, 1)


def _block_sums(graph: Graph, x: Tensor) -> Tensor:
    return _convolved(graph, x, np.ones((2, 2), np.float32), 0, 2)


def _blur(graph: Graph, x: Tensor) -> Tensor:
    wider = (*x.shape[:2], x.shape[2] + 2, x.shape[3] + 2)
    amounts = graph.integers(0, 0, 1, 1, 0, 0, 1, 1)
    around = _result(x, graph.node("Pad", graph.ordered(graph.full(x)), amounts, mode="edge"), wider)
    blurred = _convolved(graph, around, BLUR, 0)
    return _result(x, blurred.name, x.shape)


def _enlarge(graph: Graph, x: Tensor) -> Tensor:
    shape = (*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    names = [graph.ordered(graph.full(x)), "", "", graph.integers(*shape)]
    how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    return _result(x, graph.node("Resize", *names, **how), shape)


FORMS: dict[str, Callable[[Graph, Tensor], Tensor]] = {
    "_neighbours": _neighbours,
    "_block_sums": _block_sums,
    "_blur": _blur,
    "_enlarge": _enlarge,
}
