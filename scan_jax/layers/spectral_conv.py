"""Spectrally normalised convolution (Miyato et al. 2018), pure at evaluation and with the stored kernel untouched."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.ops.conv_transpose import conv_transpose
from scan_jax.ops.strided_convolution import convolve_strided


def normalize(vector: Array, epsilon: float = 1e-12) -> Array:
    """`vector` at length 1; zero stays zero."""
    return vector / jnp.maximum(jnp.linalg.norm(vector), epsilon)


class SpectralConv(nn.Module):
    """A convolution whose kernel is divided by its largest singular value.

    The kernel is seen as a [kh*kw*in, out] matrix. Each training pass takes one step of the power iteration from the
    stored vectors and stores the new ones in the collection "spectral"; an evaluation uses the stored ones as they are.
    """

    features: int  # output channels
    kernel_size: int = 4  # height and width
    stride: int = 2  # the same along both axes
    padding: int = 1  # zeros on every side, a multiple of the dilation
    use_bias: bool = True
    dtype: Any = jnp.float32  # of the convolution; the norm itself is float32
    warmup: int = 15  # power iterations at initialisation, so that the first passes divide by the right value
    dilation: int = 1  # of the taps; only without a stride
    # Of the kernel. Its scale does not change what comes out, but how fast it turns.
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """[B,H,W,C] -> [B,H',W',features]."""
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        sigma = self._largest_singular_value(kernel.reshape(-1, self.features), train)
        # Dividing the result is as exact as dividing the kernel, and spares a copy of it.
        y = (self._convolve(x.astype(self.dtype), kernel.astype(self.dtype)) / sigma).astype(self.dtype)
        if self.use_bias:
            y = y + self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype)[None, None, None]
        return y

    def _convolve(self, x: Array, kernel: Array) -> Array:
        """[B,H,W,C], [k,k,C,features] -> [B,H',W',features]."""
        return convolve_strided(x, kernel, self.padding, stride=self.stride, dilation=self.dilation)

    def _largest_singular_value(self, matrix: Array, train: bool) -> Array:
        """sigma = v^T W u for W [kh*kw*in, out]; u and v are constants to the gradient."""

        def iterate(u: Array) -> tuple[Array, Array]:
            v = normalize(matrix @ u)  # [kh*kw*in]
            return normalize(v @ matrix), v  # [out], [kh*kw*in]

        def start() -> dict[str, Array]:
            u = normalize(jax.random.normal(self.make_rng("params"), (self.features,)))
            # A loop: unrolled, these products were most of what initialising a network compiled.
            u, v = jax.lax.fori_loop(0, self.warmup, lambda _, vectors: iterate(vectors[0]), (u, matrix[:, 0]))
            return {"u": u, "v": v}

        vectors = self.variable("spectral", "vectors", start)
        u, v = vectors.value["u"], vectors.value["v"]
        if train:
            u, v = jax.lax.stop_gradient(iterate(u))
            if self.is_mutable_collection("spectral"):
                vectors.value = {"u": u, "v": v}
        return v @ matrix @ u


class SpectralConvTranspose(SpectralConv):
    """The same for the transposed convolution of kernel 4, stride 2 and padding 1 (`conv.ConvTranspose`)."""

    def _convolve(self, x: Array, kernel: Array) -> Array:
        """[B,H,W,C], [4,4,C,features] -> [B,2H,2W,features]."""
        return conv_transpose(x, kernel)
