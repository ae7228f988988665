"""`python -m scan_jax inpaint`, from flags to file."""

import json

import cv2
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import scan_jax
from scan_jax.commands import inpaint
from scan_jax.core.types import Prediction
from scan_jax.inference import inpainter, request, tiling, trained
from scan_jax.methods.api import Variables

LEVEL = Variables({"generator": {"level": np.float32(0.4)}}, {"generator": {}})


class Grey:
    stride, num_labels = 4, 0
    refiners, maps, styles = {}, {}, None

    def init(self, rng, example):
        return LEVEL

    def predict(self, variables, observation, rng):
        return Prediction(jnp.full_like(observation.image, variables.params["generator"]["level"]))


class Painted(Grey):
    num_labels = 6

    def predict(self, variables, observation, rng):
        labels = observation.labels[..., None].astype(jnp.float32) / 10  # [B,H,W,1]
        return Prediction(jnp.broadcast_to(labels, observation.image.shape))


@pytest.fixture
def run(stand_in):
    return stand_in(Grey(), LEVEL, 16)


@pytest.fixture
def painted(stand_in):
    return stand_in(Painted(), LEVEL, 16)


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    pixels, hole = rng.integers(0, 256, (29, 41, 4), np.uint8), rng.random((29, 41)) < 0.4
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    Image.fromarray(hole).save(tmp_path / "hole.png")
    return tmp_path, pixels, hole


def command(run, folder, *more, hole="hole.png", out="filled.png"):
    return inpaint.main([f"--run={run}", str(folder / "photo.png"), str(folder / hole), f"--out={folder / out}", *more])


@pytest.mark.parametrize("color", ["white", "black"])
def test_fills_the_hole_and_keeps_everything_else(run, files, color, caplog):
    folder, pixels, hole = files
    hole = hole if color == "white" else ~hole
    assert command(run, folder, f"--hole_color={color}") == 0
    with Image.open(folder / "filled.png") as image:
        filled = np.asarray(image)
    assert filled.shape == pixels.shape
    np.testing.assert_array_equal(filled[~hole], pixels[~hole])
    assert (filled[hole][:, 3] == 255).all()  # what is painted can be seen
    inner = hole.copy()
    inner[1:-1, 1:-1] &= hole[:-2, 1:-1] & hole[2:, 1:-1] & hole[1:-1, :-2] & hole[1:-1, 2:]
    assert inner.any() and np.any(filled[inner][:, :3] != pixels[inner][:, :3])
    assert "step 12" in caplog.text and "parameters " in caplog.text


def errors(capsys):
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), lines
    return lines[0]


def test_errors_are_one_line_and_write_nothing(run, files, tmp_path, capsys):
    folder, _, hole = files
    Image.fromarray(hole[:-1]).save(folder / "small.png")
    before = {path: path.read_bytes() for path in folder.glob("*.png")}
    for given, flags, message, changes in (
        (run, [], "the photograph is 41x29 pixels, the hole 41x28", {"hole": "small.png"}),
        (run, [], "none.png", {"hole": "none.png"}),
        (tmp_path / "nowhere", [], "no run folder", {}),
        (run, [], "must end in", {"out": "filled.gif"}),
        (run, [], "would be written over", {"out": "photo.png"}),
        (run, [], "would be written over", {"out": "hole.png"}),
        (run, ["--format=png"], "--format is for folders", {}),
        (run, ["--batch_size=2"], "--batch_size is for folders", {}),
        (run, ["--batch_size=0"], "--batch_size is a whole number from 1 on", {}),
        (run, ["--summary=told.txt"], "end its name in .json", {}),
        (run, [f"--style_from={folder}/photo.png"], "--style_from and --style_labels go together", {}),
    ):
        assert command(given, folder, *flags, **changes) == 1
        assert message in errors(capsys)
    with pytest.raises(SystemExit) as end:
        command(run, folder, "--strategy=some")
    assert end.value.code == 2 and inpaint.STRATEGIES == tiling.STRATEGIES
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        command(run, folder, "--feather=8")
    assert end.value.code == 2 and "it was replaced by --blend" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.glob("*.png")} == before and not list(folder.glob("filled*"))


def test_labels_from_a_file_colour_the_hole(painted, files):
    folder, pixels, _ = files
    hole = np.zeros((29, 41), bool)
    hole[4:-4, 4:-4] = True
    Image.fromarray(hole).save(folder / "hole.png")
    Image.fromarray(np.full((29, 41), 5, np.uint8)).save(folder / "labels.png")
    Image.fromarray(np.full((58, 82), 5, np.uint8)).save(folder / "twice.png")
    for labels in ([f"--labels={folder / 'labels.png'}"], [f"--labels={folder / 'twice.png'}", "--resize_labels"]):
        assert command(painted, folder, "--blend=none", *labels) == 0
        filled = np.asarray(Image.open(folder / "filled.png"))
        np.testing.assert_array_equal(filled[~hole], pixels[~hole])
        assert np.all(np.abs(filled[12:-12, 12:-12, :3] - 127.5) < 1)  # far from the known pixels, which are blended in
        (folder / "filled.png").unlink()


