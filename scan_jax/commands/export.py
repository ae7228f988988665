"""Writes what fills holes in a trained run as a bundle that outlives the code, without its critic and optimisers.

    python -m scan_jax export --run=runs/celeba@best --out=celeba [--licence="CC BY 4.0"] [--no_stablehlo]

The newest checkpoint is taken, or that after the @: best or a step. The folder can stand for the run in every --run.
It holds the weights, the config with hashes of the files, a model card, and a StableHLO program for any height and
width that JAX runs without this toolkit. --onnx=256x256 adds an ONNX file for one size (pip install "scan_jax[onnx]"),
and --web a page that fills holes in a browser, without a server (npm install onnxruntime-web besides).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from scan_jax.commands import cli
from scan_jax.core.distributed import keep_compilations

RUNTIME = Path("node_modules/onnxruntime-web")  # where npm puts it


def parse(argv: list[str]) -> argparse.Namespace:
    """The flags."""
    parser = cli.parser("export", __doc__)
    parser.add_argument("--run", type=Path, required=True, help="a run folder, RUN@best, RUN@STEP, or open")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write: a new one or an older export")
    parser.add_argument("--licence", default="", help="of the weights, for the model card; not stated without it")
    parser.add_argument("--platforms", default="cpu,cuda,tpu", help="that the StableHLO program is for")
    parser.add_argument("--onnx", default="", metavar="HEIGHTxWIDTH", help="an ONNX file, too, for this size alone")
    parser.add_argument(
        "--web", type=Path, nargs="?", const=RUNTIME, metavar="ONNXRUNTIME_WEB", help="a page, too; where npm put that"
    )
    parser.add_argument("--half", action="store_true", help="the parameters in 16 bits: half the size, rounded")
    parser.add_argument("--no_stablehlo", action="store_true", help="without the StableHLO program")
    return parser.parse_args(argv)


def export(flags: argparse.Namespace) -> None:
    """Reads and writes; the folder and the flags are looked at first, so that a wrong one costs no wait."""
    from scan_jax.inference.bundles import exporting, onnx_file
    from scan_jax.inference.inpainter import PACKAGED
    from scan_jax.inference.trained import Trained

    platforms = () if flags.no_stablehlo else tuple(filter(None, flags.platforms.split(",")))
    onnx = onnx_file.read_size(flags.onnx) if flags.onnx else None
    exporting.require_possible(flags.out, platforms, onnx, flags.web)
    keep_compilations()
    trained = Trained.load(PACKAGED.get(str(flags.run), flags.run))
    wanted = {"platforms": platforms, "onnx": onnx, "web": flags.web}
    exporting.export(trained, flags.out, licence=flags.licence, half=flags.half, **wanted)


def main(argv: list[str]) -> int:
    """The command; its exit code."""
    return cli.run(lambda: export(parse(argv)))
