"""Every kind of image file to upright RGB, and to squares."""

import numpy as np
import pytest
from PIL import ExifTags, Image

from scan_jax.images.decode import DECODE_ERRORS, read_image, verify_image
from scan_jax.images.square import square

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def stripes(height=24, width=36):
    """Red, green and blue thirds from left to right, uint8 [H,W,3]."""
    return np.repeat(np.repeat(np.array([[RED, GREEN, BLUE]], np.uint8), height, 0), width // 3, 1)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def read_back(image, path, mode=None, **options):
    """What is read of Pillow's image, or of an array, once it is saved; the file has Pillow's mode."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(path, **options)
    with Image.open(path) as stored:
        assert mode in (None, stored.mode)
    verify_image(path)
    return read_image(path)


@pytest.mark.parametrize("suffix", ["png", "webp", "jpg", "jpeg"])
def test_formats(suffix, tmp_path):
    options = {"lossless": True} if suffix == "webp" else {"quality": 100, "subsampling": 0} if suffix[0] == "j" else {}
    found = read_back(stripes(), tmp_path / f"photo.{suffix}", **options)
    np.testing.assert_allclose(found, stripes(), atol=3 if suffix[0] == "j" else 0)


def test_every_depth_and_kind_of_colour_keeps_its_brightness(tmp_path):
    grey = noise(5, 7)[..., 0]
    np.testing.assert_array_equal(read_back(grey, tmp_path / "grey.png", "L"), np.repeat(grey[..., None], 3, -1))
    deep = read_back(np.array([[0, 128, 257, 32768, 65535, 65280]], np.uint16), tmp_path / "deep.png")
    np.testing.assert_array_equal(deep[0, :, 0], [0, 0, 1, 128, 255, 254])
    np.testing.assert_array_equal(read_back(np.array([[True, False]]), tmp_path / "bit.png", "1")[0, :, 0], [255, 0])
    palette = Image.fromarray(stripes()).quantize(8)
    np.testing.assert_array_equal(read_back(palette, tmp_path / "palette.png", "P"), stripes())
    flat = Image.fromarray(np.full((16, 16, 3), RED, np.uint8)).convert("CMYK")
    np.testing.assert_allclose(read_back(flat, tmp_path / "print.jpg", "CMYK", quality=100)[8, 8], RED, atol=3)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_on_white(mode, tmp_path):
    red = {"RGBA": (200, 0, 0), "LA": (200,)}[mode]
    pixels = np.array([[(*red, 255), (*red, 0), (*red, 51)]], np.uint8)
    found = read_back(pixels, tmp_path / "clear.png", mode)
    np.testing.assert_allclose(found[0, :, 0], [200, 255, 0.2 * 200 + 0.8 * 255], atol=1)
    image = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    image.putpalette([*RED, *BLUE])
    found = read_back(image, tmp_path / "palette.png", transparency=0)
    np.testing.assert_array_equal(found, [[(255, 255, 255), BLUE]])


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
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100, "subsampling": 0} if suffix == "jpg" else {}
    stored = np.ascontiguousarray(STORED[orientation](seen))
    np.testing.assert_allclose(read_back(stored, tmp_path / f"a.{suffix}", exif=exif, **options), seen, atol=4)


def assert_does_not_pass(path):
    for read in (verify_image, read_image):
        with pytest.raises(DECODE_ERRORS):
            read(path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_truncated_text_and_absent_files_do_not_pass(suffix, tmp_path):
    path = tmp_path / f"cut.{suffix}"
    assert_does_not_pass(path)
    Image.fromarray(noise(200, 160)).save(path)
    whole = path.read_bytes()
    for content in (b"no image", *(whole[: int(share * len(whole))] for share in (0.0, 0.02, 0.5, 0.9))):
        path.write_bytes(content)
        assert_does_not_pass(path)


@pytest.mark.parametrize("shape", [(40, 64), (64, 40), (41, 64), (40, 40), (178, 218)])
@pytest.mark.parametrize("size", [10, 27])
def test_square_averages_areas_of_the_centre(shape, size):
    """Each output pixel covers side / size input pixels: the exact overlap of the intervals, along either axis."""
    image, side = noise(*shape), min(shape)
    edges, pixels = np.arange(size + 1) * (side / size), np.arange(side)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)  # [size,side]
    weights = overlap.clip(0) * size / side
    top, left = ((length - side) // 2 for length in shape)
    centre = image[top : top + side, left : left + side].astype(np.float64)
    expected = weights @ np.einsum("jw,hwc->chj", weights, centre)  # [3,size,size]
    np.testing.assert_allclose(square(image, size), np.moveaxis(expected, 0, -1), atol=0.6 if side % size else 0.51)


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


@pytest.mark.parametrize("orientation", range(1, 9))
def test_verifying_tells_the_upright_shape(orientation, tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(stripes()).save(tmp_path / "photo.jpg", exif=exif)
    assert verify_image(tmp_path / "photo.jpg") == read_image(tmp_path / "photo.jpg").shape[:2]


def test_a_jpeg_without_its_last_rows_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("cv2.imdecode", lambda *_: noise(64, 64))  # older versions of OpenCV fill such files with grey
    Image.fromarray(noise(64, 64)).save(tmp_path / "photo.jpg")
    content = (tmp_path / "photo.jpg").read_bytes()
    (tmp_path / "photo.jpg").write_bytes(content[: len(content) * 9 // 10])
    with pytest.raises(DECODE_ERRORS):
        read_image(tmp_path / "photo.jpg")
