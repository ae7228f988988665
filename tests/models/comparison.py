"""How far two networks are apart."""

import jax
import numpy as np


def error_of(found, wanted):
    """The relative error of the whole, beside the deviation of what was wanted."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted - wanted.mean()))


def close(found, wanted, limit=1e-4):
    """Two trees of arrays, leaf by leaf."""
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    errors = jax.tree.map(error_of, found, wanted)
    assert all(error < limit for error in jax.tree.leaves(errors)), errors
