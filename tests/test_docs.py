"""Every command and snippet of the README and of docs/, run on small data; every link, path and line number."""

import contextlib
import functools
import importlib
import importlib.util
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import urllib.request

import doc_commands
import doc_pages
import doc_world
import jax
import pytest
from doc_pages import ROOT

from scan_jax.commands import cli, inputs, prepare, train
from scan_jax.core import config as configuration
from scan_jax.data.builders import open_photographs, paris_street_view
from scan_jax.evaluation.protocols import find_protocol
from scan_jax.inference.inpainter import Inpainter
from scan_jax.methods.api import build_method
from scan_jax.weights import registry

ENTRIES = {f"scan_jax {word}": module for word, module in cli.COMMANDS.items()}


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


def line_of(command):
    return " ".join(as_entry(command))


COMMANDS = [command for command in doc_pages.commands() if line_of(command) not in doc_commands.MENTIONED]


def why_not(command):
    """Why a command is not run; None where it is."""
    return doc_commands.find(doc_commands.SKIPPED, " ".join(command.words)) or doc_commands.find(
        doc_commands.READ, line_of(command)
    )


def is_program(command):
    """Whether it needs a process of its own: what is no command of `scan_jax`, and what serves."""
    return as_entry(command)[0] not in (*ENTRIES, "scan-jax")


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
        patch.setattr(open_photographs, "read_list", lambda: doc_world.packages(folder / "DEBS"))
        doc_world.build(folder, ROOT)
        doc_world.write_runs(folder)
        # A network that was loaded once stays compiled.
        load = functools.cache(Inpainter.load)
        patch.setattr(Inpainter, "load", lambda *run: load(*map(str, run)))
        yield folder


@pytest.mark.parametrize("command", [command for command in COMMANDS if why_not(command)], ids=name_of)
def test_a_command_that_is_not_run_is_one_as_far_as_can_be_read(command):
    if doc_commands.find(doc_commands.SKIPPED, " ".join(command.words)):
        check_extras(" ".join(command.words))
    else:
        module, *arguments = as_entry(command)
        read(module, arguments)


RUN = [command for command in COMMANDS if not why_not(command)]
# Whole trainings and programs take long; without this, training goes as far as its first batch.
EVERY = os.environ.get("SCAN_JAX_EVERY_COMMAND")


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in RUN if not is_program(command)], ids=name_of)
def test_a_command_does_what_the_page_says(command, world):
    get_ready(line_of(command))
    module, *arguments = as_entry(command)
    arguments = [word for given in arguments for word in doc_commands.WORDS.get(given, [os.path.expanduser(given)])]
    small = shrink(module, arguments, world)
    if module == "scan_jax train" and not EVERY and not {"--dry_run", "--config=configs/demo.py"} & set(small):
        open_all(small)
        return
    make_room(world, small)
    if module == "scan_jax demo":
        serve(small)
        return
    code = importlib.import_module(ENTRIES.get(module, cli.__name__)).main(small)
    assert code == 0 or (code == 1 and any(part in line_of(command) for part in doc_commands.ENDS_WITH_1))


def open_all(arguments):
    """Training, as far as its first batch: a method, its data, its holes and its trainer as the arguments say."""
    flags, overrides = train.parse(arguments)
    parts = inputs.open_config(configuration.load(flags.config, overrides))
    with contextlib.closing(parts.batches_from(0)) as batches:
        example = next(batches)
    assert example.image.shape == (doc_world.BATCH, doc_world.SIDE, doc_world.SIDE, 3)
    assert (example.labels is not None) == bool(parts.trainer.method.num_labels)