def test_bad_label_maps_are_one_line(painted, files, capsys):
    folder, pixels, _ = files
    labels = np.full((29, 41), 5, np.uint8)
    for name, array in (("small", labels[:20]), ("seven", labels + 2), ("colour", pixels[..., :3]), ("tall", labels.T)):
        Image.fromarray(array).save(folder / f"{name}.png")
    for flags, message in (
        ([], "needs a label map of 6 classes; give --labels="),
        (["small"], "the photograph is 41x29 pixels, the label map 41x20"),
        (["tall", "--resize_labels"], "tall.png is 29x41, its photograph 41x29: their proportions differ"),
        (["seven"], "seven.png has the label 7, but 6 classes"),
        (["colour"], "colour.png is a colour image (RGB), but a pixel's value must be its class"),
        (["absent"], "absent.png: there is no such file"),
    ):
        assert command(painted, folder, *(f"--labels={folder / name}.png" for name in flags[:1]), *flags[1:]) == 1
        assert message in errors(capsys)
    assert not list(folder.glob("filled*"))


def test_a_run_without_a_checkpoint_is_refused(run, files, capsys, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(trained.api, "build_method", lambda section: Grey())
    assert command(run, files[0]) == 1
    assert "no checkpoint yet" in errors(capsys)
    (run / "config.json").write_text('{"method": {"name": "stand_in"}}')
    assert command(run, files[0]) == 1
    assert "data.size" in errors(capsys)


def test_the_package_offers_the_inpainter_when_asked(run):
    assert scan_jax.Inpainter is inpainter.Inpainter and scan_jax.Inpainter.load(run).step == 12
    with pytest.raises(AttributeError, match="no attribute 'Outpainter'"):
        _ = scan_jax.Outpainter


@pytest.fixture
def folders(tmp_path):
    """Five photographs of three formats and several sizes, with holes; one photograph is damaged."""
    rng = np.random.default_rng(1)
    for number, name in enumerate(("a.png", "b.jpg", "deep/c.webp", "d.bmp", "e.png")):
        shape = (20 + 3 * number, 31 + number)
        photograph = tmp_path / "photographs" / name
        hole = (tmp_path / "holes" / name).with_suffix(".png")
        photograph.parent.mkdir(parents=True, exist_ok=True)
        hole.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*shape, 3), np.uint8)).save(photograph)
        Image.fromarray(rng.random(shape) < 0.3).save(hole)
    damaged = tmp_path / "photographs/e.png"
    damaged.write_bytes(damaged.read_bytes()[:100])
    return tmp_path


def fill_folders(run, folders, *more, photographs="photographs", holes="holes"):
    given = [str(folders / name) for name in (photographs, holes) if name]
    return inpaint.main([f"--run={run}", *given, f"--out={folders / 'out'}", *more])


def written(folders):
    out = folders / "out"
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


def test_folders(run, folders, capsys, caplog):
    summary = folders / "told" / "summary.json"
    assert fill_folders(run, folders, "--batch_size=3", f"--summary={summary}", "--blend=none") == 3  # one is damaged
    assert written(folders) == ["a.png", "b.jpg", "d.png", "deep/c.webp"]
    assert "e.png: cannot read the photograph" in capsys.readouterr().err
    assert "filled 4 of 5 photographs" in caplog.text and "1 failed" in caplog.text
    for name, output in (("a.png", "a.png"), ("d.bmp", "d.png"), ("deep/c.webp", "deep/c.webp")):
        before, after = (np.asarray(Image.open(folders / path)) for path in (f"photographs/{name}", f"out/{output}"))
        hole = np.asarray(Image.open((folders / "holes" / name).with_suffix(".png")))
        np.testing.assert_array_equal(after[~hole], before[~hole])
        assert np.any(after[hole] != before[hole])
    told = json.loads(summary.read_text())
    assert told["network"]["step"] == 12 and len(told["network"]["parameters"]) == 64
    assert told["network"]["method"] == "stand_in" and told["wishes"]["blend"] == "none"
    assert told["totals"]["filled"] == 4 and told["totals"]["exit_code"] == 3
    assert [entry["strategy"] for entry in told["photographs"]][:2] == ["the whole photograph"] * 2
    together = {name: (folders / "out" / name).read_bytes() for name in written(folders)}
    fill_folders(run, folders, "--blend=none")
    assert together == {name: (folders / "out" / name).read_bytes() for name in written(folders)}


