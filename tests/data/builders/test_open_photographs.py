"""Photographs out of Debian packages: tiny ones with both kinds of containers, and each way to be wrong."""

import dataclasses
import functools
import hashlib
import io
import struct
import tarfile
import zlib

import cv2
import miniatures
import numpy as np
import pytest
from PIL import Image

from scan_jax.commands.prepare import main
from scan_jax.core.sections import AugmentationSettings
from scan_jax.data.api import open_data
from scan_jax.data.builders import open_photographs
from scan_jax.data.builders.open_photographs import OpenPhotographs, Package, Photograph
from scan_jax.data.pipeline import training_batches
from scan_jax.data.preparation import containers
from scan_jax.masks.api import open_holes

HEIGHT, WIDTH = 300, 420
RCC, EDJ, JPEG = "usr/games/a.rcc", "usr/b.edj", "usr/share/c.jpg"


@functools.cache
def encoded(seed, form="PNG"):
    file = io.BytesIO()
    Image.fromarray(miniatures.photograph(seed, HEIGHT, WIDTH)).save(file, form)
    return file.getvalue()


def deb(files, part=b"data.tar.xz", kind=tarfile.REGTYPE):
    """A package of these files by path, as dpkg writes it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:xz", preset=0) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.type, member.linkname = len(content), kind, "x"
            archive.addfile(member, io.BytesIO(content))
    parts = {b"debian-binary": b"2.0\n", b"control.tar.xz": b"odd", part: file.getvalue()}
    members = (b"%-48s%-10d`\n%s%s" % (name, len(data), data, b"\n" * (len(data) % 2)) for name, data in parts.items())
    return b"!<arch>\n" + b"".join(members)


def rcc(name="d", file="p.png", content=b"", flags=1, claimed=None, children=(1, 2)):
    """A Qt resource file: the root's folder, and a file in it, compressed."""
    names = b"".join(struct.pack(">HI", len(text), 0) + text.encode("utf-16-be") for text in (name, file))
    packed = struct.pack(">I", claimed or len(content)) + zlib.compress(content)
    data = struct.pack(">I", len(packed)) + packed
    second = 6 + 2 * len(name)
    nodes = [(0, 2, 1, children[0]), (0, 2, 1, children[1]), (second, flags, 0, 0)]
    tree = b"".join(struct.pack(">IHIIQ", *node, 0) for node in nodes)
    return struct.pack(">4s4II", b"qres", 3, 24, 24 + len(tree), 24 + len(tree + data), 0) + tree + data + names


def edj(content, name=b"edje/images/0\0", flags=0, start=None):
    """An EET file of one entry."""
    entry = struct.pack(">6I", start or 36 + len(name), len(content), len(content), 36, len(name), flags)
    return struct.pack(">3I", 0x1EE70F42, 1, 0) + entry + name + content


