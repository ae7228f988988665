"""The notebooks: executed with short runs on little data, and stored without what executing leaves in them."""

import ast
import base64
import io
import json
import os
import re

import jax
import notebook_files
import numpy as np
import pytest
from notebook_files import ROOT, source
from PIL import Image
from small_networks import MASKED_ATTENTION, small_trained

from scan_jax.commands import cli, train
from scan_jax.core import config as configuration
from scan_jax.evaluation.run_pictures import read_scalars
from scan_jax.inference.bundles import exporting
from scan_jax.methods.api import build_method

NOTEBOOKS = {path.stem: path for path in notebook_files.paths()}
SECONDS = 600  # for one cell, on a machine that is busy with others
COLAB = "https://colab.research.google.com/github/"
# Compiles fastest. The notebooks' constants take it as any reader's settings.
SHORT = "--config.training.batch_size=4 --config.evaluation.photographs=2 --config.evaluation.batch_size=2"
DRAWN = "--config.data.count=8 --config.evaluation.holes_per_bucket=1 --config.evaluation.edges=(0.2,0.4)"
SCAN = "--config.method.width=4 --config.method.critic_width=4 --config.method.stages=1 --config.method.blocks=0"
SCAN += " --config.method.attention=() --config.method.prior=none"
SEAN = {**MASKED_ATTENTION, "num_labels": 19}

in_each = pytest.mark.parametrize("name", NOTEBOOKS)


def read(name):
    return json.loads(NOTEBOOKS[name].read_text())


def code(notebook):
    """The code cells' sources by their ids."""
    return {cell["id"]: source(cell) for cell in notebook["cells"] if cell["cell_type"] == "code"}


def as_python(text):
    """A cell's tree; a line of IPython counts as `pass`."""
    return ast.parse(re.sub(r"^( *)%.*$", r"\1pass", text, flags=re.MULTILINE))


def constants(text):
    """The values of a cell that does nothing but assign literals."""
    return {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(text).body}


@in_each
def test_is_stored_without_what_executing_leaves_with_constants_first_and_no_library_code(name):
    text, notebook = NOTEBOOKS[name].read_text(), read(name)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook["cells"])
    assert text == notebook_files.stored(notebook), "run python tests/notebook_files.py"
    assert len(text) < 40_000
    names = [cell["id"] for cell in notebook["cells"]]  # they say what the cells are
    assert len(set(names)) == len(names) and all(re.fullmatch(r"[a-z]+(-[a-z]+)*", one) for one in names)
    cells = [cell for cell in read(name)["cells"] if cell["cell_type"] == "code"]
    assert [notebook_files.is_constants(cell) for cell in cells] == [True] + [False] * (len(cells) - 1)
    values = constants(source(cells[0]))
    assert values["SETTINGS"] == "" and values["STEPS"] <= 500
    trees = [as_python(text) for text in code(read(name)).values()]
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert all(node.end_lineno - node.lineno < 6 for node in functions)
    assert all(len(text.splitlines()) <= 20 for text in code(read(name)).values())


@in_each
def test_is_what_the_format_says(name):
    nbformat = pytest.importorskip("nbformat")
    nbformat.validate(read(name))


