"""Folders of photographs: what is found, split, skipped and refused."""

import logging

import cloudpickle
import miniatures
import numpy as np
import pytest

from scan_jax.core.errors import UserError
from scan_jax.core.split_folders import evenly_spaced
from scan_jax.data import photo_folder
from scan_jax.data.api import PhotoSource, open_data
from scan_jax.data.files import File
from scan_jax.data.photo_folder import list_photographs, without_label_maps


def write_photo(path, level=0):
    miniatures.write(path, np.full((12, 16, 3), level, np.uint8))


def write_photos(folder, count):
    for i in range(count):
        write_photo(folder / f"{i:04d}.png", i % 256)
    return folder


def break_photo(path):
    path.write_bytes(path.read_bytes()[:50])


def open_folder(path, **settings):
    return open_data({"name": "photo_folder", "path": str(path), "size": 8, **settings})


def refused(match, path, **settings):
    with miniatures.refuses(match):
        open_folder(path, **settings)


def names(source):
    return [source.title(i) for i in range(len(source))]


def test_photographs_are_found_at_any_depth_in_any_case(tmp_path, caplog):
    for name in ("b.JPG", "a/z.jpeg", "a/B/c.PnG", "d.webp", ".hidden.png", ".trash/e.png", "f.tiff"):
        write_photo(tmp_path / name)
    (tmp_path / "notes.txt").write_text("")
    assert [file.name for file in list_photographs(tmp_path)] == ["a/B/c.PnG", "a/z.jpeg", "b.JPG", "d.webp", "f.tiff"]
    assert "convert them" not in caplog.text
    for name in ("g.bmp", "h.tif", "i.jfif", "j.avif", "k.gif", "l.pGm", "m.ppm", "n.CR2", "o.ppm"):
        (tmp_path / "kinds" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "kinds" / name).write_bytes(b"")
    found = [file.name for file in list_photographs(tmp_path / "kinds")]
    assert found == ["g.bmp", "h.tif", "i.jfif", "j.avif", "k.gif"]
    assert "left out 4 pictures in " in caplog.text
    assert "not read here: 2 .ppm, 1 .pgm, 1 .cr2, such as l.pGm, m.ppm, n.CR2; convert them to png" in caplog.text
    (tmp_path / "one").mkdir()
    for name in ("a.ppm", "b.png"):
        (tmp_path / "one" / name).touch()
    list_photographs(tmp_path / "one")
    assert "left out 1 picture in " in caplog.text
    write_photo(tmp_path / "elsewhere" / "a.png")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "photos")
    assert [file.name for file in list_photographs(tmp_path / "photos")] == ["link/a.png"]


def test_a_photograph_is_a_square_of_bytes_that_nobody_writes_to(tmp_path):
    source = open_folder(write_photos(tmp_path, 20)).train
    image = source[3]["image"]
    assert (image.shape, image.dtype) == ((8, 8, 3), np.uint8)
    assert set(source[3]) == {"image"}
    assert (image == int(names(source)[3][:4])).all()
    assert source[3]["image"] is image
    with pytest.raises(ValueError, match="read-only"):
        image[:] = 0
    folder = write_photos(tmp_path / "photos", 4)
    without, with_one = open_folder(folder), open_folder(folder, labels="one")
    assert (without.train.num_labels, with_one.train.num_labels) == (0, 1)
    assert set(without.train[0]) == {"image"}
    labels = with_one.held_out[0]["labels"]
    assert labels.shape == (8, 8) and labels.dtype == np.uint8 and not labels.any()
    assert with_one.train.digest == without.train.digest, "the photographs are the same"
    refused(r"config\.data\.labels must be one of \('none', 'one'\)", folder, labels="two")


def test_memory_is_bounded_makes_what_it_did_not_keep_and_is_sent_empty():
    made = []

    def make(index):
        made.append(index)
        return {"image": np.full((2, 2, 3), index, np.uint8)}

    memory = PhotoSource("", "", range(3), make, max_bytes=30)  # two photographs of 12 bytes
    for index in (0, 1, 2, 0, 1, 2):
        assert (memory[index]["image"] == index).all()
    assert made == [0, 1, 2, 2]
    sent = cloudpickle.loads(cloudpickle.dumps(memory))
    assert (sent._photos, sent._room) == ({}, 30)


def test_a_tenth_at_most_is_set_aside_and_never_trained_on(tmp_path):
    splits = open_folder(write_photos(tmp_path, 60))
    train, held_out = names(splits.train), names(splits.held_out)
    assert (len(train), len(held_out)) == (54, 6)
    assert sorted(train + held_out) == [f"{i:04d}.png" for i in range(60)]
    assert (train, held_out) == (sorted(train), sorted(held_out))
    assert held_out != [f"{i:04d}.png" for i in range(6)]
    assert len(open_folder(tmp_path, held_out=4).held_out) == 4
    before = set(names(open_folder(tmp_path, held_out=3).held_out))
    write_photos(tmp_path, 70)  # the split stays put when some are added
    assert len(before & set(names(open_folder(tmp_path, held_out=3).held_out))) >= 2


