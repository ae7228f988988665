"""Building: the same bytes every time, interrupted or not, and nothing left of what failed; and reading it again."""

import dataclasses
import errno
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import array_record.python.array_record_module as array_record
import miniatures
import numpy as np
import pytest

from scan_jax.commands.prepare import main
from scan_jax.core import prepared
from scan_jax.core.errors import UserError
from scan_jax.data.builders.photo_folder import PhotoFolder
from scan_jax.data.preparation import build as building
from scan_jax.data.preparation import shards
from scan_jax.data.preparation.build import verify

COUNT, HELD_OUT = 22, 2  # 20 to train with: 7 shards of 3


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "RECORDS", 3)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    names = [f"{i:02d}.png" for i in range(COUNT)]
    return miniatures.write_photographs(tmp_path_factory.mktemp("source") / "faces", names, 64)


@pytest.fixture(scope="module")
def whole(source, tmp_path_factory):
    return built_of(3, source, tmp_path_factory.mktemp("whole")).parents[2]


def built_of(records, source, data_dir):
    """The folder of a dataset in shards of so many records."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "RECORDS", records)
        return miniatures.built(make_plan(source), data_dir).folder


def make_plan(source, **settings):
    return PhotoFolder(source=str(source), size=64, **settings).plan()


def spied(plan, watch):
    """The plan, with `watch(name)` called before an item is made."""

    def wrap(item):
        return dataclasses.replace(item, make=lambda: watch(item.name) or item.make())

    return dataclasses.replace(plan, splits={split: list(map(wrap, items)) for split, items in plan.splits.items()})


class Calls:
    """Names of the items made; those numbered in `at` raise `error`."""

    def __init__(self, error=None, at=()):
        self.names, self._error, self._at, self._lock = [], error, at, threading.Lock()

    def __call__(self, name):
        with self._lock:
            self.names.append(name)
            if len(self.names) - 1 in self._at:
                raise self._error


def interrupted(plan, data_dir, at=8):
    """Ctrl-C while item `at` is made, after two shards; the staging folder."""
    with pytest.raises(KeyboardInterrupt):
        miniatures.built(spied(plan, Calls(KeyboardInterrupt(), [at])), data_dir, jobs=1)
    (staging,) = data_dir.glob("photo_folder/faces-64/.*.building")
    return staging


def finished(staging):
    return sorted(path.name for path in staging.glob("*.json"))


def raising(error):
    def fail(*_):
        raise error

    return fail


def refused(match, plan, data_dir, jobs=2):
    with miniatures.refuses(match, data_dir):
        miniatures.built(plan, data_dir, jobs)


def go_on(plan, data_dir, whole):
    """The names that are made when the build is run again; what it leaves is the whole."""
    calls = Calls()
    miniatures.built(spied(plan, calls), data_dir)
    miniatures.assert_same_files(data_dir, whole)
    return calls.names


def run(script, *arguments, seed="0"):
    script = f"from scan_jax.data.preparation import shards\nshards.RECORDS = 3\n{script}"
    command, environment = [sys.executable, "-c", script, *arguments], os.environ | {"PYTHONHASHSEED": seed}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_the_folder_is_as_tfds_has_it(whole):
    folder = prepared.dataset_folder(whole, "photo_folder", "faces-64")
    assert sorted(path.name for path in folder.iterdir()) == [
        *("dataset_info.json", "features.json", "metadata.json"),
        "photo_folder-test.array_record-00000-of-00001",
        *(f"photo_folder-train.array_record-{i:05d}-of-00007" for i in range(7)),
    ]
    info = json.loads((folder / "dataset_info.json").read_text())
    assert info["fileFormat"] == "array_record"
    lengths = {split["name"]: split["shardLengths"] for split in info["splits"]}
    assert lengths == {"train": ["3"] * 6 + ["2"], "test": ["2"]}
    assert miniatures.files_below(whole)[:2] == ["photo_folder", "photo_folder/faces-64"]
    assert [path.name for path in folder.parent.iterdir()] == ["1.0.0"]  # no staging folder stays


@pytest.mark.parametrize(("seed", "jobs"), [("1", 1), pytest.param("77", 3, marks=pytest.mark.slow)])
def test_another_process_writes_the_same_bytes(seed, jobs, source, whole, tmp_path):
    script = "import sys; from scan_jax.commands.prepare import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["photo_folder", f"--source={source}", "--size=64", f"--data_dir={tmp_path}", f"--jobs={jobs}"]
    done = run(script, *arguments, seed=seed)
    assert done.returncode == 0, done.stderr
    miniatures.assert_same_files(tmp_path, whole)


def test_an_interrupted_build_goes_on(source, whole, tmp_path):
    staging = interrupted(make_plan(source), tmp_path)
    assert finished(staging) == ["train-00000.json", "train-00001.json"]
    assert [path.name for path in staging.parent.iterdir()] == [staging.name]  # nothing at the final place
    assert len(finished(interrupted(make_plan(source), tmp_path, at=5))) == 3  # and is interrupted again
    assert len(go_on(make_plan(source), tmp_path, whole)) == COUNT - 9


@pytest.mark.parametrize("spoil", [miniatures.truncate, os.unlink])
@pytest.mark.parametrize("name", ["train-00001.array_record", "train-00001.json"])
def test_a_spoilt_shard_is_made_again(spoil, name, source, whole, tmp_path):
    spoil(interrupted(make_plan(source), tmp_path) / name)
    assert len(go_on(make_plan(source), tmp_path, whole)) == COUNT - 3


@pytest.mark.parametrize("number, jobs", [(signal.SIGKILL, 1), pytest.param(signal.SIGINT, 3, marks=pytest.mark.slow)])
def test_a_stopped_process_goes_on(number, jobs, source, whole, tmp_path):
    script = f"""