@pytest.mark.slow
@pytest.mark.skipif(not EVERY, reason="takes long: SCAN_JAX_EVERY_COMMAND=1 runs the programs of the pages")
@pytest.mark.parametrize("command", [command for command in RUN if is_program(command)], ids=name_of)
def test_a_program_ends_well(command, world):
    get_ready(line_of(command))
    module, *arguments = as_entry(command)
    make_room(world, arguments)
    words = [ROOT / arguments.pop(0)] if module == "python" else ["-m", module]
    done = subprocess.run(
        [sys.executable, *words, *arguments, *doc_commands.trim(line_of(command), arguments)],
        env=environment(),
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def environment():
    """Of a process that compiles as these tests do, in the world's home."""
    cache = jax.config.values["jax_compilation_cache_dir"]
    own = {"PYTHONPATH": str(ROOT), "JAX_COMPILATION_CACHE_DIR": cache, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    return {**os.environ, **own, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}


def get_ready(line):
    """Looks for packages, and makes what another command of the pages makes before this one."""
    for part, package in doc_commands.NEEDS.items():
        if part in line:
            pytest.importorskip(package)
    for part, arguments in doc_commands.AFTER.items():
        if part in line:
            assert prepare.main(arguments) == 0


def serve(arguments):
    """The page opens, answers, and goes when it is told to."""
    words = [sys.executable, "-m", "scan_jax", "demo", *arguments, "--port=0"]
    with subprocess.Popen(words, env=environment(), stderr=subprocess.PIPE, text=True) as server:
        said = ""
        while not (found := re.search(r"open (http://\S+) in a browser", said)):
            line = server.stderr.readline()
            assert line, f"the page did not open: {said}"
            said += line
        with urllib.request.urlopen(found[1]) as page:
            assert page.status == 200
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=60)


def check_extras(text):
    """What is installed by `.[name]` is an extra."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for names in re.findall(r"\.\[([\w,]+)\]", text):
        assert set(names.split(",")) <= extras.keys()


def shrink(module, arguments, home):
    """The arguments with others behind them that make the command small."""
    if module == "scan_jax train":
        return [*arguments, *doc_world.tiny(arguments), "--workdir=runs/new"]
    if module == "scan_jax show-batch":
        return [*arguments, *doc_world.tiny(arguments)]
    if module == "scan_jax evaluate":
        few = doc_world.small_test(arguments)
        metrics = [] if "--metrics" in arguments or "--write_test" in " ".join(arguments) else ["--metrics", "standard"]
        if "--predictions" in arguments:
            doc_world.write_results(home, few)
        return [*arguments, *metrics, *few]
    if module == "scan_jax replay":
        return [*arguments, doc_world.diverged(home)]
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
        flags = {flag for flag in flags if not flag.startswith("--config.")}
        assert all(f'"{flag}"' in known or f'"{flag[2:]}"' in known for flag in flags)
    for word in arguments:
        flag, _, value = word.partition("=")
        if flag == "--config":
            config = configuration.load(value, overrides)
            build_method(config.method)
        if flag == "--protocol" and not configuration.is_config(value):
            find_protocol(value)


def test_every_command_is_run_or_has_its_reason_and_none_is_left_over():
    texts = [" ".join(command.words) for command in COMMANDS]
    lines = [line_of(command) for command in COMMANDS]
    assert [part for part in doc_commands.SKIPPED if not any(part in text for text in texts)] == []
    tables = (doc_commands.READ, doc_commands.NEEDS, doc_commands.AFTER, doc_commands.TRIMS, doc_commands.ENDS_WITH_1)
    assert [part for table in tables for part in table if not any(part in line for line in lines)] == []
    programs = [line_of(command) for command in RUN if is_program(command)]
    assert [line for line in programs if doc_commands.find(doc_commands.TRIMS, line) is None] == []
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


def test_beside_the_commands_with_a_network_stands_what_it_is_good_for():
    networks = re.compile(r"scan[_-]jax (?:inpaint|evaluate|attend|demo|export) .*--run=runs/")
    users = {page for page in doc_pages.PAGES for _, _, text in doc_pages.fences(page) if networks.search(text)}
    assert len(users) > 5
    linked = {page for page in users if "using.md#which-network-for-what" in page.read_text()}
    assert {page.name for page in users - linked} <= {"using.md"}


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index, page.name
