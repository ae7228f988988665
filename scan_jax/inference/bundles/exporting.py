"""A bundle of what fills holes in a trained run: the generator's moving average, without critic and optimisers."""

from __future__ import annotations

import dataclasses
import glob
import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.core.folder_lock import held, remove_abandoned
from scan_jax.core.run_layout import BUNDLE, CARD, CONFIG, EVALUATION, ONNX, PAGE, PROGRAM
from scan_jax.images.palette import part_names
from scan_jax.inference.bundles import model_card, onnx_file, program, web_page
from scan_jax.inference.bundles.onnx_file import Size
from scan_jax.inference.trained import EXPORTED, GENERATOR, ROUNDED, Trained
from scan_jax.methods.api import Variables
from scan_jax.weights import bundle, safetensors_tree

log = logging.getLogger(__name__)
# What may lie in an older export; an evaluation of it stays.
OURS = {BUNDLE, CONFIG, EVALUATION, CARD, PROGRAM, ONNX, PAGE}


def export(
    trained: Trained,
    out: Path,
    *,
    licence: str = "",
    platforms: tuple[str, ...] = program.PLATFORMS,
    onnx: Size | None = None,
    web: Path | None = None,
    half: bool = False,
) -> None:
    """Writes the bundle, which `--run=` takes wherever it takes a run.

    Args:
      trained: from a run.
      out: a folder that is made; one that is there must be empty or an older export, which is replaced.
      licence: of the weights, for the model card.
      platforms: of the StableHLO program; none writes no program.
      onnx: height and width that an ONNX file is for; None writes none.
      web: the folder of onnxruntime-web, which a page in one file then holds; None writes none.
      half: rounds the parameters to 16 bits (float16), which halves the file; they are float32 again once it is read.

    Raises:
      UserError: `out` holds anything else, or cannot be written to; the program cannot be made, or answers otherwise
        than the network. `out` is then as it was.
    """
    require_possible(out, platforms, onnx, web)
    if web and trained.method.num_labels:
        raise UserError("--web: the page has no label maps, which this network wants; leave out --web")
    trained = _halved(trained) if half else trained
    name = out.absolute().name
    remove_abandoned(out.absolute().parent.glob(f".{glob.escape(name)}.*.part"))  # of exports that were killed
    stage = out.absolute().with_name(f".{name}.{uuid.uuid4().hex[:12]}.part")
    licence = licence or trained.noted.get("licence", "")
    try:
        with held(stage, "name another folder with --out"):
            _write(trained, stage / name, name, licence, platforms, onnx, web)
            _put(stage / name, out)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}; name another folder with --out") from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    count = sum(leaf.size for leaf in jax.tree.leaves(trained.variables.params[GENERATOR])) / 1e6
    log.info("wrote %s: %.2f M parameters at step %d, sha256 %s", out, count, trained.step, trained.identity)


def _write(
    trained: Trained,
    stage: Path,
    name: str,
    licence: str,
    platforms: tuple[str, ...],
    onnx: Size | None,
    web: Path | None,
) -> None:
    """All files."""
    noted = {"run": trained.folder.absolute().name, "step": trained.step, bundle.GENERATOR_HASH: trained.identity}
    told = {key: str(value) for key, value in noted.items()} | ({"licence": licence} if licence else {})
    told |= {key: text for key, text in trained.noted.items() if key == ROUNDED}
    tree = _tree(trained)
    if ROUNDED in trained.noted:
        tree["params"] = jax.tree.map(lambda array: np.asarray(array, np.float16), tree["params"])
    card = model_card.render(trained, name=name, licence=licence, platforms=platforms, onnx=onnx)
    others, flat = {CARD: card.encode()}, safetensors_tree.flatten(tree)
    if platforms:
        others[PROGRAM] = _make_program(trained, flat, platforms)
    square = (trained.size, trained.size)
    onnx_files = {
        size: _make_onnx(trained, flat, size, told) for size in {*filter(None, [onnx, square if web else None])}
    }
    if onnx:
        others[ONNX] = onnx_files[onnx]
    if web:
        about = f"{name} ({trained.config['method']['name']})"
        others[PAGE] = web_page.make_page(onnx_files[square], trained.size, about, web)
    config = {**trained.config, EXPORTED: noted, bundle.SECTION: describe(trained, platforms)}
    bundle.save(stage, config, tree, told, others)


