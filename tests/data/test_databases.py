"""The same photographs from whatever people keep them in: the same batches, splits and hashes; and what is damaged."""

import io
import itertools
import struct
import sys
import tarfile

import cloudpickle
import miniatures
import numpy as np
import pytest
from noise_photographs import batches
from PIL import Image

from scan_jax.data.api import open_data
from scan_jax.data.builders.photo_folder import LabelledFolder, PhotoFolder
from scan_jax.data.files import open_images, open_source
from scan_jax.data.portraits import portrait

lmdb = pytest.importorskip("lmdb")
crc32c = pytest.importorskip("google_crc32c")
pyarrow = pytest.importorskip("pyarrow")
COUNT, SIZE = 40, 64


@pytest.fixture(scope="module")
def photographs():
    """PNG files by name, as TFRecords number them."""
    return {f"{index:08d}.png": png(portrait(0, index, SIZE)[0]) for index in range(COUNT)}


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def shards(files, sizes):
    """The files in pieces of so many."""
    left = iter(files.items())
    return [dict(itertools.islice(left, size)) for size in sizes]


def write_folder(path, files, sizes=()):
    path.mkdir()
    for name, content in files.items():
        (path / name).write_bytes(content)
    return path


def write_zip(path, files, sizes=()):
    return miniatures.write_members(path.with_suffix(".zip"), files)


def add_tar(path, files):
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def write_tar(path, files, sizes=()):
    return add_tar(path.with_suffix(".tar"), {f"./{name}": content for name, content in reversed(files.items())})


def write_webdataset(path, files, sizes=(COUNT,)):
    """With the text that WebDataset has beside each photograph."""
    path.mkdir()
    for number, some in enumerate(shards(files, sizes)):
        with_text = {key: content for name in some for key, content in ((name, some[name]), (f"{name[:-4]}.txt", b"x"))}
        add_tar(path / f"{number}.tar", with_text)
    return path


def image_table(files):
    """As Hugging Face datasets has its Image."""
    rows = [{"bytes": content, "path": name} for name, content in files.items()]
    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    return pyarrow.table({"image": pyarrow.array(rows, kind), "label": list(range(len(rows)))})


def write_parquet(path, files, sizes=(COUNT,)):
    import pyarrow.parquet

    (path / "data").mkdir(parents=True)
    for number, some in enumerate(shards(files, sizes)):
        file = path / "data" / f"train-{number:05d}-of-{len(sizes):05d}.parquet"
        pyarrow.parquet.write_table(image_table(some), file, row_group_size=3)
    return path


def write_arrow(path, files, sizes=(COUNT,)):
    """As save_to_disk writes it."""
    path.mkdir()
    (path / "state.json").write_text("{}")
    for number, some in enumerate(shards(files, sizes)):
        table = image_table(some)
        for name in (f"data-{number:05d}-of-{len(sizes):05d}.arrow", f"cache-{number}.arrow"):
            with pyarrow.OSFile(str(path / name), "wb") as sink, pyarrow.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table, max_chunksize=4)
    return path


def write_lmdb(path, files, sizes=()):
    """As BasicSR writes it."""
    path = path.with_suffix(".lmdb")
    with lmdb.open(str(path), map_size=2**24) as database, database.begin(write=True) as transaction:
        for name, content in files.items():
            transaction.put(name[:-4].encode(), content)
    (path / "meta_info.txt").write_text("".join(f"{name} ({SIZE},{SIZE},3) 1\n" for name in files))
    return path


def checksum(content):
    crc = crc32c.value(content)
    return struct.pack("<I", ((((crc >> 15) | (crc << 17)) & 0xFFFFFFFF) + 0xA282EAD8) % 2**32)


def record(pixels):
    """[H,W,C] as a record of Progressive GAN's, by hand."""

    def field(number, content):
        size, digits = len(content), b""
        while size > 127:
            digits, size = digits + bytes([size & 127 | 128]), size >> 7
        return bytes([number << 3 | 2]) + digits + bytes([size]) + content

    shape = np.moveaxis(pixels, -1, 0).shape
    features = {
        b"shape": field(3, field(1, bytes(shape))),
        b"data": field(1, field(1, np.moveaxis(pixels, -1, 0).tobytes())),
    }
    example = field(1, b"".join(field(1, field(1, key) + field(2, value)) for key, value in features.items()))
    length = struct.pack("<Q", len(example))
    return length + checksum(length) + example + checksum(example)


