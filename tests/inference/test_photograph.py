"""Reading and writing photographs: upright, 8 bits, and all that belongs to a file kept."""

import numpy as np
import pytest
from PIL import Image

from scan_jax.errors import UserError
from scan_jax.inference.photograph import check_output, read_photograph, write_photograph


def picture(height=13, width=17, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".tiff"])
@pytest.mark.parametrize("channels", [3, 4])
def test_lossless_formats_keep_pixels_and_alpha(tmp_path, suffix, channels):
    pixels = picture(channels=channels)
    pixels[:3, :, 3:] = 0  # fully transparent, with colours beneath
    photograph = read_photograph(Image.fromarray(pixels))
    write_photograph(tmp_path / f"out{suffix}", photograph.pixels, photograph)
    again = read_photograph(tmp_path / f"out{suffix}")
    np.testing.assert_array_equal(again.pixels, pixels[..., :3])
    if channels == 4:
        np.testing.assert_array_equal(again.alpha, pixels[..., 3])
    else:
        assert again.alpha is None
    assert [path.name for path in tmp_path.iterdir()] == [f"out{suffix}"]


def test_orientation_is_applied_and_the_other_exif_and_profile_kept(tmp_path):
    pixels = picture()
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112], exif[0x010F] = 6, "A maker"  # orientation: turn right to see it upright
    image.save(tmp_path / "in.png", exif=exif, icc_profile=b"a profile", dpi=(300, 300))
    photograph = read_photograph(tmp_path / "in.png")
    np.testing.assert_array_equal(photograph.pixels, np.rot90(pixels, -1))
    write_photograph(tmp_path / "out.png", photograph.pixels, photograph)
    with Image.open(tmp_path / "out.png") as written:
        assert written.getexif().get(0x0112, 1) == 1 and written.getexif()[0x010F] == "A maker"
        assert written.info["icc_profile"] == b"a profile" and round(written.info["dpi"][0]) == 300
        np.testing.assert_array_equal(np.asarray(written), np.rot90(pixels, -1))


@pytest.mark.parametrize(("quality", "subsampling"), [(35, 2), (97, 0)])
def test_jpeg_keeps_its_quality_and_says_that_it_is_lossy(tmp_path, caplog, quality, subsampling):
    rows, columns = np.mgrid[:48, :64]
    smooth = np.stack([rows * 5, columns * 3, rows + columns], -1).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "in.jpg", quality=quality, subsampling=subsampling)
    photograph = read_photograph(tmp_path / "in.jpg")
    write_photograph(tmp_path / "out.jpg", photograph.pixels, photograph)
    assert "lossy" in caplog.text
    with Image.open(tmp_path / "in.jpg") as before, Image.open(tmp_path / "out.jpg") as after:
        assert after.format == "JPEG" and after.quantization == before.quantization
        assert after.layer == before.layer
    assert np.abs(read_photograph(tmp_path / "out.jpg").pixels.astype(int) - photograph.pixels).mean() < 2


def test_alpha_in_a_jpeg_is_lost_and_said(tmp_path, caplog):
    photograph = read_photograph(picture(channels=4))
    write_photograph(tmp_path / "out.jpg", photograph.pixels, photograph)
    assert "transparency" in caplog.text and read_photograph(tmp_path / "out.jpg").alpha is None


def test_grey_stays_grey_and_its_pixels_stay(tmp_path):
    grey = picture(channels=1)[..., 0]
    Image.fromarray(grey).save(tmp_path / "in.png")
    photograph = read_photograph(tmp_path / "in.png")
    np.testing.assert_array_equal(photograph.pixels, np.repeat(grey[..., None], 3, axis=-1))
    write_photograph(tmp_path / "out.png", photograph.pixels, photograph)
    with Image.open(tmp_path / "out.png") as written:
        assert written.mode == "L"
        np.testing.assert_array_equal(np.asarray(written), grey)


def test_sixteen_bits_palettes_and_cmyk_become_eight_bit_rgb(tmp_path, caplog):
    deep = np.array([[0, 257, 32896, 65535]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_photograph(tmp_path / "deep.png").pixels[0, :, 0], [0, 1, 128, 255])
    assert "16 bits" in caplog.text

    palette = Image.fromarray(picture()).quantize(16)
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_photograph(tmp_path / "palette.png").pixels, np.asarray(palette.convert("RGB")))
    palette.save(tmp_path / "see_through.png", transparency=3)
    alpha = read_photograph(tmp_path / "see_through.png").alpha
    np.testing.assert_array_equal(alpha == 0, np.asarray(palette) == 3)

    cmyk = Image.fromarray(picture()).convert("CMYK")
    cmyk.save(tmp_path / "print.tif", icc_profile=b"an ink profile")
    photograph = read_photograph(tmp_path / "print.tif")
    np.testing.assert_array_equal(photograph.pixels, np.asarray(cmyk.convert("RGB")))
    assert "icc_profile" not in photograph.metadata  # it speaks of inks, the output is RGB


def test_arrays_of_every_kind():
    pixels = picture()
    for same in (pixels, pixels / 255.0, (pixels / 255).astype(np.float32)):
        np.testing.assert_array_equal(read_photograph(same).pixels, pixels)
    assert read_photograph(pixels[..., :1]).grey and read_photograph(pixels[..., 0]).grey
    for wrong in (pixels.astype(np.int32), pixels * 2.0, pixels[..., :2], pixels[None]):
        with pytest.raises(UserError, match="a photograph is"):
            read_photograph(wrong)


def test_what_cannot_be_read_or_written(tmp_path):
    with pytest.raises(UserError, match=r"none\.png: there is no such file"):
        read_photograph(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(UserError, match=r"cannot read the photograph .*text\.png"):
        read_photograph(tmp_path / "text.png")
    Image.fromarray(picture(64, 64)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:500])
    with pytest.raises(UserError, match=r"cut\.png"):
        read_photograph(tmp_path / "cut.png")
    with pytest.raises(UserError, match=r"must end in one of \.png"):
        check_output(tmp_path / "out.gif")
    photograph = read_photograph(picture())
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot write"):
        write_photograph(tmp_path / "file" / "out.png", photograph.pixels, photograph)
    wide = np.zeros((1, 16400, 3), np.uint8)  # WebP holds 16383 pixels a side
    with pytest.raises(UserError, match=r"write a \.png"):
        write_photograph(tmp_path / "out.webp", wide, photograph)
    assert not (tmp_path / "out.webp").exists()


def test_an_older_file_survives_a_failed_write(tmp_path, monkeypatch):
    photograph = read_photograph(picture())
    write_photograph(tmp_path / "out.png", photograph.pixels, photograph)
    before = (tmp_path / "out.png").read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("scan_jax.atomic_write.os.fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        write_photograph(tmp_path / "out.png", 255 - photograph.pixels, photograph)
    assert (tmp_path / "out.png").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]