def _halved(trained: Trained) -> Trained:
    """The same network, its generator's parameters rounded to float16; a UserError where one is too large for that."""
    params = dict(trained.variables.params)
    with np.errstate(over="ignore"):
        params[GENERATOR] = jax.tree.map(lambda x: x.astype(np.float16).astype(np.float32), params[GENERATOR])
    if not all(np.isfinite(x).all() for x in jax.tree.leaves(params[GENERATOR])):
        raise UserError(f"{trained.folder} has parameters beyond 65,504, the largest of 16 bits; leave out --half")
    noted = {key: text for key, text in trained.noted.items() if key != bundle.GENERATOR_HASH} | {ROUNDED: "float16"}
    return dataclasses.replace(trained, variables=Variables(params, trained.variables.stats), noted=noted)


def _tree(trained: Trained) -> dict[str, Any]:
    """The generator alone."""
    params, stats = trained.variables.params[GENERATOR], trained.variables.stats.get(GENERATOR, {})
    return {"params": {GENERATOR: params}, "stats": {GENERATOR: stats}}


def describe(trained: Trained, platforms: tuple[str, ...]) -> dict[str, Any]:
    """What goes in and comes out, for programs to read; `weights.bundle.save` adds format and hashes."""
    classes = trained.method.num_labels
    return {
        "image": {"layout": "NHWC", "channels": "RGB", "dtype": "float32", "range": [0, 1], "value_in_hole": 0},
        "known": {"layout": "NHWC", "dtype": "float32", "known": 1, "hole": 0},
        "hole_files": "white = hole",
        **({"labels": {"layout": "NHW", "dtype": "int32", "range": [0, classes - 1]}} if classes else {}),
        "output": {"layout": "NHWC", "channels": "RGB", "dtype": "float32", "range": [0, 1]},
        "stride": trained.method.stride,
        "classes": list(part_names(classes)) if classes else [],
        **({"platforms": list(platforms), "jax": jax.__version__, "seed": program.SEED} if platforms else {}),
        **({"size": size} if platforms and (size := program.fixed_size(trained.config)) else {}),
    }


def _make_onnx(trained: Trained, arrays: Mapping[str, np.ndarray], size: Size, told: Mapping[str, str]) -> bytes:
    log.info("translating the network to ONNX for photographs of %dx%d", size[1], size[0])
    method = program.in_full_precision(trained.config["method"])
    return onnx_file.make_onnx(method, arrays, size, {**describe(trained, ()), **told})


def _make_program(trained: Trained, arrays: Mapping[str, np.ndarray], platforms: tuple[str, ...]) -> bytes:
    """Traces, tells how long that took, and checks."""
    size = program.fixed_size(trained.config)
    log.info("tracing %s for %s on %s", PROGRAM, program.sizes_in_words(size), ", ".join(platforms))
    start = time.perf_counter()
    method = program.in_full_precision(trained.config["method"])
    made = program.make_program(method, arrays, platforms, size)
    log.info("traced it in %.1f s: %.1f MB", time.perf_counter() - start, len(made) / 1e6)
    program.check_program(made, arrays, trained, platforms)
    return made


def require_possible(out: Path, platforms: tuple[str, ...], onnx: Size | None, web: Path | None = None) -> None:
    """Looks before minutes of work.

    Raises:
      UserError: `out` is no folder or holds anything but an older export, there is no such platform, or a package is
        missing.
    """
    _require_free(out)
    program.require_program_can_be_made(platforms)
    if onnx or web:
        onnx_file.require_onnx()
    if web:
        web_page.require_runtime(web)


def _require_free(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError(f"{out} is a file; name a folder with --out")
    found = {path.name for path in out.iterdir()}
    if found and (not found <= OURS or not _is_export(out / CONFIG)):
        raise UserError(f"{out} holds something else ({min(found)}); name a new or an empty folder with --out")


def _is_export(path: Path) -> bool:
    try:
        return EXPORTED in json.loads(path.read_text())
    except (OSError, ValueError):
        return False


def _put(stage: Path, out: Path) -> None:
    """All files at once into a new folder; an older export is none while it changes, for it has no config then."""
    if not (out / CONFIG).exists():
        os.replace(stage, out)
        return
    (out / CONFIG).unlink()
    for name in (BUNDLE, PROGRAM, ONNX, PAGE, CARD, CONFIG):
        if (stage / name).exists():
            os.replace(stage / name, out / name)
        else:
            (out / name).unlink(missing_ok=True)