def test_a_stopped_run_goes_on(run, folders, monkeypatch, capsys):
    def stop(*given):
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr("scan_jax.inference.inpainter.Inpainter.fill", stop)
        assert fill_folders(run, folders, f"--summary={folders / 'summary.json'}") == 130
    assert json.loads((folders / "summary.json").read_text())["totals"]["not_reached"] == 5
    assert fill_folders(run, folders) == 3
    times = {name: (folders / "out" / name).stat().st_mtime_ns for name in written(folders)}
    (folders / "out/b.jpg").unlink()
    assert fill_folders(run, folders, "--keep_existing") == 3
    again = {name: (folders / "out" / name).stat().st_mtime_ns for name in written(folders)}
    assert {name for name in times if again[name] != times[name]} == {"b.jpg"}


def test_a_dry_run_shows_everything_and_writes_nothing(run, folders, capsys, tmp_path):
    def dry(*more, **others):
        code = fill_folders(tmp_path / "no_run_is_needed", folders, "--dry_run", *more, **others)
        captured = capsys.readouterr()
        return code, captured.out.strip().splitlines(), captured.err.strip()

    code, lines, error = dry()
    holes, out = folders / "holes", folders / "out"
    assert code == 3 and not error and not out.exists()
    share = 100 * np.asarray(Image.open(holes / "a.png")).mean()
    assert lines[0] == f"a.png 31x20, hole {holes}/a.png {share:.1f}% -> {out}/a.png"
    assert lines[3].startswith("deep/c.webp 33x26") and lines[2].endswith(f"-> {out}/d.png")
    assert lines[4].startswith("e.png: cannot be filled: cannot read the photograph")
    assert lines[-1] == "5 photographs, 5 holes, 0 unmatched; 1 cannot be filled; nothing was written"

    (holes / "a.png").rename(holes / "z.png")
    code, lines, error = dry()
    assert code == 1 and "5 photographs, 5 holes, 2 unmatched: a.png (no hole), z.png (a hole" in error
    assert lines[0].startswith("b.jpg"), "what matches is shown before"
    assert fill_folders(run, folders) == 1 and "--allow_unmatched" in errors(capsys) and not out.exists()
    code, _, error = dry("--allow_unmatched")
    assert code == 3 and not error
    (folders / "photographs/e.png").unlink()
    (holes / "e.png").unlink()
    assert dry("--allow_unmatched")[0] == 0
    (folders / "nothing").mkdir()
    code, _, error = dry(photographs="nothing")
    assert code == 1 and error.startswith("error: 0 photographs in ")
    assert fill_folders(run, folders, photographs="nothing") == 1


def test_one_folder_with_a_suffix(run, folders, capsys):
    for hole in list((folders / "holes").rglob("*.png")):
        to = folders / "photographs" / hole.relative_to(folders / "holes")
        hole.rename(to.with_name(f"{to.stem}_mask001.png"))
    assert fill_folders(run, folders, "--hole_suffix=_mask", "--format=png", holes=None) == 3
    assert written(folders) == ["a.png", "b.png", "d.png", "deep/c.png"]
    assert fill_folders(run, folders, holes=None) == 1
    assert "--hole_suffix=_mask where holes lie beside the photographs" in capsys.readouterr().err
    single = [f"--run={run}", str(folders / "photographs/a.png"), "--hole_suffix=_mask", f"--out={folders}/one.png"]
    assert inpaint.main(single) == 0
    assert (folders / "one.png").read_bytes() == (folders / "out/a.png").read_bytes()


def test_label_maps_in_a_folder(painted, folders, capsys):
    assert fill_folders(painted, folders) == 1
    assert "needs label maps of 6 classes; give --labels=FOLDER" in errors(capsys)
    for hole in list((folders / "holes").rglob("*.png")):
        labels = folders / "labels" / hole.relative_to(folders / "holes")
        labels.parent.mkdir(parents=True, exist_ok=True)
        height, width = np.asarray(Image.open(hole)).shape
        Image.fromarray(np.full((2 * height, 2 * width), 5, np.uint8)).save(labels)
    Image.fromarray(np.full((9, 9), 7, np.uint8)).save(folders / "labels/b.png")
    code = fill_folders(painted, folders, f"--labels={folders / 'labels'}", "--resize_labels")
    assert code == 3 and written(folders) == ["a.png", "d.png", "deep/c.webp"]
    assert "b.jpg: the label map" in (said := capsys.readouterr().err) and "has the label 7, but 6 classes" in said


