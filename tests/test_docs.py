"""Every command and snippet of the README and of docs/, run on small data; every link, path and line number."""

import contextlib
import functools
import importlib
import importlib.util
import logging
import re
import shutil
import tomllib

import doc_pages
import doc_world
import pytest
from doc_pages import ROOT

from scan_jax.commands import cli, inputs, train
from scan_jax.core import config as configuration
from scan_jax.data.builders import paris_street_view
from scan_jax.evaluation.protocols import find_protocol
from scan_jax.inference.inpainter import Inpainter
from scan_jax.methods.api import build_method
from scan_jax.weights import registry

# Not run at all, by how they begin, and why.
SKIPPED = {
    "python3 -m venv": "makes an environment",
    ".venv/bin/pip install": "installs from the network",
    "pip install": "installs from the network; tests/test_packaging.py installs the wheel",
    "apt-get install": "installs from the network",
    "apt-get download": "fetches from the network",
    ".venv/bin/python -m pytest": "runs these tests",
    "python -m pytest": "likewise, some of them beside clones of other repositories",
    "python tests/torture.py": "takes minutes; tests/commands/test_failing_disks.py runs a part of it",
    "python tests/mutants.py": "takes an hour",
}
# Only read by their own parser, with their config, by what their line says, and why.
PARSED = {
    "scan_jax replay": "needs a run with a bad step; tests/commands/test_replay.py makes one",
    "scan_jax weights import": "needs a published file; tests/weights writes such files",
    "scan_jax demo": "serves until it is stopped; tests/demo opens the page",
    "launch.aot_check": "needs a TPU's compiler or a process of its own; tests/test_aot_check.py runs it",
    "--onnx=": "needs jax2onnx; tests/inference/test_onnx_file.py runs where that is installed",
    "benchmarks.": "takes minutes",
    "--protocol=scan_": "needs an archive that cannot be shipped; tests/commands/test_evaluate.py has a miniature",
    "--protocol=masked_attention_": "needs an archive that cannot be shipped",
    "scan_jax prepare verify": "needs what another command wrote; tests/test_prepare_command.py runs it",
    "configs/open.py": "needs the photographs of the next line",
    "open_photographs": "needs packages of Debian; tests/data/builders/test_open_photographs.py writes tiny ones",
    "--source=FEW": "shows how an archive with gaps is refused; tests/data/builders does that",
}
FOUND = {"scan_jax doctor", "scan_jax prepare inspect"}  # which end with 1 where they find problems
ENTRIES = {f"scan_jax {word}": module for word, module in cli.COMMANDS.items()}
COMMANDS = doc_pages.commands()


def name_of(command):
    return f"{command.place} {' '.join(command.words)[:70]}"


def as_entry(command):
    """ "scan_jax inpaint" or the module, and its arguments."""
    if command.module == "scan_jax.main":
        return ["scan_jax train", *command.arguments]
    if command.module in ("scan-jax", "scan_jax") and command.arguments[0].replace("_", "-") in cli.COMMANDS:
        word, *rest = command.arguments
        return [f"scan_jax {word.replace('_', '-')}", *rest]
    return [command.module, *command.arguments]


def is_skipped(command):
    return any(" ".join(command.words).startswith(beginning) for beginning in SKIPPED)


def is_run(command):
    line = " ".join(as_entry(command))
    return not is_skipped(command) and command.module != "scan-jax" and not any(part in line for part in PARSED)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A home with all that the documentation speaks of, two trained networks among it."""
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HOME", str(folder))
        for name in ("TFDS_DATA_DIR", "XDG_CACHE_HOME", "SCAN_JAX_WEIGHTS"):
            patch.delenv(name, raising=False)
        patch.setattr(logging, "basicConfig", lambda **_: None)
        patch.setattr(paris_street_view, "EXPECTED", {"train": 3, "test": 2})
        doc_world.build(folder, ROOT)
        doc_world.write_runs(folder)
        # A network that was loaded once stays compiled.
        load = functools.cache(Inpainter.load)
        patch.setattr(Inpainter, "load", lambda *run: load(*map(str, run)))
        yield folder


@pytest.mark.parametrize("command", [command for command in COMMANDS if not is_run(command)], ids=name_of)
def test_a_command_is_one_as_far_as_can_be_read(command):
    module, *arguments = as_entry(command)
    if is_skipped(command):
        check_extras(" ".join(command.words))
    elif module == "scan-jax":
        assert cli.main(arguments) == 0
    else:
        read(module, arguments)


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in COMMANDS if is_run(command)], ids=name_of)
def test_a_command_does_what_the_page_says(command, world):
    module, *arguments = as_entry(command)
    small = shrink(module, arguments, world)
    if module == "scan_jax train" and not {"--dry_run", "--config=configs/demo.py"} & set(small):
        open_all(small)
        return
    make_room(world, small)
    code = importlib.import_module(ENTRIES[module]).main(small)
    line = " ".join(as_entry(command))
    assert code in ((0, 1) if any(line.startswith(one) for one in FOUND) else (0,)), line


def open_all(arguments):
    """Training, as far as its first batch: a method, its data, its holes and its trainer as the arguments say."""
    flags, overrides = train.parse(arguments)
    parts = inputs.open_config(configuration.load(flags.config, overrides))
    with contextlib.closing(parts.batches_from(0)) as batches:
        example = next(batches)
    assert example.image.shape == (doc_world.BATCH, doc_world.SIDE, doc_world.SIDE, 3)
    assert (example.labels is not None) == bool(parts.trainer.method.num_labels)


def check_extras(text):
    """What is installed by `.[name]` is an extra."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for names in re.findall(r"\.\[([\w,]+)\]", text):
        assert set(names.split(",")) <= extras.keys()


