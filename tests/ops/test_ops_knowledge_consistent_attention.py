"""Knowledge-consistent attention against its literal form in float64, over three recurrences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.ops.contextual_attention import knowledge_consistent_attention

attend = jax.jit(knowledge_consistent_attention)


def literal(x, known, ratio, memory):
    """One image, every product for itself: [H,W,C], [H,W,1] -> [H,W,C], (scores [H,W,N], known [H,W,1])."""
    height, width, channels = x.shape
    keys = x.reshape(-1, channels) + 1e-7
    keys = keys / np.sqrt((keys**2).sum(1, keepdims=True))
    products = np.pad(x @ keys.T, ((1, 1), (1, 1), (0, 0)))
    pooled = sum(products[i : i + height, j : j + width] for i in range(3) for j in range(3))
    scores = np.exp(pooled - pooled.max(-1, keepdims=True))
    scores = scores / scores.sum(-1, keepdims=True)
    if memory is not None:
        present = abs(ratio) + 1e-7
        scores = (memory[0] * memory[1] + scores * present) / (memory[1] + present)
    return scores @ keys, (scores, known)


def draw(batch=2, height=5, width=7, channels=6):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, batch, height, width, channels))
    known = (rng.random((3, batch, height, width, 1)) > 0.5).astype(np.float64)
    return x, known


@pytest.mark.parametrize("ratio", [1.0, -0.3, 0.0])
def test_three_recurrences(ratio):
    xs, knowns = draw()
    memory, memories = None, [None] * xs.shape[1]
    for x, known in zip(xs, knowns):
        found, memory = attend(np.float32(x), np.float32(known), np.float32(ratio), memory)
        for index in range(len(memories)):
            wanted, memories[index] = literal(x[index], known[index], ratio, memories[index])
            np.testing.assert_allclose(found[index], wanted, rtol=1e-4, atol=1e-5)
            rows = memories[index][0].reshape(memory.scores.shape[1:])
            np.testing.assert_allclose(memory.scores[index], rows, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(memory.scores.sum(-1), 1, rtol=1e-5)


def test_the_gradient_flows_through_the_memory_and_is_pytorchs():
    torch = pytest.importorskip("torch")
    xs, knowns = draw(batch=1, height=3, width=4)

    def ours(first, ratio):
        _, memory = knowledge_consistent_attention(first, np.float32(knowns[0]), ratio, None)
        found, _ = knowledge_consistent_attention(np.float32(xs[1]), np.float32(knowns[1]), ratio, memory)
        return (found**3).sum()

    found = jax.jit(jax.grad(ours, argnums=(0, 1)))(np.float32(xs[0]), np.float32(0.6))

    def scores_of(x):
        keys = x.reshape(-1, x.shape[-1]) + 1e-7
        keys = keys / keys.norm(dim=1, keepdim=True)
        products = (x @ keys.T).permute(2, 0, 1)[None]
        pooled = torch.nn.functional.avg_pool2d(products, 3, 1, 1) * 9
        return torch.softmax(pooled, 1)[0].permute(1, 2, 0), keys

    first, ratio = torch.tensor(xs[0, 0]).requires_grad_(), torch.tensor(0.6).double().requires_grad_()
    past, (now, keys), seen = scores_of(first)[0], scores_of(torch.tensor(xs[1, 0])), torch.tensor(knowns[0, 0])
    present = ratio.abs() + 1e-7
    ((((past * seen + now * present) / (seen + present)) @ keys) ** 3).sum().backward()
    np.testing.assert_allclose(found[0][0], first.grad.numpy(), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found[1], ratio.grad.numpy(), rtol=1e-3)


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match="known"):
        knowledge_consistent_attention(jnp.zeros((1, 4, 4, 2)), jnp.zeros((1, 4, 4, 2)), jnp.ones(()), None)
