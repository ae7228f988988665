"""Which package may import which, as pyproject.toml's contracts for import-linter say; and that files stay small."""

import ast
import graphlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def nodes(folder, kinds):
    """(file, node) of every such piece of syntax in the folder's modules."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        yield from ((path, node) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds))


def test_imports_follow_the_arrows():
    linter = shutil.which("lint-imports", path=Path(sys.executable).parent) or "lint-imports"
    done = subprocess.run([linter, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_configs_need_only_ml_collections_and_each_other():
    for path, node in nodes("configs", ast.Import | ast.ImportFrom):
        names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        assert all(f"{name}.".startswith(("ml_collections.", "scan_jax.configs.")) for name in names), (
            f"{path}:{node.lineno}"
        )


def test_files_and_functions_stay_small_and_name_modules_in_full():
    for path in (ROOT / "scan_jax").rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 400, path
    for path, node in nodes("scan_jax", ast.FunctionDef | ast.ImportFrom):
        small = node.end_lineno - node.lineno < 60 if isinstance(node, ast.FunctionDef) else node.level == 0
        assert small, f"{path}:{node.lineno} is of more than 60 lines, or a relative import"


def imports():
    """Each module of scan_jax and the modules of ours that it imports when it is imported itself."""
    paths = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in (ROOT / "scan_jax").rglob("*.py")}
    modules = {name.removesuffix(".__init__"): path for name, path in paths.items()}
    found = {}
    for name, path in modules.items():
        froms = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ImportFrom)]
        named = {(f"{node.module}.{alias.name}", node.module) for node in froms for alias in node.names}
        found[name] = {full if full in modules else module for full, module in named} & modules.keys()
    return found


def test_modules_make_no_circle_and_packages_import_few_others():
    found = imports()
    tuple(graphlib.TopologicalSorter(found).static_order())  # raises CycleError, which names the circle
    package = {name: name.split(".")[1] if "." in name else name for name in found}
    arrows = {(package[name], package[other]) for name, others in found.items() for other in others}
    assert len({(one, other) for one, other in arrows if one != other}) <= 66
    assert 150 < len(found) <= 280