@pytest.mark.parametrize(
    ("names_of_others", "two_values", "doubt", "only"),
    [
        ("x/{}.mask.png", False, r"x/0\.jpg and x/0\.mask\.png have one name", "*.jpg"),
        ("x/{}.png", False, r"x/0\.jpg and x/0\.png have one name", "X/*.jpg"),
        ("masks/{}.png", False, r"10 of 20 images are masks by their folder, such as masks/0\.png", "x/*"),
        ("other/{}.png", True, r"10 of 20 images hold two values only, .* such as other/0\.png", "x*"),
    ],
)
def test_masks_and_label_maps_among_photographs_are_doubted(names_of_others, two_values, doubt, only, tmp_path):
    pixels = np.where(np.eye(16), 0, 255).astype(np.uint8) if two_values else miniatures.photograph(0, 16)
    for i in range(10):
        miniatures.write(tmp_path / "x" / f"{i}.jpg", miniatures.photograph(i, 16))
        miniatures.write(tmp_path / names_of_others.format(i), pixels)
    refused(rf"{doubt}.*say which are photographs: --config\.data\.only=", tmp_path)
    for pattern, count in ((only, 10), ("*", 20)):
        splits = open_folder(tmp_path, only=pattern)
        assert len(splits.train) + len(splits.held_out) == count
    refused(r"--config\.data\.only=y/\* is the name of none of 20 images in .*, such as", tmp_path, only="y/*")


def test_dots_in_names_and_few_masks_are_no_doubt(tmp_path, caplog):
    for i in range(40):
        miniatures.write(tmp_path / f"IMG.{i:04d}.png", miniatures.photograph(i, 16))
    for i in range(4):
        miniatures.write(tmp_path / f"{i}.png", np.where(np.eye(16), 0, 255).astype(np.uint8))
    with caplog.at_level(logging.INFO):
        assert len(open_folder(tmp_path, held_out=8).held_out) == 4
    assert "4 of 44 photographs are set aside to measure on, not 8: a tenth is the most" in caplog.text


def test_small_folders_hold_one_out_if_they_can(tmp_path):
    refused("nothing to measure on", write_photos(tmp_path, 1))
    splits = open_folder(write_photos(tmp_path, 2))
    assert (len(splits.train), len(splits.held_out)) == (1, 1)
    refused("nothing to measure on", write_photos(tmp_path, 20), held_out=0)


@pytest.mark.parametrize(("held_out", "expected"), [(0, 7), (500, 7), (3, 3)])
def test_another_folder_is_held_out(held_out, expected, tmp_path):
    write_photos(tmp_path / "a", 9), write_photos(tmp_path / "b", 7)
    splits = open_folder(tmp_path / "a", held_out_path=str(tmp_path / "b"), held_out=held_out)
    assert (len(splits.train), len(splits.held_out)) == (9, expected)
    assert names(splits.held_out)[0] == "0000.png"
    assert evenly_spaced(list(range(10)), 4) == [0, 2, 5, 7]
    assert evenly_spaced(list(range(3)), 5) == [0, 1, 2]


def test_a_held_out_folder_inside_the_other_is_not_trained_on(tmp_path):
    write_photos(tmp_path / "test", 4), write_photos(tmp_path / "train", 6)
    splits = open_folder(tmp_path, held_out_path=str(tmp_path / "test"), held_out=2)
    assert names(splits.train) == [f"train/{i:04d}.png" for i in range(6)]
    refused("held out as well", tmp_path, held_out_path=str(tmp_path))


@pytest.mark.parametrize(
    ("folders", "held_out"),
    [
        (("train", "valid"), "valid"),
        (("data_large", "val_large", "test_large"), "val_large"),
        (("train2017", "test2017"), "test2017"),
        (("set/DIV2K_train_HR", "set/DIV2K_valid_HR"), "set/DIV2K_valid_HR"),
    ],
)
def test_folders_that_are_a_split_stay_one(folders, held_out, tmp_path, caplog):
    for folder in folders:
        write_photos(tmp_path / folder, 4)
    with caplog.at_level(logging.INFO):
        splits = open_folder(tmp_path)
    assert names(splits.train) == [f"{folders[0]}/{i:04d}.png" for i in range(4)]
    assert names(splits.held_out) == [f"{held_out}/{i:04d}.png" for i in range(4)]
    assert "are the split: train 4, " in caplog.text
    assert len(open_folder(tmp_path, held_out=2).held_out) == 2
    write_photo(tmp_path / "cover.png")
    assert len(open_folder(tmp_path).held_out) == 1
    assert "1 file lies beside these, such as cover.png" in caplog.text


def test_folders_that_only_sound_like_a_split(tmp_path):
    for folder in ("train", "bicycle", "data_large", "contest"):
        write_photos(tmp_path / folder, 5)
    assert len(open_folder(tmp_path).held_out) == 2
    write_photos(tmp_path / "both" / "train_val", 10), write_photos(tmp_path / "both" / "test", 10)
    assert len(open_folder(tmp_path / "both").held_out) == 2


