"""Miniatures of what people have on disk, drawn by the tests: photographs, masks, archives in the official layouts."""

import contextlib
import filecmp
import shutil
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scan_jax.core import prepared
from scan_jax.core.errors import UserError
from scan_jax.data.preparation.build import build

PARTS = (
    *("skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear"),
    *("mouth", "u_lip", "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth"),
)  # the official script's order, in which later parts are painted over earlier ones
MAPPING = "CelebA-HQ-to-CelebA-mapping.txt"


def photograph(seed, height=96, width=None):
    """Soft colours with fine grain, uint8 [H,W,3]; another seed, another picture."""
    width = width or height
    draw = np.random.default_rng(seed)
    soft = Image.fromarray(draw.integers(0, 256, (4, 4, 3), np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    grain = draw.integers(-20, 21, (height, width, 3))
    return (np.asarray(soft).astype(int) + grain).clip(0, 255).astype(np.uint8)


def write(path, array, **options):
    """Saves pixels as the suffix says; makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def write_photographs(folder, names, height=96, width=None):
    """A photograph for each name; the seed is its place."""
    for seed, name in enumerate(names):
        write(folder / name, photograph(seed, height, width))
    return folder


def write_celebamask(folder, numbers, side=192, mapping=True):
    """CelebAMask-HQ as it unpacks, with masks of half the side; these, bool [side/2,side/2], by number and part."""
    root = folder / "CelebAMask-HQ"
    drawn = {}
    for number in numbers:
        write(root / "CelebA-HQ-img" / f"{number}.jpg", photograph(number, side), quality=95)
        drawn[number] = face_parts(number, side // 2)
        for i, (part, mask) in enumerate(drawn[number].items()):
            grey = np.where(mask, np.uint8(255), np.uint8(0))  # [H,W]
            pixels = np.repeat(grey[..., None], 3, -1) if i % 2 else grey  # both kinds are handed around
            write(root / "CelebAMask-HQ-mask-anno" / str(number // 2000) / f"{number:05d}_{part}.png", pixels)
    if mapping:
        rows = [f"{number:<12}{number + 7:<12}{number + 8:06d}.jpg" for number in numbers]
        (root / MAPPING).write_text("\n".join(["idx         orig_idx    orig_file", *rows, ""]))
    return drawn


def face_parts(number, side):
    """Some of the parts, as rectangles that overlap: bool [side,side] by part, skin always."""
    draw = np.random.default_rng(1000 + number)
    masks = {}
    for part in draw.permutation(PARTS):  # files come in any order; the merge must not care
        if part != "skin" and draw.random() < 0.4:
            continue
        top, left = draw.integers(0, side - 8, 2)
        bottom, right = top + draw.integers(4, side // 2), left + draw.integers(4, side // 2)
        masks[str(part)] = np.zeros((side, side), bool)
        masks[str(part)][top:bottom, left:right] = True
    return masks


def write_split(path, **parts):
    """A split's text file: `write_split(path, train=["0-3"], test=["4"])`."""
    path.write_text("".join(f"{part} {name}\n" for part, names in parts.items() for name in names))
    return str(path)


def write_paris(folder):
    """Three photographs to train with and two to measure on, in Paris StreetView's folders and proportions."""
    write_photographs(folder / "paris_train", ["a.jpg", "b.jpg", "c.jpg"], 68, 118)
    write_photographs(folder / "paris_eval", ["d.png", "e.png"], 68, 118)
    return folder


def write_zip(path, folder):
    """The folder's files, with what macOS adds to archives."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            name = file.relative_to(folder).as_posix()
            archive.write(file, name)
            if file.is_file():
                archive.writestr(f"__MACOSX/{Path(name).parent}/._{file.name}", b"\x00\x05\x16\x07")
    return path


def write_members(path, members):
    """A zip archive of names and bytes, as they are: names may be wicked ones."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo("x")
            info.filename = name  # the constructor would mend it
            archive.writestr(info, content)
    return path


def write_bomb(path, width=60_000, height=60_000):
    """A PNG of a few bytes that claims to hold any number of pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(100))
    chunks = [_chunk(b"IHDR", header), _chunk(b"IDAT", data), _chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


def _chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def truncate(path, share=0.5):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def empty(path):
    """Keeps the name of a file alone."""
    path.write_bytes(b"")


@contextlib.contextmanager
def refuses(match, data_dir=None):
    """The user is told so in one line, and what is in data_dir stays as it was."""
    before = data_dir and files_below(data_dir)
    with pytest.raises(UserError, match=match) as caught:
        yield caught
    assert "\n" not in str(caught.value)
    assert (data_dir and files_below(data_dir)) == before


def members(plan):
    """The names of a plan's photographs by split, in order."""
    return {split: [item.name for item in items] for split, items in plan.splits.items()}


def built(plan, data_dir, jobs=2):
    return build(plan, str(data_dir), jobs)


def pixels(dataset, split):
    """Every record of a split: arrays by the photograph's name, in order."""
    return {
        record["name"].decode(): {key: record[key].reshape(shape) for key, shape in dataset.shapes.items()}
        for record in dataset.splits[split]
    }


def all_pixels(dataset):
    return {split: pixels(dataset, split) for split in dataset.splits}


def by_name(dataset):
    return {name: record for split in dataset.splits for name, record in pixels(dataset, split).items()}


def files_below(folder):
    """Names of all files and folders, hidden ones included."""
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*"))


def assert_same_files(folder, other):
    """Both folders hold the same names with the same bytes."""
    names = files_below(folder)
    assert names == files_below(other)
    files = [name for name in names if (Path(folder) / name).is_file()]
    same, different, broken = filecmp.cmpfiles(folder, other, files, shallow=False)
    assert (different, broken) == ([], []) and same


def copied(source, target):
    return shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)


def load(data_dir, name):
    """The dataset "celeba_hq/64" in data_dir."""
    dataset, config = name.split("/")
    return prepared.load(prepared.dataset_folder(data_dir, dataset, config))
