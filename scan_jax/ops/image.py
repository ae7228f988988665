"""Operations on images: completion, grey, nearest neighbour, and edges and high frequencies of known pixels.

`known` is [B,H,W,1], above 0.5 = known. Other shapes than said are a ValueError.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

Array = jax.Array
LUMA = (0.2125, 0.7154, 0.0721)  # of ITU-R BT.709, as in scikit-image's `rgb2gray`


def check_sides(image: Array, stride: int) -> None:
    """ValueError unless height and width [B,H,W,C] are multiples of a network's stride."""
    if image.shape[1] % stride or image.shape[2] % stride:
        raise ValueError(f"height and width must be multiples of {stride}, not {image.shape[1:3]}; pad the image")


def complete(image: Array, prediction: Array, known: Array) -> Array:
    """The completion: `image` where it is known, `prediction` in the hole, each exactly as it was.

    [B,H,W,C] twice and known -> [B,H,W,C], in the dtype of `image`. For networks and their training; a photograph that
    is filled is composed by `inference.tiling.Tiles.write_hole`, and its file by `images.photograph.put_into_hole`.
    """
    if image.ndim != 4 or prediction.shape != image.shape or known.shape != (*image.shape[:3], 1):
        raise ValueError(
            "image and prediction must be [B,H,W,C] and known [B,H,W,1], "
            f"not {image.shape}, {prediction.shape} and {known.shape}"
        )
    # A choice, not a blend: whatever the network wrote over known pixels, a NaN even, cannot reach them.
    return jnp.where(known > 0.5, image, prediction.astype(image.dtype))


def luma(image: Array) -> Array:
    """The grey picture: RGB [B,H,W,3] -> [B,H,W,1], in the same unit."""
    if image.ndim != 4 or image.shape[-1] != 3:
        raise ValueError(f"image must be [B,H,W,3], not {image.shape}")
    red, green, blue = (weight * image[..., i : i + 1] for i, weight in enumerate(LUMA))  # [B,H,W,1]
    return red + green + blue


def enlarge(x: Array, factor: int, *, rows: int = 1) -> Array:
    """Every pixel as a square of `factor` x `factor` of its kind (nearest neighbour): [..,h,w,..] -> [..,f*h,f*w,..].

    `rows` is the axis of the rows; that of the columns comes next.
    """
    return jnp.repeat(jnp.repeat(x, factor, axis=rows), factor, axis=rows + 1)


def shrink_nearest(x: Array, factor: int) -> Array:
    """Every `factor`-th row and column, spread so that the first and the last are among them.

    Row y of n comes from row round(y (H - 1) / (n - 1)), halves rounded up: with a factor of 2 the upper half of the
    result takes even rows and the lower half odd ones. (TensorFlow's `resize_nearest_neighbor(align_corners=True)`,
    but for halves where its float32 product rounds down.) [B,H,W,C], H and W multiples of `factor` ->
    [B,H/factor,W/factor,C].
    """
    if x.ndim != 4 or factor < 1 or x.shape[1] % factor or x.shape[2] % factor:
        raise ValueError(f"x must be [B,H,W,C] with height and width multiples of {factor}, not {x.shape}")
    return _take(_take(x, factor, axis=1), factor, axis=2)


def _take(x: Array, factor: int, axis: int) -> Array:
    """Shrinks along one axis."""
    count = x.shape[axis] // factor
    place = jnp.arange(count)
    gaps = jnp.maximum(count - 1, 1)
    index = factor * place + (2 * place * (factor - 1) + gaps) // (2 * gaps)  # [count], exact in integers
    return jnp.take(x, index, axis=axis, unique_indices=True, indices_are_sorted=True, mode="clip")


def sobel_gradient(image: Array, known: Array) -> Array:
    """Sobel gradient magnitude per channel, from known pixels alone; zero in the hole: [B,H,W,3], known -> [B,H,W,3].

    Differences of neighbours that are both known are averaged with Sobel's weights, over as many as there are. So a
    constant image has no gradient and a linear one keeps its slope, up to the rim of the hole and the image's border,
    and the interior of a known image is the plain 3x3 operator (a ramp of slope a gives 8a, as in OpenCV and SciPy).
    What `image` holds in the hole has no influence; the result is in its dtype.
    """
    _check_image(image, known)
    weight, clean = _known_part(image, known)  # [B,H,W,1], [B,H,W,3]
    # One pixel around the image is not known: [B,H+2,W+2,.]
    weight_around, clean_around = _pad(weight, 1, 1), _pad(clean, 1, 1)
    across = _slope_along_rows(clean_around, weight_around)  # [B,H,W,3]
    down = _slope_along_rows(jnp.swapaxes(clean_around, 1, 2), jnp.swapaxes(weight_around, 1, 2))  # [B,W,H,3]
    squares = jnp.square(across) + jnp.square(jnp.swapaxes(down, 1, 2))  # [B,H,W,3]
    flat = squares == 0  # the root has no slope there
    magnitude = jnp.where(flat, 0.0, jnp.sqrt(jnp.where(flat, 1.0, squares)))  # [B,H,W,3]
    return (magnitude * weight).astype(image.dtype)


