"""`python -m scan_jax prepare`: from the command line to photographs that a config reads."""

import logging
import shlex

import miniatures
import numpy as np
import pytest

from scan_jax.commands.prepare import main
from scan_jax.core import config as configuration
from scan_jax.data.api import open_data
from scan_jax.data.builders import celeba_hq, paris_street_view
from scan_jax.data.preparation import build as building


@pytest.fixture(autouse=True)
def log(caplog):
    caplog.set_level(logging.INFO, "scan_jax")
    return caplog


def refused(argv, words, capsys, data_dir):
    """Exit code 1, one line that has the words, and nothing in data_dir."""
    before = miniatures.files_below(data_dir)
    assert main([*argv, f"--data_dir={data_dir}"]) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    for word in words:
        assert word in errors[0]
    assert miniatures.files_below(data_dir) == before


def usage(log):
    """The arguments of the line that says how to train on it."""
    (line,) = [message for message in log.messages if message.startswith("train on it with ")]
    return shlex.split(line.removeprefix("train on it with "))


def open_as_printed(log):
    """The data that a config with the printed arguments opens; the config has another source's keys."""
    config = {"data": {"name": "synthetic_portraits", "size": 32, "count": 10}}
    configuration.apply_overrides(config, usage(log))
    return open_data(config["data"])


def faces(folder, count=12):
    return miniatures.write_photographs(folder, [f"{i:02d}.png" for i in range(count)], 64)


def images(splits):
    return sorted(part[i]["image"].tobytes() for part in (splits.train, splits.held_out) for i in range(len(part)))


def photo_folder(folder, *arguments):
    return ["photo_folder", f"--source={faces(folder)}", "--size=64", *arguments]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "required"),
        (["celeba"], "invalid choice: 'celeba'"),
        (["photo_folder"], "required: --source"),
        (["photo_folder", "--source=x", "--sise=64"], "unrecognized arguments: --sise=64"),
        (["photo_folder", "--source=x", "--siz=64"], "unrecognized arguments: --siz=64"),
        (["photo_folder", "--source=x", "--config.data.size=64"], "unrecognized arguments"),
        (["photo_folder", "--source=x", "--size=big"], "invalid int value"),
        (["photo_folder", "--source=x", "--crop=left"], "invalid choice: 'left'"),
        *(
            (["labelled_folder", "--source=x", "--num_labels=3", f"--flip_pairs={pairs}"], "such as 4-5,6-7")
            for pairs in ("1+2", "4-5-6", "4")
        ),
        (["verify"], "required: folder"),
    ],
)
def test_arguments_that_cannot_be(argv, words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_a_folder_of_photographs_from_end_to_end_and_twice(tmp_path, log):
    argv = photo_folder(tmp_path / "my faces", f"--data_dir={tmp_path / 'my data; rm'}")
    assert main(argv) == 0
    dataset = miniatures.load(tmp_path / "my data; rm", "photo_folder/my faces-64")
    assert f"found 12 photographs in {tmp_path / 'my faces'}" in log.messages
    assert f"split by_name_hash ({dataset.split_digest[:12]}): train 11, test 1" in log.messages
    assert f"train: 11 records ({dataset.digests['train'][:12]})" in log.messages
    splits = open_as_printed(log)
    assert splits.train.digest == dataset.digests["train"] and (len(splits.train), len(splits.held_out)) == (11, 1)
    (record,) = miniatures.pixels(dataset, "test").values()
    np.testing.assert_array_equal(splits.held_out[0]["image"], record["image"])
    read = open_data({"name": "photo_folder", "path": str(tmp_path / "my faces"), "size": 64})
    assert images(splits) == images(read)
    assert main(["verify", str(dataset.folder)]) == 0
    assert "train: 11 records are as they were built" in log.messages
    log.clear()
    assert main(argv) == 0
    assert any("is there already, of the same names and settings" in message for message in log.messages)
    assert len(open_as_printed(log).train) == 11


def test_the_default_place(tmp_path, log, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "default"))
    assert main(photo_folder(tmp_path / "faces", "--jobs=1")) == 0
    assert not any("data_dir" in argument for argument in usage(log))
    assert len(open_as_printed(log).train) == 11


def celebamask(tmp_path):
    miniatures.write_celebamask(tmp_path / "tree", range(6), 128)
    split = miniatures.write_split(tmp_path / "few.txt", train=["0-3"], test=["4-5"])
    return [f"--source={miniatures.write_zip(tmp_path / 'CelebAMask-HQ.zip', tmp_path / 'tree')}", f"--split={split}"]


def labelled(tmp_path):
    for i in range(4):
        miniatures.write(tmp_path / "street" / f"{i}.png", miniatures.photograph(i, 64))
        miniatures.write(tmp_path / "street" / f"{i}_label.png", np.full((64, 64), i, np.uint8))
    return [f"--source={tmp_path / 'street'}", "--num_labels=4", "--flip_pairs=1-2"]


def paris(tmp_path):
    return [f"--source={miniatures.write_paris(tmp_path / 'paris')}"]


DATASETS = {
    "celebamask_hq": (celebamask, (4, 2), 19),
    "celeba_hq": (celebamask, (4, 2), 0),
    "labelled_folder": (labelled, (3, 1), 4),
    "paris_street_view": (paris, (3, 2), 0),
    "paris_street_view --crop=stretch": (paris, (3, 2), 0),
    "synthetic_portraits": (lambda _: ["--count=3", "--held_out=2", "--seed=5"], (3, 2), 19),
}


