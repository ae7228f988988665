"""The ONNX file of a network in the runtimes that are installed, beside JAX: difference, seconds to load, speed, size.

    python -m benchmarks.runtimes [--run=open] [--size=128] [--rounds=5] [--web=node_modules/onnxruntime-web] [--file=F]

JAX and all others answer in turn, so that a busy machine slows them alike; times are ratios of medians to JAX's. For
onnxruntime-web Node runs its WebAssembly on one thread, in a process of its own. What is not installed gets a row that
says so: pip install openvino, pip install tract, npm install onnxruntime-web.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata, util
from pathlib import Path
from typing import Any

import jax
import numpy as np

from scan_jax.commands import cli
from scan_jax.inference.bundles import onnx_file, program
from scan_jax.inference.inpainter import PACKAGED
from scan_jax.inference.trained import Trained
from scan_jax.weights import safetensors_tree

Run = Callable[[], np.ndarray]
NODE = """
import fs from "fs";
const [folder, module, size, rounds] = process.argv.slice(2);
const ort = await import(module);
ort.env.wasm.numThreads = 1;
let start = performance.now();
const session = await ort.InferenceSession.create(fs.readFileSync(`${folder}/fill.onnx`));
const told = { load: (performance.now() - start) / 1000, seconds: [] };
const read = (name) => new Float32Array(fs.readFileSync(`${folder}/${name}`).buffer.slice(0));
const given = {
  image: new ort.Tensor("float32", read("image"), [1, +size, +size, 3]),
  known: new ort.Tensor("float32", read("known"), [1, +size, +size, 1]),
};
let found;
for (let i = 0; i < +rounds + 1; i++) {
  start = performance.now();
  found = await session.run(given);
  told.seconds.push((performance.now() - start) / 1000);
}
fs.writeFileSync(`${folder}/answer`, Buffer.from(found.filled.data.buffer));
console.log(JSON.stringify(told));
process.exit(0);
"""


def main(argv: list[str]) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.runtimes", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--run", type=Path, default=Path("open"), help="a network that takes no label map, or open")
    parser.add_argument("--size", type=int, default=128, help="height and width, pixels")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is timed")
    parser.add_argument("--web", type=Path, default=Path("node_modules/onnxruntime-web"), help="where npm put it")
    parser.add_argument("--file", type=Path, help="of that network and size, so that none is written first")
    flags = parser.parse_args(argv)
    return cli.run(lambda: compare(flags))


def compare(flags: argparse.Namespace) -> None:
    """Writes the file, runs it everywhere, and prints."""
    trained = Trained.load(PACKAGED.get(str(flags.run), flags.run))
    arrays = safetensors_tree.flatten({"params": trained.variables.params, "stats": trained.variables.stats})
    method = program.in_full_precision(trained.config["method"])
    size = (flags.size, flags.size)
    content = flags.file.read_bytes() if flags.file else onnx_file.make_onnx(method, arrays, size)
    given = program.example((1, *size), 0)
    fill = jax.jit(program.make_fill(method))
    truth = np.asarray(fill(arrays, *given))
    weights = sum(array.nbytes for array in arrays.values()) / 1e6
    print(f"{trained.config['method']['name']}, {flags.size}x{flags.size}: fill.onnx {len(content) / 1e6:.1f} MB,")
    print(f"{len(content) / 1e6 / weights:.2f} times its weights in float32\n")
    print("| runtime | version | largest difference from JAX | to load, s | time, JAX = 1 |\n|---|---|---:|---:|---:|")
    for name, package, load in RUNTIMES:
        if util.find_spec(package) is None:
            print(f"| {name} | | not installed: pip install {package} | | |")
            continue
        try:
            start = time.perf_counter()
            run = load(content, given)
            loaded = time.perf_counter() - start
            off = float(np.max(np.abs(run() - truth)))
        except RuntimeError as error:  # what all of them raise
            print(f"| {name} | {metadata.version(package)} | refuses it: {str(error).splitlines()[0][:90]} | | |")
            continue
        ours, theirs = [], []
        for _ in range(flags.rounds):
            ours.append(_seconds(lambda: jax.block_until_ready(fill(arrays, *given))))
            theirs.append(_seconds(run))
        ratio = float(np.median(theirs) / np.median(ours))
        print(f"| {name} | {metadata.version(package)} | {off:.1e} | {loaded:.1f} | {ratio:.1f} |")
    print(_in_node(flags, content, given, truth, lambda: jax.block_until_ready(fill(arrays, *given))))


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def by_onnxruntime(content: bytes, given: list[np.ndarray]) -> Run:
    """On a CPU, as it comes."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, dict(zip(onnx_file.INPUTS, given)))[0]


def by_openvino(content: bytes, given: list[np.ndarray], **options: str) -> Run:
    """On a CPU; newer ones compute in bfloat16 unless told otherwise."""
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(content), "CPU", options)
    return lambda: compiled(dict(zip(onnx_file.INPUTS, given)))[0]


def in_float32(content: bytes, given: list[np.ndarray]) -> Run:
    """OpenVINO as it is told here."""
    return by_openvino(content, given, INFERENCE_PRECISION_HINT="f32")


def by_tract(content: bytes, given: list[np.ndarray]) -> Run:
    """From a file, which is all that it takes."""
    import tract

    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(content)
        file.flush()
        model = tract.onnx().load(file.name)
    try:
        runnable = model.into_model().into_runnable()
    except tract.TractError as error:
        raise RuntimeError(str(error)) from error

    def run() -> np.ndarray:
        try:
            return runnable.run(given)[0].to_numpy()
        except tract.TractError as error:
            raise RuntimeError(str(error)) from error

    return run


RUNTIMES: tuple[tuple[str, str, Callable[[bytes, list[np.ndarray]], Run]], ...] = (
    ("onnxruntime", "onnxruntime", by_onnxruntime),
    ("OpenVINO", "openvino", by_openvino),
    ("OpenVINO, INFERENCE_PRECISION_HINT f32", "openvino", in_float32),
    ("tract", "tract", by_tract),
)


def _in_node(
    flags: argparse.Namespace, content: bytes, given: list[np.ndarray], truth: np.ndarray, ours: Callable[[], Any]
) -> str:
    """The row of onnxruntime-web."""
    module, node = flags.web / "dist/ort.wasm.bundle.min.mjs", shutil.which("node")
    name = "onnxruntime-web in Node, one thread"
    if node is None or not module.is_file():
        return f"| {name} | | not installed: npm install onnxruntime-web, and --web says where | | |"
    version = json.loads((flags.web / "package.json").read_text())["version"]
    with tempfile.TemporaryDirectory() as folder:
        parts = {"fill.onnx": content, "image": given[0].tobytes(), "known": given[1].tobytes()}
        for part, what in {**parts, "run.mjs": NODE.encode()}.items():
            Path(folder, part).write_bytes(what)
        command = [node, f"{folder}/run.mjs", folder, module.resolve().as_uri(), str(flags.size), str(flags.rounds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"| {name} | {version} | refuses it: {done.stderr.strip().splitlines()[-1][:90]} | | |"
        told, answer = json.loads(done.stdout), np.fromfile(Path(folder, "answer"), np.float32)
    off = np.max(np.abs(answer.reshape(truth.shape) - truth))
    ratio = np.median(told["seconds"][1:]) / np.median([_seconds(ours) for _ in range(flags.rounds)])
    return f"| {name} | {version} | {off:.1e} | {told['load']:.1f} | {ratio:.1f} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
