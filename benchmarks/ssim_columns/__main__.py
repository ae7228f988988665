"""Which column is it? Public packages on one photograph and its JPEG, beside every definition of the toolkit.

    python -m benchmarks.ssim_columns [--python=PYTHON]

Makes a temporary environment of the versions below, or takes the interpreter of one that has them, measures by each
package's default call and prints Markdown. The photograph is scikit-image's astronaut, cut to squares, its JPEG of
quality 30. LPIPS stands on a trunk of random weights and distances of sets on random vectors: published weights are
downloads, and formulas show without them.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from PIL import Image
from skimage import data

from benchmarks.ssim_columns import packages
from scan_jax.commands import cli
from scan_jax.core.errors import UserError
from scan_jax.features import inception_v3
from scan_jax.metrics.api import Metric, collect_metrics
from scan_jax.metrics.sets import frechet_distance, kernel_distance
from scan_jax.metrics.standard import pooled_psnr
from scan_jax.weights import registry
from scan_jax.weights.importing import import_weights

PINS = (
    *("torch==2.13.0", "torchvision==0.28.0", "numpy==2.4.6", "scipy==1.17.1"),  # clean-fid ends with SciPy 1.18
    *("scikit-image==0.26.0", "torchmetrics==1.9.0", "piq==0.8.0", "pytorch-msssim==1.0.0", "kornia==0.9.0"),
    *("pytorch-ignite==0.5.5", "dm-pix==0.4.5", "sewar==0.4.10", "pyiqa==0.1.16", "monai==1.6.1"),
    *("opencv-python-headless==5.0.0.93", "lpips==0.1.4", "torch-fidelity==0.4.0", "clean-fid==0.1.35"),
    "pytorch-fid==0.3.0",
)
COLUMNS = ("standard", "reflected", "lama", "masked_attention", "region_norm", "edge_connect")  # the first that fits
CLOSE = {"ssim": 1e-4, "psnr": 1e-3, "alex": 1e-6}  # where a number is the column's
SIZES = ("383", "384", "512")  # besides 64 and 256, where a column is recognised
Value = float | str  # a number, or how it was refused


def main(argv: list[str]) -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ssim_columns", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--python", type=Path, help="of an environment with the packages; made anew without it")
    flags = parser.parse_args(argv)
    return cli.run(lambda: compare(flags.python))


def compare(python: Path | None) -> None:
    """Measures on both sides, and prints.

    Raises:
      UserError: a package cannot be installed or does not run.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pairs, vectors = made_pairs(), made_vectors()
        np.savez(folder / "pairs.npz", **pairs, **vectors)  # type: ignore[arg-type]  # none is allow_pickle
        interpreter = python or installed(folder / "environment")
        finished = subprocess.run([interpreter, packages.__file__, folder], check=False)
        if finished.returncode:
            raise UserError(f"the packages did not run ({finished.returncode}); what went wrong is above")
        found, versions = (json.loads((folder / f"{name}.json").read_text()) for name in ("found", "versions"))
        os.environ[registry.FOLDER_VARIABLE] = str(folder / "weights")
        import_weights("alexnet", str(folder / "alexnet.pth"), allow_other_weights=True)
        import_weights("lpips_alex", str(folder / "heads.pth"), allow_other_weights=True)
        ours = measured_here(pairs)
    print(f"Measured: {', '.join(f'{name} {version}' for name, version in versions.items())}.\n")
    print_table(("package", "SSIM by", "at 256 px", "belongs beside", "departs"), ssim_rows(found["SSIM"], ours))
    psnr_head = ("package", "PSNR by", "at 256 px", "belongs beside", "of two pictures", "identical")
    print_table(psnr_head, psnr_rows(found["PSNR"], ours))
    print_table(("package", "LPIPS by", "at 256 px", "belongs beside"), lpips_rows(found["LPIPS"], ours))
    head = ("package", "Fréchet distance", "kernel distance", "what it feeds the network, levels off ours")
    print_table(head, set_rows(found["sets"], vectors, pairs["256"][1]))