def test_missing_and_empty_folders_say_what_to_do(tmp_path):
    refused(r"config\.data\.path is not set.*--config\.data\.path=SOURCE", "")
    refused(r"config\.data\.path: nothing at .*nowhere", tmp_path / "nowhere")
    (tmp_path / "notes.json").write_text("")
    refused(r"config\.data\.path: no images .*; there: 1 \.json", tmp_path)
    for name, told in (
        ("faces.zip", r"faces\.zip is damaged or not wholly there \(0 bytes: .*download it again"),
        ("faces.txt", r"config\.data\.path: the list .*faces\.txt is empty"),
        ("faces.tar.gz", r"faces\.tar\.gz cannot be read piece by piece: unpack it"),
        ("faces.jpg", r"config\.data\.path: faces\.jpg is not a folder, a list"),
    ):
        (tmp_path / name).write_text("")
        refused(told, tmp_path / name)
        (tmp_path / name).unlink()
    write_photos(tmp_path, 3)
    refused(r"config\.data\.held_out_path: nothing at", tmp_path, held_out_path=str(tmp_path / "nowhere"))
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.jpg").write_text("no image")
    refused(r"none of the 1 files .*a\.jpg \(it is no image", tmp_path / "text")


def test_up_to_a_hundredth_broken_is_skipped_named_and_counted(tmp_path, caplog):
    write_photos(tmp_path, 199)
    break_photo(tmp_path / "0007.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with caplog.at_level(logging.INFO):
        splits = open_folder(tmp_path)
    assert len(splits.train) + len(splits.held_out) == 198
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert ["0007.png" in warned[0], "gone.png" in warned[1], len(warned)] == [True, True, 2]
    assert any("198 photographs, 2 broken" in record.getMessage() for record in caplog.records)
    for name in ("0123.png", "0150.png"):
        break_photo(tmp_path / name)
    refused(r"^4 of 200 files .*0007\.png.*0123\.png.*0150\.png(?!.*gone)", tmp_path)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Folders of fifty photographs are remembered here."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(photo_folder, "MANY", 50)
    return tmp_path / "cache"


def test_large_folders_are_verified_once(cache, tmp_path, monkeypatch, capsys):
    read = []
    monkeypatch.setattr(File, "verify", lambda file: read.append(file.name))
    folder = write_photos(tmp_path / "photos", 60)
    open_folder(folder)
    assert len(read) == 60
    assert "verifying photographs" in capsys.readouterr().err
    open_folder(folder)
    assert len(read) == 60
    write_photo(folder / "0003.png", 77)
    open_folder(folder)
    assert len(read) == 120


def test_what_was_broken_is_remembered_and_a_damaged_memory_is_not_believed(cache, tmp_path):
    folder = write_photos(tmp_path / "photos", 60)
    break_photo(folder / "0042.png")
    files = list_photographs(folder)
    found = photo_folder.find_broken(files, photo_folder.PhotoFolder(path="", size=8).verify, "")
    assert list(found) == ["0042.png"]
    assert photo_folder.find_broken(files, photo_folder.PhotoFolder(path="", size=8).verify, "") == found
    (memory,) = cache.rglob("*.json")
    memory.write_text('{"0042.p')
    assert photo_folder.find_broken(files, photo_folder.PhotoFolder(path="", size=8).verify, "") == found


def test_a_cache_that_cannot_be_written_only_costs_time(cache, tmp_path):
    cache.write_text("a file where a folder should be")
    assert len(open_folder(write_photos(tmp_path / "photos", 60)).train) == 54


def test_the_digest_follows_names_sizes_order_and_side(tmp_path):
    write_photos(tmp_path / "a", 20), write_photos(tmp_path / "b", 20)
    digest = open_folder(tmp_path / "a").train.digest
    assert digest == open_folder(tmp_path / "b").train.digest  # the same photographs elsewhere
    assert digest != open_folder(tmp_path / "a").held_out.digest
    assert digest != open_folder(tmp_path / "a", size=9).train.digest
    write_photo(tmp_path / "b" / "9999.png")
    assert digest != open_folder(tmp_path / "b").train.digest


def test_unknown_sources_and_keys_name_the_nearest(tmp_path):
    for section, match in (
        ({"name": "photo_foler"}, r"'photo_foler', did you mean 'photo_folder'\?.*synthetic_portraits"),
        ({"name": "decode"}, r"config\.data\.name has no"),
        ({"name": ""}, r"config\.data\.name has no"),
        ({"name": "no such.name"}, r"config\.data\.name has no"),
        ({"name": "photo_folder", "pth": "x", "size": 8}, r"config\.data\.pth, did you mean 'path'"),
    ):
        with pytest.raises(UserError, match=match):
            open_data(section)


def test_label_maps_beside_their_photographs_are_no_photographs(tmp_path):
    for name in ("a.jpg", "a_label.png", "b.png", "c_label.png", "d/a_label.png"):
        write_photo(tmp_path / name)
    kept = [file.name for file in without_label_maps(list_photographs(tmp_path))]
    assert kept == ["a.jpg", "b.png", "c_label.png", "d/a_label.png"]
