"""Reading and writing photographs: upright, 8 bits, and all that belongs to a file kept."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.ExifTags import IFD

from scan_jax.core.errors import UserError
from scan_jax.images.hole import read_hole
from scan_jax.images.labels import read_labels
from scan_jax.images.photograph import check_output, copy_photograph, read_photograph, write_photograph


def picture(height=13, width=17, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize("channels", [3, 4])
def test_lossless_formats_keep_pixels_and_alpha(tmp_path, through, channels):
    pixels, suffixes = picture(channels=channels), (".png", ".tif", ".tiff", ".webp")
    pixels[:3, :, 3:] = 0  # fully transparent, with colours beneath
    for suffix in suffixes:
        again = read_photograph(through(Image.fromarray(pixels), f"out{suffix}")[1])
        np.testing.assert_array_equal(again.samples, pixels)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"out{suffix}" for suffix in suffixes]


def test_orientation_is_applied_and_the_other_exif_and_profile_kept(tmp_path, through):
    pixels = picture()
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112], exif[0x010F] = 6, "A maker"  # orientation: turn right to see it upright
    image.save(tmp_path / "in.png", exif=exif, icc_profile=b"a profile", dpi=(300, 300))
    photograph, out = through(tmp_path / "in.png", "out.png")
    np.testing.assert_array_equal(photograph.pixels, np.rot90(pixels, -1))
    with Image.open(out) as written:
        assert written.getexif().get(0x0112, 1) == 1 and written.getexif()[0x010F] == "A maker"
        assert written.info["icc_profile"] == b"a profile" and round(written.info["dpi"][0]) == 300
        np.testing.assert_array_equal(np.asarray(written), np.rot90(pixels, -1))


@pytest.mark.parametrize(("quality", "subsampling"), [(35, 2), (97, 0)])
def test_jpeg_keeps_its_quality_and_size_and_says_that_it_is_lossy(tmp_path, through, caplog, quality, subsampling):
    rows, columns = np.mgrid[:300, :400] / 300
    waves = 120 + 60 * np.sin(9 * rows) * np.cos(7 * columns) + np.random.default_rng(0).normal(0, 4, (300, 400))
    smooth = np.stack([waves, waves * 0.8, waves * 0.6], -1).clip(0, 255).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "in.jpg", quality=quality, subsampling=subsampling)
    photograph, out = through(tmp_path / "in.jpg", "out.jpg")
    assert "lossy" in caplog.text
    with Image.open(tmp_path / "in.jpg") as before, Image.open(out) as after:
        assert after.format == "JPEG" and after.quantization == before.quantization
        assert after.layer == before.layer
    assert np.abs(read_photograph(out).pixels.astype(int) - photograph.pixels).mean() < 2
    assert 0.9 < out.stat().st_size / (tmp_path / "in.jpg").stat().st_size < 1.1


def test_grey_stays_grey_and_its_pixels_stay(tmp_path, through):
    grey = picture(channels=1)[..., 0]
    Image.fromarray(grey).save(tmp_path / "in.png")
    photograph, out = through(tmp_path / "in.png", "out.png")
    np.testing.assert_array_equal(photograph.pixels, np.repeat(grey[..., None], 3, axis=-1))
    with Image.open(out) as written:
        assert written.mode == "L"
        np.testing.assert_array_equal(np.asarray(written), grey)


def test_sixteen_bits_palettes_and_cmyk_become_eight_bit_rgb(tmp_path):
    deep = np.array([[0, 257, 32896, 65535]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_photograph(tmp_path / "deep.png").pixels[0, :, 0], [0, 1, 128, 255])

    palette = Image.fromarray(picture()).quantize(16)
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_photograph(tmp_path / "palette.png").pixels, np.asarray(palette.convert("RGB")))
    palette.save(tmp_path / "see_through.png", transparency=3)
    see_through = read_photograph(tmp_path / "see_through.png")
    np.testing.assert_array_equal(see_through.samples[..., 3] == 0, np.asarray(palette) == 3)
    assert (see_through.pixels[np.asarray(palette) == 3] == 255).all()

    cmyk = Image.fromarray(picture()).convert("CMYK")
    cmyk.save(tmp_path / "print.tif", icc_profile=b"an ink profile")
    photograph = read_photograph(tmp_path / "print.tif")
    np.testing.assert_array_equal(photograph.pixels, np.asarray(cmyk.convert("RGB")))
    assert "icc_profile" not in photograph.metadata  # it speaks of inks, the output is RGB


def test_arrays_of_every_kind():
    pixels = picture()
    for same in (pixels, pixels.astype(np.int32), pixels / 255.0, (pixels / 255).astype(np.float32)):
        np.testing.assert_array_equal(read_photograph(same).pixels, pixels)
    for grey in (pixels[..., :1], pixels[..., 0]):
        np.testing.assert_array_equal(read_photograph(grey).samples, pixels[..., :1])
    for wrong in (pixels.astype(np.int32) - 1, pixels * 2.0, pixels[..., :2], pixels[None]):
        with pytest.raises(UserError, match="a photograph is"):
            read_photograph(wrong)


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(UserError, match=r"must end in one of \.png"):
        check_output(tmp_path / "out.gif")
    photograph = read_photograph(picture())
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot write"):
        write_photograph(tmp_path / "file" / "out.png", photograph.pixels, photograph)
    wide = read_photograph(np.zeros((1, 16400, 3), np.uint8))  # WebP holds 16383 pixels a side
    with pytest.raises(UserError, match=r"write a \.png"):
        write_photograph(tmp_path / "out.webp", wide.pixels, wide)
    assert not (tmp_path / "out.webp").exists()


def test_what_has_no_hole_is_copied_but_for_another_format(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture()).save(tmp_path / "in.jpg", exif=exif)
    Image.fromarray(picture()).save(tmp_path / "really_a_png.jpg", "PNG")
    for name in ("out.jpg", "out.jpeg"):
        copy_photograph(tmp_path / "in.jpg", tmp_path / name, read_photograph(tmp_path / "in.jpg"))
        assert (tmp_path / name).read_bytes() == (tmp_path / "in.jpg").read_bytes()
    copy_photograph(tmp_path / "in.jpg", tmp_path / "out.png", read_photograph(tmp_path / "in.jpg"))
    again = read_photograph(tmp_path / "out.png")
    assert again.kind == "PNG"
    np.testing.assert_array_equal(again.pixels, read_photograph(tmp_path / "in.jpg").pixels)
    named = tmp_path / "really_a_png.jpg"
    copy_photograph(named, tmp_path / "out.jpg", read_photograph(named))
    assert read_photograph(tmp_path / "out.jpg").kind == "JPEG"


def test_an_older_file_survives_a_failed_write(tmp_path, through, monkeypatch):
    photograph, out = through(picture(), "out.png")
    before = out.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("scan_jax.core.atomic_write.os.fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        write_photograph(out, 255 - photograph.pixels, photograph)
    assert out.read_bytes() == before and list(tmp_path.iterdir()) == [out]


def test_the_thumbnail_that_shows_what_the_hole_hides_is_left_out(tmp_path, through):
    thumbnail = io.BytesIO()
    Image.fromarray(picture()).save(thumbnail, "JPEG")
    hidden = thumbnail.getvalue()
    first = struct.pack("<H", 1) + struct.pack("<HHII", 0x010F, 2, 4, int.from_bytes(b"Abc\0", "little"))
    second_at = 8 + len(first) + 4
    second = struct.pack("<HHHIIHHII", 2, 0x0201, 4, 1, second_at + 30, 0x0202, 4, 1, len(hidden)) + bytes(4)
    exif = b"Exif\0\0II*\0\x08\0\0\0" + first + struct.pack("<I", second_at) + second + hidden
    Image.fromarray(picture(64, 64)).save(tmp_path / "in.jpg", exif=exif)
    with Image.open(tmp_path / "in.jpg") as image:
        assert image.getexif().get_ifd(IFD.IFD1)[0x0202] == len(hidden)
    for suffix in (".jpg", ".png", ".webp", ".tif"):
        _, out = through(tmp_path / "in.jpg", f"out{suffix}")
        assert hidden[20:] not in out.read_bytes()
        with Image.open(out) as image:
            assert image.getexif()[0x010F] == "Abc"
            if suffix != ".tif":  # which has one image, and says where it lies in the same words
                assert not image.getexif().get_ifd(IFD.IFD1)


def _loaded(exif):
    again = Image.Exif()
    again.load(exif.tobytes())
    return again


@pytest.mark.parametrize("suffix_in", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("suffix_out", [".jpg", ".png", ".webp", ".tif"])
def test_exif_goes_from_every_format_to_every_other(tmp_path, through, suffix_in, suffix_out):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0132] = 3, "A maker", "2024:05:06 07:08:09"
    exif[0x8769] = {0x829A: (1, 250), 0x8827: 400, 0x9286: b"ASCII\0\0\0a comment"}
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 12.0)}
    pixels = picture()
    exif = exif.tobytes() if suffix_in != ".tif" else _loaded(exif)  # Pillow's writer of TIFFs wants it read from bytes
    Image.fromarray(pixels).save(tmp_path / f"in{suffix_in}", exif=exif, icc_profile=b"a profile", dpi=(300, 300))
    photograph, out = through(tmp_path / f"in{suffix_in}", f"out{suffix_out}")
    if suffix_in in (".png", ".tif"):
        np.testing.assert_array_equal(photograph.pixels, pixels[::-1, ::-1])
    with Image.open(out) as image:
        found = image.getexif()
        assert found[0x010F] == "A maker" and found[0x0132] == "2024:05:06 07:08:09" and found.get(0x0112, 1) == 1
        assert found.get_ifd(0x8769)[0x8827] == 400 and found.get_ifd(0x8769)[0x9286] == b"ASCII\0\0\0a comment"
        assert tuple(map(float, found.get_ifd(0x8825)[2])) == (52.0, 31.0, 12.0)
        assert image.info["icc_profile"] == b"a profile"
        if suffix_in != ".webp" and suffix_out != ".webp":  # which has no place for it but EXIF
            assert [round(value) for value in image.info["dpi"]] == [300, 300]


def test_exif_and_alpha_that_a_jpeg_cannot_hold_are_left_out_and_said(tmp_path, through, caplog):
    exif = Image.Exif()
    exif[0x010F], exif[0x8769] = "A maker", {0x9286: b"x" * 70_000}
    Image.fromarray(picture()).save(tmp_path / "in.png", exif=exif)
    through(tmp_path / "in.png", "out.jpg")
    assert "too long for a JPEG" in caplog.text
    with Image.open(through(tmp_path / "in.png", "out.png")[1]) as image:
        assert len(image.getexif().get_ifd(0x8769)[0x9286]) == 70_000
    _, out = through(picture(channels=4), "out.jpg")
    assert "transparency" in caplog.text and read_photograph(out).samples.shape[2] == 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("channels", [1, 3])
def test_tiffs_are_turned_upright_once(tmp_path, orientation, channels):
    pixels, path = picture(channels=channels), tmp_path / "in.tif"
    kind, tags = "minisblack" if channels == 1 else "rgb", [(274, "H", 1, orientation, True)]
    turned = np.rot90(pixels, {3: 2, 4: 2, 5: -1, 6: -1, 7: 1, 8: 1}.get(orientation, 0))
    turned = turned[:, ::-1] if orientation in (2, 4, 5, 7) else turned
    for compression in (None, "deflate"):
        how = {"photometric": kind, "metadata": None, "compression": compression, "extratags": tags}
        tifffile.imwrite(path, pixels.squeeze(), **how)
        upright = np.broadcast_to(turned, read_photograph(path).pixels.shape)
        np.testing.assert_array_equal(read_photograph(path).pixels, upright)
        if channels == 1:
            np.testing.assert_array_equal(read_labels(path), upright[..., 0])
            np.testing.assert_array_equal(read_hole(path), upright[..., 0] > 127)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_tiffs_of_every_mode_are_read_by_others(through, mode):
    """As Pillow and tifffile see them, several strips long."""
    image = Image.fromarray(picture(700, 900, 4)).convert(mode)
    photograph, out = through(image, "out.tif")
    assert photograph.samples.shape[2] == len(image.getbands())
    with Image.open(out) as written:
        assert written.mode == mode and written.info["compression"] == "tiff_adobe_deflate"
        np.testing.assert_array_equal(np.asarray(written), np.asarray(image))
    np.testing.assert_array_equal(tifffile.imread(out), np.asarray(image))
