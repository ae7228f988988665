"""Which room may import which; a new arrow is a decision, not an accident."""

import ast
from pathlib import Path

import pytest

import scan_jax.methods
from scan_jax import registry

PACKAGE = Path(__file__).parents[1] / "scan_jax"
GROUND = {
    *("types", "errors", "settings", "registry", "atomic_write", "run_layout", "command_line", "label_map"),
    *("part_names", "compilation_cache", "pictures", "palette", "prepared", "processes"),
    *("checkpoint_folder", "host_memory", "peers"),
}
# Rooms, and what each may import besides the ground floor and itself.
ARROWS = {
    "ops": set(),
    "masks": set(),
    "weights": set(),
    "metrics": {"features", "ops"},
    "features": {"ops", "weights"},
    "losses": {"features", "ops"},
    "layers": {"ops"},
    "models": {"layers", "ops"},
    "methods": {"models", "losses", "features", "ops"},
    "data": {"masks"},
    "training": {"methods.api"},
    "inference": {"methods.api", "weights"},
    "evaluation": {"metrics", "inference"},
}
COMMANDS = {
    *("main", "evaluate", "inpaint", "attend", "export", "prepare", "demo", "show_batch", "dry_run", "doctor"),
    *("experiment", "opened", "replay", "compiled", "configuration", "cli", "__init__", "__main__"),
}
METHODS = {module.__name__.rsplit(".", 1)[1] for module in registry.choices(scan_jax.methods, "build")}
LINEN_ROOMS = {"layers", "models", "features"}


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Full names of all modules that a file imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return names


def test_every_room_has_its_arrows():
    rooms = {room_of(path) for path in modules()}
    assert rooms == set(ARROWS) | GROUND | (COMMANDS & rooms)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_arrows(path):
    room = room_of(path)
    if room in COMMANDS:
        return
    allowed = ARROWS.get(room, set()) | GROUND | ({room} if room in ARROWS else set())
    ours = {name.removeprefix("scan_jax.") for name in imported(path) if name.startswith("scan_jax.")}
    for name in ours - {"methods"}:
        assert any(name == target or name.startswith(f"{target}.") for target in allowed), f"{room} -> {name}"
        if room == "methods" and name.startswith("methods."):
            own, other = path.relative_to(PACKAGE).parts[1].removesuffix(".py"), name.split(".")[1]
            assert other == own or other not in METHODS, "methods do not import each other"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_networks_see_linen_and_nobody_tensorflow(path):
    names = imported(path)
    if room_of(path) not in LINEN_ROOMS:
        assert not any(name.startswith("flax") for name in names)
    assert not any(name == "tensorflow" or name.startswith("tensorflow.") for name in names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_stay_small(path):
    lines = path.read_text().splitlines()
    assert len(lines) <= 400
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 60, f"{node.name} has {node.end_lineno - node.lineno + 1} lines"


def test_configs_need_only_ml_collections():
    for path in (PACKAGE.parent / "configs").rglob("*.py"):
        assert {name.split(".")[0] for name in imported(path)} == {"ml_collections"}, path