import dataclasses, itertools, os, signal
from scan_jax.data.builders import photo_folder
from scan_jax.data.preparation import build
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
plan = photo_folder.PhotoFolder(source={str(source)!r}, size=64).plan()
count = itertools.count()
def wrap(item):
    def make():
        if next(count) == 17:
            os.kill(os.getpid(), {int(number)})
        return item.make()
    return dataclasses.replace(item, make=make)
plan = dataclasses.replace(plan, splits={{k: [wrap(i) for i in v] for k, v in plan.splits.items()}})
build.build(plan, {str(tmp_path)!r}, {jobs})
"""
    done = run(script)
    assert done.returncode == -number, done.stderr
    (staging,) = tmp_path.glob("photo_folder/faces-64/.*.building")
    kept = 3 * len(finished(staging))
    assert kept >= 3
    assert len(go_on(make_plan(source), tmp_path, whole)) == COUNT - kept


def test_shards_of_a_changed_source_are_not_used(source, tmp_path):
    changing = miniatures.copied(source, tmp_path / "faces")
    staging = interrupted(make_plan(changing), tmp_path / "out")
    name = make_plan(changing).splits["train"][0].name
    miniatures.write(changing / name, miniatures.photograph(99, 64))
    calls = Calls()
    dataset = miniatures.built(spied(make_plan(changing), calls), tmp_path / "out")
    assert sorted(calls.names) == sorted(f"{i:02d}.png" for i in range(COUNT))
    np.testing.assert_array_equal(miniatures.pixels(dataset, "train")[name]["image"], miniatures.photograph(99, 64))
    assert not staging.exists()  # nobody would ever come back for it


def test_interrupted_while_it_is_put_together(source, whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(building, "_verify", raising(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            miniatures.built(make_plan(source), tmp_path)
    assert go_on(make_plan(source), tmp_path, whole) == []


def test_a_disk_without_links(source, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(building.os, "link", raising(PermissionError(errno.EPERM, "Operation not permitted")))
    assert len(go_on(make_plan(source), tmp_path, whole)) == COUNT


def test_what_is_there_already_is_left_alone(source, whole):
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*")}
    assert go_on(make_plan(source), whole, whole) == []
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("*")} == before
    refused(r"faces-64/1.0.0 holds a dataset of other photographs", make_plan(source, held_out=1), whole)
    refused(r"faces-64/1.0.0 holds a dataset of other", make_plan(source, crop="stretch"), whole)


def test_something_else_in_the_place(source, tmp_path):
    folder = prepared.dataset_folder(tmp_path, "photo_folder", "faces-64")
    miniatures.write(folder / "mine.png", miniatures.photograph(0))
    before = (folder / "mine.png").read_bytes()
    refused(r"faces-64/1.0.0 holds a dataset of other photographs", make_plan(source), tmp_path)
    assert (folder / "mine.png").read_bytes() == before


def test_broken_files(source, tmp_path, monkeypatch):
    """Ten are named, what else was found is counted, many more end it early, and other datasets beside it stay."""
    miniatures.built(make_plan(source, name="first"), tmp_path)
    one = spied(make_plan(source), Calls(ValueError("broken"), [5]))
    refused(r"1 file does not decode: \d\d.png \(broken\)", one, tmp_path, jobs=1)
    twelve = spied(make_plan(source), Calls(OSError("no\nimage"), range(12)))
    named = r"(\d\d.png \(no image\); ){9}\d\d.png \(no image\)"
    refused(rf"\d+ files do not decode: {named} and [12] more; replace them", twelve, tmp_path)
    monkeypatch.setattr(shards, "NAMED", 4)
    calls = Calls(ValueError("never"), range(COUNT))
    refused(r"6 files do not decode: 00.png \(never\)", spied(make_plan(source), calls), tmp_path, jobs=1)
    assert len(calls.names) == 6


def test_what_is_not_to_be_tolerated_once(source, tmp_path):
    plan = dataclasses.replace(make_plan(source), allow_missing=20)
    refused(r"^wrong person$", spied(plan, Calls(UserError("wrong person"), [8])), tmp_path)
    with pytest.raises(ZeroDivisionError):  # an error of the program
        miniatures.built(spied(make_plan(source), Calls(ZeroDivisionError(), [8])), tmp_path)
    plan = dataclasses.replace(make_plan(source), arrays={"image": (32, 32, 3)})
    with pytest.raises((UserError, ValueError)):  # records of another shape than promised, at the last look
        miniatures.built(plan, tmp_path)
    assert miniatures.files_below(tmp_path) == []


FULL = OSError(errno.ENOSPC, "No space left on device")


class FullWriter:
    """Writes two records, then the disk is full."""

    def __init__(self, path, options):
        self._records = 0
        Path(path).write_bytes(b"x")

    def write(self, record):
        self._records += 1
        if self._records > 2:
            raise FULL

    def close(self):
        pass


def test_a_full_disk(source, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(shards.array_record_module, "ArrayRecordWriter", FullWriter)
        match = r"cannot write .*train-00000.*No space left on device; make room and run it again"
        refused(match, make_plan(source), tmp_path)
    monkeypatch.setattr(building, "_link", raising(FULL))
    refused(r"cannot write .*faces-64/1.0.0: No space left on device; make room", make_plan(source), tmp_path)


@pytest.mark.slow
def test_files_that_may_not_grow(source, tmp_path):
    """A true error of the disk, by the process's limit on the size of files."""
    script = f"""
import resource, sys
from scan_jax.commands.prepare import main
shards.RECORDS = 1000
resource.setrlimit(resource.RLIMIT_FSIZE, (70_000, 70_000))
sys.exit(main(["photo_folder", "--source={source}", "--size=64", "--data_dir={tmp_path}"]))
"""
    done = run(script)
    assert done.returncode == 1, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "cannot write" in line and "make room" in line
    assert "Traceback" not in done.stderr
    assert miniatures.files_below(tmp_path) == []