@pytest.mark.parametrize("name", DATASETS)
def test_what_is_printed_opens_what_was_built(name, tmp_path, log, monkeypatch):
    monkeypatch.setattr(paris_street_view, "EXPECTED", {"train": 3, "test": 2})
    write, counts, classes = DATASETS[name]
    assert main([*name.split(), *write(tmp_path), "--size=64", f"--data_dir={tmp_path / 'out'}"]) == 0
    splits = open_as_printed(log)
    assert (len(splits.train), len(splits.held_out), splits.train.num_labels) == (*counts, classes)
    photo = splits.train[0]
    assert photo["image"].shape == (64, 64, 3) and ("labels" in photo) == bool(classes)


def test_the_names_of_split_files(tmp_path, capsys, log):
    """The papers' would pass for the papers' split in logs and tables; a number is a name as well."""
    folder = faces(tmp_path / "faces", 4)
    for name in ("celebahq_28k_2k", "2024"):
        split = miniatures.write_split(tmp_path / f"{name}.txt", train=["0-1"], test=["2-3"])
        argv = ["celeba_hq", f"--source={folder}", f"--split={split}", "--size=64"]
        if name != "2024":
            refused(argv, ["has the name of one that comes with the toolkit; rename"], capsys, tmp_path / "out")
    assert main([*argv, f"--data_dir={tmp_path / 'out'}"]) == 0
    assert len(open_as_printed(log).train) == 2


def test_masks(tmp_path, log):
    for i in range(4):
        grey = np.where(miniatures.photograph(i, 64)[..., 0] > 128, np.uint8(255), np.uint8(0))
        miniatures.write(tmp_path / "masks" / f"{i}.png", grey)
    argv = ["irregular_masks", f"--source={tmp_path / 'masks'}", "--size=64", f"--data_dir={tmp_path / 'out'}"]
    assert main(argv) == 0
    assert usage(log)[0] == "--config.holes.name=irregular_masks"


@pytest.mark.parametrize("argument", ["--size=32", "--size=2048", "--jobs=0"])
def test_numbers_out_of_range(argument, tmp_path, capsys):
    flag, _, value = argument.partition("=")
    words = [f"{flag} must be {'positive' if flag == '--jobs' else 'from 64 to 1024'}", value]
    refused(photo_folder(tmp_path / "faces", argument), words, capsys, tmp_path / "out")


def test_bad_sources_are_one_line(tmp_path, capsys):
    folder, archive = faces(tmp_path / "faces"), tmp_path / "faces.zip"
    members = {"a.png": b"x", "../../evil.png": b"x"}
    (tmp_path / "empty").mkdir()
    for source, words in (
        (miniatures.write_members(archive, members), ["'../../evil.png'", "leads out of it"]),
        (miniatures.write_members(tmp_path / "x.tar.gz", {}), ["x.tar.gz cannot be read piece by piece: unpack it"]),
        (tmp_path / "empty", ["no images"]),
        (tmp_path / "nowhere", ["nothing at", "nowhere"]),
    ):
        refused(["photo_folder", f"--source={source}", "--size=64"], words, capsys, tmp_path / "out")
    assert not list(tmp_path.parent.rglob("evil.png"))
    miniatures.truncate(miniatures.write_zip(archive, folder))
    words = ["faces.zip is damaged or not wholly there"]
    refused(["photo_folder", f"--source={archive}", "--size=64"], words, capsys, tmp_path / "out")


def test_broken_photographs_are_one_line(tmp_path, capsys):
    argv = photo_folder(tmp_path / "faces")
    miniatures.truncate(tmp_path / "faces" / "03.png")
    refused(argv, ["1 file does not decode: 03.png (", "--allow_missing=1"], capsys, tmp_path / "out")
    miniatures.empty(tmp_path / "faces" / "04.png")
    miniatures.write_bomb(tmp_path / "faces" / "05.png")
    (tmp_path / "faces" / "06.png").write_text("<html>404</html>")
    words = ["04.png (the file is empty)", "05.png (", "06.png (it is no image, ", "--allow_missing=4"]
    refused(argv, ["4 files do not decode: ", "03.png (", *words], capsys, tmp_path / "out")


def test_ctrl_c_says_how_to_go_on(tmp_path, capsys, log, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    argv = photo_folder(tmp_path / "faces", f"--data_dir={tmp_path / 'out'}")
    with monkeypatch.context() as patched:
        patched.setattr(building, "make_shards", interrupt)
        assert main(argv) == 130
    assert "run the same command again" in log.text
    assert "Traceback" not in capsys.readouterr().err
    assert main(argv) == 0


def test_the_papers_counts_are_asked_for(tmp_path, capsys):
    miniatures.write_photographs(tmp_path / "some", ["0.png", "1.png", "28000.png"], 64)
    words = ["29,997 of 30,000 photographs are missing: 2-27999, 28001-29999;", "--allow_missing=29997"]
    refused(["celeba_hq", f"--source={tmp_path / 'some'}", "--size=64"], words, capsys, tmp_path / "out")
    assert celeba_hq.COUNT == 30_000