def write_tfrecords(path, files, sizes=()):
    path.mkdir()
    pixels = [np.asarray(Image.open(io.BytesIO(content))) for content in files.values()]
    (path / "faces-r06.tfrecords").write_bytes(b"".join(map(record, pixels)))
    (path / "faces-r05.tfrecords").write_bytes(b"".join(record(one[::2, ::2]) for one in pixels))
    return path


WRITERS = {
    "folder": write_folder,
    "zip": write_zip,
    "tar": write_tar,
    "webdataset": write_webdataset,
    "parquet": write_parquet,
    "arrow": write_arrow,
    "lmdb": write_lmdb,
    "tfrecords": write_tfrecords,
}
SHARDED = ("webdataset", "parquet", "arrow")
KINDS = [(kind, (COUNT,)) for kind in WRITERS if kind != "folder"] + [(kind, (12, 1, 27)) for kind in SHARDED]


@pytest.fixture(scope="module")
def expected(photographs, tmp_path_factory):
    """Of the folder: the photographs straight, batches of them, and the prepared dataset."""
    root = tmp_path_factory.mktemp("folder")
    return everything(write_folder(root / "faces", photographs), root / "out")


def everything(source, out):
    splits = open_data({"name": "photo_folder", "path": str(source), "size": SIZE, "held_out": 4})
    plan = PhotoFolder(source=str(source), size=SIZE, name="faces").plan()
    return splits, batches(2, splits.train), miniatures.built(plan, out)


@pytest.mark.parametrize(("kind", "sizes"), KINDS)
def test_the_same_photographs_in_anything_train_and_hash_alike(kind, sizes, photographs, expected, tmp_path):
    splits, drawn, prepared = everything(WRITERS[kind](tmp_path / "in", photographs, sizes), tmp_path / "out")
    assert len(splits.train) == COUNT - 4
    for ours, theirs in zip(splits, expected[0]):
        assert [ours.title(i) for i in range(len(ours))] == [theirs.title(i) for i in range(len(theirs))]
        assert (ours.digest == theirs.digest) == (kind != "tfrecords")  # which hold no files, and so other sizes
    for ours, theirs in zip(drawn, expected[1]):
        np.testing.assert_array_equal(ours.image, theirs.image)
        np.testing.assert_array_equal(ours.known, theirs.known)
    assert (prepared.digests, prepared.split_digest) == (expected[2].digests, expected[2].split_digest)
    sent = cloudpickle.loads(cloudpickle.dumps(splits.train))
    np.testing.assert_array_equal(sent[7]["image"], splits.train[7]["image"])


def test_splits_of_file_names_and_repeated_names(photographs, tmp_path):
    """Each shard repeats one name, so that rows are numbered, over all shards; label maps stay with their rows."""
    import pyarrow.parquet

    contents = list(photographs.values())[:8]
    for part, first, count, shard in (("train", 0, 3, 9), ("train", 3, 2, 10), ("test", 5, 3, 0)):
        rows = [{"bytes": content, "path": "image.png"} for content in contents[first : first + count]]
        maps = [png(np.full((SIZE, SIZE), first + i, np.uint8)) for i in range(count)]
        table = pyarrow.table({"photo": rows, "mask": maps, "id": range(count)})
        pyarrow.parquet.write_table(table, tmp_path / f"{part}-{shard}-of-11.parquet")
    made = LabelledFolder(source=str(tmp_path), size=SIZE, num_labels=8).plan()
    assert made.split.name == "by_folder"
    numbers = {part: [item.name for item in items] for part, items in made.splits.items()}
    assert numbers == {part: [f"{part}/{i:08d}.png" for i in range(n)] for part, n in (("train", 5), ("test", 3))}
    found = [item.make() for items in made.splits.values() for item in items]
    assert [int(arrays["labels"].max()) for arrays in found] == list(range(8))
    for arrays, content in zip(found, contents):
        np.testing.assert_array_equal(arrays["image"], np.asarray(Image.open(io.BytesIO(content))))