def test_a_place_that_cannot_be_written_to(source, tmp_path):
    (tmp_path / "file").write_text("")
    refused(r"cannot write to .*file/.*; choose another --data_dir", make_plan(source), tmp_path / "file")
    assert miniatures.files_below(tmp_path) == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="needs a user who may not write anywhere: sudo --user=nobody ...")
def test_a_read_only_place(source, tmp_path):
    tmp_path.chmod(0o555)
    refused(r"cannot write to .*Permission denied; choose another --data_dir", make_plan(source), tmp_path / "out")
    tmp_path.chmod(0o755)


@pytest.fixture(scope="module")
def original(source, tmp_path_factory):
    return built_of(1000, source, tmp_path_factory.mktemp("original"))


@pytest.fixture
def folder(original, tmp_path):
    """A copy to spoil and to verify, in one shard for each split."""
    return miniatures.copied(original, tmp_path / "photo_folder" / "faces-64" / "1.0.0")


@pytest.fixture
def shard(folder):
    return folder / "photo_folder-train.array_record-00000-of-00001"


def read(path):
    reader = array_record.ArrayRecordReader(str(path), "readahead_buffer_size:0")
    records = reader.read(list(range(reader.num_records())))
    reader.close()
    return records


def rewrite(path, records):
    writer = array_record.ArrayRecordWriter(str(path), "group_size:1,uncompressed")
    for record in records:
        writer.write(record)
    writer.close()