def shrink(module, arguments, home):
    """The arguments with others behind them that make the command small."""
    if module in ("scan_jax train", "scan_jax show-batch"):
        config = next(word for word in arguments if word.startswith("--config="))
        overrides = [word for word in arguments if word.startswith("--config.")]
        return [*arguments, *doc_world.tiny([config, *overrides])]
    if module == "scan_jax evaluate":
        few = doc_world.demo_test() if any(word.startswith("--protocol=") for word in arguments) else []
        metrics = [] if "--metrics" in arguments or "--write_test" in " ".join(arguments) else ["--metrics", "standard"]
        if "--predictions" in arguments:
            doc_world.write_results(home, few)
        return [*arguments, *metrics, *few]
    if module == "scan_jax export":
        return [*arguments, "--no_stablehlo"]  # tests/commands/test_export.py has it
    if module == "scan_jax prepare":
        return [*arguments, *doc_world.fewer(arguments, home)]
    return arguments


def make_room(home, arguments):
    """Removes what an earlier command wrote to the place that this one writes to."""
    for word in arguments:
        flag, _, value = word.partition("=")
        if flag in ("--out", "--write_test", "--workdir") and value and not value.endswith(".png"):
            shutil.rmtree(home / value, ignore_errors=True)


def read(module, arguments):
    """What the command's own parser makes of the arguments; its config, with the overrides, must be one."""
    entry = importlib.import_module(ENTRIES.get(module, module))
    overrides = [word for word in arguments if word.startswith("--config.")]
    if hasattr(entry, "parse"):
        entry.parse(arguments)
    elif module == "scan_jax weights":
        assert arguments[0] == "import" and arguments[1] in registry.MODULES
    else:
        name = module.removeprefix("benchmarks.")
        files = (ROOT / "benchmarks" / file for file in (f"{name}.py", f"{name}/__main__.py", "variants.py"))
        known = "".join(file.read_text() for file in files if file.exists())
        flags = {word.partition("=")[0] for word in arguments if word.startswith("--")} - {"--config"}
        assert all(f'"{flag}"' in known for flag in flags if not flag.startswith("--config."))
    for word in arguments:
        flag, _, value = word.partition("=")
        if flag == "--config":
            config = configuration.load(value, overrides)
            build_method(config.method)
        if flag == "--protocol" and not configuration.is_config(value):
            find_protocol(value)


def test_every_page_has_its_commands_and_no_reason_is_left_over():
    texts = [" ".join(command.words) for command in COMMANDS]
    lines = [" ".join(as_entry(command)) for command in COMMANDS]
    assert [part for part in SKIPPED if not any(text.startswith(part) for text in texts)] == []
    assert [part for part in PARSED if not any(part in line for line in lines)] == []
    places = {command.place.partition(":")[0] for command in COMMANDS}
    assert {"README.md", "docs/scaling.md", "docs/own_data.md", "docs/evaluation.md"} <= places
    assert len(COMMANDS) > 50


@pytest.mark.slow
@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(("place", "text"), list(doc_pages.snippets()), ids=lambda value: value[:30].splitlines()[0])
def test_a_snippet_runs(place, text):
    exec(compile(text, place, "exec"), {"__name__": "snippet"})


@pytest.mark.parametrize("page", doc_pages.LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in doc_pages.links(page):
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page.name}: {target}"
        if anchor and found.suffix == ".md":
            assert anchor in doc_pages.anchors(found), f"{page.name}: {target}"


@pytest.mark.parametrize("page", doc_pages.LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_line_numbers_paths_and_modules_are_there(page):
    text = page.read_text()
    for found in doc_pages.CODE_LINK.finditer(text):
        assert doc_pages.line_of(page.parent / found[2], found[1]), f"{found[2]} has no {found[1]}"
    assert doc_pages.with_lines(page) == text, "write them anew: python tests/doc_pages.py"
    text = page.read_text()
    for path in re.findall(r"(?<![\w./-])(?:scan_jax|tests|benchmarks|launch|docs|configs)/[\w/.*]*\w", text):
        assert any(ROOT.glob(path)) or path == "configs/X.py", f"{page.name}: {path}"
    for module in re.findall(r"python3? -m ((?:scan_jax|benchmarks|launch)[\w.]*\w)", text):
        assert importlib.util.find_spec(module), f"{page.name}: {module}"
    for word in re.findall(r"python3? -m scan_jax ([\w-]+)", text):
        assert word in cli.COMMANDS, f"{page.name}: {word}"


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index, page.name
