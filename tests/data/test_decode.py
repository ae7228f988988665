"""Every kind of image file to upright RGB, and to squares."""

import numpy as np
import pytest
from PIL import Image

from scan_jax.data.decode import DECODE_ERRORS, read_image, square, verify_image

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def stripes(height=24, width=36):
    """Red, green and blue thirds from left to right, uint8 [H,W,3]."""
    return np.repeat(np.repeat(np.array([[RED, GREEN, BLUE]], np.uint8), height, 0), width // 3, 1)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def mode_of(path):
    with Image.open(path) as image:
        return image.mode


@pytest.mark.parametrize("suffix", ["png", "webp", "jpg", "jpeg"])
def test_formats(suffix, tmp_path):
    path = tmp_path / f"photo.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {"quality": 100, "subsampling": 0} if suffix[0] == "j" else {}
    Image.fromarray(stripes()).save(path, **options)
    verify_image(path)
    np.testing.assert_allclose(read_image(path), stripes(), atol=3 if suffix[0] == "j" else 0)


def test_grey_is_repeated(tmp_path):
    grey = noise(5, 7)[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), np.repeat(grey[..., None], 3, -1))


def test_sixteen_bits_keep_their_brightness(tmp_path):
    deep = np.array([[0, 128, 257, 32768, 65535, 65280]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    verify_image(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png")[0, :, 0], [0, 0, 1, 128, 255, 254])


def test_one_bit(tmp_path):
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "bit.png")
    np.testing.assert_array_equal(read_image(tmp_path / "bit.png")[0, :, 0], [255, 0])


def test_palette(tmp_path):
    Image.fromarray(stripes()).quantize(8).save(tmp_path / "palette.png")
    assert mode_of(tmp_path / "palette.png") == "P"
    np.testing.assert_array_equal(read_image(tmp_path / "palette.png"), stripes())


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_on_white(mode, tmp_path):
    pixels = {"RGBA": [(200, 0, 0, 255), (200, 0, 0, 0), (200, 0, 0, 51)], "LA": [(200, 255), (200, 0), (200, 51)]}[
        mode
    ]
    Image.fromarray(np.array([pixels], np.uint8)).save(tmp_path / "clear.png")
    assert mode_of(tmp_path / "clear.png") == mode
    red = read_image(tmp_path / "clear.png")[0, :, 0]
    np.testing.assert_allclose(red, [200, 255, 0.2 * 200 + 0.8 * 255], atol=1)


def test_transparent_palette_is_laid_on_white(tmp_path):
    image = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    image.putpalette([*RED, *BLUE])
    image.save(tmp_path / "clear.png", transparency=0)
    np.testing.assert_array_equal(read_image(tmp_path / "clear.png"), [[(255, 255, 255), BLUE]])


def test_cmyk(tmp_path):
    flat = Image.fromarray(np.full((16, 16, 3), (255, 0, 0), np.uint8)).convert("CMYK")
    flat.save(tmp_path / "print.jpg", quality=100)
    assert mode_of(tmp_path / "print.jpg") == "CMYK"
    verify_image(tmp_path / "print.jpg")
    np.testing.assert_allclose(read_image(tmp_path / "print.jpg")[8, 8], RED, atol=3)


# What a camera held so stores, as a function of what it saw.
STORED = {
    1: lambda seen: seen,
    2: lambda seen: seen[:, ::-1],
    3: lambda seen: seen[::-1, ::-1],
    4: lambda seen: seen[::-1],
    5: lambda seen: seen.swapaxes(0, 1),
    6: lambda seen: np.rot90(seen, 1),
    7: lambda seen: seen[::-1, ::-1].swapaxes(0, 1),
    8: lambda seen: np.rot90(seen, -1),
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_exif_orientation_is_applied(orientation, suffix, tmp_path):
    seen = stripes()
    seen[12:] //= 2
    image = Image.fromarray(np.ascontiguousarray(STORED[orientation](seen)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(
        tmp_path / f"turned.{suffix}", exif=exif, **({"quality": 100, "subsampling": 0} if suffix == "jpg" else {})
    )
    np.testing.assert_allclose(read_image(tmp_path / f"turned.{suffix}"), seen, atol=4)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9])
def test_truncated_files_do_not_pass(suffix, share, tmp_path):
    path = tmp_path / f"cut.{suffix}"
    Image.fromarray(noise(200, 160)).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    for read in (verify_image, read_image):
        with pytest.raises(DECODE_ERRORS):
            read(path)


def test_text_and_absent_files_do_not_pass(tmp_path):
    (tmp_path / "text.jpg").write_text("no image")
    for name in ("text.jpg", "absent.jpg"):
        for read in (verify_image, read_image):
            with pytest.raises(DECODE_ERRORS):
                read(tmp_path / name)


@pytest.mark.parametrize(("height", "width"), [(40, 64), (64, 40), (41, 64), (40, 40)])
def test_square_averages_areas_of_the_centre(height, width):
    image = noise(height, width)
    top, left = (height - 40) // 2, (width - 40) // 2
    side = min(height, width)
    centre = image[top : top + side, left : left + side].astype(np.float64)
    shrunk = square(image, side // 4) if side % 4 == 0 else square(image[:40], 10)
    expected = centre[:40, :40].reshape(10, 4, 10, 4, 3).mean((1, 3))
    np.testing.assert_allclose(shrunk, expected, atol=0.51)


def test_square_averages_areas_where_pixels_are_cut():
    image = noise(178, 218)
    # Each output pixel covers 178 / 64 input pixels: the exact overlap of the intervals, along either axis.
    edges = np.arange(65) * (178 / 64)
    pixels = np.arange(178)
    overlap = np.clip(
        np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels), 0, None
    )  # [64,178]
    weights = overlap / overlap.sum(1, keepdims=True)
    expected = np.einsum("ih,jw,hwc->ijc", weights, weights, image[:, 20:198].astype(np.float64))
    np.testing.assert_allclose(square(image, 64), expected, atol=0.6)


def test_square_enlarges_smoothly_and_keeps_its_own_size():
    ramp = np.repeat(np.repeat(np.linspace(40, 200, 9)[None, :, None], 9, 0), 3, -1).astype(np.uint8)  # [9,9,3]
    enlarged = square(ramp, 36)
    assert enlarged.shape == (36, 36, 3)
    assert (np.diff(enlarged[:, 4:-4, 0].astype(int), axis=1) >= 0).all()
    assert len(np.unique(enlarged[18, :, 0])) > 25  # nearest would give 9
    image = noise(31, 31)
    np.testing.assert_array_equal(square(image, 31), image)


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3))])
def test_square_refuses_what_is_no_image(image):
    with pytest.raises(ValueError, match="uint8"):
        square(image, 2)