@in_each
def test_links_lead_somewhere(name):
    notebook = read(name)
    repository = constants_of_install(notebook)["REPOSITORY"].removeprefix("https://github.com/")
    text = "\n".join(source(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    badges = [link.removeprefix(COLAB) for link in links if link.startswith(COLAB)]
    assert badges and set(badges) == {f"{repository}/blob/main/notebooks/{name}.ipynb"}
    here = [link for link in links if not link.startswith("https://")]
    assert here and all((notebook_files.FOLDER / link.partition("#")[0]).exists() for link in here)


def constants_of_install(notebook):
    """The upper-case names of the cell that installs."""
    body = as_python(code(notebook)["install"]).body
    found = [node for node in body if isinstance(node, ast.Assign) and node.targets[0].id.isupper()]
    return {node.targets[0].id: ast.literal_eval(node.value) for node in found}


def test_three_install_alike_and_name_the_repository_in_one_cell():
    assert set(NOTEBOOKS) == {"quickstart", "train_your_own_faces", "masked_attention_explorer"}
    notebooks = [read(name) for name in NOTEBOOKS]
    assert len({code(notebook)["install"] for notebook in notebooks}) == 1
    address = constants_of_install(notebooks[0])["REPOSITORY"]
    for notebook in notebooks:
        assert [name for name, text in code(notebook).items() if address in text] == ["install"]


class Executed:
    """A notebook after its last cell."""

    def __init__(self, notebook, folder):
        self.folder = folder
        self._outputs = {cell["id"]: cell["outputs"] for cell in notebook.cells if cell.cell_type == "code"}

    def said(self, cell=""):
        """All that a cell printed and logged; without a name, all of them."""
        cells = [cell] if cell else self._outputs
        return "".join(output.get("text", "") for one in cells for output in self._outputs[one])

    def outputs(self, cell):
        return self._outputs[cell]

    def figures(self):
        """The ids of the cells that show a picture, and the pictures, uint8 [H,W,3]."""
        found = {}
        for cell, outputs in self._outputs.items():
            for output in outputs:
                if "image/png" in output.get("data", {}):
                    png = Image.open(io.BytesIO(base64.b64decode(output["data"]["image/png"])))
                    found[cell] = np.asarray(png.convert("RGB"))
        return found

    def read(self, name):
        with Image.open(self.folder / name) as image:
            return np.asarray(image)


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Executes a notebook with other constants, in a folder of its own; what is compiled is kept as everywhere."""
    nbclient, nbformat = (pytest.importorskip(package) for package in ("nbclient", "nbformat"))
    pytest.importorskip("ipykernel")
    folder, home = tmp_path / "here", tmp_path / "home"
    folder.mkdir()
    for variable in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(variable, str(home))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
    given = {key: value for key, value in os.environ.items() if key not in ("MPLBACKEND", "XLA_FLAGS")}
    given |= {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    given |= {"JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir, "PYTHONNOUSERSITE": "1"}
    given |= {"SCAN_JAX_WEIGHTS": str(home), "TFDS_DATA_DIR": str(home), "IPYTHONDIR": str(home)}

    def act(name, **values):
        notebook = nbformat.read(NOTEBOOKS[name], as_version=4)
        first = next(cell for cell in notebook.cells if cell.cell_type == "code")
        assert values.keys() <= constants(first.source).keys()
        first.source += "".join(f"\n{key} = {value!r}" for key, value in values.items())
        resources = {"metadata": {"path": str(folder)}}
        client = nbclient.NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources=resources)
        client.execute(env=given)
        return Executed(notebook, folder)

    return act


def check_what_was_shown(executed, figures, complaints=()):
    """The pictures that there should be, each with something on it; nothing was installed, nobody else complained."""
    shown = executed.figures()
    assert set(shown) == set(figures)
    assert all(picture.std() > 5 and min(picture.shape[:2]) > 60 for picture in shown.values())
    assert not executed.outputs("install")
    assert re.findall(r"\w*Warning|Traceback|^error:.*", executed.said(), re.MULTILINE) == list(complaints)


def check_numbers(folder, entries):
    """Finite scores of everybody in every bucket."""
    results = json.loads((folder / "results.json").read_text())
    assert [entry["name"] for entry in results["entries"]] == entries
    means = [bucket["standard/psnr"]["mean"] for entry in results["entries"] for bucket in entry["completion"].values()]
    assert means and all(isinstance(mean, float) and 5 < mean < 60 for mean in means)  # JSON's text for infinite ones


def check_filled(photograph, hole, filled):
    """Known pixels are the photograph's; the hole is not."""
    assert (filled[~hole] == photograph[~hole]).all()
    assert (filled[hole] != photograph[hole]).any(-1).mean() > 0.5


@pytest.mark.slow
def test_quickstart(execute):
    settings = f"--config.data.held_out=6 --config.holes.ratio=(0.2,0.4) {SHORT} {DRAWN} {SCAN}"
    executed = execute("quickstart", STEPS=3, SETTINGS=settings)
    check_what_was_shown(executed, ["data", "losses", "pictures", "fill", "own", "chart", "bundle"])
    folder = executed.folder / "runs" / "quickstart"

    assert "platform" in executed.said("doctor") and "healthy" in executed.said("doctor")
    scalars = read_scalars(folder / "scan_3" / "scalars.jsonl")
    assert scalars["term/l1"][0][-1] == 3 and 0 < scalars["term/l1"][1][-1] < 10
    check_numbers(folder / "scan_3" / "evaluation" / "own", ["scan_3", "Navier-Stokes", "harmonic", "biharmonic"])
    photograph, hole = executed.read(folder / "photo.png"), executed.read(folder / "hole.png")
    assert photograph.shape == (320, 240, 3) and 0.01 < hole.mean() < 0.3
    check_filled(photograph, hole, executed.read(folder / "filled.png"))
    written = {path.name for path in (folder / "exported").iterdir()}
    assert written == {"model.safetensors", "config.json", "README.md", "fill.stablehlo"}
    assert all(name in executed.said("export") for name in written)
    assert "largest difference to the run's filling: 0\n" in executed.said("bundle")


@pytest.mark.slow
def test_train_your_own_faces(execute):
    executed = execute("train_your_own_faces", DRAWN=24, STEPS=3, SETTINGS=f"{SHORT} {SCAN}")
    check_what_was_shown(executed, ["inspect", "batch", "curves", "fill"], ["error: 1 problem: see above"])
    folder = executed.folder / "runs" / "own_faces"

    sizes = {executed.read(path).shape for path in (folder / "photographs").glob("*.jpg")}
    assert len(sizes) == 24
    assert (folder / "datasets" / "photo_folder" / "faces-64").is_dir()
    assert "train 22, test 2" in executed.said("prepare")
    assert "no problems found" in executed.said("inspect") and "set hole_color=black" in executed.said("inverted")
    scalars = read_scalars(folder / "scan64_3" / "scalars.jsonl")
    assert scalars["term/l1"][0] == [1, 2, 3] and set(scalars["eval/psnr/10-20%"][0]) == {1, 2, 3}
    assert "all 3 steps are done" in executed.said("resume")
    assert "'3'" in executed.outputs("resume")[-1]["data"]["text/plain"]
    measured = folder / "scan64_3" / "evaluation" / "own@best"
    check_numbers(measured, ["scan64_3@best", "Navier-Stokes", "biharmonic"])
    (report,) = executed.outputs("report")
    assert "<iframe" in report["data"]["text/html"] and len(report["data"]["text/html"]) > 10_000
    assert "GiB" in executed.said("larger") and "'data': 1" in executed.said("accelerators")


@pytest.mark.slow
def test_masked_attention_explorer(execute, tmp_path):
    exporting.export(small_trained(SEAN, size=64), tmp_path / "small", platforms=())
    executed = execute("masked_attention_explorer", RUN=str(tmp_path / "small"), SEARCH=2)
    shown = ["labels", "fill", "attention", "share", "search", "refined", "edited", "styles", "amount"]
    check_what_was_shown(executed, shown)
    assert "hair" in executed.said("styles") and "hat" not in executed.said("styles")
    assert not executed.said("train") and not (executed.folder / "runs").exists()


def test_the_explorer_trains_what_the_method_knows(monkeypatch):
    cells, lines = code(read("masked_attention_explorer")), []
    monkeypatch.setattr(cli, "main", lambda line: lines.append(line) or 0)
    given = constants(cells["constants"])
    exec(cells["train"], given)
    (command, *arguments), *others = lines
    flags, overrides = train.parse(arguments)
    config = configuration.load(flags.config, overrides)
    assert command == "train" and not others and given["RUN"] == flags.workdir
    assert build_method(config.method).num_labels == 19
    assert config.training.steps == given["STEPS"]
    assert config.evaluation.refine == ()
