"""Photographs of 16 bits: known samples reach the file as they were, the hole comes from the network's 8 bits."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from scan_jax.images import png, tiff
from scan_jax.images.decode import to_eight_bits
from scan_jax.images.photograph import put_into_hole, read_photograph, write_photograph

HEIGHT, WIDTH = 37, 53  # odd, and no multiples of anything
PROFILE = b"a profile, long enough to be compressed " * 9


def samples(channels, seed=0):
    return np.random.default_rng(seed).integers(0, 65536, (HEIGHT, WIDTH, channels), np.uint16)


def hole():
    found = np.zeros((HEIGHT, WIDTH), bool)
    found[5:20, 11:40] = True
    return found


def blue_first(array):
    return np.concatenate([array[..., 2::-1], array[..., 3:]], axis=-1)


def save_png(path, array):
    assert cv2.imwrite(str(path), array[..., 0] if array.shape[2] == 1 else blue_first(array))


def save_tiff(path, array, **more):
    kind = "minisblack" if array.shape[2] == 1 else "rgb"
    alpha = {"extrasamples": ["unassalpha"]} if array.shape[2] == 4 else {}
    tifffile.imwrite(path, array.squeeze(), photometric=kind, metadata=None, **alpha, **more)


def load(path):
    """By a decoder that the code under test does not use for this format: [H,W,C]."""
    if path.suffix == ".tif":
        found = tifffile.imread(path)
    else:
        found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        found = found if found.ndim == 2 else blue_first(found)
    return found[..., None] if found.ndim == 2 else found


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("suffix_in", [".png", ".tif"])
@pytest.mark.parametrize("suffix_out", [".png", ".tif"])
def test_known_samples_stay_and_the_hole_is_filled(tmp_path, channels, suffix_in, suffix_out):
    deep = samples(channels)
    (save_png if suffix_in == ".png" else save_tiff)(tmp_path / f"in{suffix_in}", deep)
    photograph = read_photograph(tmp_path / f"in{suffix_in}")
    np.testing.assert_array_equal(photograph.samples, deep)
    rounded = np.round(deep / 257.0)
    share = rounded[..., 3:] / 255 if channels == 4 else 1  # transparent pixels are seen on white
    expected = np.broadcast_to(share * rounded[..., :3] + (1 - share) * 255, photograph.pixels.shape)
    np.testing.assert_allclose(photograph.pixels, expected, atol=1 if channels == 4 else 0)

    colour = [200, 100, 50] if channels > 1 else [90]
    filled = np.where(hole()[..., None], np.uint8(colour), photograph.pixels)
    out = tmp_path / f"out{suffix_out}"
    write_photograph(out, filled, photograph, hole())
    again, expected = load(out), deep.copy()
    expected[hole(), : len(colour)] = np.array(colour) * 257
    expected[hole(), 3:] = 65535  # what is painted is opaque
    assert again.dtype == np.uint16
    np.testing.assert_array_equal(again, expected)
    with Image.open(out) as image:  # Pillow reads it, too
        assert image.size == (WIDTH, HEIGHT)
        image.load()


def test_without_a_hole_what_differs_is_what_was_filled(tmp_path, through):
    save_png(tmp_path / "in.png", samples(3))
    photograph, same = through(tmp_path / "in.png", "same.png")
    np.testing.assert_array_equal(load(same), samples(3))
    changed, expected = photograph.pixels.copy(), samples(3)
    changed[3, 4] = 255 - changed[3, 4]
    expected[3, 4] = changed[3, 4] * np.uint16(257)
    np.testing.assert_array_equal(load(through(tmp_path / "in.png", "out.png", pixels=changed)[1]), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_orientation_is_applied_to_all_16_bits(tmp_path, through, orientation, suffix, channels):
    deep, path = samples(channels), tmp_path / f"in{suffix}"
    if suffix == ".tif":
        save_tiff(path, deep, extratags=[(274, "H", 1, orientation, True)])
    else:
        exif = Image.Exif()
        exif[0x0112], exif[0x010F] = orientation, "A maker"
        path.write_bytes(png.encode(deep, {"exif": exif.tobytes()}))
    high = np.right_shift(deep, 8).astype(np.uint8)
    upright = np.stack([np.asarray(_pillow_upright(high[..., c], orientation)) for c in range(channels)], axis=-1)
    photograph, out = through(path, f"out{suffix}")
    np.testing.assert_array_equal(np.right_shift(photograph.samples, 8), upright)
    np.testing.assert_array_equal(read_photograph(out).samples, photograph.samples)
    with Image.open(out) as image:
        assert image.getexif().get(0x0112, 1) == 1
        if suffix == ".png":
            assert image.getexif()[0x010F] == "A maker"


def _pillow_upright(plane, orientation):
    image = Image.fromarray(plane)
    exif = image.getexif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif)
    return ImageOps.exif_transpose(Image.open(file))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_profile_exif_and_resolution_are_in_the_file(tmp_path, through, suffix, channels):
    exif = Image.Exif()
    exif[0x010F], exif[0x8298] = "A maker", "Somebody, 2024"
    exif[0x8769] = {0x829A: (1, 250), 0x8827: 400}  # exposure time, sensitivity
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 12.0)}
    told = {"exif": exif.tobytes(), "icc_profile": PROFILE, "dpi": (300.0, 150.0)}
    (tmp_path / "in.png").write_bytes(png.encode(samples(channels), told))
    with Image.open(through(tmp_path / "in.png", f"out{suffix}")[1]) as image:
        assert image.info["icc_profile"] == PROFILE
        assert [round(value) for value in image.info["dpi"]] == [300, 150]
        found = image.getexif()
        assert found[0x010F] == "A maker" and found[0x8298] == "Somebody, 2024"
        assert found.get_ifd(0x8769)[0x8827] == 400
        assert found.get_ifd(0x8825)[1] == "N" and tuple(map(float, found.get_ifd(0x8825)[2])) == (52.0, 31.0, 12.0)


def test_the_meaning_of_a_pngs_colours_is_kept(tmp_path, through):
    """Renderers write linear light: without its gAMA chunk, a file of theirs would look far too dark."""
    colours = ((b"gAMA", struct.pack(">I", 100_000)), (b"cHRM", struct.pack(">8I", *range(30_000, 38_000, 1_000))))
    (tmp_path / "in.png").write_bytes(png.encode(samples(3), {"png_colour": colours}))
    chunks = PngInfo()
    for kind, value in colours:
        chunks.add(kind, value)
    Image.fromarray(samples(3).astype(np.uint8)).save(tmp_path / "eight.png", pnginfo=chunks)
    for name in ("in.png", "eight.png"):
        content = through(tmp_path / name, "out.png")[1].read_bytes()
        for kind, value in colours:
            assert kind + value + struct.pack(">I", zlib.crc32(kind + value)) in content, (name, kind)


@pytest.mark.parametrize("compression", [None, "deflate", "lzw"])
@pytest.mark.parametrize("endian", ["<", ">"])
def test_tiffs_of_all_programs_are_read(tmp_path, compression, endian):
    deep = samples(3)
    path = tmp_path / "in.tif"
    if compression == "lzw":  # as photograph editors save by default
        assert cv2.imwrite(str(path), blue_first(deep), [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    else:
        tifffile.imwrite(path, deep, photometric="rgb", byteorder=endian, compression=compression, metadata=None)
    np.testing.assert_array_equal(read_photograph(path).samples, deep)


def test_what_two_decoders_see_differently_is_filled_with_8_bits(tmp_path, caplog, monkeypatch):
    save_png(tmp_path / "in.png", samples(3))
    monkeypatch.setattr(cv2, "imdecode", lambda *given: blue_first(samples(3, seed=1)))
    photograph = read_photograph(tmp_path / "in.png")
    assert photograph.samples.dtype == np.uint8 and "8" in caplog.text and "16 bits" in caplog.text
    np.testing.assert_array_equal(photograph.pixels, np.right_shift(samples(3), 8))


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_formats_of_8_bits_are_said(tmp_path, through, caplog, suffix):
    save_png(tmp_path / "in.png", samples(3))
    photograph, out = through(tmp_path / "in.png", f"out{suffix}", hole())
    assert "holds 8 bits, the photograph has 16" in caplog.text
    if suffix == ".webp":
        np.testing.assert_array_equal(read_photograph(out).pixels, photograph.pixels)


def test_8_bits_are_the_nearest_and_sizes_that_differ_are_no_photograph():
    every = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(to_eight_bits(every), np.round(every / 257.0))
    np.testing.assert_array_equal(to_eight_bits(np.arange(256, dtype=np.uint16) * 257), np.arange(256))
    for filled, found in ((samples(3)[1:], hole()), (samples(3), hole()[1:])):
        with pytest.raises(ValueError, match="sizes differ"):
            put_into_hole(samples(3), filled.astype(np.uint8), found)


def test_large_files_have_many_strips_and_scan_lines(tmp_path):
    rows, columns = np.mgrid[:700, :900]
    deep = np.stack([rows * 90, columns * 70, rows + columns], -1).astype(np.uint16)
    for encode, suffix in ((png.encode, ".png"), (tiff.encode, ".tif")):
        path = tmp_path / f"large{suffix}"
        path.write_bytes(encode(deep, {}))
        np.testing.assert_array_equal(load(path), deep)
        assert path.stat().st_size < deep.nbytes / 3, "it is smooth, and compressed"
