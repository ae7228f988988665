"""JSON files of run folders and bundles that somebody edited: one line names file and key, nothing is written."""

import functools
import json
import shutil

import pytest
from PIL import Image
from small_networks import PLAIN, small_trained
from tiny_demo import TINY, error_of, write_run

from scan_jax.commands import evaluate, export, inpaint, replay, train
from scan_jax.inference.bundles import exporting

DEEP = "[" * 100_000


def without(section, key, config):
    return {**config, section: {name: value for name, value in config[section].items() if name != key}}


def having(section, key, value, config):
    return {**config, section: {**config.get(section, {}), key: value}}


def put(key, value, config):
    return {**config, key: value}


def cut(config):
    return json.dumps(config)[:40]


SIZE, METHOD = functools.partial(having, "data", "size"), functools.partial(having, "method")
EDITS = {  # what becomes of a config: what the line says of it besides the file
    "cut short": (cut, "is damaged"),
    "no sections": (lambda config: "3", "is damaged (it holds no names)"),
    "deep": (lambda config: DEEP, "is damaged"),
    "below 1": (functools.partial(SIZE, -3), "config.data.size must be from 1 to 65536, not -3"),
    "zero": (functools.partial(SIZE, 0), "config.data.size must be from 1 to 65536, not 0"),
    "huge": (functools.partial(SIZE, 10**30), "config.data.size must be from 1 to 65536"),
    "list": (functools.partial(SIZE, [32]), "config.data.size must be int, not [32] (list)"),
    "text": (functools.partial(SIZE, "32"), "config.data.size must be int, not '32' (str)"),
    "null": (functools.partial(SIZE, None), "config.data.size must be int, not None"),
    "NaN": (functools.partial(SIZE, float("nan")), "config.data.size must be int, not nan"),
    "no size": (functools.partial(without, "data", "size"), "config.data.size is missing"),
    "no name": (functools.partial(without, "method", "name"), "config.method.name has no ''"),
    "no section": (functools.partial(put, "data", []), "config.data must be a section of keys, not []"),
    "no method": (functools.partial(put, "method", None), "config.method must be a section of keys, not None"),
    "unknown": (functools.partial(METHOD, "widht", 3), "config.method.widht, did you mean 'width'"),
    "list of the method": (functools.partial(METHOD, "width", [4]), "config.method.width must be int, not [4]"),
    "infinite weight": (functools.partial(METHOD, "loss", {"l1": 1e400}), "config.method.loss.l1 must be at least 0"),
    "refine": (
        functools.partial(having, "evaluation", "refine", 3),
        "config.evaluation.refine must be tuple",
    ),
    "augmentation": (functools.partial(put, "augmentation", "x"), "config.augmentation must be a section of keys"),
    "place": (functools.partial(having, "training", "checkpoints", 3), "config.training.checkpoints must be str"),
    "step": (functools.partial(having, "exported", "step", "7"), "config.exported.step must be int, not '7'"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    exporting.export(small_trained(PLAIN), folder / "bundle", platforms=())
    return {"run": write_run(folder / "run", {2: 20.0}), "bundle": folder / "bundle"}


@pytest.fixture
def doors(tmp_path):
    """The commands that read a folder, each with all that it needs besides."""
    hole = Image.new("L", (40, 40), 0)
    hole.paste(255, (9, 9, 20, 20))
    for name, image in (("photo.png", Image.new("RGB", (40, 40), 9)), ("hole.png", hole)):
        image.save(tmp_path / name)
    files = (tmp_path / "photo.png", tmp_path / "hole.png", f"--out={tmp_path / 'out.png'}")

    def through(folder):
        yield error_of(inpaint.main, f"--run={folder}", *files)
        yield error_of(evaluate.main, f"--run={folder}", f"--out={tmp_path / 'table'}")
        yield error_of(export.main, f"--run={folder}", f"--out={tmp_path / 'bundle2'}", "--no_stablehlo")

    return through


@pytest.mark.parametrize("kind", ["run", "bundle"])
@pytest.mark.parametrize(("edit", "says"), EDITS.values(), ids=EDITS)
def test_an_edited_config_is_one_line_of_every_command(kind, edit, says, whole, doors, tmp_path):
    folder = shutil.copytree(whole[kind], tmp_path / kind)
    edited = edit(json.loads((folder / "config.json").read_text()))
    (folder / "config.json").write_text(edited if isinstance(edited, str) else json.dumps(edited))
    before = sorted(tmp_path.rglob("*"))
    for line in doors(folder):
        assert line.startswith(f"error: {folder / 'config.json'}") and says in line
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [("data", "count", "8"), ("data", "coutn", 8), ("holes", "ratio", [0.5, 0.1]), ("evaluation", "edges", [0.5])],
)
def test_an_edited_test_of_a_run_is_one_line(section, key, value, whole, tmp_path):
    folder = shutil.copytree(whole["run"], tmp_path / "run")
    config = having(section, key, value, json.loads((folder / "config.json").read_text()))
    (folder / "config.json").write_text(json.dumps(config))
    line = error_of(evaluate.main, f"--run={folder}", f"--out={tmp_path / 'table'}")
    assert f"{folder / 'config.json'}: " in line and f"config.{section}.{key}" in line
    assert not (tmp_path / "table").exists()


def test_a_bundle_without_its_arrays_is_no_run_to_train(whole, doors, tmp_path):
    folder = shutil.copytree(whole["bundle"], tmp_path / "bundle")
    (folder / "model.safetensors").unlink()
    for line in doors(folder):
        assert "there is no file" in line and "model.safetensors; get the bundle anew" in line


INCIDENT = {"step": 3, "reason": "nan", "scalars": {"loss": "nan", "a": -1.0}, "photographs": ["a"], "restored": 2}
INCIDENT |= {"first_batch": 2, "passed_over": 3}


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("config.json", "{", "config.json is damaged"),
        ("config.json", "[]", "config.json is damaged (it holds no names)"),
        ("versions.json", "{", "versions.json is damaged"),
        ("versions.json", "{}", "versions.json.starts is missing"),
        ("versions.json", '{"starts": 3}', "versions.json.starts must be tuple[Mapping, ...], not 3"),
        ("versions.json", '{"starts": [["jax"]]}', "versions.json.starts[0] must be a section of keys"),
        ("versions.json", '{"starts": [{"jax": null}]}', "versions.json.starts[0].jax must be str, not None"),
        ("data.json", "[]", "data.json is damaged (it holds no names)"),
        ("data.json", "null", "data.json is damaged"),
        ("incidents.json", "3", "incidents.json is damaged"),
        ("incidents.json", json.dumps([INCIDENT | {"step": "3"}]), "incident.step must be int"),
        ("incidents.json", json.dumps([INCIDENT | {"restored": None}]), "incident.restored must be int"),
        ("incidents.json", json.dumps([INCIDENT | {"wrong": 1}]), "incident.wrong"),
    ],
)
def test_a_run_does_not_go_on_over_an_edited_file(name, content, says, whole, tmp_path):
    folder = shutil.copytree(whole["run"], tmp_path / "run")
    (folder / name).write_text(content)
    line = error_of(train.main, "--config=configs/demo.py", *TINY, f"--workdir={folder}")
    assert str(folder / name) in line and says in line
    assert (folder / name).read_text() == content


def test_an_incident_as_it_was_written_is_read(whole, tmp_path):
    folder = shutil.copytree(whole["run"], tmp_path / "run")
    (folder / "incidents.json").write_text(json.dumps([INCIDENT]))
    assert "--incident must be from 1 to 1" in error_of(replay.main, f"--run={folder}", "--incident=2")