def _slope_along_rows(values: Array, weight: Array) -> Array:
    """Sobel's derivative along W of values [B,H+2,W+2,C] with weights [B,H+2,W+2,1]: [B,H,W,C]."""
    linked = weight[:, :, 1:] * weight[:, :, :-1]  # [B,H+2,W+1,1], 1 where both neighbours are known
    differences = (values[:, :, 1:] - values[:, :, :-1]) * linked  # [B,H+2,W+1,C]
    total = _smooth_columns(differences[:, :, 1:] + differences[:, :, :-1])  # [B,H,W,C]
    seen = _smooth_columns(linked[:, :, 1:] + linked[:, :, :-1])  # [B,H,W,1], 8 where all are known
    return total * (8.0 / jnp.maximum(seen, 1.0))


def _smooth_columns(x: Array) -> Array:
    """[B,H+2,W,C] under the weights 1, 2, 1 along H: [B,H,W,C]."""
    return x[:, :-2] + 2.0 * x[:, 1:-1] + x[:, 2:]


def high_frequency(image: Array, known: Array, sigma: float) -> Array:
    """`image` less its Gaussian blur, from known pixels alone; zero in the hole: [B,H,W,3], known -> [B,H,W,3].

    The blur is normalised: blur(image * known) / blur(known), and outside the image nothing is known. The Gaussian of
    standard deviation `sigma`, in pixels and positive, is cut off at ceil(3 sigma). What `image` holds in the hole has
    no influence; the result is in its dtype.
    """
    _check_image(image, known)
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, not {sigma}")
    weight, clean = _known_part(image, known)  # [B,H,W,1], [B,H,W,3]
    blurred = _gaussian_blur(jnp.concatenate([clean, weight], axis=-1), sigma)  # [B,H,W,4]
    share = jnp.where(weight > 0, blurred[..., 3:], 1.0)  # [B,H,W,1], at a known pixel at least the centre's tap
    return ((clean - blurred[..., :3] / share) * weight).astype(image.dtype)


def gaussian_taps(sigma: float, radius: int) -> list[float]:
    """A Gaussian's weights from -radius to radius; they sum to 1."""
    taps = [math.exp(-0.5 * (offset / sigma) ** 2) for offset in range(-radius, radius + 1)]
    return [tap / sum(taps) for tap in taps]


def _gaussian_blur(x: Array, sigma: float) -> Array:
    """[B,H,W,C] blurred along rows and columns, zeros outside."""
    _, height, width, _ = x.shape
    radius = math.ceil(3 * sigma)
    taps = gaussian_taps(sigma, radius)
    rows = _pad(x, radius, 0)  # [B,H+2r,W,C]
    x = sum((tap * rows[:, i : i + height] for i, tap in enumerate(taps)), jnp.zeros_like(x))  # [B,H,W,C]
    columns = _pad(x, 0, radius)  # [B,H,W+2r,C]
    return sum((tap * columns[:, :, i : i + width] for i, tap in enumerate(taps)), jnp.zeros_like(x))  # [B,H,W,C]


def _check_image(image: Array, known: Array) -> None:
    if image.ndim != 4 or image.shape[-1] != 3 or known.shape != (*image.shape[:3], 1):
        raise ValueError(f"image must be [B,H,W,3] and known [B,H,W,1], not {image.shape} and {known.shape}")


def _known_part(image: Array, known: Array) -> tuple[Array, Array]:
    """`known` as 0 and 1, and `image` with zeros in the hole, both float32; a NaN in the hole is gone too."""
    is_known = known > 0.5  # [B,H,W,1]
    return is_known.astype(jnp.float32), jnp.where(is_known, image.astype(jnp.float32), 0.0)


def _pad(x: Array, rows: int, columns: int) -> Array:
    """[B,H,W,C] -> [B,H+2*rows,W+2*columns,C], zeros around."""
    return jnp.pad(x, ((0, 0), (rows, rows), (columns, columns), (0, 0)))