PACKED = {"./" + RCC: rcc(content=encoded(0)), "./" + EDJ: edj(encoded(1)), "./usr/other.txt": b"not asked for"}
ONE = deb(PACKED)
PHOTOGRAPHS = (
    Photograph("one/p", RCC, "d/p.png", "CC0-1.0", "Ann", HEIGHT, WIDTH, False),
    Photograph("one/b", EDJ, "edje/images/0", "BSD", "Bob", HEIGHT, WIDTH, True),
)


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A folder with two packages, which are all that the list has."""
    folder = tmp_path / "debs"
    folder.mkdir()
    (folder / "one_2%3a1.0_all.deb").write_bytes(ONE)
    (folder / "two_1.0_all.deb").write_bytes(deb({"./" + JPEG: encoded(2)}))
    held_out = (Photograph("two/c", JPEG, "", "GFDL", "Eve", HEIGHT, WIDTH, False),)
    packages = [
        Package(name, version, hashlib.sha256(next(folder.glob(f"{name}_*")).read_bytes()).hexdigest(), *rest)
        for name, version, *rest in (
            ("one", "2:1.0", "train", "https://one", PHOTOGRAPHS, "Keep this notice."),
            ("two", "1.0", "test", "https://two", held_out),
        )
    ]
    monkeypatch.setattr(open_photographs, "read_list", lambda: packages)
    return folder


def build(source, data_dir, **settings):
    return miniatures.built(OpenPhotographs(source=str(source), **settings).plan(), data_dir)


def refused(match, source, tmp_path, **settings):
    with miniatures.refuses(match, tmp_path):
        build(source, tmp_path, **settings)


def test_photographs_of_any_size_and_whose_they_are(source, tmp_path):
    dataset = build(source, tmp_path / "out", size=400)
    first, second = miniatures.photograph(0, HEIGHT, WIDTH), miniatures.photograph(1, HEIGHT, WIDTH)
    photos = [record["image"] for record in dataset.splits["train"]]
    np.testing.assert_array_equal(photos[0], cv2.resize(first, (400, 286), interpolation=cv2.INTER_AREA))
    np.testing.assert_array_equal(photos[1], cv2.resize(second, (210, 150), interpolation=cv2.INTER_AREA))
    told = (dataset.folder / "ATTRIBUTION.md").read_text()
    assert f"| one/b | BSD | Bob | {EDJ}!edje/images/0 |" in told and "Keep this notice." in told
    assert "## two=1.0\n\nTo test. https://two\n\n| photograph |" in told
    assert main(["verify", str(dataset.folder)]) == 0


def test_training_takes_squares_of_them_and_measuring_their_centres(source, tmp_path):
    build(source, tmp_path / "out")
    section = {"name": "prepared", "dataset": "open_photographs/2048", "data_dir": str(tmp_path / "out")}
    with miniatures.refuses("has photographs of 150 pixels a side, not 256"):
        open_data(section | {"size": 256})
    splits = open_data(section | {"size": 128})
    centre = miniatures.photograph(2, HEIGHT, WIDTH)[:, 60:360]
    expected = cv2.resize(np.ascontiguousarray(centre), (128, 128), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(splits.held_out[0]["image"], expected)
    holes = open_holes({"name": "free_form"}).train
    for crop in ("none", "random_square", "random_resized"):
        options = {"batch_size": 4, "seed": 3, "size": 128, "augmentation": AugmentationSettings(crop), "threads": 0}
        batches, later = (training_batches(splits.train, holes, start_step=start, **options) for start in (0, 1))
        first, second = next(batches), next(batches)
        np.testing.assert_array_equal(second.image, next(later).image)
        assert first.image.shape == (4, 128, 128, 3) and (first.image != second.image).any()


def test_packages_that_are_not_there_or_are_others(source, tmp_path, capsys):
    refused(r"no folder .*; make it, .*: apt-get download one=2:1.0 two=1.0$", source / "none", tmp_path)
    refused(r"--size must be from 256 to 8192", source, tmp_path, size=100)
    one, two = sorted(source.iterdir())
    two.rename(tmp_path / "two")
    two.mkdir()
    refused(r"cannot read .*two_1.0_all.deb: Is a directory", source, tmp_path)
    two.rmdir()
    refused(r"lacks two=1.0; fetch what is missing in it: apt-get download two=1.0$", source, tmp_path)
    (tmp_path / "two").rename(source / "two_1.1_all.deb")
    refused(r"two_1.1_all.deb is another version than 1.0; fetch that: apt-get download two=1.0, or", source, tmp_path)
    assert main(["open_photographs", f"--source={source}", f"--data_dir={tmp_path / 'out'}"]) == 1
    assert "--allow_other_version" in capsys.readouterr().err
    one.write_bytes(deb({"./" + EDJ: edj(encoded(1))}))
    refused(r"one_2%3a1.0_all.deb is not the listed package: its SHA-256 is .* again: apt-get", source, tmp_path)
    plan = OpenPhotographs(source=str(source), allow_other_version=True).plan()
    assert "1 listed photographs are not there: one/p" in plan.found
    assert miniatures.members(plan) == {"train": ["one/b"], "test": ["two/c"]}
    assert "one/p" not in plan.notes["ATTRIBUTION.md"]
    out = f"--data_dir={tmp_path / 'out'}"
    assert main(["open_photographs", f"--source={source}", out, "--allow_other_version"]) == 0
    one.write_bytes(deb({"./" + EDJ: edj(b"\xff\xd8\xff")}))
    refused(r"1 file does not decode: one/b \(it is no image, .*\)", source, tmp_path, allow_other_version=True)


WRONG = {
    "no Debian package": b"PK",
    "cannot be told apart": ONE[:8] + b"x" * 60,
    "has no data.tar.xz": deb(PACKED, b"control.tar"),
    "data.tar.zst is not read": deb(PACKED, b"data.tar.zst"),
    "ends in the middle|unexpected end": ONE[:-400],
    "Corrupt input|format": ONE[:-600] + bytes(600),
    "'../evil', whose path leads out": deb({"../evil": b""}),
    "'/etc/evil', whose path": deb({"/etc/evil": b""}),
    "'d/..', whose path": deb({RCC: rcc(file="..")}),
    "names a file 'a/b'": deb({RCC: rcc(file="a/b")}),
    "no Qt resource file": deb({RCC: b"rcc" * 20}),
    "folders hold each other": deb({RCC: rcc(children=(1, 1))}),
    r"points to 22 bytes at 22,000,024, but": deb({RCC: rcc(children=(10**6, 2))}),
    "claims 4,000,000,000 bytes, more than": deb({RCC: rcc(claimed=4 * 10**9)}),
    "does not unpack to the 9 bytes": deb({RCC: rcc(content=bytes(10**6), claimed=9)}),
    "by zstd, which is not read": deb({RCC: rcc(flags=4)}),
    "no EET file": deb({EDJ: bytes(40)}),
    "points to 2 bytes at 4,000, but has": deb({EDJ: edj(b"xx", start=4000)}),
    "edje/images/0 is compressed": deb({EDJ: edj(b"xx", flags=1)}),
    "'../x', whose path leads out": deb({EDJ: edj(b"xx", b"../x\0")}),
}


@pytest.mark.parametrize("complaint", WRONG)
def test_damaged_and_hostile_containers(complaint, source, tmp_path):
    (source / "one_2%3a1.0_all.deb").write_bytes(WRONG[complaint])
    match = rf"one_2%3a1.0_all.deb is damaged or means harm: .*({complaint}).*; fetch it again: apt-get download one="
    refused(match, source, tmp_path, allow_other_version=True)


def test_bombs_and_links(source, tmp_path, monkeypatch):
    (source / "one_2%3a1.0_all.deb").write_bytes(deb({EDJ: b""}, kind=tarfile.SYMTYPE))
    refused("no photographs for train", source, tmp_path, allow_other_version=True)
    (source / "one_2%3a1.0_all.deb").write_bytes(deb({"bomb": bytes(10**6)}))
    monkeypatch.setattr(containers, "MAX_UNPACKED", 10**5)
    refused("unpacks to more than 100,000 bytes", source, tmp_path, allow_other_version=True)
    monkeypatch.setattr(containers, "MAX_MEMORY", 10**5)
    refused("[Mm]emory", source, tmp_path, allow_other_version=True)


def test_the_list_is_in_order():
    packages = open_photographs.read_list()
    photos = [photo for package in packages for photo in package.photographs]
    assert len({photo.name for photo in photos}) == len({(photo.path, photo.member) for photo in photos}) == len(photos)
    assert {p.name for p in packages if p.split == "test"} == {"palapeli-data", "forensics-samples-files"}
    free = {"public domain", "CC0-1.0", "CC-BY-1.0", "CC-BY-3.0", "CC-BY-4.0", "BSD-2-Clause"}
    assert {photo.licence for p in packages if p.split == "train" for photo in p.photographs} == free
    assert min(min(photo.stored(2048)) for photo in photos) >= 256
    assert dataclasses.replace(photos[0], halved=True, height=3000, width=4000).stored(2048) == (1500, 2000)
