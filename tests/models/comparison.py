"""How far two networks are apart, and what every generator keeps to."""

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


def keeps_to_what_is_known(network, image, known, *others, limit=2e-5):
    """Of `network(image, known, *others)` on two samples: what it must not depend on, and what it must answer.

    Nothing that the caller left in the hole is read, a sample depends on no other and not on its place, and neither a
    hole of everything nor none makes a number that is not one.
    """
    image, known, *others = map(np.asarray, (image, known, *others))
    noise = np.random.default_rng(9).random(image.shape, np.float32)

    def run(*given):
        return list(map(np.asarray, jax.tree.leaves(network(*given))))

    seen = run(image, known, *others)
    for found, repainted in zip(seen, run(np.where(known > 0, image, noise), known, *others)):
        np.testing.assert_array_equal(found, repainted)
    swapped, lonely = ([part[order] for part in (image, known, *others)] for order in ([1, 0], [1, 1]))
    for found, turned, alone in zip(seen, run(*swapped), run(*lonely)):
        np.testing.assert_allclose(found, turned[::-1], rtol=limit, atol=limit)
        np.testing.assert_allclose(found[1], alone[1], rtol=limit, atol=limit)
    for value in (0, 1):
        assert all(np.isfinite(found).all() for found in run(image, np.full_like(known, value), *others))
    hole = np.broadcast_to(known == 0, image.shape)[..., 0]
    for found, inverse in zip(seen, run(1 - image, known, *others)):
        assert np.abs(found - inverse)[hole].max() > 1e-4, "it is blind"
