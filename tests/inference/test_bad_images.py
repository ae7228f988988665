"""Files that are no photographs, holes or label maps: one clear line each, whoever reads them."""

import importlib.machinery
import struct
import sys
import types
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from scan_jax.core.errors import UserError
from scan_jax.images import decode, tiff
from scan_jax.images import png as png_file
from scan_jax.images.decode import MAX_PIXELS, open_image
from scan_jax.images.hole import read_hole
from scan_jax.images.labels import read_labels
from scan_jax.images.photograph import read_photograph, write_photograph

READERS = {"photograph": read_photograph, "hole": read_hole, "label map": read_labels}


def picture(height=13, width=17, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def frames(count=3):
    return [Image.fromarray(picture(seed=seed)) for seed in range(count)]


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width, height, rows=b""):
    header = chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.fixture(params=READERS)
def reader(request):
    return request.param, READERS[request.param]


PHOTOGRAPH = "photograph", read_photograph


def refuses(reader, path, *words):
    name, read = reader
    with pytest.raises(UserError) as caught:
        read(path)
    text = str(caught.value)
    assert "\n" not in text and all(word in text for word in (name, path.name, *words)), text


def test_files_that_are_no_images_or_truncated(reader, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    refuses(reader, tmp_path / "text.png", "it is no image")
    (tmp_path / "empty.jpg").write_bytes(b"")
    refuses(reader, tmp_path / "empty.jpg", "the file is empty")
    (tmp_path / "folder.png").mkdir()
    refuses(reader, tmp_path / "folder.png", "it is a folder")
    refuses(reader, tmp_path / "none.png", "there is no such file")
    (tmp_path / "script.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    refuses(reader, tmp_path / "script.eps", "it is no image")  # a program in PostScript, which nothing here will run
    for suffix in (".png", ".jpg", ".webp", ".tif", ".gif"):
        whole, cut = tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}"
        Image.fromarray(picture(64, 64, 1).squeeze()).save(whole)
        for share in (0.02, 0.3, 0.9):
            cut.write_bytes(whole.read_bytes()[: int(share * whole.stat().st_size)])
            refuses(reader, cut)


def test_images_without_pixels(reader, tmp_path):
    (tmp_path / "thin.png").write_bytes(png(0, 5))
    refuses(reader, tmp_path / "thin.png")
    for shape in ((0, 5, 3), (5, 0, 3), (0, 0)):
        with pytest.raises(UserError, match="there are no pixels"):
            read_photograph(np.zeros(shape, np.uint8))
    with pytest.raises(UserError, match="a hole's values"):
        read_hole(np.zeros((0, 5), bool))


def test_huge_images_are_refused_before_they_are_decoded_and_large_ones_bring_no_warning(reader, tmp_path):
    for side in (12_300, 20_000, 2**31 - 1):  # beyond our limit, Pillow's, and everybody's memory
        (tmp_path / "huge.png").write_bytes(png(side, side))
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            refuses(reader, tmp_path / "huge.png", f"{MAX_PIXELS:,} pixels")
        assert not said
    (tmp_path / "large.png").write_bytes(png(12_000, 9_000))  # Pillow warns from 89 million pixels on
    with open_image(tmp_path / "large.png", "the photograph") as image:  # warnings are errors here
        assert image.size == (12_000, 9_000)


def test_a_lower_limit_may_be_given(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "in.png")
    assert read_photograph(tmp_path / "in.png", most_pixels=13 * 17).pixels.shape == (13, 17, 3)
    for read in (read_photograph, read_hole):
        with pytest.raises(UserError, match=r"17x13, has more than 220 pixels"):
            read(tmp_path / "in.png", most_pixels=220)


def test_animations(reader, tmp_path):
    first, *others = frames()
    for suffix in (".gif", ".webp", ".png"):
        first.save(tmp_path / f"moving{suffix}", save_all=True, append_images=others)
        refuses(reader, tmp_path / f"moving{suffix}", "an animation of 3 frames", "as a PNG")
        first.save(tmp_path / f"still{suffix}")
        if reader[0] != "label map":
            assert reader[1](tmp_path / f"still{suffix}").__class__.__name__ in ("Photograph", "ndarray")


def test_pages_of_a_tiff_and_previews_are_no_photograph_but_a_thumbnail_does_no_harm(tmp_path):
    first, second, _ = frames()
    first.save(tmp_path / "pages.tif", save_all=True, append_images=[second])
    refuses(PHOTOGRAPH, tmp_path / "pages.tif", "has 2 pages")
    first.save(tmp_path / "raw.tif", tiffinfo={254: 1})
    refuses(PHOTOGRAPH, tmp_path / "raw.tif", "preview")
    small = second.resize((5, 4))
    small.encoderinfo = {"tiffinfo": {254: 1}}  # a smaller version of another image in this file
    first.save(tmp_path / "thumbnail.tif", save_all=True, append_images=[small])
    with Image.open(tmp_path / "thumbnail.tif") as image:
        assert image.n_frames == 2
    np.testing.assert_array_equal(read_photograph(tmp_path / "thumbnail.tif").pixels, np.asarray(first))
    Image.fromarray(np.full((4, 5), 70_000, np.int32)).save(tmp_path / "wide.tif")
    refuses(PHOTOGRAPH, tmp_path / "wide.tif", "32 bits")


def test_what_phones_call_jpeg_is_read_and_its_preview_dropped(tmp_path):
    first, preview, _ = frames()
    first.save(tmp_path / "phone.jpg", "MPO", save_all=True, append_images=[preview], quality=91)
    with Image.open(tmp_path / "phone.jpg") as image:
        assert image.format == "MPO" and image.n_frames == 2
        expected, tables = np.asarray(image), image.quantization
    photograph = read_photograph(tmp_path / "phone.jpg")
    np.testing.assert_array_equal(photograph.pixels, expected)
    write_photograph(tmp_path / "out.jpg", photograph.pixels, photograph)
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.format == "JPEG" and image.quantization == tables


def test_of_a_pillow_image_that_moves_the_caller_has_chosen_the_frame(tmp_path):
    first, *others = frames()
    first.save(tmp_path / "moving.webp", save_all=True, append_images=others, lossless=True)
    with Image.open(tmp_path / "moving.webp") as image:
        image.seek(1)
        np.testing.assert_array_equal(read_photograph(image).pixels, np.asarray(others[0]))


def test_damaged_exif_does_no_harm(tmp_path):
    pixels, path = picture(), tmp_path / "in.png"
    for exif in (b"II*\0\x08\0\0\0\xff\xff", b"garbage", b"MM\0*\0\0\xff\xff"):
        Image.fromarray(pixels).save(path, exif=b"Exif\0\0" + exif)
        photograph = read_photograph(path)  # warnings are errors here
        np.testing.assert_array_equal(photograph.pixels, pixels)
        write_photograph(tmp_path / "out.png", photograph.pixels, photograph)


HEIC = b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf".ljust(64, b"\0")  # and then, for the stand-in, plain samples


class HeifStandIn(ImageFile.ImageFile):
    """In place of pillow-heif's decoder: 3x2 pixels that follow the header as they are."""

    format = "HEIF"

    def _open(self):
        self._size, self._mode = (3, 2), "RGB"
        self.tile = [("raw", (0, 0, 3, 2), len(HEIC), ("RGB", 0, 1))]


@pytest.fixture
def heif(monkeypatch):
    """The stand-in's package; `_taught` and Pillow have forgotten it afterwards."""
    package = types.ModuleType("pillow_heif")
    package.__spec__ = importlib.machinery.ModuleSpec("pillow_heif", None)
    package.register_heif_opener = lambda: Image.register_open("HEIF", HeifStandIn, lambda head: head[4:8] == b"ftyp")
    for name in ("ID", "OPEN"):
        monkeypatch.setattr(Image, name, getattr(Image, name).copy())
    decode._taught.cache_clear()
    yield lambda: monkeypatch.setitem(sys.modules, "pillow_heif", package)
    decode._taught.cache_clear()


def test_heic_photographs_are_read_where_the_package_is_and_else_it_is_named(reader, heif, tmp_path, monkeypatch):
    path, pixels = tmp_path / "phone.heic", picture(2, 3)
    path.write_bytes(HEIC + pixels.tobytes())
    with monkeypatch.context() as without:
        without.setattr(decode.importlib.util, "find_spec", lambda name: None)
        refuses(reader, path, "a HEIC file, which the package pillow-heif reads", "pip install")
    heif()
    np.testing.assert_array_equal(read_photograph(path).pixels, pixels)
    np.testing.assert_array_equal(decode.read_image(path), pixels)
    assert decode.verify_image(path) == (2, 3) and read_photograph(path).kind == ""
    path.write_bytes(HEIC[:30])
    refuses(PHOTOGRAPH, path, "truncated")
    (tmp_path / "a.jxl").write_bytes(b"\xff\x0a".ljust(64, b"\0"))
    refuses(reader, tmp_path / "a.jxl", "a JPEG XL file, which the package pillow-jxl-plugin reads: pip install")
    (tmp_path / "mif1.avif").write_bytes(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf")  # Pillow's own, and broken
    refuses(PHOTOGRAPH, tmp_path / "mif1.avif", "it is no image")


def test_photoshop_files_are_read_as_their_merged_picture(tmp_path):
    pixels, path = picture(2, 3), tmp_path / "a.psd"
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 2, 3, 8, 3)
    path.write_bytes(head + bytes(14) + pixels.transpose(2, 0, 1).tobytes())  # three empty sections, not compressed
    np.testing.assert_array_equal(read_photograph(path).pixels, pixels)
    np.testing.assert_array_equal(decode.read_image(path), pixels)


def test_whatever_is_wrong_with_a_file_is_one_line(tmp_path):
    """Bytes changed at random, headers and EXIF more than pixels; warnings are errors here."""
    rng, refused = np.random.default_rng(0), 0
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x8769], exif[0x8825] = 6, "A maker", {0x8827: 400}, {1: "N", 2: (1.0, 2.0, 3.0)}
    files = {}
    for suffix in (".png", ".jpg", ".webp", ".gif"):
        more = {} if suffix == ".gif" else {"exif": exif.tobytes()}
        Image.fromarray(picture()).save(tmp_path / f"in{suffix}", **more)
        files[f"8{suffix}"] = (tmp_path / f"in{suffix}").read_bytes()
    deep = rng.integers(0, 65536, (13, 17, 3), np.uint16)
    for name, encode, array in (
        ("16.png", png_file.encode, deep),
        ("16.tif", tiff.encode, deep),
        ("grey.tif", tiff.encode, deep[..., :1]),
        ("8.tif", tiff.encode, picture()),
    ):
        files[name] = encode(array, {"exif": exif.tobytes()})
    for name, content in files.items():
        for _ in range(40):
            damaged = np.frombuffer(content, np.uint8).copy()
            places = rng.integers(0, min(len(content), 400), 3)
            damaged[places] = rng.integers(0, 256, 3)
            (tmp_path / name).write_bytes(damaged.tobytes())
            for read in READERS.values():
                try:
                    read(tmp_path / name)
                except UserError as error:
                    refused += 1
                    assert "\n" not in str(error)
    assert refused > 100
