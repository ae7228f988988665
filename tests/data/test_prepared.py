"""Prepared datasets as sources of photographs: the built pixels, by every name, or the command that builds them."""

import concurrent.futures
import json
import pickle
import subprocess
import sys

import cloudpickle
import miniatures
import numpy as np
import pytest

from scan_jax.core import prepared
from scan_jax.core.errors import UserError
from scan_jax.data.api import agree_on_labels, open_data
from scan_jax.data.builders import celeba_hq, paris_street_view, photo_folder
from scan_jax.images.labels import resize as resize_labels
from scan_jax.images.square import resize


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """CelebAMask-HQ at 64 and 128, CelebA-HQ by the papers' split and CelebA's, Paris and a folder of photographs."""
    place = tmp_path_factory.mktemp("prepared")
    miniatures.write_celebamask(place / "tree", range(12), 128)
    (place / "tree" / "CelebAMask-HQ" / miniatures.MAPPING).write_text(
        "idx orig_idx orig_file\n" + "".join(f"{i} 1 {1 + 18_000 * i:06d}.jpg\n" for i in range(12))
    )
    miniatures.write_photographs(place / "faces", [f"{i}.png" for i in range(30)], 64)
    tree, paris = {"source": str(place / "tree")}, {"source": str(miniatures.write_paris(place / "paris"))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(celeba_hq, "read_numbered_split", few(celeba_hq.read_numbered_split))
        patch.setattr(paris_street_view, "EXPECTED", {"train": 3, "test": 2})
        for builder, settings in (
            *((celeba_hq.CelebaMaskHq, {**tree, "size": size}) for size in (64, 128)),
            *((celeba_hq.CelebaHq, {**tree, "split": split}) for split in ("celebahq_28k_2k", "celeba_partition")),
            *((paris_street_view.ParisStreetView, {**paris, "crop": crop}) for crop in ("centre", "stretch")),
            (photo_folder.PhotoFolder, {"source": str(place / "faces")}),
        ):
            miniatures.built(builder(**({"size": 64} | settings)).plan(), place / "out")
    return place / "out"


def few(read):
    """The papers' split, of twelve photographs instead of 30,000."""

    def read_few(name, files):
        split = read(name, files)
        members = {"train": split.members["train"][:8], "test": tuple(map(str, range(8, 12)))}
        return type(split)(name, members) if name == "celebahq_28k_2k" else split

    return read_few


def opened(data_dir, name, **section):
    return open_data({"name": name, "size": 64, "data_dir": str(data_dir), **section})


def refused(match, data_dir, name, **section):
    with miniatures.refuses(match):
        opened(data_dir, name, **section)


NAMES = {
    "celeba_hq": ("celeba_hq/64", {}, (8, 4)),
    "celebamask_hq": ("celebamask_hq/64", {}, (8, 4)),
    "paris_street_view": ("paris_street_view/64", {}, (3, 2)),
    "paris_street_view stretched": ("paris_street_view/64-stretch", {"crop": "stretch"}, (3, 2)),
    "celeba_hq by celeba": ("celeba_hq/64-celeba_partition", {"split": "celeba_partition"}, (10, 1)),
    "prepared": ("photo_folder/faces-64", {"dataset": "photo_folder/faces-64"}, (27, 3)),
    "prepared celeba_hq": ("celeba_hq/64", {"dataset": "celeba_hq/64"}, (8, 4)),
}


@pytest.mark.parametrize("case", NAMES)
def test_the_built_pixels(case, data_dir):
    folder, section, counts = NAMES[case]
    dataset = miniatures.load(data_dir, folder)
    splits = opened(data_dir, case.split()[0], **section)
    assert (len(splits.train), len(splits.held_out)) == counts
    for part, source in (("train", splits.train), ("test", splits.held_out)):
        assert source.digest == dataset.digests[part]
        assert source.name == f"{folder} {part}, split {dataset.split} ({dataset.split_digest[:12]})"
        assert (source.num_labels, source.flip_pairs) == (len(dataset.label_names), dataset.flip_pairs)
        for i, record in enumerate(miniatures.pixels(dataset, part).values()):
            assert set(source[i]) == set(record)
            for key, array in record.items():
                np.testing.assert_array_equal(source[i][key], array)
                assert source[i][key].dtype == np.uint8


def test_labels_come_with_their_names_and_pairs_and_held_out_ones_are_evenly_spaced(data_dir):
    splits = opened(data_dir, "celebamask_hq")
    assert (splits.train.num_labels, splits.train.flip_pairs) == (19, ((4, 5), (6, 7), (8, 9)))
    assert agree_on_labels(splits, 19).train.num_labels == 19
    assert opened(data_dir, "celeba_hq").train.num_labels == 0
    photo = splits.train[3]
    assert splits.train[3]["image"] is photo["image"]
    for array in photo.values():
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0
    whole = opened(data_dir, "celeba_hq").held_out
    some = opened(data_dir, "celeba_hq", held_out=2).held_out
    assert len(some) == 2
    for i, place in enumerate((0, 2)):
        np.testing.assert_array_equal(some[i]["image"], whole[place]["image"])
    assert len(opened(data_dir, "celeba_hq", held_out=99).held_out) == 4


def test_the_split_to_measure_on(data_dir):
    section = {"split": "celeba_partition"}
    assert "test, split celeba_partition" in opened(data_dir, "celeba_hq", **section).held_out.name
    chosen = opened(data_dir, "celeba_hq", measure_on="validation", **section).held_out
    assert "validation, split celeba_partition" in chosen.name
    dataset = miniatures.load(data_dir, "celeba_hq/64-celeba_partition")
    assert chosen.digest == dataset.digests["validation"] and len(chosen) == len(dataset.splits["validation"])
    match = r"config.data.measure_on must be one of .*, not 'valid', did you mean 'validation'"
    refused(match, data_dir, "celeba_hq", measure_on="valid", **section)
    refused(r"measure_on must be one of \['test'\], not 'train'", data_dir, "celeba_hq", measure_on="train")


def test_larger_stored_photographs(data_dir):
    """Training sees what is stored, to crop from; measuring sees the size that was asked for."""
    splits = opened(data_dir, "celebamask_hq", stored_size=128)
    stored = list(miniatures.pixels(miniatures.load(data_dir, "celebamask_hq/128"), "test").values())
    assert splits.train[0]["image"].shape == (128, 128, 3) and splits.train[0]["labels"].shape == (128, 128)
    for i, record in enumerate(stored):
        np.testing.assert_array_equal(splits.held_out[i]["image"], resize(record["image"], 64))
        np.testing.assert_array_equal(splits.held_out[i]["labels"], resize_labels(record["labels"], (64, 64)))


COMMAND = r"python -m scan_jax prepare"


@pytest.mark.parametrize(
    ("name", "section", "match"),
    [
        ("prepared", {"dataset": "celeba_hq/64", "size": 128}, "has photographs of 64 pixels a side, not 128; prepare"),
        ("prepared", {"dataset": "photo_folder/dogs-64"}, r"no prepared photo_folder/dogs-64 .*faces-64"),
        *(("prepared", {"dataset": x}, "dataset is NAME/CONFIG") for x in ("photo_folder", "", "/64", "photo_folder/")),
        ("celebamask_hq", {"size": 256}, rf"prepared celebamask_hq/256 in .* \(there: 128, 64\); build it: {COMMAND}"),
        ("celebamask_hq", {"size": 256}, rf"{COMMAND} celebamask_hq --source=\S+ --size=256$"),
        ("celeba_hq", {"split": "mine"}, r"\(there: 64, 64-celeba_partition\); build it: .* --size=64 --split=mine$"),
        ("celeba_hq", {"stored_sise": 1}, r"unknown config key config.data.stored_sise, did you mean 'stored_size'"),
        ("paris_street_view", {"size": 128}, rf"{COMMAND} paris_street_view --source=\S+ --size=128 --crop=centre"),
        ("paris_street_view", {"crop": "left"}, r"config.data.crop must be one of .*, not 'left'"),
    ],
)
def test_what_was_not_prepared_and_what_makes_no_sense(name, section, match, data_dir):
    refused(match, data_dir, name, **section)


def test_a_folder_that_another_program_wrote(data_dir, tmp_path):
    refused(rf"no prepared celeba_hq/64 in .*; build it: {COMMAND} celeba_hq", tmp_path, "celeba_hq")
    folder = miniatures.copied(data_dir / "celeba_hq" / "64", tmp_path / "celeba_hq" / "64")
    (folder / "1.0.0" / "metadata.json").unlink()
    refused(r"was not built by this version of scan_jax prepare; build it again", tmp_path, "celeba_hq")
    for file in (folder / "1.0.0").iterdir():
        file.unlink()
    refused(r"is no dataset that can be read: .*build it with scan_jax prepare", tmp_path, "celeba_hq")


@pytest.mark.parametrize(
    ("name", "keys", "value", "says"),
    [
        ("dataset_info.json", ["splits"], -3, "by dataset_info.json and features.json, Failed to parse splits"),
        ("dataset_info.json", ["splits"], [], "dataset_info.json lacks 'test' among its splits"),
        ("dataset_info.json", ["fileFormat"], None, "by dataset_info.json and features.json, Random access"),
        ("dataset_info.json", ["splits", 0], "x", "by dataset_info.json and features.json, Failed to parse"),
        ("metadata.json", ["digests"], {}, "metadata.json lacks 'test' among its digests"),
        ("metadata.json", ["split"], 3, r"metadata.json.split must be str, not 3 \(int\)"),
        ("metadata.json", ["arrays", "image", 0], -3, r"metadata.json.arrays.image\[0\] must be from 0 to"),
        ("metadata.json", ["flip_pairs"], [[4]], r"metadata.json.flip_pairs\[0\] must have 2 items"),
        ("features.json", ["featuresDict", "features", "image"], None, "features.json"),
        ("features.json", [], [], "by dataset_info.json and features.json"),
    ],
)
def test_an_edited_file_of_a_dataset_is_one_line(name, keys, value, says, data_dir, tmp_path):
    folder = miniatures.copied(data_dir / "celeba_hq" / "64", tmp_path / "celeba_hq" / "64") / "1.0.0"
    content = node = {"": json.loads((folder / name).read_text())}
    for key in (keys := ["", *keys])[:-1]:
        node = node[key]
    node[keys[-1]] = value
    (folder / name).write_text(json.dumps(content[""]))
    with pytest.raises(UserError, match=rf"^{folder}.*{says}") as refused:
        prepared.load(folder)
    assert "\n" not in str(refused.value)


def test_a_damaged_record_is_one_line_and_the_place_may_come_from_the_environment(data_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    miniatures.copied(data_dir / "celeba_hq" / "64", tmp_path / "celeba_hq" / "64")
    (shard,) = (tmp_path / "celeba_hq" / "64" / "1.0.0").glob("*train*")
    content = bytearray(shard.read_bytes())
    content[content.index(b"\x89PNG") + 200] ^= 1
    shard.write_bytes(bytes(content))
    source = open_data({"name": "celeba_hq", "size": 64}).train
    assert len(source) == 8
    with miniatures.refuses(r"record 0 of celeba_hq/64 train, .* cannot be read .*build it again"):
        source[0]


@pytest.mark.parametrize("read_before", [False, True])
@pytest.mark.parametrize("library", [pickle, cloudpickle], ids=["pickle", "cloudpickle"])
def test_sources_can_be_sent_to_other_processes(library, read_before, data_dir):
    source = opened(data_dir, "celebamask_hq").train
    if read_before:
        assert source[0]["image"].any()
    sent = library.dumps(source)
    assert len(sent) < 50_000  # how to read them, not the photographs themselves
    other = pickle.loads(sent)
    assert (len(other), other.name, other.digest) == (len(source), source.name, source.digest)
    for key in ("image", "labels"):
        np.testing.assert_array_equal(other[5][key], source[5][key])


def test_another_process_reads_the_same_without_tensorflow(data_dir, tmp_path):
    source = opened(data_dir, "celeba_hq").train
    (tmp_path / "source").write_bytes(pickle.dumps(source))
    script = (
        f"import pickle, sys; source = pickle.load(open({str(tmp_path / 'source')!r}, 'rb'))\n"
        "print(source[7]['image'].astype(int).sum(), 'tensorflow' in sys.modules, 'jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == [str(source[7]["image"].astype(int).sum()), "False", "False"], done.stderr


def test_threads_may_share_a_source(data_dir):
    shared, alone = opened(data_dir, "celebamask_hq").train, opened(data_dir, "celebamask_hq").train
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        photos = list(pool.map(shared.__getitem__, [i % 8 for i in range(64)]))
    for i, photo in enumerate(photos):
        for key in ("image", "labels"):
            np.testing.assert_array_equal(photo[key], alone[i % 8][key])