def spoilt(folder, match):
    with miniatures.refuses(match):
        verify(folder)


def test_what_was_built(folder, shard):
    assert verify(folder) == {"train": 20, "test": 2}
    rewrite(shard, read(shard))
    assert verify(folder) == {"train": 20, "test": 2}
    assert main(["verify", str(folder)]) == 0


@pytest.mark.parametrize("noted", [15, 100])
def test_lengths_that_are_not_those_of_the_files(noted, folder):
    info = (folder / "dataset_info.json").read_text()
    assert '"20"' in info
    (folder / "dataset_info.json").write_text(info.replace('"20"', f'"{noted}"'))
    with miniatures.refuses(rf"says {noted} records for photo_folder-train.* of train, which has 20; remove it"):
        prepared.load(folder)


@pytest.mark.parametrize("record", [0, 9, 19])
def test_a_flipped_bit(record, folder, shard, capsys):
    content = bytearray(shard.read_bytes())
    pictures = [match.start() for match in re.finditer(rb"\x89PNG", content)]
    assert len(pictures) == 20
    content[pictures[record] + 500] ^= 16
    shard.write_bytes(bytes(content))
    spoilt(folder, r"train.*remove it and build it again")
    assert main(["verify", str(folder)]) == 1
    assert "error: " in capsys.readouterr().err


def test_records_that_changed_places_or_are_gone(folder, shard):
    first, *others = read(shard)
    rewrite(shard, [*others, first])
    spoilt(folder, r"train is not what was built \(hash [0-9a-f]{12}\); remove it")
    rewrite(shard, [first, *others[:-1]])
    spoilt(folder, r"remove it and build it again")
    for few in ([first, *others], [first, *others[:2]]):  # of a small file that is cut, a record may come back empty
        rewrite(shard, few)
        miniatures.truncate(shard)
        spoilt(folder, r"remove it and build it again")
    shard.unlink()
    spoilt(folder, r"build it again")


@pytest.mark.parametrize("name", ["metadata.json", "dataset_info.json", "features.json"])
def test_what_describes_it_is_gone_or_all_of_it(name, folder, tmp_path):
    miniatures.truncate(folder / name)
    spoilt(folder, r"build it")
    (folder / name).unlink()
    spoilt(folder, r"build it")
    spoilt(tmp_path / "nowhere", r"nowhere is no dataset")
    spoilt(tmp_path, r"is no dataset")