def test_a_table_of_paths_and_columns_that_cannot_be_told(photographs, tmp_path):
    import pyarrow.parquet

    write_folder(tmp_path / "faces", dict(list(photographs.items())[:3]))
    rows = [{"bytes": None, "path": f"faces/{name}"} for name in (*list(photographs)[:3], "gone.png")]
    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    pyarrow.parquet.write_table(pyarrow.table({"any": pyarrow.array(rows, kind)}), tmp_path / "x.parquet")
    *files, gone = open_images(str(tmp_path / "x.parquet"))
    assert {file.name: file.open().read() for file in files} == dict(list(photographs.items())[:3])
    assert (gone.name, gone.size) == ("gone.png", 0)
    with pytest.raises(FileNotFoundError):
        gone.open()
    for outside in ("../other.png", str(tmp_path.parent / "other.png")):
        rows = pyarrow.array([{"bytes": None, "path": outside}], kind)
        pyarrow.parquet.write_table(pyarrow.table({"any": rows}), tmp_path / "x.parquet")
        with miniatures.refuses(r"other\.png, which is outside of its folder"):
            open_source(str(tmp_path / "x.parquet"))
    pyarrow.parquet.write_table(pyarrow.table({"left": [b"x"], "right": [b"x"]}), tmp_path / "x.parquet")
    with miniatures.refuses(r"which of its columns has the photographs\? Call it `image` \(there: left, right\)"):
        open_source(str(tmp_path / "x.parquet"))


def test_containers_with_names_twice_and_containers_side_by_side(tmp_path):
    for name in ("0.tar", "1.tar"):
        add_tar(tmp_path / name, {"a.png": b"x"})
    with miniatures.refuses(r"0\.tar and .*1\.tar both have a\.png"):
        open_source(str(tmp_path))
    (tmp_path / "1.tar").rename(tmp_path / "more-val-1.tar")
    (tmp_path / "0.tar").rename(tmp_path / "more-train-0.tar")
    assert [file.name for file in open_images(str(tmp_path))] == ["more-train/a.png", "more-val/a.png"]


DAMAGE = {  # one photograph of forty, by a byte in its middle, and what is said
    "zip": r"cannot be unpacked: Bad CRC",
    "tar": r"00000007\.png",
    "tfrecords": r"does not match its checksum",
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_member_is_named_and_counted(kind, photographs, tmp_path):
    source = WRITERS[kind](tmp_path / "in", photographs)
    path = source / "faces-r06.tfrecords" if source.is_dir() else source
    content = bytearray(path.read_bytes())
    pixels = np.asarray(Image.open(io.BytesIO(photographs["00000007.png"])))
    inside = np.moveaxis(pixels, -1, 0).tobytes() if kind == "tfrecords" else photographs["00000007.png"]
    place = content.index(inside) + len(inside) // 2
    content[place : place + 3] = bytes(255 - byte for byte in content[place : place + 3])
    path.write_bytes(bytes(content))
    with miniatures.refuses(rf"1 file does not decode: 00000007\.png \(.*{'' if kind == 'tar' else DAMAGE[kind]}"):
        miniatures.built(PhotoFolder(source=str(source), size=SIZE).plan(), tmp_path / "out")


@pytest.mark.parametrize("kind", [kind for kind in WRITERS if kind != "folder"])
def test_what_is_cut_short_is_refused_whole(kind, photographs, tmp_path):
    source = WRITERS[kind](tmp_path / "in", photographs)
    for path in source.rglob("*") if source.is_dir() else [source]:
        if path.suffix in (".zip", ".tar", ".parquet", ".arrow", ".tfrecords", ".mdb"):
            path.write_bytes(path.read_bytes()[: 100 if kind == "lmdb" else path.stat().st_size * 2 // 3])
    with miniatures.refuses(r"is damaged or not wholly there \([\d,]+ bytes: .*download it again"):
        open_source(str(source))


def test_what_an_lmdb_lacks(photographs, tmp_path):
    source = write_lmdb(tmp_path / "in", dict(list(photographs.items())[:2]))
    with (source / "meta_info.txt").open("a") as file:
        file.write("gone.png (64,64,3) 1\n")
    *_, gone = open_images(str(source))
    with pytest.raises(OSError, match="has nothing under the key 'gone'"):
        gone.open()
    (source / "meta_info.txt").unlink()
    with miniatures.refuses(r"an LMDB is read by its meta_info\.txt"):
        open_source(str(source))


def test_the_line_to_type_where_a_package_is_missing(photographs, tmp_path, monkeypatch):
    source = write_tfrecords(tmp_path / "in", photographs)
    monkeypatch.setitem(sys.modules, "google_crc32c", None)
    with miniatures.refuses(r'is read by the package google-crc32c: pip install "scan_jax\[containers\]"'):
        open_source(str(source))
