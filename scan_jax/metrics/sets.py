"""How far filled images are from photographs as whole sets, for the activations of a network.

`inception`: FID (Heusel et al. 2017), KID, U-IDS and P-IDS, for InceptionV3.
`squeezenet`: distances for SqueezeNet, which fits a laptop: stand-ins without InceptionV3's weights. They are no FID
  and no KID, and compare with nothing outside a table made with this definition.
"""

from __future__ import annotations

import warnings

import jax
import jax.numpy as jnp
import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.core.types import Array
from scan_jax.features.api import load_features, weights_name
from scan_jax.metrics.api import Embedding, SetMetric

ROWS = 512  # of the kernel matrix at a time


def open_metrics(group: str) -> dict[str, SetMetric]:
    """Those of `inception` or `squeezenet`; UserError without the network's weights."""
    return {"inception": _inception, "squeezenet": _squeezenet}[group]()


def _inception() -> dict[str, SetMetric]:
    embedding = _embedding("inception_v3", "inception_v3", "pool3")
    source = f"InceptionV3 pool3 ({weights_name('inception_v3')}, bilinear resize to 299, as pytorch-fid)"
    paired = "filled images are paired with their photographs, so identical sets give a negative value"
    kid = f"cubic MMD^2 over all images in the public form, {source}; {paired}"
    wrong = f"misclassified by the linear SVM fitted to them, {source}"
    fooled = f"more real than their photograph to that linear SVM, {source}"
    frechet = f"Fréchet distance, {source}; depends on n"
    # A plane separates any 2N <= D + 1 vectors in general position, so that both scores would be about 0 by arithmetic.
    least = (2048 + 1) // 2 + 1
    return {
        "fid": SetMetric(frechet_distance, embedding, 2, "FID", "lower", "", 2, frechet),
        "kid": SetMetric(kernel_distance, embedding, 2, "KID", "lower", "", 5, kid),
        "u_ids": SetMetric(unpaired_score, embedding, least, "U-IDS", "higher", "%", 2, wrong),
        "p_ids": SetMetric(paired_score, embedding, least, "P-IDS", "higher", "%", 2, fooled),
    }


def _squeezenet() -> dict[str, SetMetric]:
    embedding = _embedding("squeezenet_fire9", "squeezenet", "fire9")  # 512 numbers, about 1 in the mean on photographs
    source = f"SqueezeNet 1.1 in Keras' layout ({weights_name('squeezenet')}), mean fire9 activations, 512 numbers"
    frechet = f"Fréchet distance, {source}; depends on n"
    kernel = f"unbiased cubic MMD^2 over all images but each with its own photograph, 0 for identical sets, {source}"
    title, side = "SqueezeNet kernel distance", 31  # pixels, for the pooling before the layer
    return {
        "frechet": SetMetric(frechet_distance, embedding, 2, "SqueezeNet distance", "lower", "", 0, frechet, side),
        "kernel": SetMetric(paired_kernel_distance, embedding, 2, title, "lower", "", 1, kernel, side),
    }


def _embedding(name: str, network: str, layer: str) -> Embedding:
    """The means over the picture of a layer's activations; InceptionV3's `pool3` has but one pixel."""
    features = load_features(network, (layer,))

    @jax.jit
    def embed(parameters: object, image: Array) -> Array:
        # Without it some devices multiply in less than float32. With it, too, last digits depend on the device and on
        # the batch size.
        with jax.default_matmul_precision("highest"):
            found = features.apply(parameters, image.astype(jnp.float32) / 255)
            return jnp.mean(found[layer], axis=(1, 2))  # [B,D]

    return Embedding(name, embed, features.params)


def frechet_distance(photographs: np.ndarray, filled: np.ndarray) -> float:
    """|m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)) of the means and covariances (over N - 1) of two sets float64 [N,D].

    With C = A^T A and C' = B^T B, the trace of the root is the sum of the singular values of A B^T. So no root of a
    matrix is taken, which for fewer vectors than dimensions is singular and costs others their digits.
    """
    check_vectors(photographs, filled)
    first, second = _root(photographs), _root(filled)
    offset = photographs.mean(axis=0) - filled.mean(axis=0)  # [D]
    overlap = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    distance = offset @ offset + np.square(first).sum() + np.square(second).sum() - 2.0 * overlap
    return max(float(distance), 0.0)  # rounding may put equal sets below


def _root(vectors: np.ndarray) -> np.ndarray:
    """A with A^T A = the covariance: [N,D] -> [min(N,D),D]."""
    centred = (vectors - vectors.mean(axis=0)) / np.sqrt(len(vectors) - 1)
    return centred if len(centred) <= centred.shape[1] else np.asarray(np.linalg.qr(centred, mode="r"))


