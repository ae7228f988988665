"""Reading a dataset again: whether it still has the pixels that were built."""

import re

import array_record.python.array_record_module as array_record
import miniatures
import pytest

from scan_jax.data.builders import photo_folder
from scan_jax.data.preparation.verify import verify
from scan_jax.prepare.__main__ import main

OPTIONS = "group_size:1,uncompressed"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    place = tmp_path_factory.mktemp("verify")
    source = miniatures.write_photographs(place / "faces", [f"{i:02d}.png" for i in range(20)], 64)
    plan = photo_folder.plan(photo_folder.Settings(source=str(source), size=64))
    return miniatures.built(plan, place / "out").folder


@pytest.fixture
def folder(original, tmp_path):
    return miniatures.copied(original, tmp_path / "photo_folder" / "faces-64" / "1.0.0")


def shard(folder):
    return next(folder.glob("*train.array_record*"))


def read(path):
    reader = array_record.ArrayRecordReader(str(path), "readahead_buffer_size:0")
    records = reader.read(list(range(reader.num_records())))
    reader.close()
    return records


def rewrite(path, records):
    writer = array_record.ArrayRecordWriter(str(path), OPTIONS)
    for record in records:
        writer.write(record)
    writer.close()


def refused(folder, match):
    with miniatures.refuses(match):
        verify(folder)


def test_what_was_built(folder):
    assert verify(folder) == {"train": 18, "test": 2}
    rewrite(shard(folder), read(shard(folder)))
    assert verify(folder) == {"train": 18, "test": 2}
    assert main(["verify", str(folder)]) == 0


@pytest.mark.parametrize("record", [0, 9, 17])
def test_a_flipped_bit(record, folder, capsys):
    content = bytearray(shard(folder).read_bytes())
    pictures = [match.start() for match in re.finditer(rb"\x89PNG", content)]
    assert len(pictures) == 18
    content[pictures[record] + 500] ^= 16
    shard(folder).write_bytes(bytes(content))
    refused(folder, r"train.*remove it and build it again")
    assert main(["verify", str(folder)]) == 1
    assert "error: " in capsys.readouterr().err


def test_records_that_changed_places_or_are_gone(folder):
    first, *others = read(shard(folder))
    rewrite(shard(folder), [*others, first])
    refused(folder, r"train is not what was built \(hash [0-9a-f]{12}\); remove it")
    rewrite(shard(folder), [first, *others[:-1]])
    refused(folder, r"remove it and build it again")
    miniatures.truncate(shard(folder))
    refused(folder, r"remove it and build it again")
    shard(folder).unlink()
    refused(folder, r"build it again")


@pytest.mark.parametrize("name", ["metadata.json", "dataset_info.json", "features.json"])
def test_what_describes_it_is_gone(name, folder):
    miniatures.truncate(folder / name)
    refused(folder, r"build it")
    (folder / name).unlink()
    refused(folder, r"build it")


def test_no_dataset_at_all(tmp_path):
    refused(tmp_path / "nowhere", r"nowhere is no dataset")
    refused(tmp_path, r"is no dataset")