def test_folders_are_not_written_over_or_searched_in_batches(run, folders, capsys):
    before = {path: path.read_bytes() for path in folders.rglob("*.*")}
    same = [str(folders / "photographs"), str(folders / "holes"), f"--out={folders / 'photographs'}"]
    assert inpaint.main([f"--run={run}", *same]) == 1
    assert "is a folder of what is read" in errors(capsys)
    assert fill_folders(run, folders, "--batch_size=2", "--style_steps=3") == 1
    assert "one photograph at a time" in errors(capsys)
    assert {path: path.read_bytes() for path in folders.rglob("*.*")} == before


def test_one_photograph_has_a_summary_and_a_dry_run_too(run, files, capsys):
    folder, _, hole = files
    assert command(run, folder, "--dry_run") == 0 and not (folder / "filled.png").exists()
    assert f"photo.png 41x29, hole {folder}/hole.png {100 * hole.mean():.1f}%" in capsys.readouterr().out
    assert command(run, folder, f"--summary={folder / 'summary.json'}", "--strategy=whole") == 0
    (entry,) = json.loads((folder / "summary.json").read_text())["photographs"]
    assert entry["status"] == "filled" and entry["output"] == str(folder / "filled.png")
    before = (folder / "filled.png").stat().st_mtime_ns
    assert command(run, folder, "--keep_existing") == 0 and (folder / "filled.png").stat().st_mtime_ns == before


def test_files_are_read_and_windows_planned_once(run, files, monkeypatch):
    folder, calls = files[0], []

    def counted(module, name):
        function = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given: calls.append(name) or function(*given))

    counted(tiling, "plan")
    counted(request, "read_photograph")
    counted(request, "read_hole")
    assert command(run, folder) == 0
    assert sorted(calls) == ["plan", "read_hole", "read_photograph"]


def test_photographs_without_a_hole_are_copied_and_counted_apart(run, folders, caplog, capsys):
    Image.fromarray(np.zeros((23, 32), np.uint8)).save(folders / "holes/b.png")
    summary = folders / "summary.json"
    assert fill_folders(run, folders, "--dry_run") == 3
    assert f"b.jpg 32x23, hole {folders}/holes/b.png empty, nothing to fill -> " in capsys.readouterr().out
    assert fill_folders(run, folders, "--batch_size=2", f"--summary={summary}") == 3  # one is damaged
    assert (folders / "out/b.jpg").read_bytes() == (folders / "photographs/b.jpg").read_bytes()
    assert "filled 3 of 5 photographs in " in caplog.text and "; 1 had nothing to fill; 1 failed" in caplog.text
    told = json.loads(summary.read_text())
    assert {"filled": 3, "nothing_to_fill": 1, "failed": 1}.items() <= told["totals"].items()
    entry = told["photographs"][1]
    assert entry["status"] == "nothing_to_fill" and "there is no hole" in entry["warnings"][0]


def test_no_hole_and_all_hole(run, files, caplog):
    folder, pixels, hole = files
    for name, value in (("none", 0), ("all", 255)):
        Image.fromarray(np.full(hole.shape, value, np.uint8)).save(folder / f"{name}.png")
    summary = folder / "summary.json"
    assert command(run, folder, f"--summary={summary}", hole="none.png") == 0 and "there is no hole" in caplog.text
    (entry,) = json.loads(summary.read_text())["photographs"]
    assert "there is no hole" in entry["warnings"][0] and entry["strategy"] == "nothing, there is no hole"
    assert (folder / "filled.png").read_bytes() == (folder / "photo.png").read_bytes()
    np.testing.assert_array_equal(np.asarray(Image.open(folder / "filled.png")), pixels)
    assert command(run, folder, hole="all.png") == 0 and "everything in the answer is invented" in caplog.text
    assert np.asarray(Image.open(folder / "filled.png")).shape == pixels.shape


def test_sixteen_bits_survive_the_command(run, tmp_path):
    deep = np.random.default_rng(3).integers(0, 65536, (29, 41, 3), np.uint16)
    hole = np.zeros((29, 41), np.uint8)
    hole[5:20, 7:30] = 255
    cv2.imwrite(str(tmp_path / "photo.png"), deep)
    cv2.imwrite(str(tmp_path / "hole.png"), hole)
    assert command(run, tmp_path) == 0
    filled = cv2.imread(str(tmp_path / "filled.png"), cv2.IMREAD_UNCHANGED)
    assert filled.dtype == np.uint16
    np.testing.assert_array_equal(filled[hole == 0], deep[hole == 0])
    assert np.all(filled[hole > 0] % 257 == 0)


def test_help_says_the_defaults_that_there_are(capsys):
    with pytest.raises(SystemExit):
        inpaint.parse(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for part in (
        "patchmatch (a folder: ./NAME) (open)",
        "what marks the hole (white)",
        "at random (0)",
        "the other's (1.0)",
    ):
        assert part in text, part
    assert "(False)" not in text and "(None)" not in text and "()" not in text and "([])" not in text