def kernel_distance(photographs: np.ndarray, filled: np.ndarray) -> float:
    """Unbiased MMD^2 with the kernel (x.y / D + 1)^3 between two sets float64 [N,D].

    Over the whole sets at once, without random subsets: the same number every time. Pairs of one vector with itself are
    left out within a set; between the sets all pairs count, as in public implementations. That is unbiased for sets
    that were drawn apart (Gretton et al. 2012, lemma 6). Filled images are paired with their photographs, and the N
    pairs i = i, alike as they are, lower the result: identical sets give a negative value, 2 / N times the mean kernel
    between different images minus that of images with themselves. `paired_kernel_distance` leaves those pairs out.
    """
    check_vectors(photographs, filled)
    count = len(photographs)
    within = 0.0
    for x in (photographs, filled):
        diagonal = _cubic(np.einsum("nd,nd->n", x, x), x.shape[1])  # [N]: each vector and itself
        within += _kernel_sum(x, x) - float(diagonal.sum())
    return float(within / (count * (count - 1)) - 2.0 * _kernel_sum(photographs, filled) / count**2)


def paired_kernel_distance(photographs: np.ndarray, filled: np.ndarray) -> float:
    """Unbiased MMD^2 with the kernel (x.y / D + 1)^3, for two sets float64 [N,D] that come in pairs.

    The mean of k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i) over i != j (Gretton et al. 2012, lemma 6): an
    image meets its own photograph nowhere. Exactly 0 for identical sets.
    """
    check_vectors(photographs, filled)
    count, width = photographs.shape
    x, y = photographs.T.copy(), filled.T.copy()  # [D,N]; of x @ x.T NumPy would round otherwise than of x @ y.T
    total = 0.0
    for start in range(0, count, ROWS):
        first, second = photographs[start : start + ROWS], filled[start : start + ROWS]  # [R,D]
        within = _cubic(first @ x, width) + _cubic(second @ y, width)  # [R,N]
        excess = within - _cubic(first @ y, width) - _cubic(second @ x, width)
        rows = np.arange(len(first))
        excess[rows, start + rows] = 0.0
        total += float(excess.sum())
    return total / (count * (count - 1))


def _kernel_sum(first: np.ndarray, second: np.ndarray) -> float:
    """Of the kernel over all pairs: [N,D], [M,D] -> a number."""
    blocks = (first[start : start + ROWS] @ second.T for start in range(0, len(first), ROWS))  # [<=ROWS,M]
    return sum(float(_cubic(block, first.shape[1]).sum()) for block in blocks)


def _cubic(products: np.ndarray, dimensions: int) -> np.ndarray:
    """The kernel from scalar products, of any shape."""
    return (products / dimensions + 1.0) ** 3


def unpaired_score(photographs: np.ndarray, filled: np.ndarray) -> float:
    """U-IDS of two sets float64 [N,D]: % that a linear SVM fitted to them puts on the wrong side; 50 is no difference.

    UserError where scikit-learn is not installed, as in `paired_score`.
    """
    real, fake = _decisions(photographs, filled)
    wrong = np.count_nonzero(real <= 0) + np.count_nonzero(fake > 0)  # 0 itself is given to the fakes
    return 100.0 * wrong / (2 * len(real))


def paired_score(photographs: np.ndarray, filled: np.ndarray) -> float:
    """P-IDS of two sets float64 [N,D]: % of filled images that the SVM finds more real than their own photograph."""
    real, fake = _decisions(photographs, filled)
    return 100.0 * float(np.mean(fake > real))


def _decisions(photographs: np.ndarray, filled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """On which side of the SVM, and how far from it: [N], [N], above 0 for real.

    Squared hinge, C = 1, the primal problem, as the authors' code has it; its solver draws nothing at random.
    """
    check_vectors(photographs, filled)
    try:
        import sklearn.svm  # slow to import, for two metrics only
        from sklearn.exceptions import ConvergenceWarning
    except ImportError as error:
        complaint = "P-IDS and U-IDS need scikit-learn, which is not installed: pip install scikit-learn"
        raise UserError(complaint) from error
    machine, targets = sklearn.svm.LinearSVC(dual=False), np.repeat([1, 0], len(photographs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # where it stops after 1000 rounds counts, here as there
        machine.fit(np.concatenate([photographs, filled]), targets)
    return machine.decision_function(photographs), machine.decision_function(filled)


def check_vectors(photographs: np.ndarray, filled: np.ndarray) -> None:
    """ValueError unless two equal sets [N,D] of at least two finite vectors: what every metric here needs."""
    if photographs.ndim != 2 or photographs.shape != filled.shape or len(photographs) < 2:
        raise ValueError(f"two equal sets [N,D] of 2 or more vectors are needed: {photographs.shape}, {filled.shape}")
    if not (np.isfinite(photographs).all() and np.isfinite(filled).all()):
        raise ValueError("vectors must be finite")