def installed(folder: Path) -> Path:
    """The interpreter of a fresh environment with all of `PINS`."""
    print(f"installing {len(PINS)} packages", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    if subprocess.run([python, "-m", "pip", "install", "-q", *PINS], check=False).returncode:
        raise UserError("pip could not install the packages; make an environment yourself and name its --python")
    return python


def made_pairs() -> dict[str, np.ndarray]:
    """Images and their photographs, uint8 [2,B,S,S,3], by name."""
    whole = data.astronaut()  # [512,512,3]

    def pair(top: int, left: int, side: int, quality: int = 30) -> np.ndarray:
        photograph = whole[top : top + side, left : left + side]
        buffer = io.BytesIO()
        Image.fromarray(photograph).save(buffer, "JPEG", quality=quality)
        return np.stack([np.asarray(Image.open(buffer)), photograph])[:, None]

    square = pair(0, 128, 256)
    luma = np.round(square[1] @ (0.299, 0.587, 0.114))[..., None].astype(np.uint8)  # of BT.601
    return {
        "256": square,
        "64": pair(64, 192, 64),
        **{size: pair(0, 0, int(size)) for size in SIZES},
        "8": pair(120, 220, 8),
        "dim": square // 4 + 60,
        "identical": np.stack([square[1], square[1]]),
        "grey": np.stack([np.broadcast_to(luma, square[1].shape), square[1]]),
        "two": np.concatenate([square, pair(256, 128, 256, quality=95)], axis=1),
    }


def made_vectors() -> dict[str, np.ndarray]:
    """Two sets float64 [300,64], some way apart."""
    rng = np.random.default_rng(0)
    return {"x": rng.normal(size=(300, 64)), "y": 1.2 * rng.normal(size=(300, 64)) + 0.1}


def measured_here(pairs: Mapping[str, np.ndarray]) -> dict[str, dict[str, Value]]:
    """By full name and pair; "refused" below a metric's least side."""
    metrics = {name: one for name, one in collect_metrics([*COLUMNS, "lpips/alex"]).items() if isinstance(one, Metric)}
    found: dict[str, dict[str, Value]] = {}
    for name, metric in metrics.items():
        found[name] = {}
        for key, pair in pairs.items():
            if min(pair.shape[2:4]) < metric.least_side:
                found[name][key] = "refused"
                continue
            values = np.asarray(metric(*pair, np.zeros(pair.shape[1:4], bool)))  # type: ignore[call-arg]
            found[name][key] = float(values.mean())
            if key == "two" and name == "standard/psnr":
                found[name]["pooled"] = pooled_psnr(values)
    return found


def column_of(values: Mapping[str, Value], metric: str, ours: Mapping[str, Mapping[str, Value]]) -> str | None:
    """The first group whose numbers these are, at 64 and at 256 pixels; None if they are nobody's."""
    names = [group for group in COLUMNS if f"{group}/{metric}" in ours]
    fits = (g for g in names if all(same(values[key], ours[f"{g}/{metric}"][key], metric) for key in ("64", "256")))
    return next(fits, None)


def same(value: Value, other: Value, metric: str) -> bool:
    """Whether both are one number, or both refused."""
    if isinstance(value, str) or isinstance(other, str):
        return isinstance(value, str) and isinstance(other, str)
    return value == other or abs(value - other) <= CLOSE[metric]


def shown(value: Value, decimals: int) -> str:
    """A number, or how it was refused."""
    return value if isinstance(value, str) else f"{value:.{decimals}f}"


def beside(values: Mapping[str, Value], metric: str, ours: Mapping[str, Mapping[str, Value]], decimals: int) -> str:
    """A column, or "none" with what the nearest has, if one is near, or else `standard`."""
    group = column_of(values, metric, ours)
    if group is not None:
        return f"`{group}/{metric}`"
    each = {group: ours[f"{group}/{metric}"]["256"] for group in COLUMNS if f"{group}/{metric}" in ours}
    near = (group for group, value in each.items() if abs(float(value) - float(values["256"])) < 5 * CLOSE[metric])
    group = next(near, "standard")
    return f"none (`{group}/{metric}` has {shown(each[group], decimals)})"


def ssim_rows(found: list[dict[str, Any]], ours: Mapping[str, Mapping[str, Value]]) -> Iterator[tuple[str, ...]]:
    for row in found:
        values = row["values"]
        group = column_of(values, "ssim", ours)
        column = ours[f"{group or 'standard'}/ssim"]
        said = "; ".join(departures(values, column, known=group is not None))
        said = said or ("nowhere seen" if group else "everywhere")
        yield row["package"], row["call"], shown(values["256"], 4), beside(values, "ssim", ours, 4), said


def departures(values: Mapping[str, Value], column: Mapping[str, Value], *, known: bool) -> Iterator[str]:
    """Where a package leaves the column that it equals at 64 and 256 pixels, in words."""
    grey = values["grey"]
    if float(grey) > 0.99 > max(float(values["256"]), float(column["grey"])):
        yield "luma alone"
    if not known:
        return
    if not same(values["dim"], column["dim"], "ssim"):
        yield f"range: of a dim picture {shown(values['dim'], 4)} for {shown(column['dim'], 4)}"
    larger = next((size for size in SIZES if not same(values[size], column[size], "ssim")), None)
    if larger:
        yield f"at {larger} px {shown(values[larger], 4)} for {shown(column[larger], 4)}"
    if not same(values["8"], column["8"], "ssim"):
        yield f"at 8 px {shown(values['8'], 4)}, ours {shown(column['8'], 4)}"
    if not same(values["identical"], 1.0, "ssim"):
        yield f"of identical pictures {shown(values['identical'], 4)}"
    if "two" in values and not same(values["two"], column["two"], "ssim"):
        yield f"of two pictures {shown(values['two'], 4)} for {shown(column['two'], 4)}"


def psnr_rows(found: list[dict[str, Any]], ours: Mapping[str, Mapping[str, Value]]) -> Iterator[tuple[str, ...]]:
    standard = ours["standard/psnr"]
    for row in found:
        values = row["values"]
        column, two = beside(values, "psnr", ours, 2), "one at a time"
        if "two" in values:
            means = {"their mean": standard["two"], "pooled": standard["pooled"]}
            mean = next((word for word, value in means.items() if same(values["two"], value, "psnr")), "neither")
            two = f"{shown(values['two'], 2)}, {mean}"
            if mean == "pooled":
                column = column.replace("/psnr", "/psnr_pooled")
        own, identical = (shown(values[key], 2) for key in ("256", "identical"))
        yield row["package"], row["call"], own, column, two, identical


def lpips_rows(found: list[dict[str, Any]], ours: Mapping[str, Mapping[str, Value]]) -> Iterator[tuple[str, ...]]:
    column = ours["lpips/alex"]
    for row in found:
        values = row["values"]
        equal = all(same(values[key], column[key], "alex") for key in ("64", "256"))
        which = "`lpips/alex`" if equal else f"none (`lpips/alex` has {shown(column['256'], 5)})"
        yield row["package"], row["call"], shown(values["256"], 5), which


def set_rows(
    found: Mapping[str, Mapping[str, Any]], vectors: Mapping[str, np.ndarray], picture: np.ndarray
) -> Iterator[tuple[str, ...]]:
    x, y = vectors["x"], vectors["y"]
    ours = {"frechet": frechet_distance(x, y), "kernel": kernel_distance(x, y)}
    fed = np.asarray(inception_v3._resize(jnp.asarray(picture, jnp.float32)))[0]  # [299,299,3]
    for package, values in found.items():
        cells = []
        for key, value in ours.items():
            theirs = values.get(key, "has none")
            equal = not isinstance(theirs, str) and math.isclose(theirs, value, rel_tol=1e-6)
            cells.append("equal" if equal else theirs if isinstance(theirs, str) else f"{theirs:.6f}, ours {value:.6f}")
        given = values["fed"]
        off = given if isinstance(given, str) else f"{np.abs(np.asarray(given) - fed).mean():.3f}"
        yield package, *cells, off


def print_table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> None:
    for line in (head, ("---",) * len(head), *rows):
        print(f"| {' | '.join(line)} |")
    print()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
